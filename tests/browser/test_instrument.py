"""The live ε in a real browser: what it shows, and what it tells other components."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import serve
from tests.browser.draw_page import (
    SEVEN,
    NewContext,
    box_of,
    draw,
    expect_address,
    expect_seen,
    frames_sent,
    open_draw,
    open_page,
    overflow,
    position,
    settle,
    slider,
    wait_until,
    widget,
)

LISTEN = """() => {
  window.told = [];
  addEventListener("small-change-epsilon", (event) => window.told.push(event.detail));
}"""


def told(page: Page) -> list[dict[str, Any]]:
    """Return what the live ε has told other components since `LISTEN`."""
    events: list[dict[str, Any]] = page.evaluate("window.told")
    return events


def test_other_components_hear_where_the_slider_is(page: Page, app_url: str) -> None:
    page.add_init_script(f"({LISTEN})()")
    open_draw(page, app_url, "?digit=0&epsilon=0.1")
    expect_seen(page, r"\d")
    (first,) = told(page)  # once after it was shown
    assert (first["index"], first["epsilon"]) == (20, 0.1)
    slider(page).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("output")).to_have_text("0.105")
    page.mouse.move(*position(page, 21))
    page.mouse.down()
    page.mouse.move(*position(page, 60))
    expect(page.locator("output")).to_have_text("0.300")
    events = told(page)
    assert [event["index"] for event in events[:2]] == [20, 21]
    assert events[-1] == {"id": first["id"], "index": 60, "epsilon": 0.3}
    assert page.evaluate("window.smallChangeEpsilon") == events[-1]
    page.mouse.up()
    settle(page)
    assert len(told(page)) == len(events)  # the server's answer moves nothing


# Digit, class, first and last ε of each stretch of the track, as it is on the screen.
STRETCHES = """track => [...track.querySelectorAll(".stretch")].map((stretch) => {
  const whole = track.getBoundingClientRect();
  const { left, right } = stretch.getBoundingClientRect();
  const [from, to] = [left, right].map((x) => 0.5 * (x - whole.left) / whole.width);
  return { digit: stretch.textContent, kind: stretch.className, from, to };
})"""


def test_the_track_says_what_the_network_sees_in_each_stretch(page: Page, app_url: str) -> None:
    open_draw(page, app_url, "?digit=8&attack=PGD")  # a 5 that is taken for three other digits
    expect_seen(page, 5)
    stretches = page.locator(".stretches").evaluate(STRETCHES)
    kinds = {stretch["kind"] for stretch in stretches}
    assert kinds == {"stretch right", "stretch wrong", "stretch wrong other"}
    assert len({stretch["digit"] for stretch in stretches}) >= 3
    slider(page).focus()
    for index in range(0, 101, 10):
        epsilon = index / 200
        expect(page.locator("output")).to_have_text(f"{epsilon:.3f}")
        seen = [each["digit"] for each in stretches if each["from"] <= epsilon + 1e-4][-1]
        assert page.locator(".verdict .now").inner_text() == seen
        page.keyboard.press("PageUp")  # ten steps
    expect(page.locator(".norms")).to_contain_text("128 of 255")  # half of the range
    page.keyboard.press("Home")
    expect_seen(page, 5)


@pytest.mark.thorough
@pytest.mark.parametrize("width", [320, 853, 1024, 1280, 1920, 2560])
def test_pictures_and_bars_take_the_width_that_there_is(
    page: Page, app_url: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_draw(page, app_url, "?digit=8&epsilon=0.2")
    expect_seen(page, r"\d")
    assert overflow(page) <= 0
    boxes = [page.locator(part).bounding_box() for part in (".explorer", ".images", ".bars")]
    explorer, images, bars = [box for box in boxes if box]
    beside = images["y"] == bars["y"]
    assert beside == (explorer["width"] >= 540)
    used = images["width"] + bars["width"] if beside else images["width"]
    assert 0.95 * explorer["width"] <= used <= explorer["width"]


def test_predict_first_hides_the_flip_until_the_slider_has_passed_it(
    page: Page, app_url: str
) -> None:
    sent = frames_sent(page)
    open_draw(page, app_url, "?digit=0&epsilon=0.2")
    expect(page.locator(".mark")).to_contain_text("3")
    page.locator(".predict input").check()
    expect(page.locator(".guess")).to_be_visible()
    expect_address(page, "predict=on")
    expect(page.locator("output")).to_have_text("0.000")
    # Nothing tells the flip, to eyes or to a screen reader.
    for part in (".mark", ".stretch", ".sentence"):
        expect(page.locator(part).filter(visible=True)).to_have_count(0)
    assert "flips" not in page.locator(".explorer").evaluate("e => e.innerHTML").lower()
    assert not page.locator(".stretches").get_attribute("aria-label")

    page.mouse.move(*position(page, 0))
    page.mouse.down()
    settle(page)
    sent.clear()
    page.mouse.move(*position(page, 10))
    expect(page.locator("output")).to_have_text("0.050")
    expect(page.locator(".guess")).to_be_visible()
    page.mouse.move(*position(page, 60))
    expect(page.locator(".guess")).to_be_hidden()
    expect(page.locator(".mark")).to_contain_text("3")
    assert sent == []  # no message to the server
    page.mouse.up()
    expect_address(page, "epsilon=0.300")
    page.mouse.click(*position(page, 2))
    expect_address(page, "epsilon=0.010")
    expect(page.locator(".sentence")).to_be_visible()  # what was shown stays

    page.get_by_role("spinbutton").fill("1")  # another digit is another question
    page.get_by_role("spinbutton").press("Enter")
    expect(page.locator(".guess")).to_be_visible()
    expect(page.locator("output")).to_have_text("0.000")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".sentence")).to_be_visible()
    expect(slider(page)).to_be_focused()
    settle(page)
    page.locator(".predict input").uncheck()
    expect(page).not_to_have_url(re.compile("predict"))
    page.locator(".predict input").check()  # the same question once more
    expect(page.locator(".guess")).to_be_visible()


def test_two_networks_under_one_slider(page: Page, app_url: str) -> None:
    sent = frames_sent(page)
    open_draw(page, app_url, "?digit=8&attack=PGD")
    expect_seen(page, 5)
    page.locator(".compare select").select_option("adversarial-pgd")
    expect(page.locator(".verdict")).to_have_count(2)
    expect_address(page, "compare=adversarial-pgd")
    expect(page.locator(".mark").filter(visible=True)).to_have_count(2)
    tracks = [page.locator(".stretches").nth(place).evaluate(STRETCHES) for place in (0, 1)]
    assert tracks[0] != tracks[1]
    page.mouse.move(*position(page, 0))
    page.mouse.down()
    settle(page)
    sent.clear()
    seen = set()
    for index in (0, 30, 60, 100):
        page.mouse.move(*position(page, index))
        expect(page.locator("output")).to_have_text(f"{index / 200:.3f}")
        verdicts = page.locator(".verdict .now").all_inner_texts()
        assert verdicts == [
            [each["digit"] for each in track if each["from"] <= index / 200 + 1e-4][-1]
            for track in tracks
        ]
        seen.add(tuple(verdicts))
    assert len(seen) > 2
    pictures = page.locator("canvas.adversarial").evaluate_all("all => all.map(c => c.toDataURL())")
    assert len(set(pictures)) == 2
    assert sent == []  # no message to the server
    page.mouse.up()
    expect_address(page, "epsilon=0.500")
    page.locator(".compare select").select_option("none")
    expect(page.locator(".verdict")).to_have_count(1)
    settle(page)
    page.go_back()
    expect(page.locator(".verdict")).to_have_count(2)


def picture_width(page: Page) -> float:
    """Return how wide the adversarial image is in the window."""
    box = box_of(page.locator("canvas.adversarial"))
    return box["width"]


def test_the_big_screen_shows_the_digit_and_its_attack_and_nothing_else(
    page: Page, app_url: str
) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    open_draw(page, app_url, "?attack=PGD&epsilon=0.15")
    draw(page, SEVEN)
    expect_seen(page, r"[^7]")
    settle(page)
    header, others = page.get_by_test_id("stHeader"), widget(page, "attack")
    attack = page.locator(".explorer .attack")  # which one, on which network
    expect(attack).to_be_hidden()
    sizes = [picture_width(page)]
    slider(page).focus()
    page.keyboard.press("f")
    expect(header).to_be_hidden()
    expect(others).to_be_hidden()
    for part in (".verdict", ".dial", ".images", ".bars", "canvas.upper-canvas"):
        box = box_of(page.locator(part))
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= page.evaluate("innerWidth")
        assert box["y"] + box["height"] <= page.evaluate("innerHeight")
    expect(attack).to_contain_text("PGD")
    expect(attack).to_contain_text("standard")
    sizes.append(picture_width(page))
    assert sizes[1] > 1.2 * sizes[0]
    height = page.locator(".verdict .now").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert height > 0.12 * page.evaluate("innerHeight")
    before = page.locator("canvas.clean").evaluate("c => c.toDataURL()")
    draw(page, [(60, 250), (220, 250)])  # the canvas can be drawn on
    wait_until(page, lambda: page.locator("canvas.clean").evaluate("c => c.toDataURL()") != before)
    expect(header).to_be_hidden()
    page.keyboard.press("Escape")
    expect(header).to_be_visible()
    expect(others).to_be_visible()

    # The browser may refuse the whole screen; then the window is what there is.
    page.evaluate(
        "() => { document.documentElement.requestFullscreen = () => Promise.reject(Error()); }"
    )
    button = page.get_by_role("button", name="Big screen")
    button.click()
    expect(header).to_be_hidden()
    expect(slider(page)).to_be_focused()
    expect(page.locator("output")).to_have_text("0.150")
    page.keyboard.press("ArrowRight")
    expect(page.locator("output")).to_have_text("0.155")
    leave = page.get_by_role("button", name="Leave")
    leave.click()
    expect(header).to_be_visible()
    expect(leave).to_have_count(0)
    expect(button).to_be_focused()

    # Without a digit there is still a way out, and something that says what to do.
    page.keyboard.press("Enter")
    expect(header).to_be_hidden()
    settle(page)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".explorer")).to_have_count(0)
    expect(page.get_by_test_id("stAlert")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(attack).to_be_visible()
    expect(header).to_be_hidden()
    leave.click()
    expect(header).to_be_visible()
    settle(page)

    # The key does nothing in a text field, and can be switched off.
    page.get_by_label("Attack", exact=True).click()
    page.keyboard.press("f")
    page.keyboard.press("Escape")
    expect(header).to_be_visible()
    page.locator(".key input").uncheck()
    slider(page).focus()
    page.keyboard.press("f")
    expect(button).to_be_visible()
    page.reload()
    expect(page.locator(".key input")).not_to_be_checked()
    expect(header).to_be_visible()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 720), (1920, 1080)])
def test_two_networks_on_the_big_screen(
    new_context: NewContext, app_url: str, width: int, height: int
) -> None:
    phone = width < 640
    context = new_context(viewport={"width": width, "height": height}, has_touch=phone)
    page = context.new_page()
    open_draw(page, app_url, "?compare=adversarial-pgd&attack=PGD&epsilon=0.15")
    draw(page, SEVEN)
    expect(page.locator(".verdict")).to_have_count(2)
    settle(page)
    button = page.get_by_role("button", name="Big screen")
    button.tap() if phone else button.click()
    expect(page.get_by_test_id("stHeader")).to_be_hidden()
    leave = page.get_by_role("button", name="Leave")
    parts = [leave, *page.locator("canvas.upper-canvas, .verdict, .dial").all()]
    if not phone:  # there pictures and bars come below
        parts += page.locator(".images, .bars").all()
    for part in parts:
        box = box_of(part)
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width
        assert 0 <= box["y"] <= box["y"] + box["height"] <= height
    leave.tap() if phone else leave.click()
    expect(page.get_by_test_id("stHeader")).to_be_visible()
    expect(button).to_be_in_viewport()  # where one was


def test_another_page_is_no_big_screen(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/remedies", "budget")
    page.get_by_role("link", name="Draw").click()
    page.get_by_role("radio", name="Test digit").click()
    expect_seen(page, r"\d")
    settle(page)
    page.get_by_role("button", name="Big screen").click()
    expect(page.get_by_test_id("stHeader")).to_be_hidden()
    wait_until(page, lambda: page.go_back() is None and "remedies" in page.url)
    expect(page.get_by_test_id("stHeader")).to_be_visible()
    expect(widget(page, "budget")).to_be_visible()


# Each frame is 20 ms after the one before, however long it took: no place is passed over.
FRAMES = """{
  const wait = requestAnimationFrame;
  let drawn, now = 0;
  requestAnimationFrame = (step) => wait((at) => {
    if (at !== drawn) now += 20;
    drawn = at;
    step(now);
  });
}"""
# Somebody presses a key as soon as the slider has moved by itself.
PRESS = """addEventListener("small-change-epsilon", ({ detail }) => {
  if (detail.index === 3) dispatchEvent(new KeyboardEvent("keydown", { key: "Shift" }));
})"""


def test_the_slider_moves_once_by_itself(new_context: NewContext) -> None:
    with serve(script="tests/browser/playing_page.py") as url:
        places = []
        for motion, script in (("no-preference", ""), ("reduce", ""), ("no-preference", PRESS)):
            page = new_context(reduced_motion=motion).new_page()
            page.add_init_script(f"({LISTEN})(); {FRAMES}; {script}")
            page.goto(url)
            expect_seen(page, 7 if script else r"[^7]")
            settle(page)
            places.append([event["index"] for event in told(page)])
            expect(page.get_by_test_id("stText")).to_have_text(
                "heard 0"
            )  # the server knows nothing
            page.context.close()
    moving, at_once, stopped = places
    assert moving == list(range(moving[-1] + 1))
    assert moving[-1] > 5
    assert at_once == [0, moving[-1]]  # the flip
    assert stopped[-1] == 3 < moving[-1]
