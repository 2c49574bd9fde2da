"""Draw by mouse, by finger and by keyboard alone, in windows from a phone's to a projector's."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, Position, expect

from pages.attack.scenes import SCENES
from tests.browser.draw_page import (
    NewContext,
    box_of,
    expect_address,
    expect_seen,
    open_draw,
    overflow,
    position,
    settle,
    slider,
    widget,
)

MOUSE, TOUCH, KEYBOARD = "mouse", "touch", "keyboard"
HANDS = [
    *((width, TOUCH) for width in (390, 853)),
    *((width, MOUSE) for width in (853, 1280, 1920)),
    *((width, KEYBOARD) for width in (390, 853, 1280, 1920)),
]


class Hand:
    """Somebody who uses the page in one way."""

    def __init__(self, page: Page, way: str) -> None:
        self.page, self.way = page, way

    def press(self, button: Locator, key: str = "Enter") -> None:
        """Press a button, by keyboard with this key."""
        if self.way == TOUCH:
            button.tap()
        elif self.way == MOUSE:
            button.click()
        else:
            self.focus(button)
            self.page.keyboard.press(key)

    def focus(self, control: Locator) -> None:
        """Reach a control with the Tab key, from the one before it."""
        control.focus()
        expect(control).to_be_focused()
        self.page.keyboard.press("Shift+Tab")
        expect(control).not_to_be_focused()
        self.page.keyboard.press("Tab")
        expect(control).to_be_focused()

    def switch(self, box: Locator) -> None:
        """Switch a box on or off."""
        self.press(box, "Space")

    def choose(self, group: Locator, option: str) -> None:
        """Choose the next one of a group of radio buttons."""
        wanted = group.get_by_role("radio", name=option)
        if self.way == KEYBOARD:
            group.get_by_role("radio", checked=True).focus()
            self.page.keyboard.press("ArrowRight")
            self.page.keyboard.press("Enter")
        else:
            self.press(wanted)
        expect(wanted).to_be_checked()

    def turn(self, index: int) -> None:
        """Move the live ε from 0 to the place of this index."""
        place = position(self.page, index)
        if self.way == TOUCH:
            self.page.touchscreen.tap(*place)
        elif self.way == MOUSE:
            self.page.mouse.click(*place)
        else:
            self.focus(slider(self.page))
            for _ in range(index // 10):
                self.page.keyboard.press("PageUp")
        expect(self.page.locator("output").first).to_have_text(f"{index / 200:.3f}")


@pytest.fixture(params=HANDS, ids=lambda hand: f"{hand[1]}-{hand[0]}")
def hand(request: pytest.FixtureRequest, new_context: NewContext, page: Page) -> Iterator[Hand]:
    """Somebody with a page in a window of a width."""
    width, way = request.param
    if way == TOUCH:
        page = new_context(has_touch=True, is_mobile=True).new_page()
    page.set_viewport_size({"width": width, "height": 844})
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield Hand(page, way)
    settle(page)
    assert overflow(page) <= 0


@pytest.mark.thorough
def test_the_walk_and_the_map(hand: Hand, app_url: str) -> None:
    page = hand.page
    open_draw(page, app_url, "?digit=0&attack=BIM&epsilon=0.120")
    expect_seen(page, r"[^7]")
    hand.press(widget(page, "walk").locator("summary"))
    expect_address(page, "walk=on")
    settle(page)
    back, play, step = (page.locator(f".controls .{name}") for name in ("back", "play", "step"))
    place = page.locator(".controls output")
    for number in (1, 2):
        hand.press(step)
        expect(place).to_have_text(re.compile(rf"\b{number} of 10$"))
    hand.press(back, "Space")
    expect(place).to_have_text(re.compile(r"\b1 of 10$"))
    hand.press(play)
    expect(place).to_have_text(re.compile(r"\b10 of 10$"))
    expect(page.locator(".player .digit")).to_have_text(re.compile("[^7]"))

    hand.press(widget(page, "map").locator("summary"))
    chart = widget(page, "map_chart")
    expect(chart.locator("svg image")).to_have_count(1)
    settle(page)
    hand.choose(widget(page, "across"), "Random noise")
    expect_address(page, "across=random")
    settle(page)
    with page.expect_download() as event:
        hand.press(chart.locator(".modebar-btn").first)
    assert event.value.suggested_filename == "map-7-bim-random.png"


@pytest.mark.thorough
def test_the_units(hand: Hand, app_url: str) -> None:
    page = hand.page
    open_draw(page, app_url, "?digit=0")
    expect_seen(page, 7)
    view = widget(page, "units")
    hand.press(view.locator("summary"))
    caption = view.locator("figcaption")
    expect(caption).to_contain_text("of layer 1")
    settle(page)
    layer = view.get_by_role("slider", name="layer 2")
    box = box_of(layer)
    last: Position = {"x": box["width"] - 4, "y": box["height"] - 4}
    if hand.way == TOUCH:
        layer.tap(position=last)
    elif hand.way == MOUSE:
        layer.hover(position=last)
    else:
        hand.focus(layer)
        page.keyboard.press("End")
    expect(caption).to_contain_text("of layer 2")
    expect(layer).to_have_attribute("aria-valuenow", "64")
    hand.turn(40)
    expect(view.locator(".seen")).to_have_text(re.compile(r"ε = 0\.200: [^7]\.$"))
    with page.expect_download() as event:
        hand.press(view.get_by_role("button", name="Download PNG"))
    assert event.value.suggested_filename == "7-fgsm-epsilon-0.200-units.png"


@pytest.mark.thorough
def test_predict_first_big_screen_and_copy_link(hand: Hand, app_url: str) -> None:
    page = hand.page
    open_draw(page, app_url, "?digit=0")
    expect_seen(page, 7)
    guess, sentence = page.locator(".guess"), page.locator(".sentence")
    hand.switch(page.locator(".predict input"))
    expect(guess).to_be_visible()
    expect_address(page, "predict=on")
    settle(page)
    hand.turn(40)
    expect(guess).to_be_hidden()
    expect(sentence).to_be_visible()
    expect_address(page, "epsilon=0.200")
    settle(page)

    hand.press(page.get_by_role("button", name="Big screen"))
    header = page.get_by_test_id("stHeader")
    expect(header).to_be_hidden()
    if hand.way == KEYBOARD:
        page.keyboard.press("Escape")
    else:
        hand.press(page.get_by_role("button", name="Leave"))
    expect(header).to_be_visible()

    hand.press(page.get_by_role("button", name="Copy link"))
    expect(page.locator(".copy-link [role=status]")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    hand.press(widget(page, "link").get_by_role("button"))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    hand.press(dialog.get_by_role("button", name="Close"))
    expect(dialog).to_have_count(0)


@pytest.mark.thorough
def test_a_test_digit_and_a_scene(hand: Hand, app_url: str) -> None:
    page = hand.page
    open_draw(page, app_url)
    hand.choose(widget(page, "source"), "Test digit")
    expect_address(page, "digit=0")
    settle(page)
    if hand.way == KEYBOARD:
        page.get_by_role("spinbutton").press("ArrowUp")
        page.get_by_role("spinbutton").press("Enter")
    else:
        hand.press(widget(page, "digit").get_by_role("button").last)
    expect_address(page, "digit=1&")
    settle(page)
    hand.press(page.get_by_label("or look for", exact=True))
    three = page.get_by_role("option", name="3", exact=True)
    if hand.way == KEYBOARD:
        page.keyboard.type("3")
        page.keyboard.press("Enter")
    else:
        hand.press(three)
    expect(three).to_have_count(0)
    settle(page)
    hand.press(page.get_by_role("button", name="Read wrong"))
    expect(page.locator(".meant :checked + span")).to_have_text("3")
    expect_seen(page, "[^3]")
    settle(page)

    scene = SCENES[2]
    scenes = page.get_by_role("combobox", name="Scenes")
    hand.press(scenes, "ArrowDown")
    wanted = page.get_by_role("option", name=scene.title)
    expect(wanted).to_be_visible()
    if hand.way == KEYBOARD:
        for _ in range(SCENES.index(scene)):  # the first one is marked
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
    else:
        hand.press(wanted)
    expect_address(page, f"epsilon={scene.epsilon:.3f}")
    expect(page.get_by_text(scene.why)).to_be_visible()
    expect_seen(page, scene.target)
