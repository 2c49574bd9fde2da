"""The choice of one of MNIST's test digits: by its index, or by what it is."""

import numpy as np
import streamlit as st

from core.classifier import FloatArray, IntArray
from core.presentation.words import with_article
from core.serving.networks import ServedNetwork
from core.serving.questions import ALL
from pages.parts.digit_images import SHOWN, show_images
from pages.parts.remark import show_below
from pages.parts.server import server
from pages.parts.state import DIGIT

ANY = "any digit"
_WANTED = "wanted_digit"  # the key of what the buttons look for


def explain_wrong_index() -> None:
    """Have the page say why an index is not taken; call it in each run of a page with `show`.

    Streamlit keeps the last index that is allowed, and says why in a tooltip alone.
    """
    show_below(
        f".st-key-which_digit:has(.st-key-{DIGIT.key} [aria-invalid=true])",
        f"The test images have the numbers 0 to {ALL - 1:,}. The one that was shown stays.",
    )


def show(x: FloatArray, label: int, chosen: ServedNetwork | None) -> None:
    """Show the widgets that choose a test digit, and the digit.

    Args:
        x: `(784,)`, the chosen digit.
        label: its label.
        chosen: the network whose mistakes one can look for.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="which_digit"):
        index = st.number_input(
            "Test image no.", 0, ALL - 1, key=DIGIT.key, persist_state="session", width=140
        )
        st.selectbox(
            "or look for", [ANY, *map(str, range(10))], key=_WANTED, width=125, on_change=_forget
        )
    with st.container(horizontal=True, gap="small", key="look_for"):
        st.button("At random", on_click=_take, args=["any", chosen])
        st.button(
            "Flips first",
            on_click=_take,
            args=["first", chosen],
            disabled=chosen is None,
            help="The one that FGSM flips at the smallest ε, on the chosen network.",
        )
        st.button(
            "Read wrong",
            on_click=_take,
            args=["wrong", chosen],
            disabled=chosen is None,
            help="One that the chosen network reads wrong without any attack.",
        )
    if none := st.session_state.get("none_found"):
        st.info(none)
    what = f"MNIST's test image no. {index}: {with_article(label)}, as the network gets it"
    show_images([(x, what)], name=SHOWN)


def _take(which: str, chosen: ServedNetwork | None) -> None:
    """Choose a test digit of the kind that is looked for."""
    found = _found(which, chosen)
    _forget()
    if len(found):
        DIGIT.set(int(np.random.default_rng().choice(found)))
    else:
        st.session_state["none_found"] = "There is no such test digit for this network."


def _found(which: str, chosen: ServedNetwork | None) -> IntArray:
    """Return the indices of the test digits of that kind."""
    labels = server().digits("test").y
    # There is no list when a click comes in while another source is being shown.
    wanted = st.session_state.get(_WANTED, ANY)
    if which == "any" or chosen is None:
        found = np.arange(len(labels))
    else:
        remarkable = server().evaluations.remarkable(chosen)
        if which == "first" and wanted == ANY:
            found = np.array([remarkable.very_first])
        else:
            found = remarkable.first if which == "first" else remarkable.wrong
        found = found[found >= 0]
    return found if wanted == ANY else found[labels[found] == int(wanted)]


def _forget() -> None:
    """Say no longer that nothing was found."""
    st.session_state.pop("none_found", None)
