"""The chart of several networks' evasion rates over ε, and of what is proved of each."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from core.classifier import FloatArray
from core.presentation.figure import GREY, Figure, between, legend, line, over_budgets, stroke

if TYPE_CHECKING:  # importing it would slow down pages that draw none
    from core.evaluation.robustness import Robustness

LEGIBLE_LINES = 8
LEGIBLE_BANDS = 3


def evasion_over_epsilon(
    networks: Mapping[str, "Robustness"],
    *,
    attack: str,
    epsilon: float,
    baseline: str,
    bands: bool = False,
) -> Figure:
    """Draw the evasion rates of several networks under one attack, over ε.

    More than `LEGIBLE_LINES` lines would hide one another, so at first only those that differ most
    from the baseline's are visible. A click in the legend shows the others.

    Args:
        networks: by name, at least one, in the order of the legend.
        attack: the attack's name; it must have been measured.
        epsilon: the slider's position.
        baseline: the network to compare with, drawn in grey; it may be missing.
        bands: whether to shade for each network, up to `LEGIBLE_BANDS` of them, what lies between
            its rate and the proof that no attack has a higher one.
    """
    rates = {name: np.array(each.evasion_rates[attack]) for name, each in networks.items()}
    reference = rates.get(baseline, 0)
    apart = sorted(rates, key=lambda name: -np.abs(rates[name] - reference).max())
    apart.sort(key=lambda name: name != baseline)
    lines = [
        line(
            name,
            each.epsilons,
            rates[name],
            **({"color": GREY, "width": 6} if name == baseline else stroke(place)),
            visible=True if name in apart[:LEGIBLE_LINES] else "legendonly",
            legendgroup=name,
        )
        for place, (name, each) in enumerate(networks.items())
    ]
    if bands and len(networks) <= LEGIBLE_BANDS:
        # A band comes first, so that it is below all lines.
        lines[:0] = [
            part
            for (name, each), own in zip(networks.items(), tuple(lines), strict=True)
            if each.certified is not None
            for part in _up_to_the_proof(own, rates[name], 1 - np.array(each.certified))
        ]
    return over_budgets(lines, "ε", epsilon, height=620, legend=legend(-0.22, "top", maxheight=1))


def _up_to_the_proof(
    own: dict[str, Any], rates: FloatArray, most: FloatArray
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the area between a network's line and the proof's, and that line, in its colour."""
    name, budgets, colour = own["name"], np.array(own["x"]), own["line"]["color"]
    hidden = {"legendgroup": name, "showlegend": False}
    band = between(f"{name}: unknown", budgets, rates, most, color=colour)
    proof = line(f"{name}: at most", budgets, most, color=colour, width=1.5)
    return band | hidden, proof | hidden
