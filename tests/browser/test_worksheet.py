"""The worksheet, printed by a real browser."""

import re

import pytest
from playwright.sync_api import Page

from docs.lecture import PRINTED


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_the_worksheet_prints_on_two_pages(page: Page, paper: str) -> None:
    page.goto(PRINTED.as_uri())
    assert page.locator("h1").count() == 2  # the second one begins a new page: the solutions
    assert (
        page.locator("h1").nth(1).evaluate("each => getComputedStyle(each).breakBefore") == "page"
    )
    printed = page.pdf(format=paper)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 2
