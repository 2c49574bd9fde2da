"""Charts of what the rest of core computes, as values that any front end can show."""

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.attacks import METHODS
from core.classifier import FloatArray, IntArray

if TYPE_CHECKING:  # what is only named here would keep a page waiting that draws none of it
    from core.evaluation.confusion import Mistakes
    from core.evaluation.path import AttackPath
    from core.evaluation.robustness import Robustness
    from core.networks import LoggedEpoch

# Okabe and Ito's colours, told apart also without colour vision; each line has its dash besides.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def probabilities_along(path: "AttackPath", *, epsilon: float, axis: str = "ε") -> dict[str, Any]:
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
            "x": path.scale.budgets.tolist(),
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
            "xaxis": {"title": {"text": axis}, "range": [0, float(path.scale.budgets[-1])]},
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


def training_curves(log: Sequence["LoggedEpoch"]) -> dict[str, Any]:
    """Loss and accuracy of training and validation over the epochs, side by side.

    Args:
        log: the epochs so far; those of an ensemble's members follow one another.

    Returns:
        A Plotly figure as a plain dict.
    """
    epochs = list(range(1, len(log) + 1))
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
                    "y": [getattr(logged, f"{part}_{measure}") for logged in log],
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
    networks: Mapping[str, "Robustness"], *, attack: str, epsilon: float, baseline: str
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
            **_rates_and_mark(epsilon),
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


def evasion_curves(
    curves: Mapping[str, tuple[FloatArray, FloatArray]], *, epsilon: float, x_title: str = "ε"
) -> dict[str, Any]:
    """The evasion rates of several attacks over the budget, random noise in grey.

    Args:
        curves: by the attack's title, `(E,)` budgets and `(E,)` rates in [0, 1]. A title in
            `METHODS` has its colour and dash whatever other curves there are.
        epsilon: where the page's slider rests.
        x_title: what the budget is.

    Returns:
        A Plotly figure as a plain dict.
    """
    control = METHODS["noise"].title
    places = {method.title: place for place, method in enumerate(METHODS.values())}
    lines = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": title,
            "x": np.asarray(epsilons).tolist(),
            "y": np.asarray(rates).round(4).tolist(),
            "line": {"color": "#888", "dash": "solid", "width": 4}
            if title == control
            else {**_stroke(places.setdefault(title, len(places))), "width": 3},
            "hovertemplate": "%{y:.1%}",
        }
        for title, (epsilons, rates) in curves.items()
    ]
    largest = max([epsilon, *(line["x"][-1] for line in lines)])
    return {
        "data": lines,
        "layout": {
            "height": 380,
            "margin": {"l": 55, "r": 25, "t": 55, "b": 45},
            "hovermode": "x unified",
            "showlegend": True,
            "legend": {"orientation": "h", "y": -0.2, "yanchor": "top"},
            "xaxis": {"title": {"text": x_title, "standoff": 0}, "range": [0, largest]},
            **_rates_and_mark(epsilon),
        },
    }


