"""The Test set and Report pages in a real browser."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from core.data.mnist import Digits
from tests.browser.draw_page import choose, expect_address

RATE = '[data-testid="stMetricValue"]'


def open_test_set(page: Page, app_url: str, query: str = "") -> None:
    page.goto(f"{app_url}/test_set{query}")
    expect(page.get_by_text("Attack the whole test set")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Can these numbers be trusted?")).to_be_visible(timeout=60_000)


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_everything_is_there_at_once_and_nothing_sticks_out(
    page: Page, app_url: str, width: int, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    open_test_set(page, app_url)
    expect(page.locator(RATE).first).to_have_text(re.compile(r"^\d+\.\d\d%$"))
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_visible(timeout=30_000)
    twins = page.get_by_alt_text(re.compile("^Adversarial, "))
    expect(twins).to_have_count(10)
    box = twins.last.bounding_box()
    assert box is not None and box["x"] + box["width"] <= width
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0


def test_a_cell_shows_its_images_and_the_settings_are_in_the_address(
    page: Page, app_url: str, tmp_path: Path
) -> None:
    open_test_set(page, app_url, "?linf=0.15&images=a%20sample%20of%201,000")
    expect(page.get_by_text("All is computed.")).to_be_visible(timeout=180_000)
    matrix = page.locator(".st-key-matrix .js-plotly-plot:has(.nsewdrag)")
    matrix.scroll_into_view_if_needed()
    expect(matrix.locator(".scatterlayer .point").first).to_be_attached(timeout=30_000)
    digit, label = 4, 9
    matrix.locator(".nsewdrag").wait_for()
    place = matrix.evaluate(
        """(plot, [digit, label]) => {
            const { xaxis, yaxis } = plot._fullLayout;
            const { x, y } = plot.getBoundingClientRect();
            return [x + xaxis._offset + xaxis.d2p(label), y + yaxis._offset + yaxis.d2p(digit)];
        }""",
        [digit, label],
    )
    page.mouse.click(*place)
    expect(page.get_by_text(f"Of the digit {digit},")).to_contain_text(f"taken for a {label}.")
    with Image.open(downloaded(page, "cell_png", tmp_path)) as picture:
        assert picture.width % 112 == 0
        assert picture.height > 2 * 112
    choose(page, "Attack", "BIM")
    expect_address(page, "attack=BIM")
    expect_address(page, "linf=0.15")


def test_what_is_downloaded_can_be_read_back(
    page: Page, app_url: str, tmp_path: Path, test_digits: Digits
) -> None:
    open_test_set(page, app_url, "?linf=0.2")
    npz = page.get_by_text("The 10,000 adversarial images as .npz")
    expect(npz).to_be_visible(timeout=60_000)
    rate = page.locator(RATE).first.inner_text()
    with np.load(downloaded(page, "npz", tmp_path)) as arrays:
        np.testing.assert_array_equal(arrays["x"], test_digits.x)
        moved = np.abs(arrays["x_adv"].astype(np.float64) - arrays["x"])
        assert moved.max() <= 0.2 + 1e-6
        assert f"{(arrays['after'] != arrays['y']).mean():.2%}" == rate
    rows = downloaded(page, "mistakes_csv", tmp_path).read_text("utf-8").splitlines()
    assert rows[0] == "digit,most often,misclassified,images"
    assert len(rows) == 11
    assert sum(int(row.rsplit(",", 1)[1]) for row in rows[1:]) == 10_000
    for key, columns in (("ten_png", 10), ("why_png", 4)):
        with Image.open(downloaded(page, key, tmp_path)) as picture:
            assert picture.width == columns * 112
            assert len(picture.getcolors(10**6) or []) > 50


def downloaded(page: Page, key: str, folder: Path) -> Path:
    """The file that the button of a key gives."""
    with page.expect_download() as download:
        page.locator(f".st-key-{key} button").click()
    file = folder / key
    download.value.save_as(file)
    return file


def test_a_test_image_opens_on_the_draw_page(page: Page, app_url: str) -> None:
    open_test_set(page, app_url, "?linf=0.3")
    page.locator("[class*=st-key-open_] button").first.click()
    expect(page.get_by_text("Draw a digit, turn up ε, watch it flip")).to_be_visible()
    expect(page.locator(".dial output")).to_have_text("0.300")
    expect(page.get_by_text(re.compile("^MNIST's test digit"))).to_be_visible()


def test_the_report_downloads_as_one_file_that_needs_no_network(
    page: Page, browser: Browser, app_url: str, tmp_path: Path
) -> None:
    page.goto(f"{app_url}/report")
    expect(page.get_by_text("What was recommended")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("72.13").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_text("The whole page as one HTML file").click()
    file = tmp_path / "report.html"
    download.value.save_as(file)
    context = browser.new_context(offline=True)
    reader = context.new_page()
    asked: list[str] = []
    reader.on("request", lambda request: asked.append(request.url))
    reader.goto(file.as_uri())
    expect(reader.get_by_role("heading", name="The evasion rate")).to_be_visible()
    expect(reader.locator(".js-plotly-plot").first).to_be_visible()
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
    context.close()
