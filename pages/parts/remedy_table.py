"""The table of Remedies: rows that can be sorted, and on a phone a card for each network."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from core.presentation.words import signed
from pages.parts.tables import Link, show_table


def show_values(values: Mapping[str, Sequence[Any]], epsilon: float) -> None:
    """Show what is known about each network; None is not known.

    Args:
        values: of all networks, by column: network, accuracy, accuracy_gain, fgsm, pgd, pgd_gain,
            found, expected, seconds, draw.
        epsilon: that of the rates.
    """
    with st.container(key="wide"):
        _show_rows(values, epsilon)
    with st.container(key="narrow"):
        _show_cards(values)
    # A data frame shows four of its columns on a phone, and a list of cards is long on a screen.
    st.html(
        "<style>@media (max-width: 40rem) { .st-key-wide { display: none; } }"
        "@media (min-width: 40.01rem) { .st-key-narrow { display: none; } }</style>"
    )


def _show_rows(values: Mapping[str, Sequence[Any]], epsilon: float) -> None:
    """Show a row for each network."""
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    rate = partial(number, format="%.1f %%", width=75)
    beyond = partial(number, format="%+.1f", width=80)
    st.dataframe(
        values,
        column_config={
            "network": text("Network", pinned=True, width=120),
            "accuracy": rate("Accuracy", width=70),
            "accuracy_gain": beyond("Accuracy ±"),
            "fgsm": rate("FGSM fools", width=90),
            "pgd": rate("PGD fools", width=85),
            "pgd_gain": beyond("PGD ±", width=65),
            "found": text(f"Found, at ε = {epsilon:g}", width=283),
            "expected": text("The course report says", width=172),
            "seconds": number("Training", format="%.0f s", width=70),
            "draw": st.column_config.LinkColumn("Attack it", display_text="Draw", width=70),
        },
        hide_index=True,
        height="content",
        placeholder="–",
    )


def _show_cards(values: Mapping[str, Sequence[Any]]) -> None:
    """Show a card for each network, with the same in it."""
    cells: dict[str, Callable[[Any], Any]] = {
        "Network": str,
        "Accuracy": "{:.1f} %".format,
        "Accuracy ±": signed,
        "FGSM fools": "{:.1f} %".format,
        "Training": "{:.0f} s".format,
        "PGD fools": "{:.1f} %".format,
        "PGD ±": signed,
        "Found": str,
        "The course report says": str,
        "Attack it": partial(Link, "Draw"),
    }
    order = ("network", "accuracy", "accuracy_gain", "fgsm", "seconds", "pgd", "pgd_gain")
    rows = zip(*(values[key] for key in (*order, "found", "expected", "draw")), strict=True)
    show_table(
        list(cells),
        [
            [
                "" if value is None else write(value)
                for write, value in zip(cells.values(), row, strict=True)
            ]
            for row in rows
        ],
    )
