"""The walk and the map below the instrument, in a real browser."""

import re

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect

from core.attacks import METHODS
from core.data.mnist import Digits
from core.evaluation.walk import record
from core.networks.mlp import MLP
from core.presentation.plane import LABEL_COLOURS
from tests.browser.draw_page import (
    Theme,
    box_of,
    expect_address,
    frames_sent,
    levels,
    open_draw,
    overflow,
    position,
    settle,
    widget,
)


def grey(page: Page, canvas: str) -> NDArray[np.uint8]:
    """Return the grey levels of a picture, `(784,)`."""
    return levels(page.locator(canvas))[..., 0].reshape(784)


def test_the_walk_is_gone_step_by_step_without_the_server(
    page: Page, app_url: str, report_network: MLP, test_digits: Digits
) -> None:
    sent = frames_sent(page)
    open_draw(page, app_url, "?digit=0&attack=BIM&epsilon=0.120")
    expect(page.locator(".player")).to_have_count(0)
    widget(page, "walk").locator("summary").click()
    expect_address(page, "walk=on")
    expect(page.locator(".player .digit")).to_have_text("7")
    settle(page)
    walk = record(report_network, METHODS["bim"], test_digits.x[:1], 7, epsilon=0.12, levels=256)
    assert walk.flip is not None
    expected = (walk.shown * 255).round().astype(int)
    sent.clear()
    step, back = (page.locator(f".controls .{name}") for name in ("step", "back"))
    for number in range(1, 11):
        step.click()
        np.testing.assert_array_equal(grey(page, ".player canvas.image"), expected[number])
        expect(page.locator(".player .digit")).to_have_text(str(walk.predictions[number]))
        expect(page.locator(".numbers")).to_contain_text(f"{walk.distance[number]:.3f}")
    expect(page.locator(".player")).to_have_class(re.compile("wrong"))
    # The last step is what the instrument shows.
    np.testing.assert_array_equal(
        grey(page, ".player canvas.image"), grey(page, "canvas.adversarial")
    )
    back.focus()
    for _ in range(10 - walk.flip):
        page.keyboard.press("Enter")
    expect(page.locator(".controls output")).to_have_text(re.compile(rf"\b{walk.flip}\b"))
    expect(page.locator(".sure")).to_contain_text("flips")
    page.locator(".controls .play").click()
    expect(page.locator(".controls output")).to_have_text(re.compile(r"\b10\b.*\b10\b"))
    expect(page.locator(".controls .play")).to_have_attribute("aria-pressed", "false")
    assert sent == []  # not one message to the server

    # Where the slider comes to rest the walk is another one; until then this one is pale.
    expect(page.locator(".player.left")).to_have_count(0)
    page.mouse.move(*position(page, 24))
    page.mouse.down()
    page.mouse.move(*position(page, 27))
    expect(page.locator(".player.left")).to_have_count(1)
    page.mouse.move(*position(page, 30))
    page.mouse.up()
    expect_address(page, "epsilon=0.150")
    expect(page.locator(".numbers")).to_contain_text("0.150")
    expect(page.locator(".controls output")).to_have_text("start")
    expect(page.locator(".player.left")).to_have_count(0)


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 853, 1280, 1920])
def test_the_map_opens_by_a_link_and_downloads(
    page: Page, app_url: str, width: int, scheme: Theme
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    open_draw(page, app_url, "?digit=0&attack=PGD&epsilon=0.120&map=on&walk=on")
    chart = widget(page, "map_chart")
    expect(chart.locator("svg image")).to_have_count(1)
    texts = chart.locator(".annotation-text")
    expect(texts.filter(has_text=re.compile("^7$"))).to_have_count(1)
    expect(page.locator(".player .digit")).to_be_visible()
    settle(page)
    assert overflow(page) <= 0
    for part in (page.locator(".player"), chart):
        box = box_of(part)
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    with page.expect_download() as event:
        chart.locator(".modebar-btn").first.click()
    assert event.value.suggested_filename == "map-7-pgd-runner-up.png"
    picture = np.asarray(Image.open(event.value.path()).convert("RGB"))
    sevens = (picture == [int(LABEL_COLOURS[7][at : at + 2], 16) for at in (1, 3, 5)]).all(axis=2)
    assert sevens.sum() > 1000
    page.get_by_role("radio", name="Random noise").click()
    expect_address(page, "across=random")
    page.go_back()
    expect(page.get_by_role("radio", name="Towards the runner-up")).to_be_checked()
