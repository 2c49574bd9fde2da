"""The canvas itself: streamlit-drawable-canvas's code for the browser, in our style.

The package's own function sets the canvas's width on the page, and shows a toolbar that no
argument takes away. Its code for the browser is mounted here instead, with style rules of ours.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

NAME = "Drawing area; without a pointer choose Test digit"  # for a screen reader
_STYLE = (Path(__file__).parent / "canvas.css").read_text("utf-8")


def drawing_canvas(
    *, side: int, brush: int, background: str | None, strokes: Mapping[str, Any] | None, key: str
) -> None:
    """Show a square black canvas on which one draws in white, as wide as there is room.

    What is drawn is `st.session_state[key]`; see `pages.parts.canvas`.

    Args:
        side: of what is drawn, in pixels; what is shown is scaled.
        brush: the width of a stroke in these pixels.
        background: the address of a picture on which one draws, or None.
        strokes: those that are there at the beginning. The canvas starts again when they change.
        key: of the session state and of the widget.
    """
    colour = "" if background else "#000000"
    start = {**(strokes or {"objects": []}), "background": colour}
    _mounted()(
        key=key,
        # What the package's `st_canvas` sends.
        data={
            "drawingMode": "freedraw",
            "strokeWidth": brush,
            "strokeColor": "#ffffff",
            "fillColor": "#eee",
            "backgroundColor": colour,
            "backgroundImageURL": background,
            "backgroundImageFit": "stretch",
            "canvasWidth": side,
            "canvasHeight": side,
            # As text: to look into a mapping, Streamlit imports pandas, a quarter of a start.
            "initialDrawing": json.dumps(start),
            "realtimeUpdateStreamlit": True,
            "returnImageData": True,
            "displayRadius": 3,
            "disabled": False,
            "maxDisplayHeight": None,
            "fontSize": 20,
            "label": "",
        },
        default={"drawing": {"raw": start, "data": None}, "backgroundFit": None},
        on_drawing_change=lambda: None,
        on_backgroundFit_change=lambda: None,
    )


@cache
def _mounted() -> Any:
    """Return what mounts the canvas. Streamlit finds the package's files by the name."""
    return st.components.v2.component(
        "streamlit-drawable-canvas.streamlit_drawable_canvas",
        html=f"<style>{_STYLE}</style>"
        f'<div class="canvas-root" role="img" aria-label="{NAME}"></div>',
        css="index-*.css",
        js="index-*.js",
    )
