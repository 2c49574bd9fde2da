"""The Draw page in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocket, expect

from tests.browser.conftest import watch
from tests.browser.draw_page import (
    SEVEN,
    choose,
    draw,
    expect_address,
    expect_seen,
    open_draw,
    position,
    slider,
)
from tests.core.data.test_pictures import SEVENS

DRAWN = "canvas.dc-canvas.lower-canvas"


def flip_in(page: Page) -> tuple[int, int, float]:
    """Before, after and ε of the flip, as the sentence has them."""
    said = page.locator(".sentence").inner_text()
    found = re.search(r"Flips from (\d) to (\d) at ε = (0\.\d{3}), \d+ of 255 grey levels", said)
    assert found, said
    return int(found[1]), int(found[2]), float(found[3])


def test_draw_a_seven_turn_up_epsilon_watch_it_flip(page: Page, app_url: str) -> None:
    sent: list[str | bytes] = []

    def count(socket: WebSocket) -> None:
        socket.on("framesent", lambda payload: sent.append(payload))

    page.on("websocket", count)
    open_draw(page, app_url)
    expect(page.get_by_text("appears here")).to_be_visible()
    draw(page, SEVEN)
    expect_seen(page, 7)
    before, after, epsilon = flip_in(page)
    assert before == 7 != after
    expect(page.locator(".mark")).to_have_text(f"flips to {after}")
    expect(page.locator(".sentence")).to_contain_text("of 100 random perturbations of that size")
    expect_address(page, "epsilon=0.000")

    page.mouse.move(*position(page, 0))
    page.mouse.down()
    page.wait_for_timeout(500)  # whatever the page still had to say has been said
    sent.clear()
    pictures, verdicts, norms = set(), [], []
    first = int(epsilon * 200) + 1  # the first position of the slider beyond the flip
    for index in range(0, 101, 2):
        page.mouse.move(*position(page, index))
        expect(page.locator("output")).to_have_text(f"{index / 200:.3f}")
        verdicts.append(page.locator(".verdict .now").inner_text())
        norms.append(page.locator(".norms").inner_text())
        pictures.add(page.locator("canvas.adversarial").evaluate("c => c.toDataURL()"))
    assert sent == []  # not one message to the server
    assert len(pictures) == len(norms) == len(set(norms)) == 51
    flipped_at = next(2 * place for place, seen in enumerate(verdicts) if seen != "7")
    assert first <= flipped_at <= first + 1
    assert verdicts[flipped_at // 2] == str(after)

    page.mouse.up()
    expect_address(page, "epsilon=0.500")
    assert sent


def test_the_bars_show_the_probabilities(page: Page, app_url: str) -> None:
    open_draw(page, app_url, "?digit=0&epsilon=0.2")
    expect_seen(page, r"[^7]")
    said = page.locator(".bars").get_attribute("aria-label")
    assert said is not None
    shares = [int(share) for share in re.findall(r"\d: (\d+)%", said)]
    assert len(shares) == 10
    assert 98 <= sum(shares) <= 102
    heights = page.locator(".fill").evaluate_all(
        "bars => bars.map(b => b.getBoundingClientRect().height / b.parentElement.clientHeight)"
    )
    assert heights == pytest.approx([share / 100 for share in shares], abs=0.02)
    predicted = page.locator(".column.predicted .name").inner_text()
    assert predicted == str(shares.index(max(shares)))


def test_the_label_is_corrected_with_one_click(page: Page, app_url: str) -> None:
    open_draw(page, app_url, "?digit=0")
    expect_seen(page, 7)
    choices = page.get_by_role("group", name="Meant to be").get_by_role("radio")
    expect(choices.nth(7)).to_be_checked()
    choices.nth(1).click()
    expect(page.locator(".sentence")).to_have_text(
        "The network takes this 1 for a 7 without any attack."
    )
    choices.nth(7).click()
    expect(page.locator(".sentence")).to_contain_text("Flips from 7 to")


@pytest.mark.parametrize("width", [360, 390, 700, 1000, 1280, 1920])
def test_nothing_moves_and_nothing_sticks_out_as_the_prediction_flips(
    page: Page, app_url: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_draw(page, app_url, "?digit=0")
    expect_seen(page, 7)
    slider(page).focus()
    before = slider(page).bounding_box()
    page.keyboard.press("End")
    expect_seen(page, r"[^7]")
    assert slider(page).bounding_box() == before
    assert page.locator(".explorer").evaluate("e => e.scrollWidth <= e.clientWidth")


@pytest.mark.parametrize("width", [360, 1280])
def test_a_stroke_is_answered_beside_it_and_moves_nothing(
    page: Page, app_url: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_draw(page, app_url)
    canvas, undo = page.locator(DRAWN), page.locator(".st-key-undo")
    expect(page.get_by_text("Nothing drawn yet.")).to_be_visible()
    canvas.scroll_into_view_if_needed()
    before = canvas.bounding_box(), undo.bounding_box()
    draw(page, SEVEN)
    expect(page.get_by_text(re.compile(r"^The network sees a 7 here, \d"))).to_be_visible()
    expect_seen(page, 7)
    assert (canvas.bounding_box(), undo.bounding_box()) == before


def test_by_arrow_keys_and_for_screen_readers(page: Page, app_url: str) -> None:
    open_draw(page, app_url, "?digit=0")
    expect_seen(page, 7)
    _, after, epsilon = flip_in(page)
    announcement = page.locator("[aria-live=polite]")
    expect(announcement).to_contain_text("The network sees 7")
    slider(page).focus()
    for _ in range(int(epsilon * 200) + 1):
        page.keyboard.press("ArrowRight")
    expect_seen(page, after)
    expect(announcement).to_contain_text(f"The network sees {after}")
    expect(slider(page)).to_have_attribute(
        "aria-valuetext", re.compile(rf"^0\.\d{{3}}\. The network sees {after}, \d+% sure$")
    )
    outline = slider(page).evaluate("s => getComputedStyle(s).outlineStyle")
    assert outline == "solid"  # the focus can be seen
    page.keyboard.press("Home")
    expect_seen(page, 7)
    page.keyboard.press("End")
    expect_address(page, "epsilon=0.500")
    for name in ("clean", "perturbation", "adversarial"):
        assert page.locator(f"canvas.{name}").get_attribute("aria-label")


def test_by_finger_on_a_phone(browser: Browser, app_url: str) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    faults = watch(context)
    page = context.new_page()
    open_draw(page, app_url, "?digit=0")
    expect_seen(page, 7)
    devtools = context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[int, int]) -> None:
        devtools.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]},
        )

    touch("touchStart", position(page, 0))
    for index in range(0, 61, 3):
        touch("touchMove", position(page, index))
    expect(page.locator("output")).to_have_text(re.compile(r"0\.(29|30)\d"))
    expect_seen(page, r"[^7]")
    touch("touchEnd")
    expect_address(page, "epsilon=0.")
    assert not faults
    context.close()


@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_at_any_width_in_either_theme(
    browser: Browser, app_url: str, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    faults = watch(context)
    page = context.new_page()
    open_draw(page, app_url)
    draw(page, SEVEN)
    expect_seen(page, 7)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for part in (".verdict", ".dial", ".sentence", ".images", ".bars", ".norms"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    # Text against its background: at least the 4.5 of WCAG's level AA.
    contrast = page.evaluate(
        """() => {
            const light = css => {
                const [r, g, b] = css.match(/\\d+/g).slice(0, 3).map(v => {
                    v /= 255;
                    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
                });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const app = document.querySelector('.stApp');
            const [a, b] = [getComputedStyle(app).color, getComputedStyle(app).backgroundColor]
                .map(light).sort((x, y) => y - x);
            return (a + 0.05) / (b + 0.05);
        }"""
    )
    assert contrast > 4.5
    assert not faults
    context.close()


def test_a_link_brings_everything_back_in_another_session(
    page: Page, browser: Browser, app_url: str
) -> None:
    open_draw(page, app_url)
    page.get_by_role("radio", name="Test digit").click()
    page.get_by_role("button", name="At random").click()
    choose(page, "Attack", "PGD")
    choose(page, "Towards", "8")
    expect_address(page, "target=8")
    expect_address(page, "attack=PGD")
    expect(page.locator(".explorer")).to_be_visible()
    page.mouse.click(*position(page, 46))
    expect_address(page, "epsilon=0.230")
    page.wait_for_timeout(500)

    context = browser.new_context()
    other = context.new_page()
    other.goto(page.url)
    expect(other.locator("output")).to_have_text("0.230")
    for part in (".sentence", ".certainty", ".norms"):
        expect(other.locator(part)).to_have_text(page.locator(part).inner_text())
    # What one session does is nothing to the other.
    choose(other, "Attack", "FGSM")
    expect_address(other, "attack=FGSM")
    page.wait_for_timeout(300)
    assert "attack=PGD" in page.url
    context.close()


def test_a_drawing_survives_and_undo_and_clear_reach_the_canvas(page: Page, app_url: str) -> None:
    open_draw(page, app_url)
    draw(page, SEVEN)
    expect_seen(page, 7)
    drawn = painted(page)
    assert drawn > 2000
    page.mouse.click(*position(page, 30))
    expect_address(page, "epsilon=0.150")

    page.get_by_role("radio", name="Test digit").click()
    expect(page.get_by_text("MNIST's test digit 0, a 7")).to_be_visible()
    page.get_by_role("radio", name="Draw").click()
    expect(page.locator(".explorer")).to_be_visible()
    expect_painted(page, drawn)
    expect(page.locator("output")).to_have_text("0.150")

    draw(page, [(40, 250), (240, 250)])
    expect_painted(page, drawn + 4400)
    page.wait_for_timeout(800)  # a stroke takes a while to reach the server
    button(page, "Undo").click()
    expect_painted(page, drawn)
    button(page, "Clear").click()
    expect_painted(page, 0)
    expect(page.get_by_text("appears here")).to_be_visible()
    button(page, "Undo").click()
    expect_painted(page, drawn)
    expect(page.locator(".explorer")).to_be_visible()


def button(page: Page, name: str) -> Locator:
    """A button of the page's own; the canvas's toolbar has others of that name."""
    return page.get_by_test_id("stBaseButton-secondary").filter(has_text=name)


def painted(page: Page) -> int:
    """How many of the canvas's pixels are white."""
    count: int = page.locator(DRAWN).evaluate(
        """canvas => {
            const { width, height } = canvas;
            const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
            let white = 0;
            for (let at = 0; at < data.length; at += 4) white += data[at] > 128;
            return white;
        }"""
    )
    return count


def expect_painted(page: Page, white: int) -> None:
    """Wait until about so many of the canvas's pixels are white."""
    for _ in range(100):
        if page.locator(DRAWN).count() == 1 and abs(painted(page) - white) < 400:
            return
        page.wait_for_timeout(100)
    assert painted(page) == white


def test_pictures_good_and_bad(page: Page, app_url: str, tmp_path: Path) -> None:
    open_draw(page, app_url)
    page.get_by_role("radio", name="Picture").click()
    good, text = tmp_path / "seven.jpg", tmp_path / "letter.png"
    good.write_bytes(SEVENS["jpeg"])
    text.write_text("Dear lecturer, this is not a picture.")
    chooser = page.locator("input[type=file]")
    chooser.set_input_files(good)
    expect_seen(page, 7)
    expect(page.get_by_text("Fitted to 20 × 20")).to_be_visible()
    chooser.set_input_files(text)
    expect(page.get_by_text("This file is not a PNG or JPEG picture.")).to_be_visible()
    expect(page.get_by_text("Traceback")).to_have_count(0)


def test_the_chart_opens(page: Page, app_url: str) -> None:
    open_draw(page, app_url, "?digit=0")
    page.get_by_text("The whole path as a chart").click()
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_visible(timeout=20_000)
    expect(page.locator(".js-plotly-plot").get_by_text("flips to")).to_be_visible()
