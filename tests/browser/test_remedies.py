"""The Remedies page in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.draw_page import (
    Theme,
    box_of,
    expect_address,
    open_page,
    overflow,
    settle,
    widget,
)


@pytest.mark.thorough
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_table_and_chart_are_there_and_nothing_sticks_out(
    page: Page, app_url: str, width: int, scheme: Theme
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, f"{app_url}/remedies", "against")
    shown = ".st-key-narrow .cards" if width == 360 else ".st-key-wide [data-testid=stDataFrame]"
    expect(page.locator(shown)).to_be_visible()
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_visible()
    expect(widget(page, "measure")).to_have_count(0)  # all of them have been measured
    assert overflow(page) <= 0


def test_on_a_phone_cards_that_go_on_below_fade_out(page: Page, app_url: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_page(page, f"{app_url}/remedies", "against")
    cards = page.locator(".st-key-narrow .cards")
    expect(cards).to_have_css("mask-image", re.compile("linear-gradient"))
    rows = cards.locator("tbody tr")
    assert cards.evaluate("box => box.scrollHeight > box.clientHeight")
    fade = cards.evaluate("box => parseFloat(getComputedStyle(box).paddingBottom)")

    def fading() -> int:
        """Return how many cards reach into the lowest part, where they fade out."""
        box = box_of(cards)
        ends = box["y"] + box["height"]
        places = [at for row in rows.all() if (at := row.bounding_box())]
        return sum(at["y"] < ends < at["y"] + at["height"] + fade - 1 for at in places)

    assert fading() > 0
    cards.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    assert fading() == 0


def test_a_link_holds_the_settings(page: Page, app_url: str) -> None:
    query = "?networks=report~dropout&budget=0.2&against=FGSM"
    open_page(page, f"{app_url}/remedies{query}", "against")
    expect(page.get_by_role("heading", name=re.compile("ε = 0.2$"))).to_be_visible()
    settle(page)
    widget(page, "against").get_by_text("PGD").click()
    expect_address(page, "against=PGD")
    expect_address(page, "networks=report~dropout")
