"""A canvas with undo; its drawing outlives reruns, page switches, and the browser's Back.

What the canvas sends comes from the client. Only what a canvas of this size can send is decoded.
"""

import base64
import io
import json
import logging
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from struct import error as StructError
from typing import Any
from zlib import crc32
from zlib import error as ZlibError

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import DecompressionBombError

from core.presentation.images import data_uri
from pages.parts.drawing_canvas import drawing_canvas

SIDE = 280
BRUSH = 22
_REMEMBERED = 50  # drawings
_REMEMBERED_SIZE = 8_000_000  # bytes of all of them
_LONGEST_STROKES = 1_000_000  # characters; a stroke takes a few thousand
_LARGEST_PNG = 4 * SIDE * SIDE + 10_000  # bytes: the pixels as they are, and what is around them
_PNG_START = "data:image/png;base64,"
# The signature, then the header: width, height, 8 bits each of red, green, blue and alpha, by rows.
_PNG_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + 2 * SIDE.to_bytes(4, "big") + b"\x08\x06\0\0\0"


class _MessageError(Exception):
    """A message that no canvas of ours sends."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A drawing after a stroke.

    Attributes:
        number: counts the drawings of a session; strokes added to one leave its number.
        base: `(784,)` bytes, the digit of an address on which the strokes are drawn, or None.
        strokes: the canvas's own description of the strokes, as JSON; None without strokes.
        png: the strokes on transparent ground if there is a base, else on black.
    """

    number: int = 0
    base: NDArray[np.uint8] | None = None
    strokes: str | None = None
    png: bytes | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see."""
        return self.base is None and self.png is None

    @property
    def rgba(self) -> NDArray[np.uint8]:
        """`(280, 280, 4)` bytes, white on black, of a drawing with strokes."""
        rgba = _decoded(self.png or b"")
        if self.base is None:
            return rgba
        # White strokes on a digit: the lighter of both.
        red, green, blue, alpha = np.moveaxis(rgba, 2, 0)
        strokes = np.minimum(np.maximum(np.maximum(red, green), blue), alpha)
        light = np.maximum(strokes, _enlarged(self.base.tobytes()))
        return np.dstack([light, light, light, np.full_like(light, 255)])

    @property
    def size(self) -> int:
        """How many bytes it takes, about."""
        return len(self.strokes or "") + len(self.png or b"")


@dataclass
class Sketch:
    """A session's drawing.

    Attributes:
        history: the drawing after each stroke.
        seen: histories by what `remember` was given.
        begun: counts the drawings.
        version: counts the canvases; a new one is shown when it changes.
        shown: the strokes that the current canvas began with. They must not change while the canvas
            is shown, or the canvas starts again from them.
    """

    history: list[Drawn] = field(default_factory=lambda: [Drawn()])
    seen: dict[Hashable, tuple[Drawn, ...]] = field(default_factory=dict)
    begun: int = 0
    version: int = 0
    shown: str | None = None

    @property
    def last(self) -> Drawn:
        """The current drawing."""
        return self.history[-1]

    @property
    def key(self) -> str:
        """The current canvas's key. A restarted server must not take up a canvas with strokes."""
        base = self.last.base
        return f"canvas-{self.version}" + (f"-{crc32(base.tobytes())}" if base is not None else "")

    def add(self, strokes: str | None, png: bytes | None) -> None:
        """Remember the drawing after a stroke; on an empty one a new drawing begins."""
        if self.last.is_empty:
            self.begun += 1
        number = self.begun - 1 if self.last.is_empty else self.last.number
        self._append(Drawn(number, self.last.base, strokes, png))

    def undo(self) -> None:
        """Take back the last stroke or the last clearing."""
        if len(self.history) > 1:
            self.history.pop()
            self.version += 1

    def clear(self) -> None:
        """Start with an empty canvas; undo brings the drawing back."""
        self._append(Drawn())
        self.version += 1

    def remember(self, name: Hashable) -> None:
        """Remember the current drawing and those before it for `open`."""
        self.seen[name] = tuple(self.history)
        while len(self.seen) > _REMEMBERED or _too_large(set(chain(*self.seen.values()))):
            del self.seen[next(iter(self.seen))]

    def open(self, name: Hashable, base: NDArray[np.uint8] | None) -> None:
        """Show the drawing of this name, else a digit to draw on, else an empty canvas."""
        steps: Sequence[Drawn]
        if base is None:
            empty = [place for place, each in enumerate(self.history) if each.is_empty]
            steps = self.history[: empty[-1] + 1] if empty else [*self.history, Drawn()]
        elif name in self.seen:
            steps = self.seen[name]
        else:
            steps = [Drawn(self.begun, base)]
            self.begun += 1
        if steps[-1] is not self.last:
            self.history = list(steps)
            self.version += 1

    def _append(self, drawn: Drawn) -> None:
        self.history.append(drawn)
        while len(self.history) > _REMEMBERED or _too_large(self.history):
            del self.history[0]


