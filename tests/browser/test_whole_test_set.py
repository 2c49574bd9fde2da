"""The Test set and Report pages in a real browser."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from core.data.mnist import Digits
from tests.browser.draw_page import (
    NewContext,
    Theme,
    choose,
    expect_address,
    made_on_a_click,
    open_page,
    overflow,
    settle,
    widget,
)


def open_test_set(page: Page, app_url: str, query: str = "") -> None:
    """Open the Test set page and wait until it shows rates of an attack."""
    open_page(page, f"{app_url}/test_set{query}", "images")
    expect(rate(page)).to_have_text(re.compile(r"^\d+\.\d\d%$"))


def rate(page: Page) -> Locator:
    """Return the figure of the evasion rate of all images."""
    return page.get_by_test_id("stMetricValue").first


def expect_all_images(page: Page) -> None:
    """Wait until all test images are attacked; some curves may still be computed."""
    expect(widget(page, "npz")).to_contain_text("10,000")


@pytest.mark.thorough
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_everything_is_shown_and_nothing_sticks_out(
    page: Page, app_url: str, width: int, scheme: Theme
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    open_test_set(page, app_url)
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_visible()
    twins = page.get_by_alt_text(re.compile("^Adversarial, "))
    expect(twins).to_have_count(10)
    settle(page)
    box = twins.last.bounding_box()
    assert box is not None and box["x"] + box["width"] <= width
    assert overflow(page) <= 0


def test_a_link_at_the_top_leads_to_each_section(page: Page, app_url: str) -> None:
    open_test_set(page, app_url, "?images=a%20sample%20of%201,000")
    links = page.locator("p", has_text="On this page").get_by_role("link")
    titles = page.get_by_role("heading", level=2)
    expect(titles).to_have_text(links.all_inner_texts())
    for link in links.all():
        anchor = (link.get_attribute("href") or "").removeprefix("#")
        expect(titles.and_(page.locator(f"[id='{anchor}']"))).to_have_count(1)
    links.last.click()
    expect(titles.last).to_be_in_viewport()


@pytest.mark.thorough(left_out=True)
def test_a_cell_shows_its_images_and_the_settings_are_in_the_address(
    page: Page, app_url: str, tmp_path: Path
) -> None:
    open_test_set(page, app_url, "?linf=0.15&images=a%20sample%20of%201,000")
    expect(widget(page, "stop_waiting")).to_have_count(0)  # nothing more is computed
    settle(page)
    matrix = page.locator(".st-key-matrix .js-plotly-plot:has(.nsewdrag)")
    matrix.scroll_into_view_if_needed()
    expect(matrix.locator(".scatterlayer .point").first).to_be_attached()
    digit, label = 4, 9
    matrix.locator(".nsewdrag").wait_for()
    place = matrix.evaluate(
        """(plot, [digit, label]) => {
            const { xaxis, yaxis } = plot._fullLayout;
            const { x, y } = plot.getBoundingClientRect();
            return [x + xaxis._offset + xaxis.d2p(label), y + yaxis._offset + yaxis.d2p(digit)];
        }""",
        [digit, label],
    )
    page.mouse.click(*place)
    file = downloaded(page, "cell_png", tmp_path)
    assert file.name == f"{digit}-taken-for-{label}.png"
    with Image.open(file) as picture:
        assert picture.width % 112 == 0
        assert picture.height > 2 * 112
    expect_address(page, f"cell_label={label}")
    choose(page, "Attack", "Random noise")
    expect_address(page, "attack=Random+noise")
    expect_address(page, "linf=0.15")


def test_what_is_downloaded_can_be_read_back(
    page: Page, app_url: str, tmp_path: Path, test_digits: Digits
) -> None:
    open_test_set(page, app_url, "?linf=0.2")
    expect_all_images(page)
    with np.load(downloaded(page, "npz", tmp_path)) as arrays:
        np.testing.assert_array_equal(arrays["x"], test_digits.x)
        moved = np.abs(arrays["x_adv"].astype(np.float64) - arrays["x"])
        assert moved.max() <= 0.2 + 1e-6
        expect(rate(page)).to_have_text(f"{(arrays['after'] != arrays['y']).mean():.2%}")
    rows = downloaded(page, "mistakes_csv", tmp_path).read_text("utf-8").splitlines()
    assert len(rows) == 11
    assert sum(int(row.rsplit(",", 1)[1]) for row in rows[1:]) == 10_000
    for key, columns in (("ten_png", 10), ("why_png", 4)):
        with Image.open(downloaded(page, key, tmp_path)) as picture:
            assert picture.width == columns * 112
            assert len(picture.getcolors(10**6) or []) > 50


def downloaded(page: Page, key: str, folder: Path) -> Path:
    """Download the file of a button, and return it under the name that the page gave it."""
    download = made_on_a_click(page, key)
    file = folder / download.suggested_filename
    download.save_as(file)
    return file


def test_a_test_image_opens_on_the_draw_page(page: Page, app_url: str) -> None:
    open_test_set(page, app_url, "?linf=0.3")
    expect_all_images(page)
    page.get_by_role("button", name="Open this 0 on the Draw page").click()
    expect(page.locator(".dial output")).to_have_text("0.300")
    expect(widget(page, "digit")).to_be_visible()


def test_the_report_downloads_as_one_file_that_needs_no_network(
    page: Page, new_context: NewContext, app_url: str, tmp_path: Path
) -> None:
    open_page(page, f"{app_url}/report", "html")
    expect(page.get_by_text("72.13").first).to_be_visible()
    file = downloaded(page, "html", tmp_path)
    reader = new_context(offline=True).new_page()
    asked: list[str] = []
    reader.on("request", lambda request: asked.append(request.url))
    reader.goto(file.as_uri())
    expect(reader.get_by_role("heading").first).to_be_visible()
    expect(reader.locator("svg").first).to_be_visible()
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
