"""Charts of results, as values that any front end can show."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.attacks import METHODS
from core.classifier import FloatArray, IntArray
from core.presentation.figure import (
    COLOURS,
    GREY,
    MARK_LINE,
    TEXT,
    Figure,
    bars,
    between,
    figure,
    frame,
    legend,
    line,
    mark,
    over_budgets,
    points_over,
    shares,
    stroke,
    text,
    titled,
)

if TYPE_CHECKING:  # importing these would slow down pages that draw none of them
    from core.evaluation.confusion import Mistakes
    from core.evaluation.path import AttackPath
    from core.networks import LoggedEpoch

_MOST_EPOCHS = 500  # on a chart of a training
_FEW_EPOCHS = 6  # that each have a mark on its axis
LIMIT, BAND = "proof: no attack fools more", "neither fooled nor proved"


# Lines over a budget or over the epochs


def probabilities_along(path: "AttackPath", *, epsilon: float, axis: str = "ε") -> Figure:
    """Draw the probabilities of the likeliest digits over the budgets of a path.

    `epsilon` is the slider's position, and `axis` the name of the budgets.
    """
    highest = path.probabilities.max(axis=0)
    matter = [digit for digit in np.argsort(-highest) if highest[digit] > 0.05][: len(COLOURS)]
    lines = [
        line(
            str(digit),
            path.scale.budgets,
            path.probabilities[:, digit],
            hover="%{y:.0%}",
            **stroke(place),
        )
        for place, digit in enumerate(matter)
    ]
    # The slider's label is below and the flip's is above, so they never overlap.
    marks = [mark(epsilon, axis, y=0.0, xanchor="left")]
    if path.flip is not None:
        flip = path.flip
        marks.append(mark(flip.epsilon, f"flips to {flip.after}", dash="solid", xanchor="center"))
    return figure(
        lines,
        titled(axis, range=[0, float(path.scale.budgets[-1])]),
        shares("probability"),
        marks=marks,
        height=320,
        left=50,
        legend={"title": {"text": "digit", "font": TEXT}, "font": TEXT},
    )


def training_curves(log: Sequence["LoggedEpoch"]) -> Figure:
    """Draw loss and accuracy over the epochs, side by side, in training and validation.

    The epochs of an ensemble's members follow one another. Of very many epochs, some are drawn.
    """
    drawn = sorted({*range(0, len(log), -(-len(log) // _MOST_EPOCHS)), len(log) - 1})
    sides = (("", "loss", ".4f"), ("2", "accuracy", ".2%"))
    parts = (("train", "training, during the epoch"), ("validation", "validation, after it"))
    epochs: dict[str, Any] = {"rangemode": "tozero"}
    if len(log) < _FEW_EPOCHS:
        epochs["dtick"] = 1  # else Plotly marks half an epoch
    lines = [
        line(
            name,
            [epoch + 1 for epoch in drawn],
            [getattr(log[epoch], f"{part}_{measure}") for epoch in drawn],
            hover=f"{measure} %{{y:{form}}}",
            mode="lines+markers",
            **stroke(place),
            legendgroup=part,
            showlegend=not side,
            xaxis=f"x{side}",
            yaxis=f"y{side}",
        )
        for place, (part, name) in enumerate(parts)
        for side, measure, form in sides
    ]
    # The axes' titles are above them, because beside them they would cover the curves on a phone.
    titles = [
        text(measure, x=0, xref=f"x{side} domain", xanchor="left", y=1, yref="paper")
        for side, measure, _ in sides
    ]
    return figure(
        lines,
        titled("epoch", domain=[0, 0.42], **epochs),
        titled("", rangemode="tozero"),
        height=340,
        top=75,
        legend=legend(1.1, "bottom"),
        xaxis2=titled("epoch", domain=[0.58, 1], anchor="y2", **epochs),
        yaxis2=titled("", tickformat=".1~%", anchor="x2"),
        annotations=titles,
    )


def evasion_curves(
    curves: Mapping[str, tuple[FloatArray, FloatArray]],
    *,
    epsilon: float,
    x_title: str = "ε",
    limit: tuple[FloatArray, FloatArray] | None = None,
    band: str | None = None,
) -> Figure:
    """Draw the evasion rates of several attacks over the budget, random noise in grey.

    Args:
        curves: by the attack's title, `(E,)` budgets and `(E,)` rates in [0, 1]. A title in
            `METHODS` always has the same colour and dash.
        epsilon: the slider's position.
        x_title: the name of the budget.
        limit: budgets and rates that no attack can exceed, if they are known.
        band: the attack between whose curve and the limit the chart is shaded; both must have the
            same budgets. None for no band.
    """
    strokes = {method.title: stroke(place) for place, method in enumerate(METHODS.values())}
    strokes[METHODS["noise"].title] = {"color": GREY, "width": 4}
    strokes[METHODS["strongest"].title] = {"color": COLOURS[1], "width": 4}
    lines = [
        line(title, epsilons, rates, **strokes.setdefault(title, stroke(len(strokes))))
        for title, (epsilons, rates) in curves.items()
    ]
    if limit is not None:
        budgets, most = limit
        lines.append(line(LIMIT, budgets, most, color=COLOURS[2], width=4))
        if band is not None:
            lines.insert(0, between(BAND, budgets, curves[band][1], most))
    return over_budgets(
        lines, x_title, epsilon, top=55, right=25, showlegend=True, legend=legend(-0.2, "top")
    )


# One bar, cell or box a digit


def accuracy_of_each_digit(series: Mapping[str, FloatArray]) -> Figure:
    """Draw bars for each digit, side by side: `(10,)` shares in [0, 1] of its images, by name."""
    traces = [
        bars(name, range(len(shares)), shares, COLOURS[place], ("", "/", ".")[place % 3])
        for place, (name, shares) in enumerate(series.items())
    ]
    return figure(
        traces,
        titled("digit", dtick=1),
        shares("classified correctly"),
        height=320,
        legend=legend(1.02, "bottom"),
    )


def mistakes_bars(mistakes: Sequence["Mistakes"]) -> Figure:
    """Draw each digit's shares taken for its most frequent wrong label, for others, and right.

    If several labels are equally frequent, the first share is that of all of them. For `mistakes`
    see `core.evaluation.confusion.most_mistaken`.
    """
    first = [each.count * len(each.labels) for each in mistakes]
    wrong = [each.misclassified for each in mistakes]
    parts = (
        ("taken for the most frequent label", first, COLOURS[1], ""),
        ("for another", list(np.subtract(wrong, first)), COLOURS[4], "/"),
        (
            "right",
            [each.images - each.misclassified for each in mistakes],
            "rgba(136,136,136,0.35)",
            "",
        ),
    )
    digits = [each.digit for each in mistakes]
    images = [each.images for each in mistakes]
    traces = [
        bars(name, digits, np.array(counts) / np.maximum(images, 1), colour, pattern)
        | {
            "customdata": [
                [f"{count:,} of {of:,}"] for count, of in zip(counts, images, strict=True)
            ],
            "hovertemplate": "%{y:.1%} (%{customdata[0]})",
        }
        for name, counts, colour, pattern in parts
    ]
    traces[0]["text"] = [", ".join(map(str, each.labels)) for each in mistakes]
    traces[0] |= {"textposition": "inside", "insidetextanchor": "middle", "textangle": 0}
    traces[0]["insidetextfont"] = TEXT
    return figure(
        traces,
        titled("digit", standoff=8, dtick=1),
        shares("share of the digit's images"),
        barmode="stack",
        legend=legend(-0.24, "top", traceorder="normal"),
    )


def confusion_matrix(
    matrix: IntArray, *, chosen: tuple[int | None, int | None] = (None, None)
) -> Figure:
    """Draw a confusion matrix with cells that can be selected.

    An invisible point lies over each cell: its `x` is the label, its `y` is the digit.

    Args:
        matrix: `(10, 10)` counts, a row for each digit.
        chosen: the digit and the label of the cell that gets a frame; none if one is missing.
    """
    digits = list(range(len(matrix)))
    right = np.eye(len(matrix), dtype=bool)
    images = matrix.sum(axis=1)
    cells = [(digit, taken_for) for digit in digits for taken_for in digits]
    most = max(int(matrix[~right].max()), 1)
    wrong_cells = _cells(matrix, ~right, zmax=most, colorscale=[[0, "#edf2f7"], [1, COLOURS[0]]])
    right_cells = _cells(matrix, right, zmax=1, colorscale=[[0, "#dcdcdc"], [1, "#dcdcdc"]])
    told = [[f"{matrix[cell]:,} of {images[cell[0]]:,}"] for cell in cells]
    points = points_over(cells, told, "%{y} taken for %{x}: %{customdata[0]}")
    bare = {"dtick": 1, "fixedrange": True, "showgrid": False, "zeroline": False}
    return figure(
        [wrong_cells, right_cells | {"textfont": {**TEXT, "color": "#555"}}, points],
        titled("taken for", side="top", range=[-0.5, 9.5], **bare),
        titled("digit", range=[9.5, -0.5], **bare),
        height=440,
        left=45,
        top=50,
        bottom=10,
        showlegend=False,
        dragmode=False,
        hovermode="closest",
        shapes=frame(*chosen, COLOURS[1]),
    )


def norm_distribution(
    y: IntArray, l2_norm: FloatArray, flipped: NDArray[np.bool_], *, bound: float
) -> Figure:
    """Draw the L2 norms of the perturbations by digit, and by whether they succeed.

    A box reaches from the lower to the upper quartile, with the median inside. Its whiskers reach
    from the smallest to the largest norm.

    Args:
        y: `(N,)` true labels.
        l2_norm: `(N,)` L2 norms of the perturbations, in pixel units.
        flipped: `(N,)`, whether the adversarial image is misclassified.
        bound: the largest L2 norm that the attack allows: ε√784 if ε bounds each pixel.
    """
    traces = []
    for name, chosen, colour, fill in (
        ("misclassified", flipped, COLOURS[1], "rgba(213,94,0,0.35)"),
        ("not misclassified", ~flipped, COLOURS[0], "rgba(0,114,178,0.15)"),
    ):
        digits = np.unique(y[chosen])
        quartiles = [
            np.quantile(l2_norm[chosen & (y == digit)], [0, 0.25, 0.5, 0.75, 1]).round(4).tolist()
            for digit in digits
        ]
        keys = ("lowerfence", "q1", "median", "q3", "upperfence")
        traces.append(
            {
                "type": "box",
                "name": name,
                "x": digits.tolist(),
                **{key: [each[at] for each in quartiles] for at, key in enumerate(keys)},
                "offsetgroup": name,
                "line": {"color": colour, "width": 1.5},
                "fillcolor": fill,
            }
        )
    limit = line(f"bound {bound:.2f}", [-0.5, 9.5], [bound, bound])
    del limit["hovertemplate"]
    traces.append(limit | {"line": MARK_LINE, "hoverinfo": "skip"})
    smallest, largest = float(l2_norm.min(initial=bound)), float(l2_norm.max(initial=bound))
    return figure(
        traces,
        titled("digit", standoff=8, dtick=1, range=[-0.5, 9.5]),
        titled("L2 norm", range=[0.9 * smallest, 1.05 * largest or 1]),
        height=340,
        boxmode="group",
        hovermode="closest",
        showlegend=True,
        legend=legend(-0.26, "top"),
    )


def _cells(matrix: IntArray, where: NDArray[np.bool_], **look: Any) -> dict[str, Any]:
    """Return some cells of a matrix of counts as a heatmap, each with its count."""
    counts = matrix.astype(object)
    counts[~where] = None
    shown = counts.tolist()
    digits = list(range(len(matrix)))
    return {
        "type": "heatmap",
        "x": digits,
        "y": digits,
        "z": shown,
        "text": [[str(count) if count else "" for count in row] for row in shown],
        "texttemplate": "%{text}",
        "textfont": TEXT,
        "xgap": 2,
        "ygap": 2,
        "zmin": 0,
        "showscale": False,
        "hoverinfo": "skip",
        **look,
    }
