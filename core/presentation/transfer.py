"""Which attack fools which network: the heat map, and what it says."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.classifier import FloatArray
from core.evaluation.transfer import Transfer
from core.presentation.figure import COLOURS, TEXT, Figure, figure, frame, points_over, titled
from core.presentation.words import percent, with_article

NOISE = "Random noise"
_LONGEST = 16  # characters of a network's name beside the chart
_DARK = "#111"  # can be read on all colours below, in both themes
# From a rate of 0 to the largest: of a stand-in's images, of the network's own, of random noise.
_LEAST_MOST = 0.2  # where no rate is larger, this has the full colour
_STAND_IN, _OWN, _CONTROL = ("#edf2f7", "#5aa9dc"), ("#fdeee3", "#f0924a"), ("#eeeeee", "#aaaaaa")


@dataclass(frozen=True)
class Fooled:
    """What fools one network.

    Attributes:
        own: the evasion rate of images that were made on it; None if it reads none right.
        stand_in: the index of the other network whose images fool it most; None if there is none.
        by_stand_in: the evasion rate of these.
        noise: the evasion rate of random noise; None if it reads no image right.
    """

    own: float | None
    stand_in: int | None
    by_stand_in: float | None
    noise: float | None


def what_fools(found: Transfer) -> tuple[Fooled, ...]:
    """Return for each network what fools it."""
    rates = found.rates
    others = _others(found)
    return tuple(
        Fooled(
            own=_known(rates[column, column]),
            stand_in=int(np.nanargmax(others[:, column])) if _any(others[:, column]) else None,
            by_stand_in=_known(np.nanmax(others[:, column])) if _any(others[:, column]) else None,
            noise=_known(rates[-1, column]),
        )
        for column in range(len(found.right))
    )


def on_strangers(found: Transfer) -> str:
    """Say what an attacker gets who has never seen the weights, in Markdown."""
    each, others = what_fools(found), _others(found)
    best = _mean([one.by_stand_in for one in each])
    if best is None or not _any(others):
        return "No two of these networks read the same image right, so there is nothing to compare."
    own, noise = _mean([one.own for one in each]), _mean([one.noise for one in each])
    some = float(np.nanmean(others))
    what = f"fools **{percent(some)}** of the images"
    if found.target is not None:
        what = f"gets **{percent(some)}** of the images taken for {with_article(found.target)}"
    parts = [f"An attacker who has never seen your weights {what} on average"]
    if len(each) > 2:
        parts.append(f", and **{percent(best)}** with the best stand-in")
    parts.append(f". With the weights it is {percent(own or 0)}, with random noise ")
    parts.append(f"{percent(noise or 0)}.")
    if some >= 2 * (noise or 0) and some > 0.02:
        parts.append(" To keep the weights secret makes attacks harder, and does not prevent them.")
    return "".join(parts)


def on_stand_ins(found: Transfer, names: Sequence[str]) -> str:
    """Say which network is the best stand-in, and which is fooled least, in Markdown.

    Args:
        found: of at least two networks.
        names: of the networks, in Markdown.
    """
    others = _others(found)
    if len(names) < 3 or not _any(others):
        return ""
    makers, tried = _means(others, axis=1), _means(others, axis=0)
    maker, hardest = int(np.nanargmax(makers)), int(np.nanargmin(tried))
    said = (
        f"The best stand-in of all is **{names[maker]}**: its images fool "
        f"{percent(float(makers[maker]))} of what another network reads right, on average. "
        f"The hardest to fool from outside is **{names[hardest]}**: "
        f"{percent(float(tried[hardest]))} on average."
    )
    beaten = [
        name
        for name, each in zip(names, what_fools(found), strict=True)
        if each.own is not None and each.by_stand_in is not None and each.by_stand_in > each.own
    ]
    if beaten:
        whose = ", ".join(beaten)
        said += (
            f" A stand-in's images fool {whose} more than their own do: with the weights, this "
            "attack does not find all that can be found. Try a stronger one."
        )
    return said


def heat_map(
    found: Transfer,
    names: Sequence[str],
    *,
    chosen: tuple[int | None, int | None] = (None, None),
) -> Figure:
    """Draw the evasion rates in per cent, with cells that can be selected.

    An invisible point lies over each cell: its `x` is the column, its `y` is the row.

    Args:
        found: of K networks.
        names: of the networks, K, as plain text.
        chosen: the row and the column of the cell that gets a frame; none if one is missing.
    """
    rows, columns = found.rates.shape
    own = np.eye(rows, columns, dtype=np.bool_)
    control = np.arange(rows)[:, None] == np.full(columns, rows - 1)
    others = ~own & ~control
    cells = [(row, column) for row in range(rows) for column in range(columns)]
    told = [[on_cell(found, cell), *_titles(names, cell)] for cell in cells]
    hover = "made on %{customdata[1]}<br>tried on %{customdata[2]}<br>%{customdata[0]}"
    return figure(
        [
            _cells(found.rates, own, _OWN, bold=True),
            _cells(found.rates, others, _STAND_IN),
            _cells(found.rates, control, _CONTROL),
            points_over(cells, told, hover),
        ],
        *_axes([*map(_label, names)]),
        height=115 + 44 * rows,  # on a phone the names of the columns stand upright
        left=45,
        top=55,
        bottom=10,
        showlegend=False,
        dragmode=False,
        hovermode="closest",
        hoverdistance=-1,  # the nearest cell, wherever in it the pointer is
        shapes=frame(*chosen, COLOURS[2]),
    )


def on_cell(found: Transfer, cell: tuple[int, int]) -> str:
    """Return a cell's rate and what it is a share of."""
    counted, fooled = int(found.counted[cell]), int(found.fooled[cell])
    if not counted:
        return "no image that both read right"
    return f"{percent(fooled / counted)} ({fooled:,} of {counted:,})"


