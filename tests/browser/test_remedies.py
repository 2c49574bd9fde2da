"""The Remedies page in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

TITLE = "What each remedy really buys"


def open_remedies(page: Page, app_url: str, query: str = "") -> None:
    page.goto(f"{app_url}/remedies{query}")
    expect(page.get_by_text(TITLE)).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Flipping: is a mirrored digit still a digit?")).to_be_visible(
        timeout=60_000
    )


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_table_chart_and_findings_are_there_at_once(
    page: Page, app_url: str, width: int, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    open_remedies(page, app_url)
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_visible(timeout=30_000)
    expect(page.get_by_text(re.compile("^Data augmentation")).first).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Measure"))).to_have_count(0)
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0


def test_a_link_holds_the_settings(page: Page, app_url: str) -> None:
    open_remedies(page, app_url, "?networks=report~dropout&budget=0.2&against=FGSM")
    expect(page.get_by_text("What was found, at ε = 0.2")).to_be_visible()
    expect(page.get_by_text(re.compile("misread under FGSM"))).to_be_visible()
    page.get_by_role("radio", name="PGD").or_(
        page.get_by_test_id("stBaseButton-segmented_control").filter(has_text="PGD")
    ).first.click()
    expect(page).to_have_url(re.compile("against=PGD"))
    expect(page).to_have_url(re.compile("networks=report~dropout"))
