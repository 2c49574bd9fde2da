"""The browser's Back and Forward, one step for each settled change; and the menu of pages."""

from pathlib import Path

import streamlit as st

_SCRIPTS = ("history.js", "menu.js")
_history = st.components.v2.component(
    "history",
    js="".join((Path(__file__).parent / name).read_text("utf-8") for name in _SCRIPTS),
)


def choose_steps() -> None:
    """Have the browser choose the steps for Back, and close its menu when a page is chosen."""
    _history(key="history")