def _axes(labels: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the axes of a heat map of networks and, in a row of its own, the control."""
    columns = len(labels)
    bare: dict[str, Any] = {"fixedrange": True, "showgrid": False, "zeroline": False}
    bare["automargin"] = True
    across = titled("tried on", side="top", autotickangles=[0, -90], **bare)
    across["ticklabeloverflow"] = "allow"  # else the last name is left out on a phone
    down = titled("made on", standoff=12, **bare)
    across |= {"tickvals": [*range(columns)], "ticktext": labels, "range": [-0.5, columns - 0.5]}
    down |= {"tickvals": [*range(columns + 1)], "ticktext": [*labels, NOISE]}
    down["range"] = [columns + 0.5, -0.5]
    return across, down


def _cells(
    rates: FloatArray, where: NDArray[np.bool_], colours: tuple[str, str], *, bold: bool = False
) -> dict[str, Any]:
    """Return some cells as a heatmap, each with its rate in per cent."""
    shown = [
        [_known(rate) if here else None for rate, here in zip(*pair, strict=True)]
        for pair in zip(rates, where, strict=True)
    ]
    look = "<b>{}</b>" if bold else "{}"
    text = [
        ["" if rate is None else look.format(f"{100 * rate:.0f}") for rate in row] for row in shown
    ]
    return {
        "type": "heatmap",
        "x": [*range(rates.shape[1])],
        "y": [*range(len(rates))],
        "z": [[None if rate is None else round(rate, 4) for rate in row] for row in shown],
        "text": text,
        "texttemplate": "%{text}",
        "textfont": {**TEXT, "color": _DARK},
        "xgap": 2,
        "ygap": 2,
        "zmin": 0,
        "zmax": max(_LEAST_MOST, float(np.nanmax(rates, initial=0))),
        "colorscale": [[0, colours[0]], [1, colours[1]]],
        "showscale": False,
        "hoverinfo": "skip",
    }


def _titles(names: Sequence[str], cell: tuple[int, int]) -> tuple[str, str]:
    """Return the names of a cell's row and column, as Plotly shows them."""
    row, column = cell
    return html.escape([*names, NOISE][row], quote=False), html.escape(names[column], quote=False)


def _label(name: str) -> str:
    """Return a name that is short enough to stand beside the chart; Plotly would read tags."""
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 7]}…{name[-6:]}"
    return html.escape(name, quote=False)


def _others(found: Transfer) -> FloatArray:
    """Return the rates, `(K, K)`, with NaN on the diagonal."""
    rates = found.rates[:-1].copy()
    np.fill_diagonal(rates, np.nan)
    return rates


def _known(rate: np.floating[Any]) -> float | None:
    return None if np.isnan(rate) else float(rate)


def _any(rates: FloatArray) -> bool:
    return not bool(np.isnan(rates).all())


def _mean(rates: Sequence[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) / len(known) if known else None


def _means(rates: FloatArray, *, axis: int) -> FloatArray:
    """Return the means along an axis of what is known; NaN where nothing is."""
    known = ~np.isnan(rates)
    count = known.sum(axis=axis)
    total = np.where(known, rates, 0).sum(axis=axis)
    means = np.full(count.shape, np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means
