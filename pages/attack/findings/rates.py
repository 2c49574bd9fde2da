"""How many images are misclassified, over ε too, and how large the perturbations are."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from core.attacks import BY_TITLE, METHODS, MinimalMethod
from core.evaluation.rates import Evaluation
from core.presentation import charts
from core.presentation.course_report import facts
from core.serving.jobs import FAILED, Computation
from pages.parts import downloads
from pages.parts.evaluations import ALL, BUDGETS, Curve, Question, curve_to_show, evaluation_of

COMPARED = {"linf": ("fgsm", "pgd", "noise"), "l2": ("pgd_l2", "noise")}


def show_rates(evaluation: Evaluation, question: Question, budget: float) -> None:
    """The evasion rate, by both denominators."""
    images, right = evaluation.images, int(evaluation.correct_before.sum())
    wrong = int(evaluation.misclassified.sum())
    of_right = int((evaluation.misclassified & evaluation.correct_before).sum())
    rate = evaluation.evasion_rate_of_correct
    with st.container(horizontal=True):
        st.metric(
            "Evasion rate, of all images",
            f"{evaluation.evasion_rate:.2%}",
            f"{wrong:,} of {images:,} misclassified",
            delta_color="off",
            delta_arrow="off",
        )
        st.metric(
            "Evasion rate, of those right before",
            "–" if rate is None else f"{rate:.2%}",
            f"{of_right:,} of {right:,} misclassified",
            delta_color="off",
            delta_arrow="off",
        )
        st.metric(
            "Accuracy without an attack",
            f"{right / images:.2%}",
            f"{right:,} of {images:,} right",
            delta_color="off",
            delta_arrow="off",
        )
    limit = ""
    if isinstance(question.method, MinimalMethod):
        limit = (
            f" An image for which it needs an L2 norm of more than ε = {budget:g} stays as it is."
        )
    some = ""
    if images < question.images:
        some = f"**Of a sample of {images:,} so far.** "
    elif images < ALL:
        some = f"Of {images:,} test images, drawn at random once for all. "
    st.caption(
        f"{some}The first rate is as the course report defines it, misclassified adversarial "
        f"examples / all examples. The report's own is {facts.EVASION_RATE:.2%}; it names "
        f"neither attack nor ε. {question.method.summary}{limit}"
    )


def show_curves(question: Question, budget: float, *, stopped: bool) -> dict[str, Computation]:
    """The evasion rates of several attacks over ε; returns what is still being computed."""
    st.markdown("##### The more an attack may change, the more it evades")
    norm = question.norm
    others = [
        method
        for method in METHODS.values()
        if (method.norm == "linf") == (norm == "linf") and method.name != "noise"
    ]
    default = [m.title for m in others if m.name in (*COMPARED[norm], question.method.name)]
    beside = st.multiselect(
        "Attacks on the chart, besides random noise",
        [method.title for method in others],
        default=default,
        key=f"beside_{norm}_{question.method.name}",
    )
    titles = [METHODS["noise"].title, *beside]
    lines, waited_for = curves_now(question, titles, stopped=stopped)
    if not lines:
        st.write("The first curves are being computed …")
        return waited_for
    figure = charts.evasion_curves(
        {title: (curve.budgets, curve.rates) for title, curve in lines.items()},
        epsilon=budget,
        x_title="ε" if norm == "linf" else "ε, in the L2 norm",
    )
    st.plotly_chart(figure, config=downloads.chart("evasion-rates"), key="curves")
    sampled = [
        f"{title} of {curve.images:,}"
        for title, curve in lines.items()
        if curve.images < question.images
    ]
    short = [title for title, curve in lines.items() if curve.budgets[-1] < BUDGETS[norm][-1]]
    when = "is left out while this is stopped" if stopped else "is being computed"
    note = f" Of a sample: {', '.join(sampled)} images." if sampled else ""
    rest = f" What is missing of {' and '.join(short)} {when}." if short else ""
    st.caption(
        f"Evasion rate: misclassified / all {question.images:,} images.{note}{rest} "
        "Random noise is as large as an attack may be, and the control: what it evades, size alone "
        "explains."
    )
    return waited_for


def curves_now(
    question: Question, titles: Sequence[str], *, stopped: bool
) -> tuple[dict[str, Curve], dict[str, Computation]]:
    """The curves of some attacks, by their titles, as far as they are there; what is better."""
    lines: dict[str, Curve] = {}
    waited_for: dict[str, Computation] = {}
    for title in titles:
        method = BY_TITLE[title]
        own = method.name == question.method.name
        asked = replace(question, method=method)
        curve, better = curve_to_show(
            asked if own else asked.beside, question.norm, stopped=stopped
        )
        if curve is not None:
            lines[title] = curve
        if better is not None and (progress := better.look()).state == FAILED:
            st.error(progress.error)
        elif better is not None and not (
            own and isinstance(method, MinimalMethod)
        ):  # that is its evaluation itself
            waited_for[f"{title}'s curve"] = better
    return lines, waited_for


def show_norms(evaluation: Evaluation, question: Question, budget: float) -> None:
    """How large the perturbations are."""
    st.markdown("##### How large the perturbations are")
    found, within = evaluation, np.ones(evaluation.images, np.bool_)
    if isinstance(question.method, MinimalMethod):
        # What it would need is known too where it is more than the budget; see `limited_to`.
        found = evaluation_of(question, np.inf).look().result or evaluation
        within = found.l2_norm <= budget
    bound = budget * np.sqrt(784) if question.norm == "linf" else budget
    st.plotly_chart(
        charts.norm_distribution(found.y, found.l2_norm, found.misclassified & within, bound=bound),
        config=downloads.chart("l2-norms"),
        key="norms",
    )
    if question.norm == "linf":
        why = (
            f"ε√784 = {bound:.2f}: each of 784 pixels may move by ε. Clipping to black and white "
            "keeps most images below it."
        )
    elif not isinstance(question.method, MinimalMethod):
        why = f"ε = {bound:g}, the budget itself."
    else:
        why = f"ε = {bound:g}, the budget; above it is what the other images would need."
    st.caption(
        f"L2 norms of the differences, misclassified and not misclassified apart. Bound: {why}"
    )
