"""The Transfer page in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.draw_page import (
    Theme,
    expect_address,
    open_page,
    overflow,
    settle,
    wait_until,
    widget,
)


def open_transfer(page: Page, app_url: str, query: str = "") -> None:
    """Open the page and wait until it shows rates of all images."""
    open_page(page, f"{app_url}/transfer{query}", "transfer_csv")
    expect(widget(page, "stop_waiting")).to_have_count(0)
    settle(page)


def click_cell(page: Page, row: int, column: int) -> None:
    """Click a cell of the heat map near its edge."""
    chart = page.locator(".st-key-transfer_map .js-plotly-plot:has(.nsewdrag)")
    chart.scroll_into_view_if_needed()
    expect(chart.locator(".scatterlayer .point").first).to_be_attached()
    place = chart.evaluate(
        """(plot, [row, column]) => {
            const { xaxis, yaxis } = plot._fullLayout;
            const { x, y } = plot.getBoundingClientRect();
            const across = xaxis._offset + xaxis.d2p(column + 0.4);
            return [x + across, y + yaxis._offset + yaxis.d2p(row - 0.3)];
        }""",
        [row, column],
    )
    page.mouse.click(*place)


def test_a_cell_opens_ten_of_its_images_and_back_closes_it(page: Page, app_url: str) -> None:
    open_transfer(page, app_url, "?networks=report~few-images&attack=FGSM&linf=0.2")
    twins = page.get_by_alt_text(re.compile("^Adversarial, "))
    expect(twins).to_have_count(0)
    click_cell(page, 0, 1)
    expect(twins).to_have_count(10)
    expect_address(page, "made_on=report&tried_on=few-images")
    settle(page)
    click_cell(page, 2, 0)
    expect_address(page, "made_on=~noise&tried_on=report")
    expect(page.get_by_label("Made on", exact=True)).to_have_value("Random noise")
    page.go_back()
    expect_address(page, "made_on=report&tried_on=few-images")
    expect(twins).to_have_count(10)
    page.go_back()
    wait_until(page, lambda: "made_on" not in page.url)
    expect(twins).to_have_count(0)
    page.go_forward()
    expect(twins).to_have_count(10)


@pytest.mark.thorough
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_everything_is_shown_and_nothing_sticks_out(
    page: Page, app_url: str, width: int, scheme: Theme
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    names = "report~augmentation~dropout~few-images~early-stopping~schedule~adam~adversarial-fgsm"
    open_transfer(page, app_url, f"?networks={names}&made_on=report&tried_on=adam")
    chart = page.locator(".st-key-transfer_map .js-plotly-plot")
    labels = chart.locator(".ytick text")
    expect(labels).to_have_count(9)
    numbers = chart.locator(".heatmap-label, .hmlabel, .heatmaplayer text")
    wait_until(page, lambda: numbers.count() >= 72)
    inside = chart.evaluate(
        """(plot) => {
            const box = plot.getBoundingClientRect();
            const texts = [...plot.querySelectorAll(".ytick text, .xtick text, .x2tick text")];
            return texts.every((text) => {
                const { left, right, top } = text.getBoundingClientRect();
                return left >= box.left - 1 && right <= box.right + 1 && top >= box.top - 1;
            });
        }"""
    )
    assert inside
    assert overflow(page) <= 0
