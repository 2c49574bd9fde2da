"""Tables for phones too: cells wrap, and on a phone each row of a wide table becomes a card."""

import html
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import streamlit as st

_WIDE = 5  # columns: more than a phone shows side by side
_MANY = 12  # rows: as cards, they get a scroll bar of their own
_LONG = 16  # characters: with a title, more than half of a phone shows in a line

_STYLE = """<style>
.rows { overflow-x: auto; }
.rows table { width: 100%; border-collapse: collapse; font-size: 0.9rem;
  font-variant-numeric: tabular-nums; }
.rows :is(th, td) { padding: 0.3rem 0.8rem 0.3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
.rows thead th { vertical-align: bottom; font-weight: 600; }
.rows tbody th { font-weight: 400; }
.rows code { font-size: 0.85em; }
.rows a { color: inherit; }
.rows .count { display: none; }
@media (max-width: 40rem) {
  .rows :is(th, td) { padding-right: 0.4rem; overflow-wrap: break-word; }
  .cards { overflow-x: visible; }
  .cards :is(table, tbody) { display: block; }
  .cards thead { position: absolute; width: 1px; height: 1px; clip-path: inset(50%);
    overflow: hidden; }
  .cards tbody tr { display: grid; grid-template-columns: 1fr 1fr; gap: 0.2rem 1rem;
    padding: 0.6rem 0;
    border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
  .cards tbody :is(th, td) { padding: 0; border: 0; }
  .cards tbody th { grid-column: 1 / -1; font-weight: 600; }
  .cards td.long { grid-column: 1 / -1; }
  .cards td:empty { display: none; }
  .cards [data-title]::before { content: attr(data-title) ": "; opacity: 0.8; }
  /* What fades out at the bottom goes on below; at the end there is nothing but the padding. */
  .many .count { display: block; margin: 0; font-weight: 600; }
  .many { max-height: 32rem; overflow-y: auto; padding-bottom: 3rem;
    mask-image: linear-gradient(#000 calc(100% - 3rem), transparent); }
  .many:focus-visible { mask-image: none; }
}
</style>"""


class Link(NamedTuple):
    """A cell that opens another page."""

    text: str
    address: str


def show_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Show rows with as many cells as the head; the first cell of each names the row."""
    body = "".join(
        f'<tr><th scope="row"{_title(head[0])}>{_text(first)}</th>{_cells(head[1:], others)}</tr>'
        for first, *others in rows
    )
    titles = "".join(f'<th scope="col">{_text(title)}</th>' for title in head)
    # `st.table` would import pandas, which takes a new server a quarter of a second.
    # What may have to be scrolled must be within reach of the keyboard.
    many = " many" if len(rows) > _MANY else ""
    count = f'<p class="count">{len(rows)} in this list. It scrolls.</p>' if many else ""
    wide = f' cards{many}" tabindex="0' if len(head) >= _WIDE else ""
    st.html(
        f'<div class="rows{wide}">{count}<table><thead><tr>{titles}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{_STYLE}"
    )


def _cells(head: Sequence[str], cells: Sequence[Any]) -> str:
    """Return the HTML of a row's cells."""
    return "".join(
        f"<td{_title(title)}{_length(cell)}>{_text(cell)}</td>"
        for title, cell in zip(head, cells, strict=True)
    )


def _title(title: str) -> str:
    """Return what has a card show the title of a cell's column."""
    return f' data-title="{html.escape(title)}"' if title else ""


def _length(cell: Any) -> str:
    """Return what marks a cell that takes a card's whole width."""
    return ' class="long"' if isinstance(cell, str) and len(cell) > _LONG else ""


def _text(cell: Any) -> str:
    """Return a cell's HTML, with code in place of backticks."""
    if isinstance(cell, Link):
        address = html.escape(cell.address)
        return f'<a href="{address}" target="_blank">{html.escape(cell.text)}</a>'
    said = f"{cell:,}" if isinstance(cell, int) else str(cell)
    return re.sub("`([^`]*)`", r"<code>\1</code>", html.escape(said))
