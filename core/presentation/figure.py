"""The parts of charts, as plain dicts that Plotly accepts."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from core.classifier import FloatArray

# A Plotly figure as a plain dict, which takes a server less work to send than a `go.Figure`.
Figure: TypeAlias = dict[str, Any]

# Okabe and Ito's colours, which colour-blind people can tell apart. Dashes differ as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
GREY = "#888"
# In pixels. A front end's theme sets the sizes of its own, so every text names this one.
TEXT = {"size": 15}
MARK_LINE = {"dash": "dot", "width": 1.5, "color": GREY}


def figure(
    data: list[dict[str, Any]],
    x: dict[str, Any],
    y: dict[str, Any],
    *,
    marks: Sequence[tuple[dict[str, Any], dict[str, Any]]] = (),
    height: int = 380,
    left: int = 65,
    right: int = 10,
    top: int = 35,
    bottom: int = 55,
    **layout: Any,
) -> Figure:
    """Return a figure of traces over two axes, with marks and more settings of the layout.

    Axes are made by `titled`, or are dicts with its font.
    """
    if marks:
        shapes, labels = zip(*marks, strict=True)
        layout |= {"shapes": list(shapes), "annotations": list(labels)}
    return {
        "data": data,
        "layout": {
            "height": height,
            "margin": {"l": left, "r": right, "t": top, "b": bottom},
            "font": TEXT,
            "hoverlabel": {"font": TEXT},
            "hovermode": "x unified",
            "xaxis": x,
            "yaxis": y,
            **layout,
        },
    }


def line(
    name: str,
    x: ArrayLike,
    y: ArrayLike,
    *,
    hover: str = "%{y:.1%}",
    color: str = GREY,
    dash: str = "solid",
    width: float = 3,
    **more: Any,
) -> dict[str, Any]:
    """Return a line through points; four decimals of `y` are sent."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": np.asarray(x).tolist(),
        "y": np.asarray(y, np.float64).round(4).tolist(),
        "line": {"color": color, "dash": dash, "width": width},
        "hovertemplate": hover,
        **more,
    }


def bars(
    name: str, x: Iterable[int], shares: FloatArray, color: str, pattern: str
) -> dict[str, Any]:
    """Return a bar for each `x`, of shares in [0, 1]."""
    return {
        "type": "bar",
        "name": name,
        "x": list(x),
        "y": shares.round(4).tolist(),
        "marker": {"color": color, "pattern": {"shape": pattern}},
        "hovertemplate": "%{y:.1%}",
    }


def between(
    name: str, x: FloatArray, low: FloatArray, high: FloatArray, *, color: str = GREY
) -> dict[str, Any]:
    """Return the area between two lines over `x`, shaded in a colour of six hex digits or three."""
    around = line(name, np.append(x, x[::-1]), np.append(high, low[::-1]), width=0)
    del around["hovertemplate"]
    return around | {"fill": "toself", "fillcolor": _faint(color), "hoverinfo": "skip"}


def over_budgets(
    lines: list[dict[str, Any]], x_title: str, epsilon: float, **layout: Any
) -> Figure:
    """Return a figure of evasion rates over budgets, with a mark at the slider's position."""
    largest = max([epsilon, *(max(line["x"]) for line in lines)])
    return figure(
        lines,
        titled(x_title, standoff=0, range=[0, largest]),
        shares("evasion rate"),
        marks=[mark(epsilon, f"ε = {epsilon:g}")],
        **layout,
    )


def _faint(color: str) -> str:
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    return f"rgba({','.join(map(str, bytes.fromhex(digits)))},0.3)"


def titled(title: str, *, standoff: int | None = None, **settings: Any) -> dict[str, Any]:
    """Return an axis with a title; `standoff` is its distance from the tick labels, in pixels."""
    distance = {} if standoff is None else {"standoff": standoff}
    return {"title": {"text": title, "font": TEXT, **distance}, "tickfont": TEXT, **settings}


def shares(title: str) -> dict[str, Any]:
    """Return an axis of shares in [0, 1], in per cent."""
    return titled(title, range=[0, 1.02], tickformat=".0%")


def legend(y: float, anchor: str, **settings: Any) -> dict[str, Any]:
    """Return a horizontal legend above or below the axes."""
    return {"orientation": "h", "y": y, "yanchor": anchor, "font": TEXT, **settings}


def mark(
    x: float, name: str, *, dash: str = "dot", y: float = 1.0, **place: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a vertical line at `x` and its label."""
    upright = {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1}
    return (
        upright | {"line": {**MARK_LINE, "dash": dash}},
        text(name, x=x, y=y, yref="paper", **place),
    )


def level(y: float, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a horizontal line at `y` and its label."""
    flat = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y}
    return (
        flat | {"line": MARK_LINE},
        text(name, x=1, xref="paper", xanchor="right", y=y, yanchor="top"),
    )


def text(words: str, *, yanchor: str = "bottom", **place: Any) -> dict[str, Any]:
    """Return a text on the chart."""
    return {"text": words, "yanchor": yanchor, "showarrow": False, "font": TEXT, **place}


def stroke(place: int) -> dict[str, Any]:
    """Return a colour and a dash; they differ for each place from 0 to 35."""
    turn, colour = divmod(place, len(COLOURS))
    return {"color": COLOURS[colour], "dash": DASHES[(colour + turn) % len(DASHES)]}


def points_over(
    cells: Sequence[tuple[int, int]], told: Sequence[Sequence[str]], hover: str
) -> dict[str, Any]:
    """Return an invisible point over each cell, since Plotly can't select those of a heatmap.

    Args:
        cells: the row, which is a point's `y`, and the column, which is its `x`.
        told: texts for each cell, `customdata` in `hover`.
        hover: a template of Plotly's.
    """
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [column for _, column in cells],
        "y": [row for row, _ in cells],
        "customdata": [list(texts) for texts in told],
        "marker": {"symbol": "square", "size": 26, "opacity": 0},
        "selected": {"marker": {"opacity": 0}},
        "unselected": {"marker": {"opacity": 0}},
        "hovertemplate": f"{hover}<extra></extra>",
    }


def frame(row: int | None, column: int | None, color: str) -> list[dict[str, Any]]:
    """Return a frame around a cell, as the only shape; none if its row or column is missing."""
    if row is None or column is None:
        return []
    across = {"x0": column - 0.5, "x1": column + 0.5}
    down = {"y0": row - 0.5, "y1": row + 0.5}
    return [{"type": "rect", **across, **down, "line": {"color": color, "width": 4}}]
