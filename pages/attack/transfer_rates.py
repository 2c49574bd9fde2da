"""The Transfer page's heat map, and what it says."""

import streamlit as st

from core.networks import shown_name
from core.presentation import transfer
from core.presentation.transfer import NOISE
from core.presentation.words import percent
from core.serving.transfers import Answer, TransferQuestion
from pages.attack.transfer_cell import choose_clicked, chosen_cell
from pages.parts import downloads
from pages.parts.escaped import escaped
from pages.parts.tables import show_table

CHART = "transfer_map"


def show_heat_map(answer: Answer, question: TransferQuestion) -> None:
    """Show the evasion rates; a click on a cell chooses it."""
    names = [each.name for each in question.chosen]

    def clicked() -> None:
        choose_clicked(CHART, names)

    st.plotly_chart(
        transfer.heat_map(
            answer.found, [*map(shown_name, names)], chosen=chosen_cell(names) or (None, None)
        ),
        config=downloads.chart(file_name(question)),
        key=CHART,
        on_select=clicked,
        selection_mode="points",
    )
    show_csv(answer, names, f"{file_name(question)}.csv")


def file_name(question: TransferQuestion) -> str:
    """Return what the files of the page are called, without the ending."""
    return f"transfer-{question.method.name}-{question.budget:g}"


def show_csv(answer: Answer, names: list[str], file: str) -> None:
    """Show a button for the rates as a table."""
    found, rates = answer.found, answer.found.rates
    rows = [
        (maker, shown_name(name), int(found.fooled[row, column]), int(found.counted[row, column]))
        + ("" if found.counted[row, column] == 0 else f"{rates[row, column]:.6f}",)
        for row, maker in enumerate([*map(shown_name, names), NOISE])
        for column, name in enumerate(names)
    ]
    downloads.csv(
        ("made on", "tried on", "fooled", "read right by both", "evasion rate"),
        rows,
        file,
        key="transfer_csv",
    )


def show_words(answer: Answer, question: TransferQuestion) -> None:
    """Say what a stranger's attack gets, and which network stands in best for which."""
    st.markdown("## What an attacker gets who has never seen your weights")
    names = [shown_name(each.name) for each in question.chosen]
    st.markdown(transfer.on_strangers(answer.found))
    if said := transfer.on_stand_ins(answer.found, [*map(escaped, names)]):
        st.markdown(said)
    rows = [
        (
            name,
            "–" if each.own is None else percent(each.own),
            "–" if each.stand_in is None else names[each.stand_in],
            "–" if each.by_stand_in is None else percent(each.by_stand_in),
            "–" if each.noise is None else percent(each.noise),
        )
        for name, each in zip(names, transfer.what_fools(answer.found), strict=True)
    ]
    head = ("Your network", "With your weights", "Best stand-in", "Stand-in fools", NOISE)
    show_table(head, rows)
    st.caption(
        "Averages are over the pairs of different networks above. All rates are lower bounds: a "
        "better attack may fool more. The shipped networks have learned from the same images, and "
        "most began with the same weights, which helps the attacker here."
    )
