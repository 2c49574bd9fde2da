"""The address, Back and Forward in a real browser."""

import base64
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import serve
from tests.browser.draw_page import (
    CANVAS,
    SEVEN,
    NewContext,
    choose,
    clean_image,
    draw,
    draw_by_finger,
    expect_address,
    expect_seen,
    open_draw,
    open_page,
    position,
    settle,
    slider,
    wait_until,
    widget,
)
from tests.pages.test_canvas import bomb as png_of

BAR = [(100, 150), (190, 150)]


def entries(page: Page) -> int:
    """Return how many entries the tab's history has."""
    count: int = page.evaluate("history.length")
    return count


def wait_for_steps(page: Page) -> None:
    """Wait until the page chooses the steps for Back, a moment after it has opened."""
    page.wait_for_function("history.pushState.chooses")


def wait_for_image(page: Page, image: str) -> None:
    """Wait until the explorer's clean image is this one, and for all else."""
    clean = page.locator("canvas.clean")
    wait_until(page, lambda: clean.count() == 1 and clean_image(page) == image)
    settle(page)


def seen(page: Page) -> tuple[str, ...]:
    """Return what the page says about the digit."""
    settle(page)
    parts = (".sentence", ".certainty", ".norms", "output")
    return (clean_image(page), *(page.locator(part).inner_text() for part in parts))


def shows(page: Page, step: tuple[str, ...]) -> bool:
    """Return whether the page says this about the digit."""
    return page.locator(".explorer").count() == 1 and seen(page) == step


def test_one_back_leaves_a_page_that_was_just_opened(page: Page, app_url: str) -> None:
    page.goto("about:blank")
    before = entries(page)
    open_draw(page, app_url)
    page.mouse.click(5, 5)
    assert entries(page) == before + 1
    page.go_back()
    assert page.url == "about:blank"


def test_back_and_forward_go_through_what_was_seen(page: Page, app_url: str) -> None:
    open_draw(page, app_url)
    before = entries(page)
    draw(page, SEVEN)
    expect_seen(page, 7)
    expect_address(page, "pixels=")
    steps = [seen(page)]
    choose(page, "Attack", "PGD")
    expect_address(page, "attack=PGD")
    steps.append(seen(page))
    page.mouse.click(*position(page, 30))
    expect_address(page, "epsilon=0.150")
    steps.append(seen(page))
    draw(page, BAR)
    wait_until(page, lambda: clean_image(page) != steps[0][0])
    expect(page.locator(".explorer")).to_be_visible()
    settle(page)
    steps.append(seen(page))
    assert entries(page) == before + 4
    for step in steps[-2::-1]:
        page.go_back()
        wait_until(page, partial(shows, page, step))
    page.go_back()
    expect(page.locator(".explorer")).to_have_count(0)
    settle(page)
    for step in steps:
        page.go_forward()
        expect(page.locator(".explorer")).to_be_visible()
        wait_until(page, partial(shows, page, step))
    assert entries(page) == before + 4


def test_quick_stops_of_a_slider_are_one_step(new_context: NewContext, app_url: str) -> None:
    page = new_context().new_page()
    open_draw(page, app_url, "?digit=0")
    expect_seen(page, 7)
    settle(page)
    wait_for_steps(page)
    before = entries(page)
    page.clock.set_fixed_time("2026-01-01T10:00:00")
    slider(page).focus()
    for stop in range(1, 6):
        page.keyboard.press("ArrowRight")
        expect_address(page, f"epsilon=0.{5 * stop:03d}")
        settle(page)
    assert entries(page) == before + 1
    page.clock.set_fixed_time("2026-01-01T10:00:09")
    page.keyboard.press("ArrowRight")
    expect_address(page, "epsilon=0.030")
    assert entries(page) == before + 2
    page.go_back()
    expect(page.locator("output")).to_have_text("0.025")
    page.go_back()
    expect(page.locator("output")).to_have_text("0.000")


def test_quick_stops_of_a_slider_of_streamlit_are_one_step(
    new_context: NewContext, app_url: str
) -> None:
    page = new_context().new_page()
    open_page(page, f"{app_url}/remedies", "budget")
    wait_for_steps(page)
    before = entries(page)
    page.clock.set_fixed_time("2026-01-01T10:00:00")
    handle = widget(page, "budget").get_by_role("slider")
    handle.focus()
    for _ in range(3):
        address = page.url
        handle.press("ArrowRight")
        wait_until(page, partial(differs, page, address))
        settle(page)
    assert entries(page) == before + 1
    page.go_back()
    expect(handle).to_have_attribute("aria-valuetext", "0.1")


def differs(page: Page, address: str) -> bool:
    """Return whether the page has another address."""
    return page.url != address


