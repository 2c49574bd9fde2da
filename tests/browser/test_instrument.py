"""The live ε in a real browser: what it shows, and what it tells other components."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.draw_page import (
    expect_address,
    expect_seen,
    open_draw,
    overflow,
    position,
    settle,
    slider,
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
@pytest.mark.parametrize("width", [320, 853, 1280, 1920, 2560])
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
    assert beside == (explorer["width"] >= 620)
    used = images["width"] + bars["width"] if beside else images["width"]
    assert 0.95 * explorer["width"] <= used <= explorer["width"]


def test_predict_first_hides_the_flip_until_the_slider_has_passed_it(
    page: Page, app_url: str
) -> None:
    sent: list[str | bytes] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
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


def test_two_networks_under_one_slider(page: Page, app_url: str) -> None:
    sent: list[str | bytes] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
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
