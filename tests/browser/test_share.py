"""The link to a page as a QR code, read from the screen as a phone reads it."""

import re

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from core.data import link
from core.data.mnist import Digits
from core.serving.reach import LONGEST, own_address
from tests.browser.conftest import serve
from tests.browser.draw_page import open_page, wait_until, widget


def read_code(page: Page) -> str:
    """Return what the QR code on the screen says, once it can be read: it opens with a motion."""
    read = ""

    def is_read() -> bool:
        nonlocal read
        picture = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
        assert picture is not None
        # OpenCV's older detector misses one code in thirty, whatever its size.
        read, *_ = cv2.QRCodeDetectorAruco().detectAndDecode(picture)
        return bool(read)

    widget(page, "link").get_by_role("button").click()
    code = page.get_by_role("dialog").get_by_alt_text("QR code")
    expect(code).to_be_visible()
    wait_until(page, is_read)
    page.keyboard.press("Escape")
    expect(code).to_have_count(0)
    return read


def test_a_class_reads_the_page_s_address_from_the_screen(page: Page, test_digits: Digits) -> None:
    own = own_address()
    if own is None:
        pytest.skip("this machine has no network")
    page.emulate_media(color_scheme="dark")
    with serve(listens_on="0.0.0.0") as url:
        outside = url.replace("127.0.0.1", own)
        open_page(page, f"{url}/train?recipe=adam&recipe_epochs=3", "recipe")
        assert read_code(page) == f"{outside}/train?recipe=adam&recipe_epochs=3"
        for index, is_short in ((2, True), (864, False)):
            drawn = link.encode((test_digits.x[index] * 255).round().astype(np.uint8))
            query = f"?pixels={drawn}&model=report&attack=PGD"
            assert (len(outside) + len(query) < LONGEST) == is_short
            open_page(page, f"{url}/{query}", "attack")
            read = read_code(page)
            assert read.startswith(f"{outside}/?") and "attack=PGD" in read
            assert ("pixels=" in read) == is_short


def test_a_server_of_this_machine_alone_says_how_others_reach_it(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/train", "recipe")
    widget(page, "link").get_by_role("button").click()
    shown = page.get_by_role("dialog")
    expect(shown).to_contain_text("--server.address 0.0.0.0")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown.get_by_role("button", name="Copy link").click()
    expect(shown.get_by_text(re.compile("^Copied"))).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