def mistakes_bars(mistakes: Sequence["Mistakes"]) -> dict[str, Any]:
    """For each digit the shares that are taken for its most frequent label, for others, and right.

    Where several labels are equally frequent, the first share is that of all of them.

    Args:
        mistakes: see `core.evaluation.confusion.most_mistaken`.

    Returns:
        A Plotly figure as a plain dict.
    """
    first = [each.count * len(each.labels) for each in mistakes]
    parts = {
        "taken for the most frequent label": first,
        "for another": [
            each.misclassified - count for each, count in zip(mistakes, first, strict=True)
        ],
        "right": [each.images - each.misclassified for each in mistakes],
    }
    looks = ((COLOURS[1], ""), (COLOURS[4], "/"), ("rgba(136,136,136,0.35)", ""))
    bars: list[dict[str, Any]] = []
    for (name, counts), (colour, pattern) in zip(parts.items(), looks, strict=True):
        bars.append(
            {
                "type": "bar",
                "name": name,
                "x": [each.digit for each in mistakes],
                "y": [
                    round(count / max(each.images, 1), 4)
                    for each, count in zip(mistakes, counts, strict=True)
                ],
                "customdata": [
                    [f"{count:,} of {each.images:,}"]
                    for each, count in zip(mistakes, counts, strict=True)
                ],
                "marker": {"color": colour, "pattern": {"shape": pattern}},
                "hovertemplate": "%{y:.1%} (%{customdata[0]})",
            }
        )
    bars[0]["text"] = [", ".join(map(str, each.labels)) for each in mistakes]
    bars[0] |= {"textposition": "inside", "insidetextanchor": "middle", "textangle": 0}
    return {
        "data": bars,
        "layout": {
            "height": 380,
            "barmode": "stack",
            "margin": {"l": 55, "r": 10, "t": 30, "b": 45},
            "hovermode": "x unified",
            "legend": {"orientation": "h", "y": -0.24, "yanchor": "top", "traceorder": "normal"},
            "xaxis": {"title": {"text": "digit", "standoff": 8}, "dtick": 1},
            "yaxis": {
                "title": {"text": "share of the digit's images"},
                "range": [0, 1.02],
                "tickformat": ".0%",
            },
        },
    }


def confusion_matrix(matrix: IntArray) -> dict[str, Any]:
    """How often each digit is taken for each, as cells that can be selected.

    The colours are heatmaps', which Plotly lets no one select; over them lies an invisible point
    for each cell, whose `x` is the label and whose `y` is the digit.

    Args:
        matrix: `(10, 10)` counts as `core.mistakes.confusion` gives them.

    Returns:
        A Plotly figure as a plain dict.
    """
    digits = list(range(len(matrix)))
    right = np.eye(len(matrix), dtype=bool)
    images = matrix.sum(axis=1)
    cells = [(digit, label) for digit in digits for label in digits]

    def heatmap(where: NDArray[np.bool_], **look: object) -> dict[str, Any]:
        shown = [
            [int(count) if there else None for count, there in zip(*row, strict=True)]
            for row in zip(matrix, where, strict=True)
        ]
        return {
            "type": "heatmap",
            "x": digits,
            "y": digits,
            "z": shown,
            "text": [[str(count) if count else "" for count in row] for row in shown],
            "texttemplate": "%{text}",
            "xgap": 2,
            "ygap": 2,
            "zmin": 0,
            "showscale": False,
            "hoverinfo": "skip",
            **look,
        }

    most = max(int(matrix[~right].max()), 1)
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": [label for _, label in cells],
        "y": [digit for digit, _ in cells],
        "customdata": [[f"{matrix[cell]:,} of {images[cell[0]]:,}"] for cell in cells],
        "marker": {"symbol": "square", "size": 26, "opacity": 0, "color": COLOURS[1]},
        "selected": {"marker": {"opacity": 0.45}},
        "unselected": {"marker": {"opacity": 0}},
        "hovertemplate": "%{y} taken for %{x}: %{customdata[0]}<extra></extra>",
    }
    axis = {"dtick": 1, "fixedrange": True, "showgrid": False, "zeroline": False}
    return {
        "data": [
            heatmap(~right, zmax=most, colorscale=[[0, "#edf2f7"], [1, COLOURS[0]]]),
            heatmap(
                right,
                zmax=1,
                colorscale=[[0, "#dcdcdc"], [1, "#dcdcdc"]],
                textfont={"color": "#555"},
            ),
            points,
        ],
        "layout": {
            "height": 440,
            "margin": {"l": 45, "r": 10, "t": 50, "b": 10},
            "showlegend": False,
            "dragmode": False,
            "hovermode": "closest",
            "xaxis": {
                **axis,
                "title": {"text": "taken for"},
                "side": "top",
                "range": [-0.5, 9.5],
            },
            "yaxis": {**axis, "title": {"text": "digit"}, "range": [9.5, -0.5]},
        },
    }


