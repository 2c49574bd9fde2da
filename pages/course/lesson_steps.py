"""The lesson's eight steps: what each says, asks and shows.

A step's instrument is the live one, on the digit that one has drawn. It is shown once the question
is answered.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import streamlit as st

from core.attacks import LINF, METHODS, BudgetMethod, Method, fgsm
from core.evaluation.path import AttackPath, random_flips
from core.evaluation.robustness import EPSILONS
from core.losses import softmax
from core.measures import SCREEN, logits
from core.networks import shown_name
from core.presentation import lesson, words
from core.presentation.evasion import evasion_over_epsilon
from core.presentation.lesson import Outcome
from core.serving.networks import ServedNetwork
from pages.course.lesson_case import (
    Case,
    aim,
    doubt_of,
    fooling_size,
    is_misread,
    is_never_unfit,
    is_too_unsure,
    measured,
    stand_in,
)
from pages.parts.address import listed, nearest_of, put_in_address, whole_number
from pages.parts.digit_images import show_images
from pages.parts.epsilon_explorer import EACH_ON_ITS_OWN, Attacked, epsilon_explorer
from pages.parts.epsilon_explorer.choices import Choices
from pages.parts.server import server
from pages.parts.state import AIM, BUDGET, EPSILON, NETWORKS, RECIPE, SEEN, STEP
from pages.parts.subject import Subject

STANDARD, ROBUST = "report", "adversarial-pgd"
BOTH_FGSM = "Both attackers use FGSM on the same network. Only their gradients differ."
# FGSM with the gradient that float32 rounds. METHODS has the attacks that one should use.
_ATTACK = METHODS["fgsm"]
assert isinstance(_ATTACK, BudgetMethod)
ROUNDED = replace(_ATTACK, name="fgsm_float32", attack=partial(fgsm, gradient="float32_autograd"))


@dataclass(frozen=True)
class Step:
    """A step of the lesson.

    Attributes:
        title: a few words.
        text: what one has to know, in Markdown.
        question: what one answers before one sees.
        show: shows the instrument, and returns what it shows in words; None if it shows nothing.
        answers: to choose from.
        task: what one does with the slider, and has seen the flip then; empty if there is nothing.
        unfit: says why the step can't be shown on a digit; empty if it can.
        lead_on: shows links to other pages, once one has seen it.
    """

    title: str
    text: Callable[[Case], str]
    question: Callable[[Case], str]
    show: Callable[[Case], Outcome | None]
    answers: tuple[str, ...] = lesson.IN_BANDS
    task: str = "Now move the slider until the prediction flips."
    unfit: Callable[[Case], str] = is_misread
    lead_on: Callable[[], None] = lambda: None


def show_input(case: Case) -> Outcome:
    """Show what the network gets of the digit."""
    pixels, said = case.subject.pixels, "MNIST says"
    if case.subject.label is None:
        said = "You say"
        with st.container(key="lesson_input"):
            show_images([(case.subject.x[0], "what the network gets")])
    return Outcome(
        case.label,
        f"{said} that it is {case.a_digit}. The network is not told. It gets {pixels.size} "
        "numbers: 28 × 28 grey levels from 0 (black) to 1 (white). "
        f"{np.count_nonzero(pixels)} of them are not black.",
    )


def show_reading(case: Case) -> Outcome:
    """Show the probability of each digit."""
    probabilities = softmax(logits(case.standard.network, case.subject.x))[0]
    bars = "".join(
        f'<li class="{"meant" if digit == case.label else "other"}">'
        f"<span>{f'{share:.0%}' if share >= 0.005 else ''}</span>"
        f'<div><div style="height:{100 * share:.2f}%"></div></div><b>{digit}</b></li>'
        for digit, share in enumerate(probabilities.tolist())
    )
    st.html(f'<ul class="probabilities" aria-label="Probability of each digit">{bars}</ul>')
    return lesson.on_reading(probabilities, case.label, accuracy=case.standard.card.test_accuracy)


def show_flip(case: Case) -> Outcome:
    """Show FGSM."""
    path = case.path(METHODS["fgsm"])
    show_explorer(case, [(shown_name(STANDARD), path)], METHODS["fgsm"])
    return lesson.on_flip(path, case.label)


def show_noise(case: Case) -> Outcome:
    """Show random noise."""
    epsilon, path = fooling_size(case), case.path(METHODS["noise"])
    fooled = random_flips(case.standard.network, case.subject.x, epsilon, levels=SCREEN)
    show_explorer(case, [(shown_name(STANDARD), path)], METHODS["noise"])
    return lesson.on_noise(path, epsilon, fooled, measured(case.standard))


def show_target(case: Case) -> Outcome:
    """Show PGD towards a digit, and a choice of others."""
    target = aim(case)
    others = [digit for digit in range(10) if digit != case.label]
    AIM.start(parse=whole_number(9), default=target)
    if AIM.get() not in others:
        AIM.set(target)
    st.segmented_control(
        "Aim for", others, key=AIM.key, persist_state="session", required=True, width="content"
    )
    put_in_address({AIM: str(AIM.get())})
    path = case.path(METHODS["pgd"], target=AIM.get())
    show_explorer(case, [(shown_name(STANDARD), path)], METHODS["pgd"], target=AIM.get())
    return lesson.on_target(case.path(METHODS["pgd"], target=target), case.label, target)


def show_gradients(case: Case) -> Outcome:
    """Show FGSM with the exact gradient beside FGSM with the one that float32 rounds."""
    exact, rounded = case.path(METHODS["fgsm"]), case.path(ROUNDED)
    both = [("network (exact)", exact), ("network (float32)", rounded)]
    show_explorer(case, both, METHODS["fgsm"], note=BOTH_FGSM)
    return lesson.on_gradient(exact, rounded, measured(case.standard))


def show_robust(case: Case) -> Outcome:
    """Show PGD on the network beside one that has learned to withstand it."""
    robust = server().network(ROBUST)
    paths = [case.path(METHODS["pgd"]), case.path(METHODS["pgd"], network=robust)]
    names = [shown_name(STANDARD), shown_name(ROBUST)]
    show_explorer(case, list(zip(names, paths, strict=True)), METHODS["pgd"], note=EACH_ON_ITS_OWN)
    return lesson.on_robust(*paths)


def show_cost(case: Case) -> Outcome | None:
    """Show the evasion rates of both networks on all test images."""
    both = {name: server().network(name).shipped for name in (STANDARD, ROBUST)}
    known = {shown_name(name): each for name, each in both.items() if each is not None}
    at = EPSILON.of("cost")
    at.start(parse=nearest_of(EPSILONS), default=0.1)
    st.select_slider("ε", EPSILONS, key=at.key, persist_state="session")
    put_in_address({at: f"{at.get():g}"})
    if len(known) == len(both):
        figure = evasion_over_epsilon(
            known, attack="pgd", epsilon=at.get(), baseline=shown_name(STANDARD)
        )
        figure["layout"]["height"] = 430  # two lines in the legend, and one screen
        st.plotly_chart(
            figure,
            config={"displayModeBar": False},
            key="lesson_cost",
        )
        attacked = min(each.attacked for each in known.values())
        st.caption(
            f"PGD on {attacked:,} of the test images: the share that is misread. At ε = 0, no "
            "attack."
        )
    return lesson.on_cost(*known.values()) if len(known) == len(both) else None


def link_to_training() -> None:
    """Lead to the page that trains a network which withstands."""
    seconds = server().network(ROBUST).card.train_seconds
    took = "" if seconds is None else f" (this one took {seconds:.0f} s)"
    st.page_link(
        "pages/training/train.py",
        label=f"Train one yourself{took}",
        query_params={RECIPE.name: ROBUST},
    )


def link_to_the_rest() -> None:
    """Lead to what one can do after the lesson."""
    st.page_link(
        "pages/training/remedies.py",
        label="Compare all remedies",
        query_params={NETWORKS.name: listed([STANDARD, ROBUST]), BUDGET.name: "0.1"},
    )
    st.page_link("pages/attack/whole_test_set.py", label="Attack the whole test set")
    st.page_link("pages/attack/draw.py", label="Attack digits as you like")


STEPS = (
    Step(
        "Draw a digit",
        lambda case: (
            "Draw a digit, as large as the black canvas, or choose a test digit. We are going to "
            "attack it."
        ),
        lambda case: "Which digit is it?",
        show_input,
        answers=tuple(map(str, range(10))),
        task="",
        unfit=is_never_unfit,
    ),
    Step(
        "The network reads it",
        lambda case: (
            "The network has learned from 60,000 digits of other people. It gives each of the ten "
            "digits a probability, and the largest one is its answer."
        ),
        lambda case: f"How sure is it that this is {case.a_digit}?",
        show_reading,
        answers=lesson.SURENESS,
        task="",
        unfit=is_never_unfit,
    ),
    Step(
        "Turn ε",
        lambda case: (
            "An attacker may change each pixel by at most ε, from 0 (black) to 1 (white). The "
            "attack FGSM asks of each pixel: lighter or darker, which is worse for the network? "
            "The gradient tells. Then it moves each pixel by ε."
        ),
        lambda case: f"From which ε on does the network no longer read {case.a_digit}?",
        show_flip,
    ),
    Step(
        "Noise of that size",
        lambda case: (
            "Is it the size of a change that fools the network? Now a coin decides for each pixel: "
            "lighter or darker by ε. (White can't get lighter, and black can't get darker.)"
        ),
        lambda case: (
            f"Of 100 such changes at ε = {fooling_size(case):.3f}, how many fool the network?"
        ),
        show_noise,
        answers=lesson.COUNTS,
        task="",
    ),
    Step(
        "Aim for a digit",
        lambda case: (
            "PGD takes many small steps instead of a large one. It can aim: each step makes the "
            "network believe more in the digit that the attacker wants."
        ),
        lambda case: f"From which ε on does the network read {words.with_article(aim(case))} here?",
        show_target,
        task="Now move the slider, and wait for that digit.",
    ),
    Step(
        "The gradient that float32 loses",
        lambda case: (
            f"The network is very sure of its {case.label}: it leaves "
            f"{lesson.odds(doubt_of(case))} for all other digits. The gradient is made of 1 "
            "minus its probability. Most libraries have seven digits for it (float32)."
        ),
        lambda case: (
            "FGSM with the exact gradient, or with float32's: which one needs the larger ε?"
        ),
        show_gradients,
        answers=lesson.GRADIENTS,
        task="Now move the slider until both predictions flip.",
        unfit=is_too_unsure,
    ),
    Step(
        "A network that resists attacks",
        lambda case: (
            f"The network so far is called *{shown_name(STANDARD)}*. Another one, *{ROBUST}*, was "
            "attacked while it learned: before each step, PGD changed the images by up to ε = 0.1."
        ),
        lambda case: f"From which ε on does PGD keep it from reading {case.a_digit}?",
        show_robust,
        task="Now move the slider until both predictions flip.",
        lead_on=link_to_training,
    ),
    Step(
        "What it costs",
        lambda case: (
            f"*{ROBUST}* resists larger changes than *{shown_name(STANDARD)}*. Is it better?"
        ),
        lambda case: (
            "Without an attack: how many test digits does it misread, compared with *standard*?"
        ),
        show_cost,
        answers=lesson.MISREADINGS,
        task="",
        unfit=is_never_unfit,
        lead_on=link_to_the_rest,
    ),
)


def show_explorer(
    case: Case,
    paths: list[tuple[str, AttackPath]],
    method: Method,
    *,
    target: int | None = None,
    note: str = "",
) -> None:
    """Show the live ε; where the prediction flips is hidden until the slider has passed it.

    Args:
        case: the digit.
        paths: one or two, with names.
        method: the attack.
        target: its target, if any.
        note: how two paths compare.
    """
    step = STEP.get()
    epsilon = EPSILON.of(step)
    if epsilon.start(parse=nearest_of(LINF.budgets), default=0.0):
        place_slider()
    put_in_address({epsilon: f"{epsilon.get():.3f}"})
    attacked = [
        Attacked(
            name,
            path,
            words.on_path(path, label=case.label, target=target, control=False),
        )
        for name, path in paths
    ]
    epsilon_explorer(
        *attacked,
        method=method,
        label=case.label,
        on_epsilon=epsilon.set,
        on_shown=lambda: SEEN.set(SEEN.get() + str(step)),
        start=epsilon.get(),
        placed=st.session_state.get("lesson_placed", 0),
        note=note,
        choices=Choices([], "", predict=True, hidden=not has_seen(step), fixed=True),
        play=case.plays,
        key=f"lesson_{step}",
    )


def has_seen(step: int) -> bool:
    """Return whether one has seen what a step, once its question is answered, shows."""
    return not STEPS[step - 1].task or str(step) in SEEN.get()


def place_slider() -> None:
    """Have the slider placed where the session says, not where it stands in the browser."""
    st.session_state["lesson_placed"] = st.session_state.get("lesson_placed", 0) + 1


def case_for(step: int, own: Case | None, standard: ServedNetwork) -> Case:
    """Return what a step is shown on: the own digit, if the step says something on it.

    Before anything is drawn, the first step is shown on an empty image.

    Raises:
        DataFileError: MNIST can't be read.
    """
    if own is None and step == 1:
        return Case(Subject("", np.zeros(784, np.uint8)), 0, standard)
    if own is None:
        return stand_in(standard, "You have not drawn a digit, or not said which it is.")
    why = STEPS[step - 1].unfit(own)
    return stand_in(standard, why) if why else own
