"""The live ε in a real browser: what it shows, and what it tells other components."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.draw_page import expect_seen, open_draw, position, settle, slider

LISTEN = """() => {
  window.told = [];
  addEventListener("small-change-epsilon", (event) => window.told.push(event.detail));
}"""


def told(page: Page) -> list[dict[str, Any]]:
    """Return what the live ε has told other components since `LISTEN`."""
    events: list[dict[str, Any]] = page.evaluate("window.told")
    return events


def test_other_components_hear_where_the_slider_is(page: Page, app_url: str) -> None:
    page.add_init_script(f"({LISTEN})()")
    open_draw(page, app_url, "?digit=0&epsilon=0.1")
    expect_seen(page, r"\d")
    (first,) = told(page)  # once after it was shown
    assert (first["index"], first["epsilon"]) == (20, 0.1)
    slider(page).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("output")).to_have_text("0.105")
    page.mouse.move(*position(page, 21))
    page.mouse.down()
    page.mouse.move(*position(page, 60))
    expect(page.locator("output")).to_have_text("0.300")
    events = told(page)
    assert [event["index"] for event in events[:2]] == [20, 21]
    assert events[-1] == {"id": first["id"], "index": 60, "epsilon": 0.3}
    assert page.evaluate("window.smallChangeEpsilon") == events[-1]
    page.mouse.up()
    settle(page)
    assert len(told(page)) == len(events)  # the server's answer moves nothing
