"""Draw: a digit, an attack, and a live ε under which the prediction flips."""

import numpy as np
import streamlit as st

from core.attacks import BY_TITLE, METHODS, Method
from core.evaluation.path import AttackPath
from core.losses import softmax
from core.measures import logits
from core.presentation import words
from core.presentation.charts import probabilities_along
from pages.parts.address import one_of, put_in_address, start_from_address
from pages.parts.digit_path import follow
from pages.parts.epsilon_explorer import AXES, epsilon_explorer
from pages.parts.failures import failures_explained
from pages.parts.networks import ChosenNetwork, chosen_network, show_network_choice
from pages.parts.subject import (
    DRAW,
    Subject,
    choose_source,
    chosen_subject,
    correct_label,
    label_of,
    show_source,
    show_tools,
    show_what_the_network_sees,
)

COLUMNS = (1, 2)
ANY_OTHER = "any other digit"
TARGETS = [ANY_OTHER, *map(str, range(10))]
EXPLANATION = """
**ε** is how far each pixel may move, on a scale from 0 (black) to 1 (white): ε = 0.1 is 26 of 255
grey levels. Of an attack in the **L2 norm** ε bounds the root of the sum of all pixels' squared
changes, so that one pixel may change much where others stay. Other attacks have no ε but look for
the smallest change that flips the prediction; there the slider runs the **way** from the digit to
what they have found.

{}

So it is not the size of a change that fools a network, but its direction. *Towards* has the
attack aim for one digit rather than for whichever is nearest. The network called *report* is a
small one: 784 pixels, two layers of 128 and 64 units, ten digits, trained on MNIST.
""".format("\n".join(f"- **{method.title}**: {method.summary}" for method in METHODS.values()))


def main() -> None:
    """The page: its choices, and the digit under attack."""
    start_from_address("attack", parse=one_of(list(BY_TITLE)), default="FGSM")
    start_from_address("epsilon", parse=budget_in, default=0.0)
    start_from_address("target", parse=one_of(TARGETS), default=ANY_OTHER)
    st.markdown("#### Draw a digit, turn up ε, watch it flip")
    left, right = st.columns(COLUMNS, gap="large", vertical_alignment="bottom")
    with left:
        choose_source()
    with right.container(horizontal=True):
        show_attack_choice()
        show_network_choice()
    show_digit_under_attack()


@st.fragment
def show_digit_under_attack() -> None:
    """The digit and what becomes of it, all that a stroke has run again.

    What is sent early is seen early: the prediction before the attack, that before the rest.
    """
    with failures_explained("Draw"):
        left, right = st.columns(COLUMNS, gap="large")
        with right:
            chosen = chosen_network()
        with left:
            subject = chosen_subject()
            show_source(subject)
            prediction = show_prediction(subject, chosen)
        with right:
            if subject is None:
                show_how_to_begin()
            elif chosen is not None and prediction is not None:
                path = explore(subject, chosen, label_of(subject, prediction))
        with left:
            show_tools()
        with right:
            if subject is not None and chosen is not None:
                with st.expander("What the network sees", expanded=True):
                    show_what_the_network_sees(subject)
                show_chart(path)
                show_explanation()
        put_in_address(
            {
                "model": chosen.name if chosen else None,
                "attack": st.session_state["attack"],
                "target": None if target_wanted() is None else str(target_wanted()),
                "epsilon": f"{st.session_state['epsilon']:.3f}",
            }
        )


def show_prediction(subject: Subject | None, chosen: ChosenNetwork | None) -> int | None:
    """What the network sees in the digit, at a glance while one draws; returns the digit it sees.

    It is one line, as is what stands in its place before, so that what is below stays where it is.
    """
    if subject is None:
        if st.session_state["source"] == DRAW:
            st.text("Nothing drawn yet.")
        return None
    if chosen is None:
        return None
    probabilities = softmax(logits(chosen.network, subject.x))[0]
    st.text(words.on_prediction(probabilities))
    return int(probabilities.argmax())


def show_how_to_begin() -> None:
    """What there is to do while there is no digit."""
    st.info(
        "Draw a digit, take one of MNIST's test digits, or upload a picture of one. "
        "What the network sees in it, and how to make it see another, appears here."
    )
    st.markdown(EXPLANATION)


def explore(subject: Subject, chosen: ChosenNetwork, label: int) -> AttackPath:
    """The live ε on a digit's path under the chosen attack; returns the path."""
    method, target = method_chosen(), target_wanted()
    if target == label:
        st.write(
            f"It is meant to be {words.with_article(label)} already, "
            "so the attack is towards any other digit."
        )
        target = None
    path = follow(
        chosen.network, chosen.name, chosen.version, method.name, subject.x.tobytes(), label, target
    )
    st.session_state["epsilon"] = epsilon_explorer(
        path,
        label=label,
        on_label=lambda digit: correct_label(subject, digit),
        sentence=words.on_path(path, label=label, target=target, noise=method.name == "noise"),
        start=st.session_state["epsilon"],
        key="explorer",
    )
    return path


def method_chosen() -> Method:
    """The attack that is chosen."""
    return BY_TITLE[st.session_state["attack"]]


def target_wanted() -> int | None:
    """The digit to attack towards; None for any other, which is all that some attacks know."""
    target = st.session_state["target"]
    return int(target) if target != ANY_OTHER and method_chosen().targeted else None


def show_attack_choice() -> None:
    """The widgets that decide the attack and its target."""
    method = method_chosen()
    st.selectbox(
        "Attack",
        list(BY_TITLE),
        key="attack",
        persist_state="session",
        help=method.summary,
        width=220,
    )
    st.selectbox(
        "Towards",
        TARGETS,
        key="target",
        persist_state="session",
        help="The digit that the image is to become"
        + ("." if method.targeted else f"; {method.title} can't aim for one."),
        disabled=not method.targeted,
        width=165,
    )


def show_chart(path: AttackPath) -> None:
    """The probabilities over ε, sent to whoever opens them."""
    chart = st.expander("The whole path as a chart", key="chart", on_change="rerun")
    if chart.open:
        figure = probabilities_along(
            path,
            epsilon=st.session_state["epsilon"],
            axis=AXES[method_chosen().scale.name]["name"],
        )
        chart.plotly_chart(figure, config={"displayModeBar": False})


def show_explanation() -> None:
    """What ε and the attacks are, sent to whoever opens it."""
    explanation = st.expander("What is happening here?", key="explanation", on_change="rerun")
    if explanation.open:
        explanation.markdown(EXPLANATION)


def budget_in(text: str) -> float:
    """The nearest of the budgets of the attack's slider."""
    budget = float(text)
    if not np.isfinite(budget):
        raise ValueError(text)
    return method_chosen().scale.nearest(budget)


main()
