"""The Train page in a real browser: trainings watched, stopped, kept and attacked."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.networks import exchange, load_file
from tests.browser.conftest import ROOT
from tests.browser.draw_page import (
    SEVEN,
    draw,
    expect_seen,
    made_on_a_click,
    open_page,
    overflow,
    settle,
    widget,
)

NAME = f"Browser test {os.getpid()}"  # no other process's tests have it


@pytest.fixture(autouse=True)
def leave_nothing_behind() -> Iterator[None]:
    """Delete what the tests keep."""
    yield
    for file in (ROOT / "models" / "kept").glob(f"{NAME}*"):
        file.unlink()


def open_train(page: Page, app_url: str) -> None:
    """Open the Train page; the run of another test may still go on."""
    open_page(page, f"{app_url}/train", "recipe")


def train(page: Page, *, epochs: int) -> None:
    """Begin to train the report's recipe for some epochs."""
    widget(page, "settings").locator("summary").click()
    box = widget(page, "recipe_epochs").locator("input")
    box.fill(str(epochs))
    box.press("Enter")
    settle(page)
    widget(page, "train").get_by_role("button").click()
    expect(page).to_have_url(re.compile(r"run=\w"))


def expect_its_curves(page: Page) -> None:
    """Wait until a run has begun and its first epoch is drawn."""
    expect(widget(page, "stop")).to_be_visible()
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_visible()


@pytest.mark.thorough(always=True)
def test_a_training_comes_to_its_end_is_kept_and_attacked(page: Page, app_url: str) -> None:
    open_train(page, app_url)
    train(page, epochs=2)
    expect(widget(page, "keep")).to_be_visible()
    expect(page.get_by_test_id("stCode")).to_contain_text("Epoch [2/2], Validation Loss")
    accuracy = page.get_by_test_id("stMetricValue").nth(1)
    assert 90 < float(accuracy.inner_text().rstrip("%")) < 99
    widget(page, "keep_name").locator("input").fill(NAME)
    widget(page, "keep").get_by_role("button").click()

    widget(page, "attack_it").get_by_role("button").click()
    expect(widget(page, "attack")).to_be_visible()
    expect(page).to_have_url(re.compile(f"model={NAME.replace(' ', '(%20|[+])')}"))
    draw(page, SEVEN)
    expect_seen(page, r"\d")


@pytest.mark.thorough(left_out=True)
def test_a_training_goes_on_while_one_is_elsewhere_and_ends_when_it_is_stopped(
    page: Page, app_url: str
) -> None:
    open_train(page, app_url)
    train(page, epochs=1000)
    expect_its_curves(page)
    page.get_by_role("link", name="Draw").first.click()
    expect(widget(page, "attack")).to_be_visible()
    page.get_by_role("link", name="Train").first.click()
    expect_its_curves(page)
    page.reload()
    expect_its_curves(page)
    widget(page, "stop").get_by_role("button").click()
    expect(widget(page, "keep")).to_be_visible()


@pytest.mark.thorough
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_cut_off(page: Page, app_url: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, f"{app_url}/train", "recipe")
    widget(page, "settings").locator("summary").click()
    expect(widget(page, "recipe_adversary_epsilon")).to_be_visible()
    settle(page)
    assert overflow(page) <= 0


def test_a_network_is_downloaded_for_other_programs(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/train?card=ensemble", "card_of")
    page.get_by_role("button", name="For other programs").click()
    expect(page.get_by_test_id("stPopoverBody")).to_contain_text('torch.load("ensemble.pt"')
    network = load_file(ROOT / "models/ensemble.safetensors")[0]
    for key, ending, write in (
        ("pytorch", "pt", exchange.to_state_dict),
        ("onnx", "onnx", exchange.to_onnx),
    ):
        download = made_on_a_click(page, key)
        assert download.suggested_filename == f"ensemble.{ending}"
        assert download.path().read_bytes() == write(network)


def test_a_pytorch_file_is_brought_along(page: Page, app_url: str, tmp_path: Path) -> None:
    file = tmp_path / f"{NAME}.pt"
    file.write_bytes(exchange.to_state_dict(load_file(ROOT / "models/report.safetensors")[0]))
    open_page(page, f"{app_url}/train", "upload")
    page.locator("input[type=file]").set_input_files(file)
    expect(widget(page, "import")).to_contain_text("784-128-64-10")
    widget(page, "import_keep").get_by_role("button").click()
    expect(page.get_by_text(f"Kept as “{NAME}”")).to_be_visible()
    expect(widget(page, "import_keep")).not_to_be_attached()
    assert load_file(ROOT / f"models/kept/{NAME}.safetensors")[1].recipe is None