@pytest.mark.thorough
@pytest.mark.parametrize("width", [390, 1280])
def test_a_drawing_is_in_its_address(new_context: NewContext, app_url: str, width: int) -> None:
    phone: dict[str, Any] = {"has_touch": True, "is_mobile": True, "device_scale_factor": 3}
    context = new_context(
        viewport={"width": width, "height": 844}, **(phone if width == 390 else {})
    )
    stroke = draw_by_finger if width == 390 else draw
    page = context.new_page()
    open_draw(page, app_url)
    stroke(page, SEVEN)
    expect_seen(page, 7)
    expect_address(page, "pixels=")
    before = seen(page)
    page.reload()
    expect_seen(page, 7)
    assert seen(page) == before

    # One can draw on top, and take back only that.
    undo = widget(page, "undo").get_by_role("button")
    expect(undo).to_be_disabled()
    stroke(page, BAR)
    wait_until(page, lambda: clean_image(page) != before[0])
    changed = seen(page)
    address = page.url
    undo.click()
    wait_until(page, partial(shows, page, before))
    expect(undo).to_be_disabled()

    other = new_context().new_page()
    other.goto(address)
    expect_seen(other, r"\d")
    assert seen(other) == changed


def test_a_drawing_outlives_its_server(browser: Browser) -> None:
    page = browser.new_page()
    with serve() as url:
        open_draw(page, url)
        draw(page, SEVEN)
        expect_seen(page, 7)
        expect_address(page, "pixels=")
        before = seen(page)
        canvas = page.locator(CANVAS).element_handle()
    with serve(int(url.rpartition(":")[2])):
        wait_until(page, lambda: not canvas.evaluate("canvas => canvas.isConnected"))
        expect(widget(page, "undo").get_by_role("button")).to_be_disabled()
        assert seen(page) == before
        draw(page, BAR)
        wait_until(page, lambda: clean_image(page) != before[0])
        widget(page, "undo").get_by_role("button").click()
        wait_until(page, partial(shows, page, before))
    page.close()


def test_a_message_of_no_canvas_leaves_the_drawing(page: Page, app_url: str) -> None:
    open_draw(page, app_url)
    draw(page, SEVEN)
    expect_seen(page, 7)
    before = seen(page)
    bomb = base64.b64encode(png_of(25_000)).decode()
    page.evaluate(
        """(bomb) => {
            window.honest = HTMLCanvasElement.prototype.toDataURL;
            HTMLCanvasElement.prototype.toDataURL = function (...how) {
                return this.width === 280 ? bomb : window.honest.call(this, ...how);
            };
        }""",
        f"data:image/png;base64,{bomb}",
    )
    canvas = page.locator(CANVAS).element_handle()
    draw(page, BAR)
    # A new canvas takes the place of the one that sent it.
    wait_until(page, lambda: not canvas.evaluate("canvas => canvas.isConnected"))
    assert seen(page) == before
    page.evaluate("() => { HTMLCanvasElement.prototype.toDataURL = window.honest; }")
    draw(page, BAR)
    wait_until(page, lambda: clean_image(page) != before[0])


def test_back_and_forward_across_pages(page: Page, app_url: str) -> None:
    open_draw(page, app_url)
    draw(page, SEVEN)
    expect_seen(page, 7)
    expect_address(page, "pixels=")
    drawn = seen(page)
    before = entries(page)
    page.get_by_role("link", name="Remedies").click()
    expect(widget(page, "budget")).to_be_visible()
    expect_address(page, "budget=0.1")
    settle(page)
    assert entries(page) == before + 1
    widget(page, "against").get_by_text("FGSM").click()
    expect_address(page, "against=FGSM")
    settle(page)
    page.go_back()
    expect_address(page, "against=PGD")
    expect(widget(page, "against").get_by_role("radio", name="PGD")).to_be_checked()
    page.go_back()
    wait_for_image(page, drawn[0])
    page.go_forward()
    page.go_forward()
    expect(widget(page, "against").get_by_role("radio", name="FGSM")).to_be_checked()
    expect_address(page, "against=FGSM")
    assert entries(page) == before + 2


def test_back_and_forward_on_the_test_set(page: Page, app_url: str) -> None:
    page.goto("about:blank")
    before = entries(page)
    open_page(page, f"{app_url}/test_set?images=a%20sample%20of%201,000", "images")
    wait_for_steps(page)
    choose(page, "Attack", "PGD")
    expect_address(page, "attack=PGD")
    expect(widget(page, "ten_png")).to_be_visible()
    settle(page)
    widget(page, "why").get_by_role("radio", name="4").click()
    expect_address(page, "why=4")
    settle(page)
    choose(page, "Attack", "BIM")
    expect_address(page, "attack=BIM")
    settle(page)
    page.go_back()
    expect(page.get_by_label("Attack", exact=True)).to_have_value("PGD")
    expect(widget(page, "why").get_by_role("radio", name="4")).to_be_checked()
    page.go_back()
    expect(widget(page, "why").get_by_role("radio", name="0")).to_be_checked()
    settle(page)
    expect(page.get_by_label("Attack", exact=True)).to_have_value("PGD")
    page.go_forward()
    expect(widget(page, "why").get_by_role("radio", name="4")).to_be_checked()
    settle(page)
    address = page.url

    # A digit that is opened on Draw is one step, which keeps the way back.
    page.locator("[class*=st-key-open_] button").first.click()
    expect(widget(page, "digit")).to_be_visible()
    expect(page.locator("output")).to_have_text("0.100")
    settle(page)
    assert entries(page) == before + 4
    page.go_back()
    expect(widget(page, "why").get_by_role("radio", name="4")).to_be_checked()
    assert page.url == address
