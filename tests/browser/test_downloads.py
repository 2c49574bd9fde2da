"""Pictures and links that leave the Draw page in a real browser."""

import io
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Download, Locator, Page, expect

from core.attacks import BY_TITLE, FOLLOWED, METHODS
from core.data.mnist import Digits
from core.evaluation.path import AttackPath, follow
from core.networks import MLP
from tests.browser.draw_page import (
    NewContext,
    box_of,
    expect_address,
    frames_sent,
    levels,
    open_draw,
    overflow,
    settle,
    wait_until,
    widget,
)

NO_CLIPBOARD = "Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined })"


def move_to(page: Page, index: int) -> None:
    """Move the slider to its stop of this index."""
    page.locator(".dial input").fill(str(index))
    settle(page)


def show_files(page: Page) -> None:
    """Show the buttons that download."""
    page.get_by_role("button", name="Download PNG").click()


def file_button(page: Page, name: str, side: int) -> Locator:
    """Return the button that downloads a picture."""
    return page.get_by_role("button", name=re.compile(rf"^Download the {name} .* {side} px$"))


def download(page: Page, name: str, side: int = 28) -> Download:
    """Download a picture."""
    with page.expect_download() as event:
        file_button(page, name, side).click()
    return event.value


def pixels(file: Download) -> NDArray[np.uint8]:
    """Return the pixels of a PNG file, `(side, side, 3)`, which are opaque."""
    picture = Image.open(file.path())
    assert picture.format == "PNG"
    assert picture.getextrema()[3:] in ((), ((255, 255),))
    return np.asarray(picture.convert("RGB"))


def upload(page: Page, picture: Download, folder: Path) -> None:
    """Choose a downloaded picture as the digit's."""
    file = folder / picture.suggested_filename
    picture.save_as(file)
    page.locator("input[type=file]").set_input_files(file)


def wait_until_clean(page: Page, shown: NDArray[np.uint8]) -> None:
    """Wait until the clean image is this one."""
    wait_until(page, lambda: np.array_equal(levels(page.locator("canvas.clean")), shown))


def path_of(network: MLP, digits: Digits, index: int, name: str) -> AttackPath:
    """Return the path that Draw shows for a test digit."""
    x, y = digits.x[index : index + 1], int(digits.y[index])
    return follow(network, METHODS[name], x, y, levels=256)


def test_what_is_downloaded_is_what_is_shown(page: Page, app_url: str) -> None:
    sent = frames_sent(page)
    open_draw(page, app_url, "?digit=0")
    move_to(page, 30)
    expect_address(page, "epsilon=0.150")
    settle(page)
    show_files(page)
    sent.clear()
    for name in ("clean", "perturbation", "adversarial"):
        shown = levels(page.locator(f"canvas.{name}"))
        small, large = download(page, name), download(page, name, 560)
        assert small.suggested_filename == f"7-fgsm-epsilon-0.150-{name}-28px.png"
        assert large.suggested_filename == f"7-fgsm-epsilon-0.150-{name}-560px.png"
        np.testing.assert_array_equal(pixels(small), shown)
        np.testing.assert_array_equal(pixels(large), shown.repeat(20, axis=0).repeat(20, axis=1))
    assert sent == []  # the server has no part in it


@pytest.mark.thorough
@pytest.mark.parametrize("title", list(FOLLOWED))
def test_a_downloaded_picture_is_uploaded_again_and_has_the_verdict_that_it_had(
    page: Page,
    app_url: str,
    report_network: MLP,
    test_digits: Digits,
    tmp_path: Path,
    title: str,
) -> None:
    method = BY_TITLE[title]
    open_draw(page, app_url, f"?digit=0&attack={title}")
    show_files(page)
    reader = page.context.new_page()
    open_draw(reader, app_url)
    reader.get_by_role("radio", name="Picture").click()
    expect(reader.locator("input[type=file]")).to_be_attached()
    upload(reader, download(page, "clean"), tmp_path)
    widget(reader, "centre").locator("label").click()
    expect_address(reader, "centre=off")
    settle(reader)
    path = path_of(report_network, test_digits, 0, method.name)
    stop = int(np.flatnonzero(path.predictions != 7)[0])
    move_to(page, stop)
    expect(page.locator(".verdict .now")).to_have_text(str(path.predictions[stop]))
    file = download(page, "adversarial")
    assert file.suggested_filename.startswith(f"7-{method.name.replace('_', '-')}-")
    picture = pixels(file)
    assert (picture == picture[..., :1]).all()  # grey
    grey = picture[..., 0].reshape(1, 784)
    np.testing.assert_array_equal(grey, (path.x_adv[stop : stop + 1] * 255).round())
    read = report_network.logits(grey / np.float32(255)).argmax()
    assert read == path.predictions[stop] != 7
    upload(reader, file, tmp_path)
    wait_until_clean(reader, picture)
    expect(reader.locator(".verdict .now")).to_have_text(str(path.predictions[stop]))


