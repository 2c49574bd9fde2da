"""What people do on a page, on Draw above all, and how a test waits for the answer."""

import itertools
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import (
    BrowserContext,
    Download,
    FloatRect,
    Locator,
    Page,
    TimeoutError,
    WebSocket,
    expect,
)

from pages.parts.canvas import SIDE
from tests.browser.conftest import PATIENCE

NewContext = Callable[..., BrowserContext]  # pytest-playwright's fixture new_context
Theme = Literal["light", "dark"]
Point = tuple[int, int]
UNTIL_AGAIN = 30_000  # milliseconds
SEVEN: list[Point] = [(80, 70), (200, 70), (130, 220)]
# When a canvas is replaced, Streamlit sometimes leaves the old one in the page, hidden.
CANVAS = "canvas.upper-canvas:visible"


def wait_until(page: Page, holds: Callable[[], bool]) -> None:
    """Return once `holds` returns True."""
    for _ in range(PATIENCE // 100):
        if holds():
            return
        page.wait_for_timeout(100)
    raise AssertionError("the page never showed what was expected")


def made_on_a_click(page: Page, key: str) -> Download:
    """Click on a download button until the browser has the file.

    Once in many runs nothing comes of a click while the page is still being filled in. People click
    again then, too.
    """
    for _ in range(PATIENCE // UNTIL_AGAIN):
        with suppress(TimeoutError):
            with page.expect_download(timeout=UNTIL_AGAIN) as event:
                widget(page, key).get_by_role("button").click()
            return event.value
    raise AssertionError(f"no file came from {key}")


# Streamlit puts images and components on the page some frames after the script has ended.
STILL = """async () => {
  const places = () => [...document.querySelectorAll("[data-testid=stElementContainer]")].map(
    (element) => Object.values(element.getBoundingClientRect().toJSON()).join()).join(";");
  for (let before = "", frames = 0; frames < 30; ) {
    await new Promise(requestAnimationFrame);
    const now = places();
    frames = now === before ? frames + 1 : 0;
    before = now;
  }
}"""


def settle(page: Page) -> None:
    """Return once the server has answered all that the page has asked, and nothing moves."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.locator("[data-stale=true]")).to_have_count(0)
    page.evaluate("document.fonts.ready.then(() => null)")
    page.evaluate(STILL)


def widget(page: Page, key: str) -> Locator:
    """Return the element to which the app gave this key."""
    return page.locator(f".st-key-{key}")


def open_page(page: Page, url: str, key: str) -> None:
    """Open an address and wait until the page has run and shows the widget of a key."""
    page.goto(url)
    expect(widget(page, key)).to_be_visible()
    settle(page)


def open_draw(page: Page, app_url: str, query: str = "") -> None:
    """Open the Draw page and wait until it can be used."""
    open_page(page, f"{app_url}/{query}", "model")


def frames_sent(page: Page) -> list[str | bytes]:
    """Return a list that takes up all messages that the page sends to the server from now on."""
    sent: list[str | bytes] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: sent.append(frame))  # it takes no built-in function

    page.on("websocket", listen)
    return sent


def box_of(part: Locator) -> FloatRect:
    """Return where a part of the page is in the window."""
    box = part.bounding_box()
    assert box is not None, part
    return box


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    wider: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return wider


def on_canvas(page: Page, points: list[Point]) -> list[tuple[float, float]]:
    """Scroll to the canvas, and return where its points, of 280 x 280, are in the window."""
    settle(page)
    canvas = page.locator(CANVAS)
    canvas.scroll_into_view_if_needed()
    box = box_of(canvas)
    scale = box["width"] / SIDE
    return [(box["x"] + scale * x, box["y"] + scale * y) for x, y in points]


def draw(page: Page, points: list[Point]) -> None:
    """Draw one stroke on the canvas."""
    (x, y), *rest = on_canvas(page, points)
    page.mouse.move(x, y)
    page.mouse.down()
    for x, y in rest:
        page.mouse.move(x, y, steps=8)
    page.mouse.up()


def finger(page: Page) -> Callable[..., None]:
    """Return a function of "touchStart", "touchMove" or "touchEnd", and of places in the window."""
    devtools = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y} for x, y in places]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    return touch


def draw_by_finger(page: Page, points: list[Point]) -> None:
    """Draw one stroke on the canvas of a phone."""
    places = on_canvas(page, points)
    touch = finger(page)
    touch("touchStart", places[0])
    for (from_x, from_y), (to_x, to_y) in itertools.pairwise(places):
        for part in (0.25, 0.5, 0.75, 1):
            touch("touchMove", (from_x + part * (to_x - from_x), from_y + part * (to_y - from_y)))
    touch("touchEnd")


def choose(page: Page, box: str, option: str) -> None:
    """Choose an option of a selection box; scroll first, because scrolling closes its list."""
    selection = page.get_by_label(box, exact=True)
    selection.scroll_into_view_if_needed()
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    selection.click()
    page.get_by_role("option", name=option, exact=True).click()


def slider(page: Page) -> Locator:
    """Return the live ε."""
    return page.get_by_role("slider", name="ε")


def position(page: Page, index: int) -> Point:
    """Return where the slider's handle is on the screen at the ε of this index."""
    settle(page)
    handle = slider(page)
    handle.scroll_into_view_if_needed()
    box = box_of(handle)
    radius = 13
    x = box["x"] + radius + (box["width"] - 2 * radius) * index / 100
    return round(x), round(box["y"] + box["height"] / 2)


def levels(canvas: Locator) -> NDArray[np.uint8]:
    """Return the pixels of a picture of the page, `(28, 28, 3)`."""
    data: list[int] = canvas.evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data]"
    )
    return np.array(data, np.uint8).reshape(28, 28, 4)[..., :3]


def clean_image(page: Page) -> str:
    """Return the clean image of the explorer, as a data URL."""
    url: str = page.locator("canvas.clean").evaluate("canvas => canvas.toDataURL()")
    return url


def expect_seen(page: Page, digit: int | str) -> None:
    """Wait until the verdict is this digit, or matches this pattern."""
    expect(page.locator(".verdict .now")).to_have_text(re.compile(str(digit)))


def expect_address(page: Page, part: str) -> None:
    """Wait until the address contains this."""
    expect(page).to_have_url(re.compile(re.escape(part)))
