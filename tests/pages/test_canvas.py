"""What a canvas sends, or somebody in its name."""

import base64
import io
import logging
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from pages.parts.canvas import SIDE, Sketch
from tests.pages.conftest import opened
from tests.pages.test_address import TWO_STROKES, pixels, sent
from tests.pages.test_draw import APP, SEVEN, draw

SEVEN_PNG = base64.b64decode(SEVEN["drawing"]["data"].partition(",")[2])


def message(png: bytes | str, raw: object = None, **more: object) -> dict[str, Any]:
    """Return a canvas's message with this picture and these strokes."""
    data = (
        png if isinstance(png, str) else "data:image/png;base64," + base64.b64encode(png).decode()
    )
    return {"drawing": {"raw": {"objects": []} if raw is None else raw, "data": data}, **more}


def picture(width: int, height: int, mode: str = "RGBA", kind: str = "PNG", **more: Any) -> bytes:
    """Return a white picture."""
    buffer = io.BytesIO()
    Image.new(mode, (width, height), "white").save(buffer, kind, **more)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a part of a PNG."""
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def with_chunk(png: bytes, kind: bytes, content: bytes) -> bytes:
    """Return a PNG with another part behind its header."""
    return png[:33] + chunk(kind, content) + png[33:]


def bomb(side: int) -> bytes:
    """Return a small PNG of many pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    lines = zlib.compress(bytes(10_000_000), 9)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def texts(count: int) -> bytes:
    """Return a PNG of the right size with texts that take much memory."""
    about = PngImagePlugin.PngInfo()
    for number in range(count):
        about.add_text(f"text {number}", "x" * 1_000_000, zip=True)
    return picture(SIDE, SIDE, pnginfo=about)


def nested(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(depth):
        found = {"objects": found}
    return found


HOSTILE: dict[str, Callable[[], object]] = {
    "a text": lambda: "drawing",
    "a list": lambda: {"drawing": [1]},
    "no text": lambda: {"drawing": {"raw": {}, "data": 7}},
    "no data address": lambda: message("https://example.org/a.png"),
    "another data address": lambda: message("data:image/svg+xml;base64,PHN2Zy8+"),
    "no base64": lambda: message("data:image/png;base64,ö\nA log line of mine"),
    "no picture": lambda: message(b"x"),
    "a JPEG": lambda: message(picture(SIDE, SIDE, "RGB", "JPEG")),
    "another size": lambda: message(picture(SIDE, SIDE + 1)),
    "grey": lambda: message(picture(SIDE, SIDE, "L")),
    "25,000 x 25,000": lambda: message(bomb(25_000)),
    "a second header": lambda: message(with_chunk(SEVEN_PNG, b"IHDR", bomb(25_000)[16:29])),
    "cut off": lambda: message(SEVEN_PNG[: len(SEVEN_PNG) // 2]),
    "too many bytes": lambda: message(with_chunk(SEVEN_PNG, b"teSt", bytes(400_000))),
    "too many texts": lambda: message(texts(70)),
    "no strokes": lambda: message(picture(SIDE, SIDE), raw=[1, 2]),
    "too many strokes": lambda: message(picture(SIDE, SIDE), raw={"objects": ["x" * 1_000_000]}),
    "strokes too deep": lambda: message(picture(SIDE, SIDE), raw=nested(100_000)),
    "strange strokes": lambda: message(picture(SIDE, SIDE), raw={"objects": float("nan")}),
    "a strange background": lambda: message(SEVEN_PNG, backgroundFit={"naturalWidth": 1}),
}


@pytest.mark.thorough
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_a_message_of_no_canvas_leaves_the_drawing_and_a_line(
    hostile: Callable[[], object], caplog: pytest.LogCaptureFixture
) -> None:
    at = draw(opened(APP), SEVEN)
    seven = pixels(at)
    content = hostile()
    caplog.set_level(logging.WARNING)
    tracemalloc.start()
    try:
        sent(at, content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert pixels(at) == seven
    lines = [record.message for record in caplog.records if record.name == "pages.parts.canvas"]
    assert len(lines) == 1
    assert "\n" not in lines[0]
    assert "mine" not in lines[0]
    assert peak < 100_000_000
    # The canvas goes on: an honest message is taken up.
    sent(at, TWO_STROKES)
    assert pixels(at) != seven


def test_a_canvas_that_was_emptied_is_no_drawing() -> None:
    at = draw(opened(APP), SEVEN)
    seven = pixels(at)
    black = io.BytesIO()
    Image.new("RGBA", (SIDE, SIDE), "black").save(black, "PNG")
    sent(at, message(black.getvalue()))
    assert "pixels" not in at.query_params
    assert at.button(key="clear").disabled
    sent(at, SEVEN)
    assert pixels(at) == seven


def test_a_drawing_that_is_opened_again_has_its_strokes_to_undo() -> None:
    sketch = Sketch()
    sketch.add("one stroke", b"1")
    sketch.add("two strokes", b"2")
    sketch.remember("drawing")
    sketch.open(None, None)  # as Back does
    assert sketch.last.is_empty
    sketch.open("drawing", np.ones(784, np.uint8))  # as Forward does
    assert sketch.last.strokes == "two strokes"
    sketch.undo()
    assert sketch.last.strokes == "one stroke"


def test_what_is_remembered_is_bounded() -> None:
    sketch = Sketch()
    for number in range(300):
        sketch.add(str(number) * 100_000, bytes(100_000))
        sketch.remember(number)
    kept = set(chain(sketch.history, *sketch.seen.values()))
    assert sum(drawn.size for drawn in kept) < 20_000_000
    assert sketch.last.strokes == "299" * 100_000
    sketch.undo()
    assert sketch.last.strokes == "298" * 100_000
    for number in range(300):
        sketch.add(str(number), b"")
        sketch.remember(number)
    assert len(sketch.history) == len(sketch.seen) == 50


def test_no_honest_picture_is_too_large() -> None:
    noise = np.random.default_rng(0).integers(256, size=(SIDE, SIDE, 4), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG", compress_level=0)
    at = draw(opened(APP), message(buffer.getvalue()))
    assert at.session_state["sketch"].last.png == buffer.getvalue()