def test_a_link_has_the_place_at_which_the_slider_was_just_released(
    new_context: NewContext, app_url: str
) -> None:
    context = new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    open_draw(page, app_url, "?digit=0")
    move_to(page, 10)
    expect_address(page, "epsilon=0.050")
    settle(page)
    page.locator(".dial input").fill("41")
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator(".copy-link [role=status]")).to_have_text("Copied.")
    expect(page.locator(".copy-link input")).to_be_hidden()
    link = page.evaluate("navigator.clipboard.readText()")
    assert parse_qs(urlsplit(link).query)["epsilon"] == ["0.205"]
    expect_address(page, "epsilon=0.205")
    assert link == page.url
    # Words about a copy that was made of another place would deceive.
    page.locator(".dial input").fill("42")
    expect(page.locator(".copy-link [role=status]")).to_have_text("")

    other = new_context().new_page()
    other.goto(link)
    expect(other.locator("output")).to_have_text("0.205")
    expect(other.locator(".verdict .now")).to_have_text(re.compile("[^7]"))


@pytest.mark.parametrize("refused", [False, True])
def test_a_link_is_copied_without_the_clipboard_or_stays_there_selected(
    new_context: NewContext, app_url: str, refused: bool
) -> None:
    context = new_context(permissions=["clipboard-read", "clipboard-write"])
    page, other = context.new_page(), context.new_page()
    other.goto(app_url)
    other.evaluate("navigator.clipboard.writeText('nothing yet')")
    page.add_init_script(NO_CLIPBOARD)  # as over plain http
    if refused:
        page.add_init_script("document.execCommand = () => false")
    page.bring_to_front()
    open_draw(page, app_url, "?digit=0")
    move_to(page, 20)
    expect_address(page, "epsilon=0.100")
    settle(page)
    page.get_by_role("button", name="Copy link").focus()
    page.keyboard.press("Enter")
    field, said = page.locator(".copy-link input"), page.locator(".copy-link [role=status]")
    if refused:
        expect(said).to_have_text(re.compile("selected"))
        expect(field).to_be_focused()
        selected = field.evaluate("f => f.value.slice(f.selectionStart, f.selectionEnd)")
        assert selected == page.url
    else:
        expect(said).to_have_text("Copied.")
        expect(field).to_be_hidden()
        expect(page.get_by_role("button", name="Copy link")).to_be_focused()
    other.bring_to_front()
    copied = other.evaluate("navigator.clipboard.readText()")
    assert copied == ("nothing yet" if refused else page.url)


def test_by_finger_on_a_phone(new_context: NewContext, app_url: str) -> None:
    context = new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    open_draw(page, app_url, "?digit=0&epsilon=0.1")
    opener = page.get_by_role("button", name="Download PNG")
    expect(opener).to_have_attribute("aria-expanded", "false")
    expect(file_button(page, "clean", 28)).to_be_hidden()
    opener.tap()
    expect(opener).to_have_attribute("aria-expanded", "true")
    for button in page.locator(".tools button, .files button").all():
        box = box_of(button)
        assert min(box["width"], box["height"]) >= 44
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 390
    assert page.locator(".files button").count() == 6
    assert overflow(page) <= 0
    with page.expect_download() as event:
        file_button(page, "adversarial", 560).tap()
    assert Image.open(io.BytesIO(event.value.path().read_bytes())).size == (560, 560)