def norm_distribution(
    y: IntArray, l2_norm: FloatArray, flipped: NDArray[np.bool_], *, bound: float
) -> dict[str, Any]:
    """How large the perturbations of each digit are, those that flip it and those that don't.

    A box is from the lower to the upper quartile, with the median inside; its whiskers reach from
    the smallest to the largest norm.

    Args:
        y: `(N,)` true labels.
        l2_norm: `(N,)` L2 norms of the perturbations, in pixel units.
        flipped: `(N,)`, where the adversarial image is misclassified.
        bound: the largest L2 norm that the attack may reach: ε√784 where ε bounds each pixel.

    Returns:
        A Plotly figure as a plain dict.
    """
    boxes: list[dict[str, Any]] = []
    for place, (name, chosen) in enumerate(
        (("misclassified", flipped), ("not misclassified", ~flipped))
    ):
        digits = np.unique(y[chosen])
        parts = [
            np.quantile(l2_norm[chosen & (y == digit)], [0, 0.25, 0.5, 0.75, 1]).round(4).tolist()
            for digit in digits
        ]
        keys = ("lowerfence", "q1", "median", "q3", "upperfence")
        boxes.append(
            {
                "type": "box",
                "name": name,
                "x": digits.tolist(),
                **{key: [part[at] for part in parts] for at, key in enumerate(keys)},
                "offsetgroup": name,
                "line": {"color": COLOURS[1 - place], "width": 1.5},
                "fillcolor": ("rgba(213,94,0,0.35)", "rgba(0,114,178,0.15)")[place],
            }
        )
    boxes.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": f"bound {bound:.2f}",
            "x": [-0.5, 9.5],
            "y": [bound, bound],
            "line": {"dash": "dot", "width": 1.5, "color": "#888"},
            "hoverinfo": "skip",
        }
    )
    smallest, largest = float(l2_norm.min(initial=bound)), float(l2_norm.max(initial=bound))
    return {
        "data": boxes,
        "layout": {
            "height": 340,
            "boxmode": "group",
            "margin": {"l": 55, "r": 10, "t": 30, "b": 45},
            "showlegend": True,
            "legend": {"orientation": "h", "y": -0.26, "yanchor": "top"},
            "xaxis": {
                "title": {"text": "digit", "standoff": 8},
                "dtick": 1,
                "range": [-0.5, 9.5],
            },
            "yaxis": {"title": {"text": "L2 norm"}, "range": [0.9 * smallest, 1.05 * largest or 1]},
        },
    }


# Figures outside of the app


def to_html(figure: Mapping[str, Any], *, title: str) -> str:
    """A figure as a web page of its own, which needs no network.

    Args:
        figure: a Plotly figure as a plain dict.
        title: the page's.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<script>{plotly_script()}</script>\n"
        '</head>\n<body style="font-family: sans-serif">\n'
        f"<h1>{html.escape(title)}</h1>\n{to_div(figure)}\n</body>\n</html>\n"
    )


def plotly_script() -> str:
    """Plotly's own JavaScript, for a page that holds figures as `to_div` gives them."""
    from plotly.offline import get_plotlyjs

    script: str = get_plotlyjs()
    return script


def to_div(figure: Mapping[str, Any]) -> str:
    """A figure as a part of a web page that has run `plotly_script` before.

    Args:
        figure: a Plotly figure as a plain dict.

    Raises:
        ValueError: it is not what Plotly knows.
    """
    from plotly.io import to_html as plotly_to_html

    layout = {"template": "plotly_white", **figure["layout"]}
    div: str = plotly_to_html(
        {"data": figure["data"], "layout": layout},
        config={"responsive": True, "displayModeBar": False},
        include_plotlyjs=False,
        full_html=False,
    )
    return div


def _stroke(place: int) -> dict[str, str]:
    """The place-th of 36 pairs of a colour and a dash."""
    turn, colour = divmod(place, len(COLOURS))
    return {"color": COLOURS[colour], "dash": DASHES[(colour + turn) % len(DASHES)]}


def _rates_and_mark(epsilon: float) -> dict[str, Any]:
    """What charts of evasion rates over ε share: the axis of the rates, and the slider's mark."""
    return {
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
    }
