"""Tables that one can read on a phone: their cells wrap, where a dataframe's are cut off."""

from collections.abc import Sequence
from typing import Any

import streamlit as st


def show_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Show rows of as many cells as the head has; no two of its words may be the same."""
    columns = dict(zip(head, zip(*rows, strict=True), strict=True))
    st.table(columns, border="horizontal", hide_index=True)
