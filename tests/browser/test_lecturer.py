"""A server that strangers share, in a real browser: whose things are whose."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, FilePayload, Page, expect

from core.networks import LIBRARY
from core.serving.server import WORD
from tests.browser.conftest import ROOT, serve
from tests.browser.draw_page import NewContext, open_page, settle, widget

NAME = f"Browser test {os.getpid()} of the lecturer"  # no other process's tests have it


@pytest.fixture
def lecturer_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start a server with a lecturer's word; yield its address. Delete what the test keeps."""
    monkeypatch.setenv(WORD, "open sesame")
    with serve() as url:
        yield url
    for file in (ROOT / "models" / "kept").glob(f"{NAME}*"):
        file.unlink()


def test_a_browser_is_a_person_in_all_its_tabs_and_another_one_says_the_word(
    lecturer_url: str, new_context: NewContext
) -> None:
    mine, other = new_context(), new_context()

    def opened(context: BrowserContext, query: str = "") -> Page:
        page = context.new_page()
        open_page(page, f"{lecturer_url}/train{query}", "train")
        return page

    page = opened(mine)
    content = LIBRARY.path("report").read_bytes()
    file = FilePayload(name=f"{NAME}.safetensors", mimeType="", buffer=content)
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text(f"Kept as “{NAME}”.")).to_be_visible()
    query = f"?card={NAME}"
    for tab in (opened(mine, query), page):
        tab.reload()
        settle(tab)
        expect(tab.get_by_role("button", name="Delete …")).to_be_visible()

    lecturer = opened(other, query)
    expect(lecturer.get_by_role("button", name="Download")).to_be_visible()
    expect(lecturer.get_by_role("button", name="Delete …")).to_have_count(0)
    widget(lecturer, "lecturer").get_by_role("button").click()
    lecturer.get_by_label("The lecturer's word").fill("open sesame")
    lecturer.get_by_role("button", name="This is me").click()
    expect(lecturer.get_by_role("button", name="Delete …")).to_be_visible()
    assert "sesame" not in lecturer.url
    lecturer.get_by_role("button", name="Close training").click()
    expect(widget(lecturer, "reopen")).to_be_visible()
    page.reload()
    expect(widget(page, "train").get_by_role("button")).to_be_disabled()
