"""Test set: what an attack does to MNIST's 10,000 test images, as in the report's figures."""

import streamlit as st

from core.attacks import BY_TITLE, Method
from core.data import mnist
from core.evaluation.rates import Evaluation
from core.measures import SCREEN
from core.serving.jobs import DONE, FAILED, Computation
from core.serving.networks import ServedNetwork
from core.serving.questions import ALL, BUDGETS, Question
from pages.attack.findings.mistakes import show_mistakes
from pages.attack.findings.rates import (
    show_curves,
    show_known,
    show_norms,
    show_rates,
    start_beside,
)
from pages.attack.findings.trust import show_trust
from pages.attack.findings.twins import open_chosen, show_ten
from pages.attack.findings.why import show_why
from pages.parts import downloads
from pages.parts.address import nearest_of, on_or_off, one_of, put_in_address, whole_number
from pages.parts.contents import show_contents
from pages.parts.escaped import escaped, with_code
from pages.parts.networks import chosen_network, show_network_choice
from pages.parts.server import server, who
from pages.parts.state import (
    ATTACK,
    CELL_DIGIT,
    CELL_LABEL,
    IMAGES,
    INTO,
    L2,
    LINF,
    MODEL,
    ROUNDED,
    TEN,
    WHY,
)
from pages.parts.waiting import show_waiting

# The titles of the sections, which are long: each has a link at the top.
SECTIONS = (
    "The more an attack may change, the more images it fools",
    "Ten digits and their adversarial twins",
    "What each digit is mistaken for",
    "How large the perturbations are",
    "Why that label?",
    "Can these numbers be trusted?",
)
SIZES = {"all 10,000": ALL, "a sample of 1,000": 1000}
SLIDERS = {
    "linf": (LINF, 0.1, "ε, how far each pixel may move"),
    "l2": (L2, 2.0, "ε, the L2 norm that a perturbation may have"),
}


def main() -> None:
    """Show the page."""
    open_chosen()
    st.markdown("# Attack the whole test set")
    question, budget = choose()
    if question is None:
        return
    evaluations = server().evaluations
    waiting_place = st.container()
    show_what_it_knows(question.chosen)
    findings_place = st.empty()
    first_visit = "question" not in st.session_state
    if first_visit:  # later, the former findings stay until there are new ones
        with findings_place.container():
            show_known(question, budget)
    try:
        server().digits("test")
    except mnist.DataFileError as error:
        st.error(with_code(str(error)))
        return
    settings = (*question.key, budget)
    leave_former(
        question, [evaluations.evaluation(each, budget) for each in (question, question.sample)]
    )
    stopped = st.session_state.get("stopped") == settings
    shown, to_come = evaluations.evaluation_to_show(question, budget, stopped=stopped)
    waited_for = {
        f"{question.method.title} on {images:,} images": each for images, each in to_come.items()
    }
    if shown.state == DONE:
        with findings_place.container():
            waited_for |= show_findings(shown.result, question, budget, stopped=stopped)
    elif shown.state == FAILED:
        findings_place.error(escaped(shown.error))
    elif not first_visit:
        with findings_place.container():
            show_known(question, budget)
    st.session_state["others"] = list(waited_for.values())

    def stop() -> None:
        for computation in waited_for.values():
            computation.leave()
        st.session_state["stopped"] = settings

    with waiting_place:
        if stopped:
            show_stopped()
        if waited_for:
            show_waiting("Test set", "Computing", waited_for, stop=None if stopped else stop)
        elif not stopped:
            st.progress(1.0, "All is computed.")


