"""Test set: what an attack does to MNIST's 10,000 test images, in the report's figures and more."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from core.attacks import BY_TITLE
from core.data import mnist
from core.evaluation.rates import Evaluation
from core.serving.jobs import DONE, FAILED, Computation
from pages.attack.findings.mistakes import show_mistakes
from pages.attack.findings.rates import show_curves, show_norms, show_rates
from pages.attack.findings.trust import show_trust
from pages.attack.findings.twins import open_chosen, show_ten
from pages.attack.findings.why import show_why
from pages.parts import downloads
from pages.parts.address import one_of, put_in_address, start_from_address
from pages.parts.evaluations import ALL, BUDGETS, Question, evaluation_of, evaluation_to_show
from pages.parts.failures import failures_explained
from pages.parts.networks import ChosenNetwork, chosen_network, show_network_choice
from pages.parts.subject import test_digits

SIZES = {"all 10,000": ALL, "a sample of 1,000": 1000}
START = {"linf": 0.1, "l2": 2.0}


def main() -> None:
    """The page."""
    open_chosen()
    st.markdown("#### Attack the whole test set")
    question, budget = choose()
    if question is None:
        return
    try:
        test_digits()
    except mnist.DataFileError as error:
        st.error(str(error))
        return
    settings = (*question.key, budget)
    evaluations = [evaluation_of(each, budget) for each in (question, question.sample)]
    leave_former(question, evaluations)
    waiting_place = st.container()
    waited_for: dict[str, Computation] = {}
    stopped = st.session_state.get("stopped") == settings
    shown, better = evaluation_to_show(question, budget, stopped=stopped)
    if better is not None:
        waited_for[f"{question.method.title} on {question.images:,} images"] = better
    if shown.state == DONE:
        waited_for |= show_findings(shown.result, question, budget, stopped=stopped)
    elif shown.state == FAILED:
        st.error(shown.error)
    st.session_state["asked_for"] = (question.key, evaluations, list(waited_for.values()))
    with waiting_place:
        if stopped:
            show_stopped()
        if waited_for:
            show_waiting(waited_for, None if stopped else settings)
        elif not stopped:
            st.progress(1.0, "All is computed.")


def show_findings(
    evaluation: Evaluation, question: Question, budget: float, *, stopped: bool
) -> dict[str, Computation]:
    """The page's sections; returns what is still being computed for them."""
    taken = question if evaluation.images == question.images else question.sample
    epsilon = budget if question.norm == "linf" else START["linf"]
    show_what_it_knows(question.chosen)
    show_rates(evaluation, question, budget)
    # In a container where the number of elements varies: what follows keeps its place.
    with st.container():
        curves = show_curves(question, budget, stopped=stopped)
    show_ten(evaluation, taken, budget)
    with st.container():
        show_mistakes(evaluation, taken)
    show_norms(evaluation, taken, budget)
    with st.container():
        show_why(evaluation, question)
    with st.container():
        checks = show_trust(question.chosen, epsilon, stopped=stopped)
    show_downloads(evaluation, question, budget)
    return curves | checks


def choose() -> tuple[Question | None, float]:
    """The widgets that decide what is attacked, and how."""
    start_from_address("attack", parse=one_of(list(BY_TITLE)), default="FGSM")
    start_from_address("images", parse=one_of(list(SIZES)), default="all 10,000")
    method = BY_TITLE[st.session_state["attack"]]
    norm = "linf" if method.norm == "linf" else "l2"
    start_from_address(norm, parse=lambda text: nearest(norm, text), default=START[norm])
    with st.container(horizontal=True):
        st.selectbox("Attack", list(BY_TITLE), key="attack", persist_state="session", width=220)
        show_network_choice()
        st.selectbox("Test images", list(SIZES), key="images", persist_state="session", width=180)
        with st.container(width=420):
            st.select_slider(
                "ε, how far each pixel may move"
                if norm == "linf"
                else "ε, the L2 norm that a perturbation may have",
                BUDGETS[norm].tolist(),
                key=norm,
                persist_state="session",
            )
    budget = float(st.session_state[norm])
    chosen = chosen_network()
    put_in_address(
        {
            "model": chosen.name if chosen else None,
            "attack": method.title,
            "images": st.session_state["images"],
            "linf": f"{budget:g}" if norm == "linf" else None,
            "l2": f"{budget:g}" if norm == "l2" else None,
        }
    )
    if chosen is None:
        return None, budget
    return Question(chosen, method, SIZES[st.session_state["images"]]), budget


def nearest(norm: str, text: str) -> float:
    """The nearest of the budgets of a norm."""
    budget = float(text)
    if not np.isfinite(budget):
        raise ValueError(text)
    return float(BUDGETS[norm][np.abs(BUDGETS[norm] - budget).argmin()])


def leave_former(question: Question, evaluations: list[Computation]) -> None:
    """Wait no more for what only the page's former settings needed; it would delay the rest.

    Under another budget the curves stay what they were. What is asked for now is written down at
    once, as the next change may end this run before it knows all that it waits for.
    """
    key, former, others = st.session_state.get("asked_for", (None, [], []))
    same = key == question.key
    for computation in former if same else [*former, *others]:
        if all(computation.key != each.key for each in evaluations):
            computation.leave()
    st.session_state["asked_for"] = (question.key, evaluations, others if same else [])


@st.fragment(run_every=1.0)
def show_waiting(
    waited_for: Mapping[str, Computation], settings: tuple[object, ...] | None
) -> None:
    """How far what is being computed is; the page runs again when some of it is there.

    Args:
        waited_for: by its name, each computation.
        settings: what the page is set to, if it can be stopped.
    """
    with failures_explained("Test set"):
        standing = {name: computation.look() for name, computation in waited_for.items()}
        if any(progress.state in (DONE, FAILED) for progress in standing.values()):
            st.rerun()
        share = min(progress.share for progress in standing.values())
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(width=420):
                st.progress(min(share, 1.0), f"Being computed: {', '.join(standing)} …")
            if settings is not None and st.button("Stop", key="stop_waiting"):
                for computation in waited_for.values():
                    computation.leave()
                st.session_state["stopped"] = settings
                st.rerun()


def show_stopped() -> None:
    """What is there is a sample's; the rest can still be had."""

    def go_on() -> None:
        del st.session_state["stopped"]

    with st.container(horizontal=True, vertical_alignment="center"):
        st.write("Stopped; the figures below are a sample's.")
        st.button("Go on", on_click=go_on, key="go_on")


def show_what_it_knows(chosen: ChosenNetwork) -> None:
    """That a network has never seen some of the digits, where that is so."""
    known = chosen.card.recipe.digits
    if len(known) < 10:
        st.warning(
            f"This network has learned only the digits {', '.join(map(str, known))}. It takes "
            "every other digit for one of them, with or without an attack, and that counts as "
            "misclassified here."
        )


def show_downloads(evaluation: Evaluation, question: Question, budget: float) -> None:
    """The adversarial images."""
    name = f"{question.chosen.name}-{question.method.name}-{budget:g}.npz"
    downloads.npz(
        {
            "x": evaluation.x,
            "y": evaluation.y,
            "x_adv": evaluation.x_adv,
            "before": evaluation.before,
            "after": evaluation.after,
            "l2_norm": evaluation.l2_norm,
        },
        name,
        label=f"The {evaluation.images:,} adversarial images as .npz",
        key="npz",
    )


main()
