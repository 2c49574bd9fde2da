"""What people do on the Draw page."""

import re

from playwright.sync_api import Locator, Page, expect

Point = tuple[int, int]
SEVEN: list[Point] = [(80, 70), (200, 70), (130, 220)]


def open_draw(page: Page, app_url: str, query: str = "") -> None:
    """Open the page and wait until it can be used."""
    page.goto(f"{app_url}/{query}")
    expect(page.get_by_text("Draw a digit, turn up ε, watch it flip")).to_be_visible(timeout=30_000)
    expect(page.get_by_label("Network", exact=True)).to_be_visible()


def draw(page: Page, points: list[Point]) -> None:
    """One stroke on the canvas."""
    canvas = page.locator("canvas.upper-canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    (x, y), *rest = [(box["x"] + x, box["y"] + y) for x, y in points]
    page.mouse.move(x, y)
    page.mouse.down()
    for x, y in rest:
        page.mouse.move(x, y, steps=8)
    page.mouse.up()


def choose(page: Page, box: str, option: str) -> None:
    """Choose an option of a selection box, whose list closes when the page is scrolled."""
    selection = page.get_by_label(box, exact=True)
    selection.scroll_into_view_if_needed()
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    selection.click()
    page.get_by_role("option", name=option, exact=True).click()


def slider(page: Page) -> Locator:
    """The live ε."""
    return page.get_by_role("slider", name="ε")


def position(page: Page, index: int) -> Point:
    """Where on the screen the slider's handle is at the index-th ε."""
    handle = slider(page)
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    assert box is not None
    radius = 13
    x = box["x"] + radius + (box["width"] - 2 * radius) * index / 100
    return round(x), round(box["y"] + box["height"] / 2)


def expect_seen(page: Page, digit: int | str) -> None:
    """Wait until the verdict is this digit (a pattern may be given)."""
    expect(page.locator(".verdict .now")).to_have_text(re.compile(str(digit)), timeout=15_000)


def expect_address(page: Page, part: str) -> None:
    """Wait until the address contains this."""
    expect(page).to_have_url(re.compile(re.escape(part)))
