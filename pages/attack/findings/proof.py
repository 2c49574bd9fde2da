"""What no attack can do: the proof beside the evasion curves, and what lies between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from core.attacks import BY_TITLE, METHODS
from core.classifier import FloatArray
from core.evaluation.certainty import Certainty
from core.presentation import words
from core.serving.evaluations import indices
from core.serving.jobs import FAILED, Computation
from core.serving.questions import ALL, BUDGETS, Curve, Question, provable, slack
from pages.parts.escaped import escaped
from pages.parts.server import server

STRONGEST = METHODS["strongest"].title


@dataclass(frozen=True, eq=False)
class Proof:
    """What is proved, beside the attack that finds the most.

    Attributes:
        certainty: of as many images as were attacked, if there are so many proofs; else of all that
            have one.
        limit: `(E,)`, the shares of them that are not proved at each of `BUDGETS`: no attack can
            have a larger evasion rate.
        attack: the title of that attack, if it attacked the same images; None otherwise.
    """

    certainty: Certainty
    limit: FloatArray
    attack: str | None


def proof_now(
    question: Question,
    titles: Sequence[str],
    lines: Mapping[str, Curve],
    budget: float,
    *,
    stopped: bool,
) -> tuple[Proof | None, dict[str, Computation]]:
    """Return what is proved so far, and what is still being computed.

    Args:
        question: what the page is about.
        titles: the attacks on the chart.
        lines: their curves, as far as they are there.
        budget: the slider's position.
        stopped: whether only what takes a moment is computed.
    """
    attack = STRONGEST if STRONGEST in titles else most_fooled(lines, budget)
    curve, images = None, question.images
    if attack is not None:  # a slow attack's curve may be of a sample; the proof is of the same
        curve = lines.get(attack)
        images = replace(question, method=BY_TITLE[attack]).beside.images
        images = max(images, curve.images if curve else 0)
    found, better = server().evaluations.proofs_to_show(question, images, stopped=stopped)
    waited_for = {}
    if better is not None and (progress := better.look()).state == FAILED:
        st.error(escaped(progress.error))
    elif better is not None:
        waited_for["the proofs"] = better
    if found is None:
        return None, waited_for
    if curve and curve.images <= found.images and has_grid(curve, question):
        found = found.only(np.isin(indices(found.images), indices(curve.images)))
    else:
        attack = None
    reach = BUDGETS[question.norm] + slack(question.norm, question.levels)
    return Proof(found, 1 - found.proved_share(reach), attack), waited_for


def most_fooled(lines: Mapping[str, Curve], budget: float) -> str | None:
    """Return the attack that fools the most images at the budget; None if there is none."""
    attacks = {title: each for title, each in lines.items() if title != METHODS["noise"].title}
    return max(attacks, key=lambda title: rate_at(attacks[title], budget), default=None)


def has_grid(curve: Curve, question: Question) -> bool:
    """Return whether a curve has a point at each of the page's budgets."""
    return np.array_equal(curve.budgets, BUDGETS[question.norm])


def rate_at(curve: Curve, budget: float) -> float:
    """Return an attack's rate at a budget, or at the nearest one that was measured."""
    return float(curve.best[np.abs(curve.budgets - budget).argmin()])


def show_proof(
    proof: Proof | None, lines: Mapping[str, Curve], question: Question, budget: float
) -> None:
    """Show how many images are fooled, proved and neither, and the most certain digits."""
    if not provable(question.chosen):
        st.write("This network is too large to be proved here, so only attacks are shown.")
    if proof is None:
        return
    images = proof.certainty.images
    of = "all images" if images == ALL else f"{images:,} random test images"
    open_ = float(proof.limit[np.abs(BUDGETS[question.norm] - budget).argmin()])
    shares = {"Proved: no attack fools them": 1 - open_}
    if proof.attack is not None:
        fooled = rate_at(lines[proof.attack], budget)
        shares = {
            f"Fooled by {proof.attack}, at least": fooled,
            "Neither fooled nor proved": open_ - fooled,
        } | shares
    with st.container(horizontal=True, key="proof"):
        for title, share in shares.items():
            count = f"{round(share * images):,} of {images:,}"
            st.metric(title, f"{share:.2%}", count, delta_color="off", delta_arrow="off")
    rounding = ""
    if question.levels is not None:
        rounding = " Rounding may add half a grey level to a change; the proof includes it."
    st.caption(
        f"Of {of}, at ε = {budget:g}. Proved: the network reads the image right, and bounds of its "
        "logits (CROWN, Zhang and others, 2018) show that no change within ε makes it wrong, "
        f"whatever the attack.{rounding}"
    )
    st.markdown(
        words.on_certainty(proof.certainty.median_by_digit(), norm=question.norm, images=images)
    )
