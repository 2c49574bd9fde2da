"""The Draw page in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.draw_page import (
    CANVAS,
    SEVEN,
    NewContext,
    Theme,
    box_of,
    choose,
    clean_image,
    draw,
    expect_address,
    expect_seen,
    finger,
    frames_sent,
    open_draw,
    overflow,
    position,
    settle,
    slider,
    wait_until,
    widget,
)
from tests.core.data.test_pictures import SEVENS

DRAWN = "canvas.dc-canvas.lower-canvas:visible"


def flip_in(page: Page) -> tuple[int, int, float]:
    """Return before, after and ε of the flip, as the sentence has them."""
    said = page.locator(".sentence").inner_text()
    found = re.search(r"\b(\d)\b\D+\b(\d)\b\D+ε = (0\.\d{3})", said)
    assert found, said
    return int(found[1]), int(found[2]), float(found[3])


@pytest.mark.thorough(always=True)
def test_draw_a_seven_turn_up_epsilon_watch_it_flip(page: Page, app_url: str) -> None:
    sent = frames_sent(page)
    open_draw(page, app_url)
    draw(page, SEVEN)
    expect_seen(page, 7)
    before, after, epsilon = flip_in(page)
    assert before == 7 != after
    expect(page.locator(".mark")).to_contain_text(str(after))
    expect(page.locator(".sentence")).to_contain_text("of 100")  # random perturbations
    expect_address(page, "epsilon=0.000")

    page.mouse.move(*position(page, 0))
    page.mouse.down()
    settle(page)
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
    shares = [int(share) for share in re.findall(r"\d: (\d+)\s%", said)]
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
    before, after, _ = flip_in(page)
    assert before == 7 != after
    choices = page.locator(".meant").get_by_role("radio")
    expect(choices.nth(7)).to_be_checked()
    settle(page)  # the proof's answer, which shows the page anew, is not to come with the click
    choices.nth(1).click()
    # Nothing flips: the network takes the digit for another one without any attack.
    expect(page.locator(".mark")).to_be_hidden()
    expect(page.locator(".sentence")).to_have_text(re.compile(r"\b1\b.*\b7\b"))
    choices.nth(7).click()
    expect(page.locator(".mark")).to_contain_text(str(after))


@pytest.mark.thorough
@pytest.mark.parametrize("width", [360, 390, 700, 1000, 1280, 1920])
def test_nothing_moves_and_nothing_sticks_out_as_the_prediction_flips(
    page: Page, app_url: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_draw(page, app_url, "?digit=0")
    expect_seen(page, 7)
    settle(page)
    slider(page).focus()
    before = slider(page).bounding_box()
    page.keyboard.press("End")
    expect_seen(page, r"[^7]")
    assert slider(page).bounding_box() == before
    assert page.locator(".explorer").evaluate("e => e.scrollWidth <= e.clientWidth")


@pytest.mark.thorough
@pytest.mark.parametrize("width", [360, 1280])
def test_a_stroke_is_answered_beside_it_and_moves_nothing(
    page: Page, app_url: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_draw(page, app_url)
    canvas, undo = page.locator(DRAWN), widget(page, "undo")
    canvas.scroll_into_view_if_needed()
    before = canvas.bounding_box(), undo.bounding_box()
    draw(page, SEVEN)
    beside = page.get_by_test_id("stText").filter(has_text=re.compile(r"\b7\b.*\d\s%"))
    expect(beside).to_be_visible()
    expect_seen(page, 7)
    settle(page)
    assert (canvas.bounding_box(), undo.bounding_box()) == before


def test_by_arrow_keys_and_for_screen_readers(page: Page, app_url: str) -> None:
    open_draw(page, app_url, "?digit=0")
    expect_seen(page, 7)
    _, after, epsilon = flip_in(page)
    announcement = page.locator("[aria-live=polite]")
    expect(announcement).to_contain_text("7")
    slider(page).focus()
    for _ in range(int(epsilon * 200) + 1):
        page.keyboard.press("ArrowRight")
    expect_seen(page, after)
    expect(announcement).to_contain_text(str(after))
    expect(announcement).not_to_contain_text("%")  # it would be that of another place soon
    expect(slider(page)).to_have_attribute(
        "aria-valuetext", re.compile(rf"^0\.\d{{3}}\. .*\b{after}\b.*\d+\s%")
    )
    outline = slider(page).evaluate("s => getComputedStyle(s).outlineStyle")
    assert outline == "solid"  # the focus can be seen
    page.keyboard.press("Home")
    expect_seen(page, 7)
    page.keyboard.press("End")
    expect_address(page, "epsilon=0.500")
    for name in ("clean", "perturbation", "adversarial"):
        assert page.locator(f"canvas.{name}").get_attribute("aria-label")


def test_by_finger_on_a_phone(new_context: NewContext, app_url: str) -> None:
    context = new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    open_draw(page, app_url, "?digit=0")
    expect_seen(page, 7)
    touch = finger(page)
    touch("touchStart", position(page, 0))
    for index in range(0, 61, 3):
        touch("touchMove", position(page, index))
    expect(page.locator("output")).to_have_text(re.compile(r"0\.(29|30)\d"))
    expect_seen(page, r"[^7]")
    touch("touchEnd")
    expect_address(page, "epsilon=0.")


@pytest.mark.thorough
@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_at_any_width_in_either_theme(
    page: Page, app_url: str, width: int, scheme: Theme
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    open_draw(page, app_url)
    draw(page, SEVEN)
    expect_seen(page, 7)
    settle(page)
    assert overflow(page) <= 0
    for part in (".verdict", ".dial", ".sentence", ".images", ".bars", ".norms"):
        box = box_of(page.locator(part))
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


def test_a_link_brings_everything_back_in_another_session(
    page: Page, new_context: NewContext, app_url: str
) -> None:
    open_draw(page, app_url)
    page.get_by_role("radio", name="Test digit").click()
    page.get_by_role("button", name="At random").click()
    choose(page, "Attack", "PGD")
    choose(page, "Aim for", "8")
    expect_address(page, "target=8")
    expect_address(page, "attack=PGD")
    expect(page.locator(".explorer")).to_be_visible()
    page.mouse.click(*position(page, 46))
    expect_address(page, "epsilon=0.230")
    settle(page)

    other = new_context().new_page()
    other.goto(page.url)
    expect(other.locator("output")).to_have_text("0.230")
    for part in (".sentence", ".certainty", ".norms"):
        expect(other.locator(part)).to_have_text(page.locator(part).inner_text())
    # What one session does is nothing to the other.
    choose(other, "Attack", "FGSM")
    expect_address(other, "attack=FGSM")
    settle(page)
    assert "attack=PGD" in page.url


def test_another_digit_brings_only_what_it_changes(page: Page, app_url: str) -> None:
    """What stays the same is not sent again; views that are open follow, and closed ones wait."""
    received: list[str | bytes] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda d: received.append(d)))
    open_draw(page, app_url, "?digit=0")
    expect_seen(page, 7)

    def choose_digit(index: int) -> None:
        page.get_by_label("Test image no.").fill(str(index))
        page.keyboard.press("Enter")
        expect_address(page, f"digit={index}")
        settle(page)

    received.clear()
    choose_digit(1)
    expect_seen(page, 2)
    assert sum(map(len, received)) < 25_000
    widget(page, "units").locator("summary").click()
    seen = widget(page, "units").locator(".seen")
    expect(seen).to_have_text(re.compile("^Without attack: 2"))
    choose_digit(0)
    expect(seen).to_have_text(re.compile("^Without attack: 7"))

    # Without a digit there is nothing to see in the views, and the first stroke brings them.
    page.get_by_role("radio", name="Draw", exact=True).click()
    expect(page.locator(CANVAS)).to_be_visible()
    expect(widget(page, "views")).not_to_be_visible()
    draw(page, SEVEN)
    expect(widget(page, "views")).to_be_visible()
    expect(seen).to_have_text(re.compile("^Without attack: 7"))


def test_a_drawing_survives_and_undo_and_clear_reach_the_canvas(page: Page, app_url: str) -> None:
    open_draw(page, app_url)
    draw(page, SEVEN)
    expect_seen(page, 7)
    drawn = painted(page)
    assert drawn > 2000
    page.mouse.click(*position(page, 30))
    expect_address(page, "epsilon=0.150")

    page.get_by_role("radio", name="Test digit").click()
    expect(widget(page, "digit")).to_be_visible()
    settle(page)
    page.get_by_role("radio", name="Draw").click()
    expect(page.locator(".explorer")).to_be_visible()
    wait_until_painted(page, drawn)
    expect(page.locator("output")).to_have_text("0.150")

    seven = clean_image(page)
    draw(page, [(40, 250), (240, 250)])
    wait_until_painted(page, drawn + 4400)
    wait_until(page, lambda: clean_image(page) != seven)  # the stroke has reached the server
    settle(page)
    press(page, "undo")
    wait_until_painted(page, drawn)
    press(page, "clear")
    wait_until_painted(page, 0)
    expect(page.locator(".explorer")).to_have_count(0)
    press(page, "undo")
    wait_until_painted(page, drawn)
    expect(page.locator(".explorer")).to_be_visible()


def press(page: Page, key: str) -> None:
    """Press the button of a key."""
    widget(page, key).get_by_role("button").click()
    settle(page)


def painted(page: Page) -> int:
    """Return how many of the canvas's pixels are white."""
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


