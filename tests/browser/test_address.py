"""The address, Back and Forward in a real browser."""

from collections.abc import Callable
from functools import partial

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.draw_page import (
    SEVEN,
    choose,
    draw,
    expect_address,
    expect_seen,
    open_draw,
    position,
    settle,
    slider,
    wait_until,
    widget,
)

NewContext = Callable[..., BrowserContext]
BAR = [(100, 150), (190, 150)]


def entries(page: Page) -> int:
    """Return how many entries the tab's history has."""
    count: int = page.evaluate("history.length")
    return count


def clean_image(page: Page) -> str:
    """Return the clean image of the explorer, as a data URL."""
    url: str = page.locator("canvas.clean").evaluate("canvas => canvas.toDataURL()")
    return url


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


def test_quick_stops_of_a_slider_are_one_step(page: Page, app_url: str) -> None:
    open_draw(page, app_url, "?digit=0")
    expect_seen(page, 7)
    settle(page)
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


@pytest.mark.parametrize("width", [390, 1280])
def test_a_drawing_is_in_its_address(new_context: NewContext, app_url: str, width: int) -> None:
    phone = {"has_touch": True, "is_mobile": True} if width < 500 else {}
    context = new_context(viewport={"width": width, "height": 844}, **phone)
    page = context.new_page()
    open_draw(page, app_url)
    draw(page, SEVEN)
    expect_seen(page, 7)
    expect_address(page, "pixels=")
    before = seen(page)
    page.reload()
    expect_seen(page, 7)
    assert seen(page) == before

    # One can draw on top, and take back only that.
    expect(widget(page, "undo").get_by_role("button")).to_be_disabled()
    draw(page, BAR)
    wait_until(page, lambda: clean_image(page) != before[0])
    settle(page)
    changed = seen(page)
    address = page.url
    widget(page, "undo").get_by_role("button").click()
    wait_for_image(page, before[0])
    assert seen(page) == before
    expect(widget(page, "undo").get_by_role("button")).to_be_disabled()

    other = new_context().new_page()
    other.goto(address)
    expect_seen(other, r"\d")
    assert seen(other) == changed


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
