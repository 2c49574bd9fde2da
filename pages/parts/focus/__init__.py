"""The keyboard's focus, which a rerun loses where it takes a widget away; and what is said then."""

from pathlib import Path

import streamlit as st

_focus = st.components.v2.component(
    "focus",
    html='<p role="status" aria-live="polite"></p>',
    css="p { position: absolute; width: 1px; height: 1px; overflow: hidden; "
    "clip-path: inset(50%); }",
    js=(Path(__file__).parent / "focus.js").read_text("utf-8"),
)


def keep_focus(place: str, target: str, said: str) -> None:
    """Bring the focus to where one goes on, if it is lost when the place changes.

    Args:
        place: differs where one is asked or shown something else.
        target: a CSS selector of what gets the focus, on the page or in a component.
        said: what a screen reader says when it changes, in plain text.
    """
    _focus(data={"place": place, "target": target, "said": said}, key="focus")