def show_findings(
    evaluation: Evaluation, question: Question, budget: float, *, stopped: bool
) -> dict[str, Computation]:
    """Show the page's sections; return what is still being computed for them."""
    taken = question if evaluation.images == question.images else question.sample
    epsilon = budget if question.norm == "linf" else SLIDERS["linf"][1]
    show_rates(evaluation, question, budget)
    show_contents(SECTIONS)
    # A container where the number of elements varies: what follows keeps its place.
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
    """Show the widgets that decide what is attacked, and how; return the question and the ε."""
    titles = list(BY_TITLE)
    ATTACK.start(parse=one_of(titles), default="FGSM")
    IMAGES.start(parse=one_of(list(SIZES)), default="all 10,000")
    method = BY_TITLE[ATTACK.get()]
    norm = "linf" if method.norm == "linf" else "l2"
    ROUNDED.start(parse=on_or_off, default=False)
    slider, default, label = SLIDERS[norm]
    slider.start(parse=nearest_of(BUDGETS[norm]), default=default)
    with st.container(horizontal=True):
        st.selectbox("Attack", titles, key=ATTACK.key, persist_state="session", width=220)
        show_network_choice()
        st.selectbox("Test images", list(SIZES), key=IMAGES.key, persist_state="session", width=180)
        st.toggle(
            f"Round to {SCREEN} levels",
            key=ROUNDED.key,
            persist_state="session",
            help=f"A screen and a picture file have {SCREEN} grey levels. Adversarial images are "
            "judged as the attack computes them, or rounded to these levels.",
        )
        with st.container(width=420):
            st.select_slider(label, BUDGETS[norm].tolist(), key=slider.key, persist_state="session")
    budget = slider.get()
    chosen = chosen_network()
    start_findings(method)
    put_in_address(
        {
            MODEL: chosen.name if chosen else None,
            ATTACK: method.title,
            IMAGES: IMAGES.get(),
            ROUNDED: "on" if ROUNDED.get() else None,
            LINF: None,
            L2: None,
            slider: f"{budget:g}",
            TEN: str(TEN.get()) if TEN.get() else None,
            WHY: str(WHY.get()) if WHY.get() else None,
        }
    )
    if chosen is None:
        return None, budget
    levels = SCREEN if ROUNDED.get() else None
    return Question(chosen, method, SIZES[IMAGES.get()], who(), levels), budget


def start_findings(method: Method) -> None:
    """Read from the address what is chosen in the findings, which may be shown in a later run."""
    TEN.start(parse=whole_number(ALL), default=0)
    WHY.start(parse=whole_number(9), default=0)
    into = INTO.of(WHY.get())
    into.start(parse=whole_number(9), default=None)
    optional = (into, CELL_DIGIT, CELL_LABEL)
    for setting in optional[1:]:
        setting.start(parse=whole_number(9), default=None)
    put_in_address({each: None if each.get() is None else str(each.get()) for each in optional})
    start_beside(method)


def leave_former(question: Question, evaluations: list[Computation]) -> None:
    """Stop waiting for what only the page's former settings needed: it would delay the rest.

    Another budget leaves the curves as they are. What is asked for now is remembered at once,
    because the next change of a setting may interrupt this run.
    """
    state = st.session_state
    if state.get("question") != question.key:
        state["evaluations"] = [*state.get("evaluations", []), *state.get("others", [])]
        state["others"] = []
    for former in state.get("evaluations", []):
        if all(former.key != each.key for each in evaluations):
            former.leave()
    state["question"], state["evaluations"] = question.key, evaluations


def show_stopped() -> None:
    """Say that only a sample is computed, with a button to go on."""

    def go_on() -> None:
        del st.session_state["stopped"]

    with st.container(horizontal=True, vertical_alignment="center"):
        st.write("Stopped. The figures below are from a sample.")
        st.button("Go on", on_click=go_on, key="go_on")


def show_what_it_knows(chosen: ServedNetwork) -> None:
    """Warn if the network has never seen some of the digits."""
    known = chosen.card.digits
    if len(known) < 10:
        st.warning(
            f"This network has learned only the digits {', '.join(map(str, known))}. It takes "
            "every other digit for one of these, with or without an attack. Each such image counts "
            "as misclassified."
        )


def show_downloads(evaluation: Evaluation, question: Question, budget: float) -> None:
    """Show a button for the adversarial images."""
    names = ("x", "y", "x_adv", "before", "after", "l2_norm")
    downloads.npz(
        {name: getattr(evaluation, name) for name in names},
        f"{question.chosen.name}-{question.method.name}-{budget:g}.npz",
        label=f"The {evaluation.images:,} adversarial images as .npz",
        key="npz",
    )


main()
