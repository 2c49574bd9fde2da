"""Tables for phones too: their cells wrap, while a dataframe cuts its cells off."""

import html
import re
from collections.abc import Sequence
from typing import Any

import streamlit as st

_STYLE = """<style>
.rows { overflow-x: auto; }
.rows table { width: 100%; border-collapse: collapse; font-size: 0.9rem;
  font-variant-numeric: tabular-nums; }
.rows :is(th, td) { padding: 0.3rem 0.8rem 0.3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
.rows thead th { vertical-align: bottom; font-weight: 600; }
.rows tbody th { font-weight: 400; }
.rows code { font-size: 0.85em; }
@media (max-width: 40rem) { .rows :is(th, td) { padding-right: 0.4rem; } }
</style>"""


def show_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Show rows with as many cells as the head; the first cell of each names the row."""
    body = "".join(
        f'<tr><th scope="row">{_text(first)}</th>'
        f"{''.join(f'<td>{_text(cell)}</td>' for cell in others)}</tr>"
        for first, *others in rows
    )
    titles = "".join(f'<th scope="col">{_text(title)}</th>' for title in head)
    # `st.table` would import pandas, which takes a new server a quarter of a second.
    st.html(
        f'<div class="rows"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>'
        f"</div>{_STYLE}"
    )


def _text(cell: Any) -> str:
    """Return a cell's HTML, with code in place of backticks."""
    said = f"{cell:,}" if isinstance(cell, int) else str(cell)
    return re.sub("`([^`]*)`", r"<code>\1</code>", html.escape(said))
