"""The Train page in a real browser: a whole training, watched to its end, then attacked."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from core.networks import LIBRARY
from tests.browser.draw_page import SEVEN, draw, expect_seen

NAME = "Kept by a browser test"


@pytest.fixture(autouse=True)
def leave_nothing_behind() -> Iterator[None]:
    """Delete what the tests keep."""
    yield
    for name in LIBRARY.names():
        if name.startswith(NAME):
            LIBRARY.delete(name)


def open_train(page: Page, app_url: str, query: str = "") -> None:
    page.goto(app_url)  # the first page's own address; on any other Streamlit asks for files twice
    page.get_by_role("link", name="Train").first.click()
    expect(page.get_by_text("Train a network")).to_be_visible(timeout=30_000)
    expect(page.get_by_test_id("stBaseButton-primary")).to_be_enabled()


def test_a_training_is_watched_to_its_end_kept_and_attacked(page: Page, app_url: str) -> None:
    open_train(page, app_url)
    page.get_by_test_id("stBaseButton-primary").click()
    expect(page.get_by_text(re.compile(r"Epoch \d+ of 20"))).to_be_visible(timeout=60_000)
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_visible(timeout=60_000)

    # It goes on while one is elsewhere.
    page.get_by_role("link", name="Draw").first.click()
    expect(page.get_by_text("Draw a digit, turn up ε, watch it flip")).to_be_visible()
    page.get_by_role("link", name="Train").first.click()

    expect(page.get_by_text(re.compile("Trained after .* keeping epoch 20"))).to_be_visible(
        timeout=120_000
    )
    expect(page.get_by_text("Epoch [20/20], Validation Accuracy")).to_have_count(0)
    expect(page.get_by_test_id("stCode")).to_contain_text("Epoch [20/20], Validation Loss")
    accuracy = page.get_by_test_id("stMetricValue").nth(2)
    assert 97.4 < float(accuracy.inner_text().rstrip("%")) < 99
    page.get_by_label("Name", exact=True).fill(NAME)
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_text(f"Kept as {NAME}.")).to_be_visible()

    page.get_by_role("button", name="Attack it on the Draw page").click()
    expect(page.get_by_text("Draw a digit, turn up ε, watch it flip")).to_be_visible()
    expect(page).to_have_url(re.compile("model=Kept"))
    draw(page, SEVEN)
    expect_seen(page, r"\d")
    expect(page.get_by_text(re.compile("^(Flips|The network takes|Stays)"))).to_be_visible()


def test_a_reload_finds_the_run_again(page: Page, app_url: str) -> None:
    open_train(page, app_url)
    page.get_by_test_id("stBaseButton-primary").click()
    expect(page).to_have_url(re.compile(r"run=\w"))
    page.reload()
    expect(page.get_by_text("Train a network")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name=re.compile("^Stop")).click()
    expect(page.get_by_text(re.compile("Stopped after|stopped before"))).to_be_visible(
        timeout=60_000
    )


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_cut_off(page: Page, app_url: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(app_url)
    expect(page.get_by_text("Draw a digit, turn up ε, watch it flip")).to_be_visible(timeout=30_000)
    page.goto(f"{app_url}/train")
    expect(page.get_by_text("Train a network")).to_be_visible(timeout=30_000)
    page.get_by_text("Set everything yourself").click()
    expect(page.get_by_label("Its ε")).to_be_visible()
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
