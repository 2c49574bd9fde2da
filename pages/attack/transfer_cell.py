"""A cell of the Transfer page's heat map, and ten of its images."""

from collections.abc import Sequence

import streamlit as st

from core.networks import shown_name
from core.presentation.transfer import NOISE, on_cell
from core.serving.transfers import Answer, TransferQuestion
from pages.parts import downloads
from pages.parts.address import put_in_address
from pages.parts.digit_images import Column, columns_png, show_columns
from pages.parts.escaped import escaped
from pages.parts.server import server
from pages.parts.state import MADE_ON, TRIED_ON

CONTROL = "~noise"  # in place of a network's name; no network can be called so


def start_cell(names: Sequence[str]) -> list[str]:
    """Read the cell from the address; forget what is not on the heat map of these networks.

    Return the names that an address gave and that are forgotten.
    """
    forgotten = []
    for setting, options in ((MADE_ON, [*names, CONTROL]), (TRIED_ON, names)):
        is_read = setting.start(parse=str, default=None)
        name = setting.get()
        if name is not None and name not in options:
            forgotten += [name] if is_read else []
            setting.set(None)
        put_in_address({setting: setting.get()})
    return forgotten


def chosen_cell(names: Sequence[str]) -> tuple[int, int] | None:
    """Return the row and the column of the chosen cell of the heat map of these networks."""
    made_on, tried_on = MADE_ON.get(), TRIED_ON.get()
    if made_on is None or tried_on is None:
        return None
    return [*names, CONTROL].index(made_on), names.index(tried_on)


def choose_clicked(chart: str, names: Sequence[str]) -> None:
    """Choose the cell that was clicked on a chart."""
    for point in st.session_state[chart]["selection"]["points"][:1]:
        MADE_ON.set([*names, CONTROL][int(point["y"])])
        TRIED_ON.set(names[int(point["x"])])


def show_cell_choice(question: TransferQuestion) -> None:
    """Show the widgets that choose a cell, as a click does."""
    names = [each.name for each in question.chosen]
    st.markdown("## Ten images of a cell")
    st.caption("Click a cell (on a touch screen, tap it twice), or choose it here:")
    with st.container(horizontal=True):
        for title, setting, options in (
            ("Made on", MADE_ON, [*names, CONTROL]),
            ("Tried on", TRIED_ON, names),
        ):
            st.selectbox(
                title,
                options,
                index=None,
                placeholder="any",
                format_func=_name,
                key=setting.key,
                persist_state="session",
                width=220,
            )


def show_ten(answer: Answer, question: TransferQuestion) -> None:
    """Show the images of the chosen cell, if there is one, above their twins."""
    names = [each.name for each in question.chosen]
    cell = chosen_cell(names)
    if cell is None:
        return
    row, column = cell
    maker, other = escaped(_name([*names, CONTROL][row])), escaped(_name(names[column]))
    examples = answer.found.examples[row][column]
    numbers = answer.numbers(examples)
    made = "Random noise" if row == len(names) else f"What was made on {maker}"
    st.write(f"{made} fools {other} on {on_cell(answer.found, cell)}.")
    if not len(numbers):
        return
    is_transfer = row not in (column, len(names))
    said = "Above: the test image. Below: the adversarial one, and what "
    said += f"{other} takes it for"
    if is_transfer:
        said += f", and in brackets what {maker} takes it for, on which it was made"
    fooled = int(answer.found.fooled[row, column])
    which = f"The first {len(numbers)}" if fooled > len(numbers) else f"All {len(numbers)}"
    st.caption(f"{'The only one' if fooled == 1 else which}. {said}.")
    test = server().digits("test")
    columns: list[Column] = []
    for at, number in enumerate(numbers):
        own = f"\n({examples.own[at]})" if is_transfer else ""
        caption = f"{test.y[number]} → {examples.after[at]}"
        images = [
            (test.x[number], f"Original, no. {number}, {caption}"),
            (examples.x_adv[at], f"Adversarial, no. {number}, {caption}"),
        ]
        columns.append((images, f"{caption}{own}"))
    show_columns(columns)
    names_of_file = f"{[*names, 'noise'][row]}-on-{names[column]}"
    downloads.png(lambda: columns_png(columns), f"{names_of_file}.png", key="transfer_png")


def _name(name: str) -> str:
    """Return what people see as the name of a network, or of the control."""
    return NOISE if name == CONTROL else shown_name(name)
