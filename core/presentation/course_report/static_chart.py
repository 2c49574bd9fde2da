"""A chart of lines as HTML and SVG, which needs no script and can be printed.

The SVG is stretched to the page's width. Texts would be stretched too, so they are HTML; lines and
points are strokes that do not scale.
"""

import html
import re
from collections.abc import Iterable
from math import floor, log10
from typing import Any

from core.presentation.figure import Figure

STYLE = """
.chart { max-width: 52rem; }
.chart ul { display: flex; flex-wrap: wrap; gap: 0 1.2rem; margin: 0 0 0.4rem; padding: 0;
            list-style: none; font-size: 0.9rem; }
.chart li svg { width: 2.2rem; height: 0.8rem; margin-right: 0.4rem; }
.plot { position: relative; margin: 2rem 0.5rem 3rem 3.2rem; font-size: 0.85rem; }
.plot > svg { display: block; width: 100%; height: 100%; overflow: visible; }
.plot > span { position: absolute; white-space: nowrap; line-height: 1; }
.plot .x { top: calc(100% + 0.5rem); translate: -50%; }
.plot .y { right: calc(100% + 0.5rem); translate: 0 -50%; }
.plot .x.name { top: calc(100% + 1.7rem); left: 50%; }
.plot .y.name { right: auto; left: -3.2rem; top: -1.3rem; }
.plot .note { right: 0; padding-top: 0.3rem; }
.chart path { fill: none; stroke-width: 3px; vector-effect: non-scaling-stroke; }
.chart path.grid { stroke: var(--line); stroke-width: 1px; }
.chart path.level { stroke: #888; stroke-width: 1.5px; stroke-dasharray: 2 3; }
.chart path.point { stroke: transparent; stroke-width: 13px; stroke-linecap: round; }
"""
_SIDE = 1000  # of the SVG's square
_DASHES = {"solid": "", "dot": "3 3", "dash": "9 6"}


def to_html(figure: Figure) -> str:
    """Return a figure as a part of a web page whose style includes `STYLE`.

    Args:
        figure: scatter traces over one pair of axes, with horizontal lines as shapes. Every point
            has its value as a tooltip.
    """
    traces, layout = figure["data"], figure["layout"]
    x_low, x_high = _range(layout["xaxis"], (x for trace in traces for x in trace["x"]))
    y_low, y_high = _range(layout["yaxis"], (y for trace in traces for y in trace["y"]))

    def across(x: float) -> int:
        return round(_SIDE * (x - x_low) / (x_high - x_low))

    def down(y: float) -> int:
        return round(_SIDE * (y_high - y) / (y_high - y_low))

    form = layout["yaxis"].get("tickformat", "g")
    x_ticks, y_ticks = _ticks(x_low, x_high), _ticks(y_low, y_high)
    grid = [f"M{across(x)} 0V{_SIDE}" for x in x_ticks] + [f"M0 {down(y)}H{_SIDE}" for y in y_ticks]
    parts = [f'<path class="grid" d="{"".join(grid)}"/>']
    labels = [_label("x", f"left:{across(x) / 10:g}%", f"{x:g}") for x in x_ticks]
    labels += [_label("y", f"top:{down(y) / 10:g}%", format(y, form)) for y in y_ticks]
    labels += [_label(f"{side} name", "", layout[f"{side}axis"]["title"]["text"]) for side in "xy"]
    for shape, note in zip(layout.get("shapes", []), layout.get("annotations", []), strict=True):
        parts.append(f'<path class="level" d="M0 {down(shape["y0"])}H{_SIDE}"/>')
        labels.append(_label("note", f"top:{down(note['y']) / 10:g}%", note["text"]))
    for trace in traces:
        places = [f"{across(x)} {down(y)}" for x, y in zip(trace["x"], trace["y"], strict=True)]
        if trace["mode"] == "lines":
            parts.append(f'<path d="M{"L".join(places)}" {_stroke(trace)}/>')
        parts += _points(trace, places, layout["xaxis"]["title"]["text"])
    legend = "".join(map(_named, (trace for trace in traces if trace.get("showlegend", True))))
    return (
        f'<div class="chart"><ul>{legend}</ul>'
        f'<div class="plot" style="height:{layout["height"] - 90}px">'
        f'<svg viewBox="0 0 {_SIDE} {_SIDE}" preserveAspectRatio="none">{"".join(parts)}</svg>'
        f"{''.join(labels)}</div></div>"
    )


def _range(axis: dict[str, Any], values: Iterable[float]) -> tuple[float, float]:
    """Return the ends of an axis: the given ones, or 0 and a little above the largest value."""
    low, high = axis.get("range") or (0.0, 1.05 * max(values))
    return low, high


def _ticks(low: float, high: float) -> list[float]:
    """Return four to eleven round numbers in a range."""
    power = 10.0 ** floor(log10(high - low))
    step = next(step for part in (1, 2, 5, 10) if (high - low) / (step := power / part) >= 4)
    first, last = -floor(-low / step + 1e-9), floor(high / step + 1e-9)
    return [round(count * step, 10) for count in range(first, last + 1)]


def _label(kind: str, style: str, text: str) -> str:
    return f'<span class="{kind}" style="{style}">{html.escape(text)}</span>'


def _named(trace: dict[str, Any]) -> str:
    """Return a trace's line or point, and its name."""
    sign = f'd="M0 4H36" {_stroke(trace)}'
    if trace["mode"] == "markers":
        sign = f'class="point" style="stroke:{trace["marker"]["color"]}" d="M18 4h0"'
    name = html.escape(trace["name"])
    return f'<li><svg viewBox="0 0 36 8"><path {sign}/></svg>{name}</li>'


def _stroke(trace: dict[str, Any]) -> str:
    line = trace["line"]
    return f'stroke="{line["color"]}" stroke-dasharray="{_DASHES[line["dash"]]}"'


def _points(trace: dict[str, Any], places: list[str], over: str) -> list[str]:
    """Return a dot with a tooltip for each point; it is visible if the trace has markers."""
    form = re.search(r"%\{y:(.*?)\}", trace["hovertemplate"])
    assert form is not None
    seen = f' style="stroke:{trace["marker"]["color"]}"' if trace["mode"] == "markers" else ""
    name = html.escape(trace["name"])
    return [
        f'<path class="point"{seen} d="M{place}h0"><title>{name}\n{over} {x:g}: '
        f"{format(y, form[1])}</title></path>"
        for place, x, y in zip(places, trace["x"], trace["y"], strict=True)
    ]
