"""Charts of what the rest of core computes, as values that any front end can show."""

from typing import Any

import numpy as np

from core.path import Path

# Okabe and Ito's colours, told apart also without colour vision; each line has its dash besides.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def probabilities_along(path: Path, *, epsilon: float) -> dict[str, Any]:
    """The probabilities of the digits that matter on a path, over ε.

    Args:
        path: one image under every budget.
        epsilon: where the slider rests.

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
    marks = [(epsilon, "ε", "dot", 0.0)]
    if path.flip is not None:
        marks.append((path.flip.epsilon, f"flips to {path.flip.after}", "solid", 1.0))
    return {
        "data": lines,
        "layout": {
            "height": 320,
            "margin": {"l": 50, "r": 10, "t": 30, "b": 45},
            "hovermode": "x unified",
            "legend": {"title": {"text": "digit"}},
            "xaxis": {"title": {"text": "ε"}, "range": [0, float(path.epsilons[-1])]},
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
