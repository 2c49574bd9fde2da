"""Every page as axe sees it, in both themes, on a phone and on a laptop; and the focus."""

from collections.abc import Mapping

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.draw_page import Theme, open_page, settle, widget
from tests.browser.test_lecturer import lecturer_url as lecturer_url

# By address: the key of a widget that the page shows last.
PAGES = {
    "lesson": "lesson_ask",
    # With the instrument, as answered.
    "lesson?step=2&answers=-1": "lesson_seen",
    "lesson?step=7&answers=------1&seen=7": "lesson_seen",
    "": "attack",
    "test_set": "npz",
    "transfer?made_on=report&tried_on=dropout": "transfer_png",
    "train": "card_of",
    "remedies": "networks",
    "report": "html",
}
# What Streamlit draws and we can't mend: by rule, the elements and why.
EXCUSED: Mapping[str, Mapping[str, str]] = {}


@pytest.mark.thorough(each="name")
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES, ids=lambda name: name or "draw")
def test_axe_finds_nothing_serious(
    page: Page, app_url: str, name: str, scheme: Theme, width: int
) -> None:
    page.emulate_media(color_scheme=scheme)
    # As high as the page: axe leaves out what has been scrolled away.
    page.set_viewport_size({"width": width, "height": 12_000})
    open_page(page, f"{app_url}/{name}", PAGES[name])
    for closed in page.locator("details:not([open]) > summary:visible").all()[::-1]:
        closed.click()
    # While figures arrive, Streamlit dims what it is about to replace.
    found = []
    for _ in range(5):
        settle(page)
        if not (found := serious(page)):
            break
    assert found == []


@pytest.mark.thorough
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_lecturer_s_corner(
    page: Page, lecturer_url: str, scheme: Theme, width: int
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 6000})
    open_page(page, f"{lecturer_url}/train", "card_of")
    settle(page)
    widget(page, "lecturer").get_by_role("button").click()
    for word in ("open barley", "open sesame"):
        expect(page.get_by_label("The lecturer's word")).to_be_visible()
        assert serious(page) == []
        page.get_by_label("The lecturer's word").fill(word)
        page.get_by_role("button", name="This is me").click()
        settle(page)
    expect(widget(page, "close")).to_be_visible()
    assert serious(page) == []
    widget(page, "close").get_by_role("button").click()
    expect(widget(page, "reopen")).to_be_visible()
    assert serious(page) == []


def test_a_link_to_a_page_shows_that_it_has_the_focus(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/train", "card_of")
    link = page.get_by_test_id("stTopNavLink").first
    link.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(link).to_be_focused()
    expect(link).to_have_css("outline-style", "solid")
    expect(link).to_have_css("outline-width", "3px")


def serious(page: Page) -> list[str]:
    """Return the serious and critical faults that axe finds, but for those that are excused."""
    faults = []
    for rule in Axe().run(page).response["violations"]:
        if rule["impact"] in ("serious", "critical"):
            excused = EXCUSED.get(rule["id"], {})
            faults += [
                f"{rule['id']}: {node['html']}; {node['failureSummary']}"
                for node in rule["nodes"]
                if not any(part in node["html"] for part in excused)
            ]
    return faults
