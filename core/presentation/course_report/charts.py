"""The report's charts, with its own lines beside ours, as plain Plotly figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.networks import LoggedEpoch
from core.presentation.charts import COLOURS

HEIGHT = 380
_LEGEND_ABOVE = {"orientation": "h", "y": 1.02, "yanchor": "bottom"}
_MARGIN = {"l": 55, "r": 15, "t": 10, "b": 45}


def loss_over_epochs(logs: Mapping[str, Sequence[LoggedEpoch]]) -> dict[str, Any]:
    """Figure 2: training and validation loss, each log's lowest validation loss marked.

    Args:
        logs: by what they are of, the epochs of one network each, at least one.

    Returns:
        A Plotly figure as a plain dict.
    """
    lines: list[dict[str, Any]] = []
    for colour, (name, log) in zip(COLOURS, logs.items(), strict=False):
        for part, dash in (("training", "dot"), ("validation", "solid")):
            field = {"training": "train_loss"}.get(part, "validation_loss")
            lines.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": f"{part}, {name}",
                    "x": [logged.epoch for logged in log],
                    "y": [round(getattr(logged, field), 4) for logged in log],
                    "line": {"color": colour, "dash": dash, "width": 3},
                    "hovertemplate": "%{y:.4f}",
                }
            )
        lowest = lowest_validation_loss(log)
        lines.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"lowest, {name}",
                "x": [lowest.epoch],
                "y": [round(lowest.validation_loss, 4)],
                "marker": {"color": colour, "size": 13, "symbol": "diamond"},
                "hovertemplate": "%{y:.4f}",
                "showlegend": False,
            }
        )
    return {
        "data": lines,
        "layout": {
            "height": HEIGHT,
            "margin": _MARGIN,
            "hovermode": "x unified",
            "legend": _LEGEND_ABOVE,
            "xaxis": {"title": {"text": "epoch"}, "rangemode": "tozero"},
            "yaxis": {"title": {"text": "loss"}, "rangemode": "tozero"},
        },
    }


def lowest_validation_loss(log: Sequence[LoggedEpoch]) -> LoggedEpoch:
    """The first epoch with the lowest validation loss of a log."""
    return min(log, key=lambda logged: logged.validation_loss)


def evasion_and_the_report_s(
    epsilons: Sequence[float], rates: Mapping[str, Sequence[float]], *, reported: float
) -> dict[str, Any]:
    """Evasion rates over ε, and the report's one as a level line.

    Args:
        epsilons: the E budgets, rising.
        rates: by what they are of, E evasion rates each, in [0, 1].
        reported: the report's.

    Returns:
        A Plotly figure as a plain dict.
    """
    lines = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": list(epsilons),
            "y": [round(rate, 4) for rate in each],
            "line": {"color": colour, "dash": dash, "width": 3},
            "hovertemplate": "%{y:.1%}",
        }
        for colour, dash, (name, each) in zip(
            COLOURS, ("solid", "dash"), rates.items(), strict=False
        )
    ]
    return {
        "data": lines,
        "layout": {
            "height": HEIGHT,
            "margin": _MARGIN,
            "hovermode": "x unified",
            "legend": _LEGEND_ABOVE,
            "xaxis": {"title": {"text": "ε"}, "range": [0, epsilons[-1]]},
            "yaxis": {"title": {"text": "evasion rate"}, "range": [0, 1.02], "tickformat": ".0%"},
            "shapes": [
                {
                    "type": "line",
                    "xref": "paper",
                    "x0": 0,
                    "x1": 1,
                    "y0": reported,
                    "y1": reported,
                    "line": {"dash": "dot", "width": 1.5, "color": "#888"},
                }
            ],
            "annotations": [
                {
                    "xref": "paper",
                    "x": 1,
                    "xanchor": "right",
                    "y": reported,
                    "yanchor": "top",
                    "text": f"the report: {reported:.2%}",
                    "showarrow": False,
                }
            ],
        },
    }
