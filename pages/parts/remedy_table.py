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
        values: of all networks, by column: network, accuracy, accuracy_gain, fgsm, pgd, strongest,
            strongest_gain, band, proved, found, expected, seconds, draw.
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
    import pandas as pd  # as `st.dataframe` does

    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    rate = partial(number, format="%.1f %%")
    # The grid's own format writes a hyphen for a minus.
    gains = {name: signed for name in values if name.endswith("_gain")}
    st.dataframe(
        pd.DataFrame(values).style.format(gains, na_rep="–"),
        column_config={
            "network": text("Network", pinned=True, width=118),
            "accuracy": rate("Accuracy", width=69),
            "accuracy_gain": number("±", width=52),
            "fgsm": rate("FGSM", width=66),
            "pgd": rate("PGD", width=66),
            "strongest": rate("Strongest", width=75),
            "strongest_gain": number("±", width=52),
            "band": rate("Between", width=68),
            "proved": rate("Proved", width=62),
            "found": text(f"Found, at ε = {epsilon:g}", width=235),
            "expected": text("Report says", width=110),
            "seconds": number("Training", format="%.0f s", width=66),
            "draw": st.column_config.LinkColumn("Attack it", display_text="Draw", width=66),
        },
        hide_index=True,
        height="content",
        placeholder="–",
    )


def _show_cards(values: Mapping[str, Sequence[Any]]) -> None:
    """Show a card for each network, with the same in it."""
    share = "{:.1f} %".format
    cells: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "network": ("Network", str),
        "accuracy": ("Accuracy", share),
        "accuracy_gain": ("Accuracy ±", signed),
        "fgsm": ("FGSM fools", share),
        "pgd": ("PGD fools", share),
        "strongest": ("Strongest", share),
        "strongest_gain": ("Strongest ±", signed),
        "band": ("Between", share),
        "proved": ("Proved", share),
        "found": ("Found", str),
        "expected": ("Report", str),
        "seconds": ("Training", "{:.0f} s".format),
        "draw": ("Attack it", partial(Link, "Draw")),
    }
    rows = zip(*(values[key] for key in cells), strict=True)
    show_table(
        [title for title, _ in cells.values()],
        [
            [
                "" if value is None else write(value)
                for (_, write), value in zip(cells.values(), row, strict=True)
            ]
            for row in rows
        ],
    )
