"""Pictures and drawings as people make them, in a real browser."""

import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.draw_page import (
    SEVEN,
    Theme,
    draw,
    expect_address,
    expect_seen,
    open_draw,
    settle,
    widget,
)
from tests.core.data import handmade
from tests.core.data.test_pictures import SEVENS

ON = pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
FILES = {
    "seven.png": "PNG",
    "seven.jpg": "JPEG",
    "seven.webp": "WEBP",
    "seven.gif": "GIF",
    "seven.bmp": "BMP",
    "seven.tiff": "TIFF",
}

LIGHT_ENTERS = """() => {
  const film = document.querySelector("video");
  if (!film?.videoWidth) return false;
  const pixel = new OffscreenCanvas(1, 1).getContext("2d");
  pixel.drawImage(film, 0, 0, 1, 1);
  return pixel.getImageData(0, 0, 1, 1).data[0] > 100;
}"""


def show_pictures(page: Page, app_url: str, width: int, theme: Theme) -> None:
    """Open the choice of a picture in a window of this width and theme."""
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 844})
    open_draw(page, app_url, "?source=Picture")


@pytest.mark.thorough
@ON
def test_a_picture_of_each_kind_is_read(
    page: Page, app_url: str, tmp_path: Path, width: int, theme: Theme
) -> None:
    ink = handmade.pen(handmade.SHAPES["7"], 40)
    contents = {name: handmade.encoded(handmade.paper(ink), kind) for name, kind in FILES.items()}
    contents["seven.heic"] = handmade.heic(Image.open(io.BytesIO(contents["seven.png"])))
    show_pictures(page, app_url, width, theme)
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        page.locator("input[type=file]").set_input_files(tmp_path / name)
        expect(page.get_by_text(name)).to_be_visible()
        settle(page)
        expect_seen(page, 7)
        expect_address(page, "pixels=")
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)


@pytest.mark.thorough
@ON
def test_the_camera_s_picture_is_read(page: Page, app_url: str, width: int, theme: Theme) -> None:
    page.context.grant_permissions(["camera"])
    show_pictures(page, app_url, width, theme)
    page.get_by_role("radio", name="Camera").click()
    # A camera shows black until its first picture comes.
    page.wait_for_function(LIGHT_ENTERS)
    page.get_by_role("button", name="Take Photo").click()
    expect_seen(page, 7)
    expect(page.get_by_role("button", name="Clear photo")).to_be_visible()


def test_a_stray_tap_beside_a_digit_changes_nothing(page: Page, app_url: str) -> None:
    open_draw(page, app_url)
    draw(page, [(70 + x // 2, 70 + y // 2) for x, y in SEVEN])
    expect_seen(page, 7)
    settle(page)
    before = page.url
    widget(page, "brush").get_by_role("slider").focus()
    page.keyboard.press("Home")
    settle(page)
    draw(page, [(264, 264), (264, 264)])
    expect(widget(page, "undo").get_by_role("button")).to_be_enabled()
    settle(page)
    expect_seen(page, 7)
    expect(widget(page, "choose_1")).to_have_count(0)
    # The tap is a stroke: Undo takes it back, and the 7 stays.
    widget(page, "undo").get_by_role("button").click()
    settle(page)
    expect_seen(page, 7)
    assert page.url == before


def test_pictures_good_and_bad(page: Page, app_url: str, tmp_path: Path) -> None:
    open_draw(page, app_url)
    page.get_by_role("radio", name="Picture").click()
    good, text = tmp_path / "seven.jpg", tmp_path / "letter.png"
    good.write_bytes(SEVENS["jpeg"])
    text.write_text("Dear lecturer, this is not a picture.")
    chooser = page.locator("input[type=file]")
    chooser.set_input_files(good)
    expect_seen(page, 7)
    expect(widget(page, "centre")).to_be_visible()
    chooser.set_input_files(text)
    error = page.get_by_test_id("stAlertContentError")
    expect(error).to_be_visible()
    expect_seen(page, 7)  # the former picture stays
    chooser.set_input_files(good)
    expect(error).to_have_count(0)
    expect_seen(page, 7)
    expect(widget(page, "centre").locator("input")).to_be_checked()
    assert "centre" not in page.url
    expect(page.get_by_text("Traceback")).to_have_count(0)