def wait_until_painted(page: Page, white: int) -> None:
    """Wait until about so many of the canvas's pixels are white."""
    canvas = page.locator(DRAWN)
    wait_until(page, lambda: canvas.count() == 1 and abs(painted(page) - white) < 400)


def test_of_refused_pictures_the_newest_is_listed_and_said_to_be_refused(
    page: Page, app_url: str, tmp_path: Path
) -> None:
    open_draw(page, app_url, "?source=Picture")
    (tmp_path / "seven.jpg").write_bytes(SEVENS["jpeg"])
    chooser = page.locator("input[type=file]")
    files = page.get_by_test_id("stFileChip")
    for place, name in enumerate(["letter.txt", "letter.pdf", "seven.jpg", "letter.odt"], 1):
        file = tmp_path / name
        if not file.exists():
            file.write_text("Dear lecturer, this is not a picture.")
        chooser.set_input_files(file)
        expect(files).to_have_count(place)  # the browser keeps them all
        expect(files.filter(visible=True)).to_have_count(1)
        expect(files.last).to_contain_text(name)
        remark = after(page, "[class*=st-key-picture_]:has(input[type=file])")
        assert ("PNG" in remark) == (name != "seven.jpg")
    expect_seen(page, 7)  # the one that was taken stays


def test_an_index_of_no_test_digit_is_said_to_be_none(page: Page, app_url: str) -> None:
    open_draw(page, app_url, "?digit=5")
    index = widget(page, "digit").locator("input")
    for wrong in ("10000", "-1"):
        index.fill(wrong)
        index.press("Enter")
        expect(index).to_have_attribute("aria-invalid", "true")
        assert "9,999" in after(page, ".st-key-which_digit")
    assert "digit=5" in page.url
    index.fill("9999")
    index.press("Enter")
    expect_address(page, "digit=9999")
    assert after(page, ".st-key-which_digit") == "none"


def after(page: Page, selector: str) -> str:
    """Return what a style rule says below an element; "none" if it says nothing."""
    said: str = page.locator(selector).evaluate("e => getComputedStyle(e, '::after').content")
    return said


def test_the_chart_opens(page: Page, app_url: str) -> None:
    open_draw(page, app_url, "?digit=0")
    widget(page, "chart").locator("summary").click()
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_visible()
