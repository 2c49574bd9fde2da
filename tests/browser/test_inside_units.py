"""The units and As code in a real browser."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from core.attacks import FOLLOWED, METHODS
from core.data.mnist import Digits
from core.evaluation.path import follow
from core.evaluation.units import watch
from core.measures import SCREEN
from core.networks import MLP
from tests.browser.draw_page import (
    expect_address,
    expect_seen,
    frames_sent,
    levels,
    open_draw,
    overflow,
    position,
    settle,
    slider,
    widget,
)


def number(text: str) -> float:
    """Return a number as the page writes it."""
    return float(text.replace("−", "-"))


def test_the_units_follow_the_slider_without_the_server(
    page: Page, app_url: str, report_network: MLP, test_digits: Digits, tmp_path: Path
) -> None:
    sent = frames_sent(page)
    page.set_viewport_size({"width": 390, "height": 844})
    open_draw(page, app_url, "?digit=0")
    expect_seen(page, 7)
    view = widget(page, "units")
    view.locator("summary").click()
    seen = view.locator(".seen")
    expect(seen).to_have_text("Without attack: 7. At ε = 0.000: 7.")
    expect(view.locator("tbody tr")).to_have_count(0)  # nothing has changed yet
    expect_address(page, "units=on")

    page.mouse.move(*position(page, 0))
    page.mouse.down()
    settle(page)
    sent.clear()
    page.mouse.move(*position(page, 40))
    expect(page.locator("output")).to_have_text("0.200")
    expect(seen).to_have_text(re.compile(r"^Without attack: 7\. At ε = 0\.200: [^7]\.$"))
    path = follow(report_network, METHODS["fgsm"], test_digits.x[:1], 7, levels=SCREEN)
    units = watch(report_network, path.x_adv)
    contributions = units.contributions(40)
    rows = [row.split() for row in view.locator("tbody tr").all_inner_texts()]
    carriers = [(int(unit), int(digit)) for unit, _, digit, *_ in rows]
    assert carriers == list(zip(*map(np.ndarray.tolist, units.carriers(40)), strict=True))
    for (unit, digit), row in zip(carriers, rows, strict=True):
        assert number(row[-1]) == pytest.approx(contributions[unit, digit], abs=0.006)
        assert number(row[3]) == pytest.approx(units.weights[unit, digit], abs=0.006)
    after = int(path.predictions[40])
    changes = re.findall(r"\(([+−][\d.]+)\)", view.locator(".logits").inner_text())
    totals = contributions.sum(axis=0)[[7, after]]
    assert list(map(number, changes)) == pytest.approx(totals.tolist(), abs=0.006)
    assert sent == []  # not one message to the server
    page.mouse.up()
    expect_address(page, "epsilon=0.200")
    assert overflow(page) <= 0

    # By keyboard: the slider takes the view along, and a layer is one stop for the Tab key.
    slider(page).focus()
    page.keyboard.press("End")
    expect(seen).to_contain_text("ε = 0.500")
    layer = view.get_by_role("slider", name="layer 1")
    layer.focus()
    page.keyboard.press("End")
    falls = int((units.activations[0][100] - units.activations[0][0]).argmin())
    expect(layer).to_have_attribute("aria-valuetext", re.compile(rf"^128 of 128: unit {falls} "))
    expect(view.locator("figcaption")).to_contain_text(f"Unit {falls} of layer 1")
    settle(page)
    red, _, blue = np.moveaxis(levels(page.locator(".unit canvas")).astype(int), -1, 0)
    weights = report_network.weights[0][:, falls].reshape(28, 28)
    clear = np.abs(weights) > 0.1 * np.abs(weights).max()
    np.testing.assert_array_equal((red > blue)[clear], (weights > 0)[clear])
    # By pointer: the first cell is the unit that rises most.
    layer.hover(position={"x": 4, "y": 4})
    rises = int((units.activations[0][100] - units.activations[0][0]).argmax())
    expect(view.locator("figcaption")).to_contain_text(f"Unit {rises} of layer 1")

    with page.expect_download() as download:
        view.get_by_role("button", name="Download PNG").click()
    assert download.value.suggested_filename == "7-fgsm-epsilon-0.500-units.png"
    download.value.save_as(tmp_path / "units.png")
    with Image.open(tmp_path / "units.png") as file:
        assert file.width == 1200
        assert len(file.convert("RGB").getcolors(file.width * file.height) or []) > 20


@pytest.mark.thorough
@pytest.mark.parametrize("title", list(FOLLOWED))
def test_the_formulas_can_be_read(page: Page, app_url: str, title: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_draw(page, app_url, f"?digit=0&attack={title}&code=on&epsilon=0.2")
    view = widget(page, "code")
    expect(view.locator(".katex-display")).not_to_have_count(0)
    expect(view.locator(".katex-error")).to_have_count(0)
    expect(view.get_by_test_id("stCode")).to_be_visible()
    cut = ".map(each => each.scrollWidth - each.clientWidth)"
    assert max(view.locator(".katex-display").evaluate_all(f"all => all{cut}")) <= 4
    assert view.locator("code").evaluate_all(f"all => all{cut}") == [0]
    assert overflow(page) <= 0
