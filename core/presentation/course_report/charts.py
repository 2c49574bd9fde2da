"""The course report's charts, with its own figures beside ours."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.evaluation.limits import Limits
from core.networks import LoggedEpoch
from core.presentation.figure import (
    COLOURS,
    Figure,
    figure,
    legend,
    level,
    line,
    shares,
    stroke,
    titled,
)


def loss_over_epochs(logs: Mapping[str, Sequence[LoggedEpoch]]) -> Figure:
    """Draw Figure 2: the losses of each network; the lowest validation loss is marked."""
    lines = []
    for colour, (name, log) in zip(COLOURS, logs.items(), strict=False):
        epochs = [logged.epoch for logged in log]
        for part, dash, losses in (
            ("training", "dot", [logged.train_loss for logged in log]),
            ("validation", "solid", [logged.validation_loss for logged in log]),
        ):
            lines.append(
                line(f"{part}, {name}", epochs, losses, hover="%{y:.4f}", color=colour, dash=dash)
            )
        lowest = lowest_validation_loss(log)
        lines.append(
            line(
                f"lowest, {name}",
                [lowest.epoch],
                [lowest.validation_loss],
                hover="%{y:.4f}",
                mode="markers",
                marker={"color": colour, "size": 13, "symbol": "diamond"},
                showlegend=False,
            )
        )
    return figure(
        lines,
        titled("epoch", rangemode="tozero"),
        titled("loss", rangemode="tozero"),
        top=10,
        right=15,
        legend=legend(1.02, "bottom"),
    )


def lowest_validation_loss(log: Sequence[LoggedEpoch]) -> LoggedEpoch:
    """Return the first epoch of a log with its lowest validation loss."""
    return min(log, key=lambda logged: logged.validation_loss)


def evasion_beside_reported(
    epsilons: Sequence[float], rates: Mapping[str, Sequence[float]], *, reported: float
) -> Figure:
    """Draw evasion rates over rising ε, by name, and the course report's as a horizontal line."""
    lines = [
        line(name, epsilons, each, **stroke(place))
        for place, (name, each) in enumerate(rates.items())
    ]
    return figure(
        lines,
        titled("ε", range=[0, epsilons[-1]]),
        shares("evasion rate"),
        marks=[level(reported, f"the report: {reported:.2%}")],
        top=10,
        right=15,
        legend=legend(1.02, "bottom"),
    )


def found_and_proved(
    epsilons: Sequence[float],
    rates: Sequence[float],
    at: float,
    limits: Limits,
    *,
    reported: float,
) -> Figure:
    """Draw FGSM's evasion rates, and the limits at one ε and for the report's rate.

    Args:
        epsilons: of FGSM's curve.
        rates: of the same.
        at: the ε of `limits`.
        limits: the points to draw.
        reported: the course report's rate, a horizontal line.
    """
    most = min(2 * at, 1.0)
    shown = sum(epsilon <= most for epsilon in epsilons)
    return figure(
        [
            line("FGSM", epsilons[:shown], rates[:shown], **stroke(0)),
            *_points(at, limits, reported),
        ],
        titled("ε", range=[0, most]),
        shares("evasion rate"),
        marks=[level(reported, f"the report: {reported:.2%}")],
        top=10,
        right=15,
        hovermode="closest",
        legend=legend(1.02, "bottom"),
    )


def _points(at: float, limits: Limits, reported: float) -> list[dict[str, Any]]:
    """Return the traces of what was found and what is proved."""
    by_pgd = limits.reached if limits.reached is not None and limits.reached < at else None
    most = None if limits.proved is None else 1 - limits.proved
    points: tuple[tuple[str, str, list[tuple[float | None, float | None]]], ...] = (
        ("PGD", "diamond", [(by_pgd, reported)]),
        ("the strongest attack", "triangle-up", [(at, limits.found)]),
        ("the proof's limit", "triangle-down", [(at, most), (limits.excluded, reported)]),
    )
    traces = []
    for (name, symbol, places), color in zip(points, COLOURS[1:], strict=False):
        known = [(x, y) for x, y in places if x is not None and y is not None]
        if known:
            x, y = zip(*known, strict=True)
            marker = {"color": color, "size": 13, "symbol": symbol}
            hover = "ε = %{x:.3f}: %{y:.2%}"
            traces.append(line(name, x, y, hover=hover, mode="markers", marker=marker))
    return traces
