"""A canvas with undo; its drawing outlives reruns and page switches."""

import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

SIDE = 280
BRUSH = 22
_REMEMBERED = 50


@dataclass
class Sketch:
    """A session's drawing.

    Attributes:
        history: the canvas's description and its PNG after each stroke, both None when empty.
        number: counts the drawings.
        version: counts the canvases; a new one is shown when it changes.
        shown: the drawing that the current canvas began with. It must not change while the canvas
            is shown, or the canvas starts again from it.
    """

    history: list[tuple[dict[str, Any] | None, bytes | None]] = field(
        default_factory=lambda: [(None, None)]
    )
    number: int = 0
    version: int = 0
    shown: dict[str, Any] | None = None

    def add(self, description: dict[str, Any] | None, png: bytes | None) -> None:
        """Remember the drawing after a stroke."""
        self.history.append((description, png))
        del self.history[:-_REMEMBERED]

    def undo(self) -> None:
        """Take back the last stroke or the last clearing."""
        if len(self.history) > 1:
            self.history.pop()
            self.version += 1

    def clear(self) -> None:
        """Start with an empty canvas; undo brings the drawing back."""
        self.add(None, None)
        self.number += 1
        self.version += 1


def drawing() -> tuple[NDArray[np.uint8] | None, int]:
    """Return the current drawing, before or after the canvas is shown in this run.

    Returns:
        The drawing, `(280, 280, 4)` RGBA bytes, white on black, or None if there is none; and its
        number, which changes with each new drawing.
    """
    # The import registers a component, which needs a running app.
    from streamlit_drawable_canvas import CanvasResult

    sketch = _sketch()
    sent = st.session_state.get(_key(sketch), {}).get("drawing", {})
    result = CanvasResult(sent.get("raw"), sent.get("data"), return_image_data=True)
    # A new canvas sends no pixels before the next stroke, so the last ones are kept.
    png = result.image_bytes
    if png is not None and png != sketch.history[-1][1]:
        sketch.add(result.json_data, png)
    png = sketch.history[-1][1]
    if png is None:
        return None, sketch.number
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")), sketch.number


def show_canvas() -> None:
    """Show the canvas; a new one begins with the last drawing."""
    from streamlit_drawable_canvas import st_canvas

    sketch = _sketch()
    # The component's own tools appear over this line and hide nothing else.
    st.text("Draw a large digit, 0 to 9, anywhere.")
    key = _key(sketch)
    if key not in st.session_state:
        sketch.shown = sketch.history[-1][0]
    st_canvas(
        stroke_width=st.session_state.get("brush", BRUSH),
        stroke_color="#ffffff",
        background_color="#000000",
        width=SIDE,
        height=SIDE,
        initial_drawing=sketch.shown,
        return_image_data=True,
        key=key,
    )


def show_tools() -> None:
    """Show undo, clear, and the width of the brush."""
    sketch = _sketch()
    empty, undoable = sketch.history[-1][1] is None, len(sketch.history) > 1
    with st.container(horizontal=True, vertical_alignment="bottom", width=SIDE):
        st.button("Undo", on_click=sketch.undo, disabled=not undoable, key="undo")
        st.button("Clear", on_click=sketch.clear, disabled=empty, key="clear")
        st.slider("Brush", 8, 40, BRUSH, key="brush", persist_state="session", width=110)


def _sketch() -> Sketch:
    sketch: Sketch = st.session_state.setdefault("sketch", Sketch())
    return sketch


def _key(sketch: Sketch) -> str:
    return f"canvas-{sketch.version}"
