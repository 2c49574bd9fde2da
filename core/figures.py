"""Charts of what the rest of core computes, as values that any front end can show."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.classifier import FloatArray
from core.path import Path
from core.robustness import Robustness
from core.training import EpochReport

# Okabe and Ito's colours, told apart also without colour vision; each line has its dash besides.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def probabilities_along(path: Path, *, epsilon: float, axis: str = "ε") -> dict[str, Any]:
    """The probabilities of the digits that matter on a path, over ε.

    Args:
        path: one image under every budget.
        epsilon: where the slider rests.
        axis: what the budgets are called.

    Returns:
        A Plotly figure as a plain dict, which takes half as long to send as a `go.Figure`.
    """
    highest = path.probabilities.max(axis=0)
    matter = [digit for digit in np.argsort(-highest) if highest[digit] > 0.05][: len(COLOURS)]
    lines = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": str(digit),
            "x": path.epsilons.tolist(),
            "y": path.probabilities[:, digit].round(4).tolist(),
            "line": {"color": COLOURS[place], "dash": DASHES[place], "width": 3},
            "hovertemplate": "%{y:.0%}",
        }
        for place, digit in enumerate(matter)
    ]
    # The slider's mark is labelled below and the flip's above, so that they never overprint.
    marks = [(epsilon, axis, "dot", 0.0)]
    if path.flip is not None:
        marks.append((path.flip.epsilon, f"flips to {path.flip.after}", "solid", 1.0))
    return {
        "data": lines,
        "layout": {
            "height": 320,
            "margin": {"l": 50, "r": 10, "t": 30, "b": 45},
            "hovermode": "x unified",
            "legend": {"title": {"text": "digit"}},
            "xaxis": {"title": {"text": axis}, "range": [0, float(path.epsilons[-1])]},
            "yaxis": {"title": {"text": "probability"}, "range": [0, 1.02], "tickformat": ".0%"},
            "shapes": [
                {
                    "type": "line",
                    "x0": at,
                    "x1": at,
                    "yref": "paper",
                    "y0": 0,
                    "y1": 1,
                    "line": {"dash": dash, "width": 1.5, "color": "#888"},
                }
                for at, _, dash, _ in marks
            ],
            "annotations": [
                {
                    "x": at,
                    "yref": "paper",
                    "y": height,
                    "yanchor": "bottom",
                    "xanchor": "center" if height else "left",
                    "text": text,
                    "showarrow": False,
                }
                for at, text, _, height in marks
            ],
        },
    }


def training_curves(reports: Sequence[EpochReport]) -> dict[str, Any]:
    """Loss and accuracy of training and validation over the epochs, side by side.

    Args:
        reports: the epochs so far; those of an ensemble's members follow one another.

    Returns:
        A Plotly figure as a plain dict.
    """
    epochs = list(range(1, len(reports) + 1))
    lines = []
    for place, part in enumerate(("train", "validation")):
        for axis, measure, form in (("", "loss", ".4f"), ("2", "accuracy", ".2%")):
            lines.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": {"train": "training"}.get(part, part),
                    "legendgroup": part,
                    "showlegend": not axis,
                    "x": epochs,
                    "y": [getattr(report, f"{part}_{measure}") for report in reports],
                    "xaxis": f"x{axis}",
                    "yaxis": f"y{axis}",
                    "line": {"color": COLOURS[place], "dash": DASHES[place], "width": 3},
                    "hovertemplate": f"{measure} %{{y:{form}}}",
                }
            )
    epoch_axis = {"title": {"text": "epoch"}, "rangemode": "tozero"}
    return {
        "data": lines,
        "layout": {
            "height": 320,
            "margin": {"l": 55, "r": 10, "t": 55, "b": 45},
            "hovermode": "x unified",
            "legend": {"orientation": "h", "y": 1.1, "yanchor": "bottom"},
            "xaxis": {**epoch_axis, "domain": [0, 0.42]},
            "xaxis2": {**epoch_axis, "domain": [0.58, 1], "anchor": "y2"},
            "yaxis": {"rangemode": "tozero"},
            "yaxis2": {"tickformat": ".1%", "anchor": "x2"},
            # Above the axes: beside them, on a phone, one would lie on the other's lines.
            "annotations": [
                {
                    "text": measure,
                    "x": 0,
                    "xref": f"x{axis} domain",
                    "xanchor": "left",
                    "y": 1,
                    "yref": "paper",
                    "yanchor": "bottom",
                    "showarrow": False,
                }
                for axis, measure in (("", "loss"), ("2", "accuracy"))
            ],
        },
    }


LEGIBLE_LINES = 8


def evasion_over_epsilon(
    networks: Mapping[str, Robustness], *, attack: str, epsilon: float, baseline: str
) -> dict[str, Any]:
    """The evasion rate of several networks under one attack, over ε.

    More than `LEGIBLE_LINES` would hide one another: those that differ most from the baseline's
    are drawn at first, the others once they are chosen in the legend.

    Args:
        networks: by name, at least one, in the order of the legend.
        attack: one that was measured.
        epsilon: where the page's slider rests.
        baseline: the network that the others are to be compared with, drawn in grey; it may be
            missing.

    Returns:
        A Plotly figure as a plain dict.
    """
    rates = {name: np.array(each.evasion_rates[attack]) for name, each in networks.items()}
    reference = rates.get(baseline, 0)
    apart = sorted(rates, key=lambda name: -np.abs(rates[name] - reference).max())
    apart.sort(key=lambda name: name != baseline)
    lines = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": list(each.epsilons),
            "y": rates[name].round(4).tolist(),
            "visible": True if name in apart[:LEGIBLE_LINES] else "legendonly",
            "line": {**_stroke(place), "width": 3},
            "hovertemplate": "%{y:.1%}",
        }
        for place, (name, each) in enumerate(networks.items())
    ]
    largest = max(each.epsilons[-1] for each in networks.values())
    for line in lines:
        if line["name"] == baseline:
            line["line"] = {"color": "#888", "dash": "solid", "width": 6}
    return {
        "data": lines,
        "layout": {
            "height": 520,
            "margin": {"l": 55, "r": 10, "t": 30, "b": 45},
            "hovermode": "x unified",
            "legend": {"orientation": "h", "y": -0.18, "yanchor": "top", "maxheight": 1},
            "xaxis": {"title": {"text": "ε", "standoff": 0}, "range": [0, largest]},
            "yaxis": {"title": {"text": "evasion rate"}, "range": [0, 1.02], "tickformat": ".0%"},
            "shapes": [
                {
                    "type": "line",
                    "x0": epsilon,
                    "x1": epsilon,
                    "yref": "paper",
                    "y0": 0,
                    "y1": 1,
                    "line": {"dash": "dot", "width": 1.5, "color": "#888"},
                }
            ],
            "annotations": [
                {
                    "x": epsilon,
                    "yref": "paper",
                    "y": 1,
                    "yanchor": "bottom",
                    "text": f"ε = {epsilon:g}",
                    "showarrow": False,
                }
            ],
        },
    }


def accuracy_of_each_digit(series: Mapping[str, FloatArray]) -> dict[str, Any]:
    """Bars for each digit, side by side.

    Args:
        series: by what they are of, `(10,)` shares in [0, 1] of each digit's images.

    Returns:
        A Plotly figure as a plain dict.
    """
    bars = [
        {
            "type": "bar",
            "name": name,
            "x": list(range(len(shares))),
            "y": shares.round(4).tolist(),
            "marker": {"color": COLOURS[place], "pattern": {"shape": ("", "/", ".")[place % 3]}},
            "hovertemplate": "%{y:.1%}",
        }
        for place, (name, shares) in enumerate(series.items())
    ]
    return {
        "data": bars,
        "layout": {
            "height": 320,
            "margin": {"l": 55, "r": 10, "t": 30, "b": 45},
            "hovermode": "x unified",
            "legend": {"orientation": "h", "y": 1.15},
            "xaxis": {"title": {"text": "digit"}, "dtick": 1},
            "yaxis": {"title": {"text": "read right"}, "range": [0, 1.02], "tickformat": ".0%"},
        },
    }


def _stroke(place: int) -> dict[str, str]:
    """The place-th of 36 pairs of a colour and a dash."""
    turn, colour = divmod(place, len(COLOURS))
    return {"color": COLOURS[colour], "dash": DASHES[(colour + turn) % len(DASHES)]}
