"""The Lesson in a real browser: by mouse, finger and keyboard, each step on one screen."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.draw_page import (
    SEVEN,
    NewContext,
    box_of,
    draw,
    draw_by_finger,
    expect_address,
    expect_seen,
    frames_sent,
    open_page,
    overflow,
    position,
    settle,
    slider,
    wait_until,
    widget,
)


def open_lesson(page: Page, app_url: str, query: str = "") -> None:
    open_page(page, f"{app_url}/lesson{query}", "lesson_ask")


def answer(page: Page, step: int, place: int) -> None:
    """Answer a step's question, and wait until the page has taken it."""
    widget(page, f"answer_{step}_{place}").get_by_role("button").click()
    expect(widget(page, "lesson_answers")).to_have_count(0)
    settle(page)


def go_on(page: Page, title: str) -> None:
    widget(page, "next").get_by_role("button").click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    settle(page)


def width_of(page: Page, part: str) -> float:
    box = box_of(page.locator(part))
    return box["width"]


def test_by_mouse_one_draws_guesses_turns_epsilon_and_sees(page: Page, app_url: str) -> None:
    sent = frames_sent(page)
    open_lesson(page, app_url)
    draw(page, SEVEN)
    expect(widget(page, "answer_1_7").get_by_role("button")).to_be_enabled()
    answer(page, 1, 7)
    expect(widget(page, "lesson_input").get_by_role("img")).to_be_visible()
    go_on(page, "The network reads it")
    expect(page.locator(".probabilities")).to_have_count(0)  # not before one has guessed
    answer(page, 2, 3)
    expect(page.locator(".probabilities .meant")).to_contain_text("7")
    go_on(page, "Turn ε")
    answer(page, 3, 1)
    expect(page.locator(".stretch")).to_have_count(0)  # nor where it flips
    page.mouse.move(*position(page, 0))
    page.mouse.down()
    settle(page)
    sent.clear()
    for index in range(0, 101, 5):
        page.mouse.move(*position(page, index))
    expect(page.locator("output")).to_have_text("0.500")
    assert sent == []  # not one message to the server
    page.mouse.up()
    expect(widget(page, "lesson_seen")).to_contain_text("255 grey levels")
    expect(page.locator(".stretch.wrong").first).to_be_visible()
    expect_address(page, "answers=731&seen=3")
    page.get_by_role("button", name="Big screen").click()
    wait_until(page, lambda: width_of(page, ".explorer") > 1100)  # of 1280
    page.keyboard.press("Escape")
    wait_until(page, lambda: width_of(page, ".explorer") < 1000)
    page.go_back()  # before one saw
    expect(widget(page, "lesson_seen")).to_have_count(0)
    page.go_forward()
    expect(widget(page, "lesson_seen")).to_be_visible()


def test_by_finger_on_a_phone(new_context: NewContext, app_url: str) -> None:
    context = new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    open_lesson(page, app_url)
    draw_by_finger(page, SEVEN)
    button = widget(page, "answer_1_7").get_by_role("button")
    expect(button).to_be_enabled()
    button.tap()
    expect(widget(page, "lesson_seen")).to_be_visible()
    widget(page, "step").get_by_role("radio", name="4").tap()
    expect(page.get_by_role("heading", name="Noise of that size")).to_be_visible()
    settle(page)
    widget(page, "answer_4_0").get_by_role("button").tap()
    expect(widget(page, "lesson_seen")).to_contain_text("Of 100 such changes")
    expect(page.locator(".meant")).to_be_hidden()  # the first step has asked for it
    assert overflow(page) <= 0


def focused(page: Page) -> str:
    """Return what has the focus, on the page or in a component: its id, text or tag."""
    return str(
        page.evaluate(
            """() => {
              let found = document.activeElement;
              while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
              return found?.id || found?.textContent || found?.tagName;
            }"""
        )
    )


def test_by_keyboard_and_for_screen_readers(page: Page, app_url: str) -> None:
    """After each answer and each step the focus is where one goes on, and what one saw is said."""
    open_lesson(page, app_url, "?digit=0&step=3")
    widget(page, "answer_3_1").get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(slider(page)).to_be_focused()
    settle(page)
    page.keyboard.press("End")
    expect(widget(page, "lesson_seen")).to_be_visible()
    expect_seen(page, r"[^7]")
    expect(slider(page)).to_be_focused()
    expect(widget(page, "focus").get_by_role("status")).to_contain_text("255 grey levels")
    widget(page, "next").get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Noise of that size")).to_be_focused()
    expect(page.get_by_role("radio", name="4")).to_be_checked()
    page.keyboard.press("Tab")
    assert focused(page) == "none"  # the first answer
    page.keyboard.press("Enter")
    expect(widget(page, "lesson_seen")).to_be_focused()


@pytest.mark.thorough
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 720), (1366, 768), (1920, 1080)])
def test_a_step_is_one_screen(page: Page, app_url: str, width: int, height: int) -> None:
    """A phone shows the verdict and the slider; where there is room, pictures and bars too."""
    page.set_viewport_size({"width": width, "height": height})

    def fits(part: str) -> None:
        box = box_of(page.locator(part).last)
        assert box["y"] + box["height"] <= height, (step, part)

    for step in range(1, 9):
        open_lesson(page, app_url, f"?digit=0&step={step}")
        fits(".st-key-lesson_answers")
        if step > 1:
            fits(".st-key-next" if step < 8 else ".st-key-lesson_digit")
        answer(page, step, 1)
        fits(".st-key-lesson_ask")
        if 3 <= step <= 7:
            fits(".dial")
            if step != 4:
                page.get_by_role("button", name="Show", exact=True).click()
            expect(widget(page, "lesson_seen")).to_be_visible()
            settle(page)
            page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
            for part in ("h1", ".st-key-lesson_seen", ".verdict", ".dial"):
                fits(part)
            if width > 900:
                for part in (".st-key-next", ".sentence", ".images", ".bars"):
                    fits(part)
        if step == 8 and width > 900:
            fits(".js-plotly-plot")
        assert overflow(page) <= 0
