"""Buttons that download what a page shows; each file is made on the click."""

import csv as csv_module
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray


def chart(name: str) -> dict[str, Any]:
    """Return a chart's configuration: its toolbar saves it as a picture under this name."""
    return {
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"filename": name},
        "displaylogo": False,
        "displayModeBar": True,
    }


def csv(head: Sequence[str], rows: Iterable[Sequence[Any]], name: str, *, key: str) -> None:
    """Show a button for a table."""

    def content() -> bytes:
        text = io.StringIO()
        writer = csv_module.writer(text)
        writer.writerow(head)
        writer.writerows(rows)
        return text.getvalue().encode()

    _button("Table as CSV", content, name, "text/csv", key)


def html(label: str, content: Callable[[], str], name: str, *, key: str) -> None:
    """Show a button for a web page that opens without a network."""
    _button(label, lambda: content().encode(), name, "text/html", key)


def png(content: Callable[[], bytes], name: str, *, key: str) -> None:
    """Show a button for a picture."""
    _button("Picture as PNG", content, name, "image/png", key)


def npz(arrays: Mapping[str, NDArray[Any]], name: str, *, label: str, key: str) -> None:
    """Show a button for arrays, which `numpy.load` reads."""

    def content() -> bytes:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    _button(label, content, name, "application/octet-stream", key)


def _button(label: str, content: Callable[[], bytes], name: str, mime: str, key: str) -> None:
    st.download_button(
        label,
        content,
        file_name=name,
        mime=mime,
        key=key,
        on_click="ignore",
        icon=":material/download:",
        type="tertiary",
    )
