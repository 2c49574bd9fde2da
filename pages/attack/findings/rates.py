"""How many images are misclassified, at one ε and over ε, and how large the perturbations are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from core.attacks import BY_TITLE, METHODS, Method, MinimalMethod
from core.evaluation.rates import Evaluation
from core.presentation import charts
from core.presentation.course_report import facts
from core.serving.jobs import FAILED, Computation
from core.serving.questions import ALL, BUDGETS, Curve, Question, shipped_curve
from pages.attack.findings.proof import Proof, proof_now, show_proof
from pages.parts import downloads
from pages.parts.address import listed, put_in_address, some_of
from pages.parts.escaped import escaped
from pages.parts.server import server
from pages.parts.state import BESIDE, Setting

ALL_RATE, CLEAN = "Fooled, of all images", "Accuracy without an attack"
COMPARED = {"linf": ("fgsm", "pgd", "strongest", "noise"), "l2": ("pgd_l2", "noise")}


def show_rates(evaluation: Evaluation, question: Question, budget: float) -> None:
    """Show the evasion rate, by both denominators, and the clean accuracy."""
    images, right = evaluation.images, int(evaluation.correct_before.sum())
    wrong = int(evaluation.misclassified.sum())
    of_right = int((evaluation.misclassified & evaluation.correct_before).sum())
    rate = evaluation.evasion_rate_of_correct
    show_figures(
        {
            ALL_RATE: (f"{evaluation.evasion_rate:.2%}", f"{wrong:,} of {images:,} misclassified"),
            CLEAN: (f"{right / images:.2%}", f"{right:,} of {images:,} right"),
        }
    )
    show_queries(evaluation)
    if rate is not None:
        st.caption(f"Fooled, of those read right before: {rate:.2%} ({of_right:,} of {right:,}).")
    some = ""
    if images < question.images:
        some = f"**From a sample of {images:,} images so far.** "
    elif images < ALL:
        some = f"From {images:,} random test images, always the same ones. "
    limit = ""
    if isinstance(question.method, MinimalMethod):
        limit = (
            f" An image that needs a perturbation with an L2 norm above ε = {budget:g} counts as "
            "unchanged."
        )
    st.caption(
        f"{some}Fooled, of all images, is the course report's evasion rate: misclassified "
        f"adversarial examples / all examples. The report's own rate is {facts.EVASION_RATE:.2%}, "
        "but it names neither the attack nor ε. Every rate of an attack on this page is a lower "
        "bound: at least so many images can be fooled, and a better attack may fool more. "
        f"**{question.method.title}**: "
        f"{question.method.summary}{limit}"
    )


def show_queries(evaluation: Evaluation) -> None:
    """Show how often the attack asked the network, if it tells."""
    if evaluation.queries is None:
        return
    asked = evaluation.queries[evaluation.correct_before]
    fooled = evaluation.queries[evaluation.correct_before & evaluation.misclassified]
    figures = {
        f"Median queries, {images}": (
            f"{np.median(queries):,.0f}",
            f"mean {queries.mean():,.0f}, {len(queries):,} images",
        )
        for images, queries in {"fooled": fooled, "all": asked}.items()
        if len(queries)
    }
    if figures:
        show_figures(figures)
        st.caption(
            "A query shows the network one changed image and reads its outputs. An image that is "
            "not fooled counts with all that were tried. Images that are misread without an attack "
            "need none and don't count here."
        )


def show_known(question: Question, budget: float) -> None:
    """Show what is known of the network while the first figures are computed."""
    card = question.chosen.card
    figures = {CLEAN: (f"{card.test_accuracy:.2%}", "measured after the training")}
    curves = {
        title: curve
        for title, method in BY_TITLE.items()
        if method.norm == question.norm
        and (curve := shipped_curve(replace(question, method=method, images=ALL))) is not None
    }
    own = curves.get(question.method.title)
    if own is not None and (at := np.flatnonzero(np.isclose(own.budgets, budget))).size:
        rate = float(own.rates[at[0]])
        figures = {
            ALL_RATE: (f"{rate:.2%}", f"measured before, on {own.images:,} images"),
            **figures,
        }
    show_figures(figures)
    st.info("The first figures for your settings are being computed. They appear here.")
    if curves:
        show_chart(curves, question.norm, budget, key="known_curves")


def show_figures(figures: Mapping[str, tuple[str, str]]) -> None:
    """Show figures in a row, each with a remark below."""
    with st.container(horizontal=True):
        for title, (figure, remark) in figures.items():
            st.metric(title, figure, remark, delta_color="off", delta_arrow="off")


def show_chart(
    curves: Mapping[str, Curve],
    norm: str,
    budget: float,
    *,
    key: str,
    proof: Proof | None = None,
) -> None:
    """Show evasion rates over ε, and what is proved."""
    figure = charts.evasion_curves(
        {title: (curve.budgets, curve.best) for title, curve in curves.items()},
        epsilon=budget,
        x_title="ε" if norm == "linf" else "ε, in the L2 norm",
        limit=(BUDGETS[norm], proof.limit) if proof else None,
        band=proof.attack if proof else None,
    )
    st.plotly_chart(figure, config=downloads.chart("evasion-rates"), key=key)


def show_curves(question: Question, budget: float, *, stopped: bool) -> dict[str, Computation]:
    """Show the evasion rates of several attacks over ε; return what is still being computed."""
    st.markdown("## The more an attack may change, the more images it fools")
    norm = question.norm
    setting, others, default = choice_beside(question.method)
    beside = st.multiselect(
        "Attacks on the chart, besides random noise",
        others,
        key=setting.key,
        persist_state="session",
    )
    put_in_address({setting: None if beside == default else listed(beside)})
    titles = [METHODS["noise"].title, *beside]
    lines, waited_for = curves_now(question, titles, stopped=stopped)
    if not lines:
        st.write("Computing the first curves …")
        return waited_for
    proof, proofs = proof_now(question, titles, lines, budget, stopped=stopped)
    show_chart(lines, norm, budget, key="curves", proof=proof)
    show_proof(proof, lines, question, budget)
    sampled = [
        f"{title} of {curve.images:,}"
        for title, curve in lines.items()
        if curve.images < question.images
    ]
    short = [title for title, curve in lines.items() if curve.budgets[-1] < BUDGETS[norm][-1]]
    when = "are not computed while this is stopped" if stopped else "are being computed"
    note = f" From a sample: {', '.join(sampled)} images." if sampled else ""
    rest = f" The rates of {' and '.join(short)} at larger ε {when}." if short else ""
    st.caption(
        f"Evasion rate, the share that is fooled: misclassified / all {question.images:,} images."
        f"{note}{rest} Where an attack fools fewer images at a larger ε, its curve keeps the best "
        "so far: a smaller change is allowed, too. "
        "Random noise is the control: it changes the pixels by as much as an attack, but in a "
        "random direction."
    )
    return waited_for | proofs


def choice_beside(method: Method) -> tuple[Setting[list[str]], list[str], list[str]]:
    """Return the setting of the attacks besides a method, the options' titles, and the default."""
    norm = "linf" if method.norm == "linf" else "l2"
    others = [
        other
        for other in METHODS.values()
        if (other.norm == "linf") == (norm == "linf") and other.name != "noise"
    ]
    default = [each.title for each in others if each.name in (*COMPARED[norm], method.name)]
    return BESIDE.of(f"{norm}_{method.name}"), [each.title for each in others], default


