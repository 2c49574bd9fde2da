"""The canvas in windows of every size: it can be seen, drawn on, and has no tools of its own."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.draw_page import (
    CANVAS,
    NewContext,
    Point,
    box_of,
    draw,
    draw_by_finger,
    expect_address,
    expect_seen,
    on_canvas,
    open_draw,
    overflow,
    settle,
    slider,
    widget,
)

Way = Callable[[Page, list[Point]], None]
DIAGONAL: list[Point] = [(4, 4), (276, 276)]
# What is seen at a place, also inside a component.
TOPMOST = """([x, y]) => {
  let seen = document.elementFromPoint(x, y);
  while (seen?.shadowRoot) seen = seen.shadowRoot.elementFromPoint(x, y);
  return seen?.className;
}"""
PIXEL = """(canvas, [x, y]) => canvas.getContext("2d").getImageData(x, y, 1, 1).data[0]"""


def white(page: Page, x: int, y: int) -> bool:
    """Return whether the canvas is white at a place of 280 x 280."""
    canvas = page.locator("canvas.dc-canvas.lower-canvas:visible")
    return bool(canvas.evaluate(PIXEL, [x, y]) > 128)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("width", "height", "density", "way"),
    [
        (320, 700, 1, draw_by_finger),
        (390, 844, 3, draw_by_finger),
        (700, 800, 1, draw),
        (853, 480, 1, draw),
        (853, 480, 3, draw_by_finger),
        (1280, 720, 1, draw),
        (1920, 1080, 3, draw),
        (2560, 1440, 1, draw),
    ],
)
def test_a_stroke_from_corner_to_corner_arrives_where_it_was_drawn(
    new_context: NewContext, app_url: str, width: int, height: int, density: int, way: Way
) -> None:
    context = new_context(
        viewport={"width": width, "height": height}, device_scale_factor=density, has_touch=True
    )
    page = context.new_page()
    open_draw(page, app_url)
    assert overflow(page) <= 0
    for corner in on_canvas(page, [(2, 2), (278, 2), (2, 278), (278, 278)]):
        assert "upper-canvas" in page.evaluate(TOPMOST, corner)
    box = box_of(page.locator(CANVAS))
    assert box["width"] == pytest.approx(box["height"])
    assert box["width"] >= (420 if width >= 1280 else 260)
    way(page, DIAGONAL)
    expect_address(page, "pixels=")
    assert all(white(page, at, at) for at in (6, 40, 140, 240, 274))
    assert not any(white(page, at, 280 - at) for at in (6, 40, 100, 180, 240, 274))
    assert not any(white(page, at, at - 30) for at in (50, 140, 240))
    settle(page)
    assert overflow(page) <= 0


def middle(page: Page, selector: str, count: int = 1) -> float:
    """Return how far down in the window so many elements beside each other have their middle.

    All of each can be seen.
    """
    expect(page.locator(selector)).to_have_count(count)
    window = page.viewport_size
    middles = set()
    for part in page.locator(selector).all():
        box = part.bounding_box()
        assert box is not None and window is not None
        assert box["x"] >= 0 and box["x"] + box["width"] <= window["width"]
        assert box["y"] >= 0 and box["y"] + box["height"] <= window["height"], selector
        middles.add(round(box["y"] + box["height"] / 2))
    assert len(middles) == 1
    return middles.pop()


@pytest.mark.thorough
@pytest.mark.parametrize("networks", [1, 2])
@pytest.mark.parametrize(
    ("width", "height"), [(390, 844), (1024, 768), (1280, 720), (1366, 768), (1920, 1080)]
)
def test_what_matters_is_on_one_screen(
    page: Page, app_url: str, width: int, height: int, networks: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    open_draw(page, app_url, "?compare=adversarial-pgd" if networks == 2 else "")
    draw(page, [(80, 70), (200, 70), (130, 220)])
    expect_address(page, "pixels=")
    settle(page)
    assert overflow(page) <= 0
    assert middle(page, ".verdict", networks) < middle(page, ".dial")
    order = [".st-key-source", "canvas.upper-canvas", ".st-key-undo", ".dial"]
    if width > 640:
        pictures = middle(page, ".images", networks)
        assert middle(page, ".dial") < pictures <= middle(page, ".bars", networks)
        places = [middle(page, part) for part in (".st-key-settings", ".dial")]
        assert places == sorted(places)
        order = order[:3]
    places = [middle(page, part) for part in order]
    if width <= 640:  # the settings come next
        settings = box_of(page.locator(".st-key-settings"))
        places.append(settings["y"])
    assert places == sorted(places)


def test_a_first_visit_shows_an_example_until_one_draws(page: Page, app_url: str) -> None:
    open_draw(page, app_url)
    example = widget(page, "example")
    expect(example.locator(".verdict .before")).to_be_visible()  # it stands at its flip
    assert page.url == f"{app_url}/"
    slider(page).press("End")
    expect(page.locator("output")).to_have_text("0.500")
    settle(page)
    assert page.url == f"{app_url}/"
    draw(page, [(80, 70), (200, 70), (130, 220)])
    expect_address(page, "pixels=")
    expect_seen(page, 7)
    expect(example).to_have_count(0)
    expect(page.locator(".explorer")).to_have_count(1)
    expect(page.locator("output")).to_have_text("0.000")


def test_the_canvas_has_no_tools_but_the_page_s(page: Page, app_url: str) -> None:
    open_draw(page, app_url)
    draw(page, DIAGONAL)
    expect_seen(page, r"\d")
    settle(page)
    page.locator(CANVAS).hover()
    expect(page.locator(".dc-toolbar")).to_be_hidden()
    expect(page.get_by_role("button", name="Undo")).to_have_count(1)
    # From what is before the canvas, Tab goes to the page's own tools.
    page.get_by_role("radio", name="Draw").focus()
    reached = []
    while "undo" not in reached:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.closest('[class*=st-key]').className"))
        reached[-1] = reached[-1].partition("st-key-")[2].partition(" ")[0]
        assert len(reached) < 9
    assert not [key for key in reached if key.startswith("canvas")]
    expect(widget(page, "undo").get_by_role("button")).to_be_focused()
