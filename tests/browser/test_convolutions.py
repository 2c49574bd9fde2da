"""Draw with a convolutional network in a real browser."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.draw_page import (
    SEVEN,
    draw,
    expect_address,
    expect_seen,
    frames_sent,
    open_draw,
    overflow,
    position,
    settle,
    widget,
)
from tests.browser.test_draw import flip_in


def rows(canvas: Locator) -> list[int]:
    """Return the sum of the shades of each row of a canvas."""
    sums: list[int] = canvas.evaluate(
        "canvas => { const { width, height } = canvas;"
        " const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);"
        " return Array.from({ length: height }, (_, row) =>"
        " data.subarray(4 * width * row, 4 * width * (row + 1)).reduce((a, b) => a + b, 0)); }"
    )
    return sums


def test_a_drawn_seven_flips_and_the_channels_follow_without_the_server(
    page: Page, app_url: str
) -> None:
    sent = frames_sent(page)
    open_draw(page, app_url, "?model=convolutional&units=on")
    draw(page, SEVEN)
    expect_seen(page, 7)
    before, after, epsilon = flip_in(page)
    assert before == 7 != after
    view = widget(page, "units")
    first, second = (view.get_by_role("img", name=f"convolution {each}") for each in (1, 2))
    expect(view.get_by_role("heading", name="Convolution 1: 6 channels of 14 × 14")).to_be_visible()
    expect(view.get_by_role("heading", name="Layer 3: 120 units")).to_be_visible()
    expect(view.locator(".seen")).to_have_text("Without attack: 7. At ε = 0.000: 7.")

    page.mouse.move(*position(page, 0))
    page.mouse.down()
    settle(page)
    sent.clear()
    still = [rows(canvas) for canvas in (first, second)]
    for index in (20, 60, 100):
        page.mouse.move(*position(page, index))
        expect(page.locator("output")).to_have_text(f"{index / 200:.3f}")
        expect(view.locator(".seen")).to_contain_text(f"ε = {index / 200:.3f}")
        expect_seen(page, 7 if index / 200 < epsilon else "[^7]")
    expect(view.locator(".seen")).to_have_text(re.compile(r"At ε = 0\.500: [^7]\.$"))
    for canvas, at_rest in zip((first, second), still, strict=True):
        moved = rows(canvas)
        # Of the three pictures of a channel, the first one is without the attack.
        assert moved[:20] == at_rest[:20] and moved != at_rest
    assert sent == []  # not one message to the server
    page.mouse.up()
    expect_address(page, "epsilon=0.500")
    assert overflow(page) <= 0
