"""A page of the live ε alone, whose slider moves once by itself. A test serves it."""

import streamlit as st

from core.attacks import BY_TITLE
from core.data import mnist
from core.evaluation.path import follow
from core.measures import SCREEN
from core.networks import LIBRARY
from pages.parts.epsilon_explorer import Attacked, bring_code, epsilon_explorer


def main() -> None:
    """Show MNIST's first test digit, a 7, under FGSM."""
    network, _ = LIBRARY.load("report")
    method = BY_TITLE["FGSM"]
    path = follow(network, method, mnist.load("test").x[:1], 7, levels=SCREEN)
    st.session_state.setdefault("heard", [])
    bring_code()
    epsilon_explorer(
        Attacked("report", path, "A sentence."),
        method=method,
        label=7,
        on_label=st.session_state["heard"].append,
        on_epsilon=st.session_state["heard"].append,
        start=0.0,
        placed=0,
        play=True,
        key="explorer",
    )
    st.text(f"heard {len(st.session_state['heard'])}")


main()
