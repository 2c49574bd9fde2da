"""What is chosen in the live ε itself: a second network, and whether one predicts the flip first.

A question is a digit under an attack on one network or two. While one is to predict, each question
starts at ε = 0 with its flip hidden. It is shown once the slider has passed it, or on request.
"""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.networks import LIBRARY, NetworkFileError, shown_name
from core.serving.networks import ServedNetwork
from pages.parts.address import on_or_off, one_of
from pages.parts.escaped import escaped
from pages.parts.server import server
from pages.parts.state import COMPARE, EPSILON, PREDICT, Setting

NOT_YET = "This is shown once you have seen the flip."


@dataclass(frozen=True)
class Choices:
    """What can be chosen, and what is.

    Attributes:
        networks: those that can be compared with, each its name and what it is called.
        compare: the one that is; empty for none.
        predict: whether one predicts first.
        hidden: whether the flip is still hidden.
        fixed: whether there is nothing to choose, only a flip to hide.
    """

    networks: list[tuple[str, str]]
    compare: str
    predict: bool
    hidden: bool
    fixed: bool = False


def start_choices() -> None:
    """Read the choices from the address; call it in every run of the page."""
    COMPARE.start(parse=one_of(LIBRARY.names()), default=None)
    PREDICT.start(parse=on_or_off, default=False)


def choices_for_address() -> dict[Setting[Any], str | None]:
    """Return the choices as the address holds them."""
    return {COMPARE: COMPARE.get(), PREDICT: "on" if PREDICT.get() else None}


def second_network(first: ServedNetwork) -> ServedNetwork | None:
    """Return the network to compare with, or None; show an error if it can't be used."""
    name = COMPARE.get()
    if name is None or name == first.name:
        return None
    if name not in LIBRARY.names():
        COMPARE.set(None)
        return None
    try:
        return server().network(name)
    except NetworkFileError as error:
        st.error(f"{escaped(str(error))} Compare with another network.")
        return None


def choices_on(question: object, first: ServedNetwork) -> Choices:
    """Return the choices on a question; if it is a new one to predict, start it at ε = 0.

    Args:
        question: equal to another one if it is the same; None for an example, which hides nothing.
        first: the network that others can be compared with.
    """
    hidden = False
    if PREDICT.get() and question is not None:
        asked, shown = st.session_state.get("guess", (None, False))
        if asked != question:
            shown = False
            EPSILON.set(0.0)
            st.session_state["placed"] += 1
        st.session_state["guess"] = (question, shown)
        hidden = not shown
    others = [name for name in LIBRARY.names() if name != first.name]
    compare = COMPARE.get() if COMPARE.get() in others else None
    networks = [(name, shown_name(name)) for name in others]
    return Choices(networks, compare or "", PREDICT.get(), hidden)


def flip_is_hidden() -> bool:
    """Return whether the page must not tell yet where the prediction flips, and to what.

    Call it after `choices_on`; a view that would tell shows `NOT_YET` instead.
    """
    _, shown = st.session_state.get("guess", (None, False))
    return PREDICT.get() and not shown


def compare_with(name: str) -> None:
    """Compare with the network of this name; with none if it is empty."""
    COMPARE.set(name or None)


def predict_first(wanted: bool) -> None:
    """Have one predict first, or not; either way the next question is a new one."""
    PREDICT.set(wanted)
    st.session_state.pop("guess", None)


def show_flip() -> None:
    """Hide the current question's flip no more."""
    question, _ = st.session_state.get("guess", (None, False))
    st.session_state["guess"] = (question, True)
