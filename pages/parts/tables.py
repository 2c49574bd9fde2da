"""Tables for phones too: their cells wrap, while a dataframe cuts its cells off."""

from collections.abc import Sequence
from typing import Any

import streamlit as st


def show_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Show rows with as many cells as the head, whose words must all differ."""
    columns = dict(zip(head, zip(*rows, strict=True), strict=True))
    st.table(columns, border="horizontal", hide_index=True)
