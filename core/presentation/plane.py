"""The map around a digit: its picture, its figure, and what is said of it."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.classifier import FloatArray
from core.evaluation.plane import Plane, Surroundings
from core.presentation.figure import Figure, figure, titled
from core.presentation.images import png
from core.presentation.words import percent

# A colour a label. They were chosen so that any two are far apart, for eyes of every kind: see the
# test. Each region has its digit written into it as well.
LABEL_COLOURS = (
    "#555500",
    "#bb9955",
    "#55bbdd",
    "#ff9900",
    "#7700bb",
    "#990077",
    "#dd55ff",
    "#0000ff",
    "#bb0055",
    "#99bb99",
)
_ENLARGED = 3  # pixels of the picture for each point, in both directions
_HATCH = 12  # pixels from one line of the hatching to the next
_NAMED = 60  # points that a region must have to get its digit written into it
_INK = "#111"


def picture(plane: Plane) -> NDArray[np.uint8]:
    """Return a map as a picture, `(600, 600, 3)`, its first row the uppermost.

    A label has its colour, which is paler where the network is less sure. Dark lines are borders.
    Points that are no images, because a pixel leaves [0, 1], are hatched.
    """
    base = np.array([_rgb(colour) for colour in LABEL_COLOURS])[plane.labels]
    doubt = np.clip((1 - plane.confidence) / 0.7, 0, 1)[..., None]
    points = base + 0.75 * doubt * (255 - base)
    points = _enlarged(points)
    labels, inside = _enlarged(plane.labels), _enlarged(plane.inside)
    height, width = labels.shape
    diagonal = np.add.outer(np.arange(height), np.arange(width)) % _HATCH < 2
    hatched = diagonal & ~inside
    points[hatched] = 0.45 * points[hatched] + 0.55 * np.where(
        points[hatched].mean(axis=-1, keepdims=True) > 110, 0, 255
    )
    border = np.zeros(labels.shape, np.bool_)
    border[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    border[1:] |= labels[1:] != labels[:-1]
    points[border] = 17
    levels: NDArray[np.uint8] = points[::-1].round().astype(np.uint8)
    return levels


def regions(plane: Plane, avoid: FloatArray) -> list[tuple[int, float, float]]:
    """Return the label of each region and a place well inside it, the largest region first.

    A region is connected, and has at least `_NAMED` points.

    Args:
        plane: the map.
        avoid: `(n, 2)` points whose names stand below them; a place is beside them where it can be.
    """
    import cv2

    width = plane.across[-1] - plane.across[0]
    free = np.ones(plane.labels.shape, np.bool_)
    for x, y in avoid:
        near = abs(plane.across - x) < 0.22 * width
        free[np.ix_((plane.upward > y - 0.16 * width) & (plane.upward < y + 0.1 * width), near)] = 0
    found = []
    for label in np.unique(plane.labels):
        count, numbers = cv2.connectedComponents(
            (plane.labels == label).astype(np.uint8), connectivity=4
        )
        for number in range(1, count):
            region = np.asarray(numbers) == number
            if region.sum() < _NAMED:
                continue
            # The map's edge is a border, too.
            depth = np.asarray(cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), 2, 3))
            depth = depth[1:-1, 1:-1] * np.where(free, 1, 0.01)
            row, column = np.unravel_index(depth.argmax(), region.shape)
            place = float(plane.across[column]), float(plane.upward[row])
            found.append((int(region.sum()), int(label), *place))
    found.sort(reverse=True)
    return [(label, across, upward) for _, label, across, upward in found]


def map_chart(around: Surroundings) -> Figure:
    """Draw the map with the digit, the attack's image, its steps and the ball's outline."""
    plane = around.plane
    step = float(plane.across[1] - plane.across[0])
    left, right = (float(plane.across[at]) + side * step / 2 for at, side in ((0, -1), (-1, 1)))
    low, high = (float(plane.upward[at]) + side * step / 2 for at, side in ((0, -1), (-1, 1)))
    source = base64.b64encode(png(Image.fromarray(picture(plane)))).decode("ascii")
    traces = []
    if plane.outline is not None:
        closed = np.concatenate([plane.outline, plane.outline[:1]])
        traces += _line("the ball's edge", closed, mode="lines", dash="dash")
    if around.trail is not None:
        traces += _line("the attack's steps", around.trail, mode="lines+markers", dash="solid")
    third = "a random change" if around.towards is None else f"towards {around.towards}"
    named = ((np.zeros(2), "the digit"), (around.ends[0], "attack"), (around.ends[1], third))
    points = np.array([point for point, _ in named])
    traces.append(
        {
            **{"type": "scatter", "name": "the three images", "mode": "markers"},
            "x": points[:, 0].round(4).tolist(),
            "y": points[:, 1].round(4).tolist(),
            "marker": {"color": _INK, "size": 13, "line": {"color": "white", "width": 1.5}},
        }
    )
    digits = [_label(str(label), x, y, size=22) for label, x, y in regions(plane, points)]
    names = [_label(name, *map(float, point), size=13, yshift=-18) for point, name in named]
    bare: dict[str, Any] = {"showgrid": False, "zeroline": False, "constrain": "domain"}
    return figure(
        traces,
        titled("distance along the attack (L2)", range=[left, right], **bare),
        titled(
            f"distance across: {third}",
            range=[low, high],
            scaleanchor="x",
            constraintoward="top",
            **bare,
        ),
        height=480,
        left=45,
        hovermode=False,
        showlegend=False,
        images=[
            {
                "source": f"data:image/png;base64,{source}",
                **{"xref": "x", "yref": "y", "x": left, "y": high},
                **{"sizex": right - left, "sizey": high - low, "sizing": "stretch"},
                "layer": "below",
            }
        ],
        annotations=digits + names,
    )


def on_map(around: Surroundings) -> str:
    """Say how much of the map each label has, and how much of it are images."""
    plane = around.plane
    labels, counts = np.unique(plane.labels, return_counts=True)
    order = np.argsort(-counts)
    shares = ", ".join(
        f"{labels[at]}: {percent(share / 100, 0) if share else 'below ' + percent(0.01, 0)}"
        for at, share in zip(order, _whole_percent(counts[order]), strict=True)
    )
    images = percent(float(plane.inside.mean()), 0)
    return (
        f"Share of the map by digit: {shares}. {images} of the map are images. In the hatched part "
        "some of the 784 pixels would be darker than black or lighter than white."
    )


def _whole_percent(counts: NDArray[np.int64]) -> list[int]:
    """Return shares in whole per cent that add up to 100: the largest remainders are rounded up."""
    shares = 100 * counts / counts.sum()
    whole = np.floor(shares).astype(int)
    whole[np.argsort(whole - shares, kind="stable")[: 100 - whole.sum()]] += 1
    return [int(share) for share in whole]


def _line(name: str, points: FloatArray, *, mode: str, dash: str) -> list[dict[str, Any]]:
    """Return a dark line over the map, and the light one below it: legible on every colour."""
    places = {"x": points[:, 0].round(4).tolist(), "y": points[:, 1].round(4).tolist()}
    light = {"type": "scatter", "mode": "lines", **places, "line": {"color": "white", "width": 5}}
    dark = {
        **{"type": "scatter", "name": name, "mode": mode, **places},
        "line": {"color": _INK, "width": 2.5, "dash": dash},
        "marker": {"color": _INK, "size": 7, "line": {"color": "white", "width": 1.5}},
    }
    return [light, dark]


def _label(words: str, x: float, y: float, *, size: int, **place: Any) -> dict[str, Any]:
    """Return words on a light ground."""
    return {
        **{"text": words, "x": x, "y": y, "showarrow": False, **place},
        "font": {"size": size, "color": _INK},
        "bgcolor": "rgba(255,255,255,0.8)",
        "borderpad": 2,
    }


def _enlarged(points: NDArray[Any]) -> NDArray[Any]:
    return points.repeat(_ENLARGED, axis=0).repeat(_ENLARGED, axis=1)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))
