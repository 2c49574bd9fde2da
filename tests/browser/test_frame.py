"""What is around every page in a real browser: the menu of pages and the window's title."""

from playwright.sync_api import Page, expect

from tests.browser.draw_page import NewContext, open_page, wait_until, widget


def menu_s_right_edge(page: Page) -> float:
    """Return where the open menu of a narrow window ends."""
    right: float = page.get_by_test_id("stSidebar").evaluate(
        "menu => menu.getBoundingClientRect().right"
    )
    return right


def test_on_a_phone_the_menu_closes_when_a_page_is_chosen(
    new_context: NewContext, app_url: str
) -> None:
    context = new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    open_page(page, f"{app_url}/train", "card_of")
    page.wait_for_function("history.pushState.chooses")  # a moment after the page has opened
    page.get_by_test_id("stExpandSidebarButton").tap()
    wait_until(page, lambda: menu_s_right_edge(page) > 200)
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Remedies").tap()
    expect(widget(page, "against")).to_be_visible()
    expect(page.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "true")
    wait_until(page, lambda: menu_s_right_edge(page) <= 0)


def test_the_window_s_title_names_the_page_first(page: Page, app_url: str) -> None:
    for address, key, name in (("train", "card_of", "Train"), ("", "attack", "Draw")):
        open_page(page, f"{app_url}/{address}", key)
        expect(page).to_have_title(f"{name} – Small Change")
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
    page.get_by_role("link", name="Remedies").first.click()
    expect(page).to_have_title("Remedies – Small Change")
