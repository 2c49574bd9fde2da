"""What is proved of the digit in the live ε, in a real browser."""

import re

from playwright.sync_api import Page, expect

from tests.browser.draw_page import (
    SEVEN,
    choose,
    draw,
    expect_seen,
    frames_sent,
    open_draw,
    position,
    settle,
    wait_until,
)

# The last ε of the part of the track that is marked as proved.
MARKED = """part => {
  const track = part.closest(".lane").querySelector(".stretches").getBoundingClientRect();
  return (0.5 * (part.getBoundingClientRect().right - track.left)) / track.width;
}"""

# The first ε of the part in which another attack than the chosen one flips the digit.
STARTS = """part => {
  const track = part.closest(".lane").querySelector(".stretches").getBoundingClientRect();
  return (0.5 * (part.getBoundingClientRect().left - track.left)) / track.width;
}"""


def proved(page: Page) -> float:
    """Return the ε below which nothing flips the prediction, as the sentence has it."""
    expect(page.locator(".proof")).to_contain_text(re.compile(r"Proved.* ε\s=\s0\.\d{3}"))
    found = re.search(r"ε\s=\s(0\.\d{3})", page.locator(".proof").inner_text())
    assert found
    epsilon = float(found[1])
    assert epsilon <= page.locator(".proved").evaluate(MARKED) < epsilon + 0.002
    return epsilon


def found(page: Page) -> float:
    """Return the ε of the flip on the track."""
    edge: float = (
        page.locator(".stretch").nth(1).evaluate("part => 0.5 * parseFloat(part.style.left) / 100")
    )
    return edge


def closest(page: Page) -> float:
    """Return the least ε at which the digit flips, as the sentence and the track have it."""
    found = re.search(r"Found: (.*?)\. ", page.locator(".proof").inner_text())
    assert found
    epsilon = min(float(number) for number in re.findall(r"0\.\d{3}", found[1]))
    part = page.locator(".provable .found")
    if part.is_visible():
        place: float = part.evaluate(STARTS)
        assert abs(place - epsilon) < 0.002
    return epsilon


def test_what_is_proved_of_a_drawn_digit_comes_by_itself_and_rises_on_request(
    page: Page, app_url: str
) -> None:
    sent = frames_sent(page)
    open_draw(page, app_url)
    expect(page.locator(".proof")).to_be_hidden()  # the example has none
    draw(page, SEVEN)
    expect_seen(page, 7)
    first = proved(page)
    assert first <= found(page)
    expect(page.locator(".news")).to_contain_text(f"{first:.3f}")  # for screen readers
    settle(page)
    sent.clear()
    page.wait_for_timeout(1000)
    assert sent == []  # it asks no more

    page.mouse.move(*position(page, 10))
    page.mouse.down()
    page.locator(".proof button").evaluate("button => button.click()")
    settle(page)
    sent.clear()
    page.mouse.move(*position(page, 40))
    page.wait_for_timeout(1000)
    assert sent == []  # not while the slider is dragged
    page.mouse.up()
    expect(page.locator(".proof")).to_contain_text("after a search")
    expect(page.locator(".proof button")).to_be_hidden()
    expect(page.locator(".proof")).to_contain_text("the strongest attack")
    better = proved(page)
    assert first < better <= closest(page) < found(page)
    expect(page.locator(".provable .found")).to_be_visible()
    expect(page.locator(".news")).to_contain_text(f"{better:.3f}")

    choose(page, "Attack", "PGD (L2)")
    expect(page.locator(".dial label")).to_contain_text("L2")
    for part in (".proof", ".proved", ".of-proof"):
        expect(page.locator(part)).to_be_hidden()
    choose(page, "Attack", "FGSM")
    assert proved(page) == better  # known already


def test_each_digit_and_each_network_has_its_own_proof(page: Page, app_url: str) -> None:
    open_draw(page, app_url, "?digit=0&predict=on")
    expect(page.locator(".guess")).to_be_visible()
    for part in (".proof", ".proved"):  # would help to guess
        expect(page.locator(part)).to_be_hidden()
    page.get_by_role("button", name="Show", exact=True).click()
    first = proved(page)
    page.locator(".predict input").uncheck()
    page.get_by_role("spinbutton").fill("4")
    page.get_by_role("spinbutton").press("Enter")
    expect_seen(page, 4)
    wait_until(page, lambda: proved(page) != first)
    page.locator(".compare select").select_option("adversarial-pgd")
    sentences = page.locator(".proof")
    expect(sentences).to_have_count(2)
    for sentence, name in zip(sentences.all(), ("standard", "adversarial-pgd"), strict=True):
        expect(sentence).to_contain_text(re.compile(rf"{name}: Proved.* ε\s=\s0\.\d{{3}}"))
    marks = [part.evaluate(MARKED) for part in page.locator(".proved").all()]
    assert 0 < marks[0] < marks[1]