def sketch() -> Sketch:
    """Return the session's drawing."""
    kept: Sketch = st.session_state.setdefault("sketch", Sketch())
    return kept


def current() -> Drawn:
    """Return the current drawing, before or after the canvas is shown in this run."""
    kept = sketch()
    try:
        _take_up(kept, st.session_state.get(kept.key))
    except _MessageError as error:
        logging.getLogger(__name__).warning("A canvas's message was left out: %s", error)
        kept.version += 1  # a new canvas, without that message
    return kept.last


def show_canvas() -> None:
    """Show the canvas; a new one begins with the last drawing."""
    kept = sketch()
    base = kept.last.base
    if base is not None:
        st.text("From the link. Undo takes back only what you add.")
    if kept.key not in st.session_state:
        kept.shown = kept.last.strokes
    drawing_canvas(
        side=SIDE,
        brush=st.session_state.get("brush", BRUSH),
        background=None if base is None else _background(base.tobytes()),
        strokes=None if kept.shown is None else json.loads(kept.shown),
        key=kept.key,
    )


def show_tools() -> None:
    """Show undo, clear, and the width of the brush."""
    kept = sketch()
    with st.container(horizontal=True, vertical_alignment="center", key="tools"):
        st.button("Undo", on_click=kept.undo, disabled=len(kept.history) < 2, key="undo")
        st.button("Clear", on_click=kept.clear, disabled=kept.last.is_empty, key="clear")
        st.slider(
            "Brush",
            8,
            40,
            BRUSH,
            format="brush %d",
            key="brush",
            persist_state="session",
            label_visibility="collapsed",
            width=110,
        )


def _take_up(kept: Sketch, sent: Any) -> None:
    """Add what the canvas has sent, if that is new.

    Raises:
        _MessageError: no canvas of ours sends this.
    """
    if sent is None:
        return
    drawing, fit = (_part(sent, name) for name in ("drawing", "backgroundFit"))
    if fit and not {"naturalWidth", "naturalHeight", "scaleX", "scaleY"} <= set(fit):
        raise _MessageError("the background has no size")
    url = drawing.get("data")
    if url is None:  # a new canvas sends no pixels before the first stroke
        return
    png = _png(url)
    if png == kept.last.png:
        return
    if _decoded(png)[..., :3].any():
        kept.add(_strokes(drawing.get("raw")), png)
    elif kept.last.png is not None:
        kept.add(None, None)


def _part(sent: Any, name: str) -> Mapping[str, Any]:
    """Return a part of a message, empty if it is not there."""
    part = sent.get(name) if isinstance(sent, Mapping) else ""
    if part is not None and not isinstance(part, Mapping):
        raise _MessageError("it has other parts")
    return part or {}


def _png(url: Any) -> bytes:
    """Return the content of a data address, if it can be a PNG of the canvas."""
    if not isinstance(url, str) or not url.startswith(_PNG_START):
        raise _MessageError("the picture is no PNG")
    if len(url) > len(_PNG_START) + _LARGEST_PNG * 4 / 3:
        raise _MessageError(f"the picture has {len(url)} characters")
    try:
        png = base64.b64decode(url[len(_PNG_START) :], validate=True)
    except ValueError:
        raise _MessageError("the picture is no PNG") from None
    if not png.startswith(_PNG_HEAD):
        raise _MessageError(f"the picture is no PNG of {SIDE} x {SIDE}")
    return png


def _strokes(raw: Any) -> str:
    """Return a description of strokes as JSON."""
    if not isinstance(raw, Mapping):
        raise _MessageError("the strokes are not described")
    try:
        strokes = json.dumps(raw, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise _MessageError("the strokes are no JSON") from None
    if len(strokes) > _LONGEST_STROKES:
        raise _MessageError(f"the strokes have {len(strokes)} characters")
    return strokes


@lru_cache(maxsize=32)
def _decoded(png: bytes) -> NDArray[np.uint8]:
    """Return the pixels of a canvas, `(280, 280, 4)` bytes."""
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            if image.size != (SIDE, SIDE):  # a second header may say so
                raise _MessageError("the picture has two sizes")
            return np.asarray(image.convert("RGBA"))
    except (OSError, SyntaxError, ValueError, StructError, ZlibError, DecompressionBombError):
        raise _MessageError("the picture can't be decoded") from None


def _too_large(drawings: Iterable[Drawn]) -> bool:
    return sum(drawn.size for drawn in drawings) > _REMEMBERED_SIZE


@lru_cache(maxsize=32)
def _enlarged(base: bytes) -> NDArray[np.uint8]:
    """Return a digit's 28 x 28 bytes as large as the canvas."""
    small = Image.frombytes("L", (28, 28), base)
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


@lru_cache(maxsize=32)
def _background(base: bytes) -> str:
    """Return the address of a picture of a digit as large as the canvas."""
    return data_uri(_enlarged(base).astype(np.float32) / 255)
