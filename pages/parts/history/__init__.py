"""The browser's Back and Forward: one step for each settled change."""

from pathlib import Path

import streamlit as st

_history = st.components.v2.component(
    "history", js=(Path(__file__).parent / "history.js").read_text("utf-8")
)


def choose_steps() -> None:
    """Have the browser choose which changes of the address are steps for Back."""
    _history(key="history")