def start_beside(method: Method) -> None:
    """Read from the address which attacks are on the chart besides a method."""
    setting, others, default = choice_beside(method)
    if setting.start(parse=some_of(others), default=default) and setting.get() != default:
        put_in_address({setting: listed(setting.get())})


def curves_now(
    question: Question, titles: Sequence[str], *, stopped: bool
) -> tuple[dict[str, Curve], dict[str, Computation]]:
    """Return the curves of some attacks that are there, and what is still to come, by title."""
    lines: dict[str, Curve] = {}
    waited_for: dict[str, Computation] = {}
    for title in titles:
        method = BY_TITLE[title]
        own = method.name == question.method.name
        asked = replace(question, method=method)
        is_evaluation = isinstance(method, MinimalMethod)  # which has the curve, too
        curve, better = server().evaluations.curve_to_show(
            asked if own and is_evaluation else asked.beside, question.norm, stopped=stopped
        )
        if curve is not None:
            lines[title] = curve
        if better is not None and (progress := better.look()).state == FAILED:
            st.error(escaped(progress.error))
        elif better is not None and not (own and is_evaluation):
            waited_for[f"{title}'s curve"] = better
    return lines, waited_for


def show_norms(evaluation: Evaluation, question: Question, budget: float) -> None:
    """Show how large the perturbations are."""
    st.markdown("## How large the perturbations are")
    found, within = evaluation, np.ones(evaluation.images, np.bool_)
    if isinstance(question.method, MinimalMethod):
        # Without a limit, the norm that an image needs is known even above the budget.
        found = server().evaluations.evaluation(question, np.inf).look().result or evaluation
        within = found.l2_norm <= budget
    bound = budget * np.sqrt(784) if question.norm == "linf" else budget
    st.plotly_chart(
        charts.norm_distribution(found.y, found.l2_norm, found.misclassified & within, bound=bound),
        config=downloads.chart("l2-norms"),
        key="norms",
    )
    if question.norm == "linf":
        why = (
            f"ε√784 = {bound:.2f}, because each of 784 pixels may move by ε. Most images stay "
            "below it, because no pixel can get darker than black or lighter than white."
        )
    elif not isinstance(question.method, MinimalMethod):
        why = f"ε = {bound:g}, the budget itself."
    else:
        why = f"ε = {bound:g}, the budget. The images above it need more."
    st.caption(
        "L2 norms of the perturbations, for misclassified and for correctly classified images. "
        f"Bound: {why}"
    )
