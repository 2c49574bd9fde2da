"""The ink of a drawing or a picture, told from its paper in any light and colour."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.classifier import FloatArray

# Large and smooth things are looked for on a small copy: a sheet, its light.
SMALL = 256
# Neighbours on the small copy that differ by more are an edge: a soft shadow changes by 0.06 a
# pixel, a pencil's line by 0.15.
EDGE = 0.08
# A window for the local median: wide enough that the widest stroke covers less than half of it.
WINDOW = 0.4
# Less contrast than this is paper: a JPEG's blocks and a sensor's noise stay below it.
FAINTEST = 0.06
# Under a paper darker than this, light is taken as added and no longer as a factor.
DARK = 0.25


@dataclass(frozen=True, eq=False)
class Ink:
    """What stands out from the paper.

    Attributes:
        picture: `(height, width, 3)` as it is seen, in [0, 1].
        evened: `(height, width)` strength of the ink, 0 on paper, 1 at its strongest, and noise.
        noise: the standard deviation of `evened` on paper.
    """

    picture: FloatArray
    evened: FloatArray
    noise: float


class NoInkError(ValueError):
    """Nothing stands out from the paper."""


def find_ink(rgba: NDArray[np.uint8]) -> Ink:
    """Return how strongly each pixel is inked.

    The light is evened out: each pixel is compared with the paper around it. Ink and paper may
    have any two colours, also of equal lightness: ink is what lies along the line between them.

    Raises:
        NoInkError: the picture has one colour throughout.
    """
    import cv2

    colour, sheet = _seen(rgba)
    if sheet is None:  # strokes on nothing
        strength = rgba[..., 3].astype(np.float32) / 255
        return Ink(picture=colour, evened=strength, noise=0.0)
    sheet = _innermost_sheet(colour, sheet)
    contrast = _contrast(colour, sheet)
    strength = _along_one_colour(contrast, sheet)
    paper = strength[sheet & (strength < 0.3)]
    noise = 1.4826 * float(np.median(np.abs(paper - np.median(paper)))) if paper.size else 0.0
    if noise > 0.02:
        strength = cv2.GaussianBlur(strength, (0, 0), 1.0)
        noise *= 0.3  # what that leaves of the noise of single pixels
    return Ink(picture=colour, evened=np.where(sheet, strength, 0).astype(np.float32), noise=noise)


def _seen(rgba: NDArray[np.uint8]) -> tuple[FloatArray, NDArray[np.bool_] | None]:
    """Return the colours on black or white, and where the sheet is: None if there is none.

    An opaque part of one colour is the ink itself. Any other opaque part is a sheet: the window of
    a screenshot with a transparent margin.
    """
    import cv2

    colour = rgba[..., :3].astype(np.float32) / 255
    alpha = rgba[..., 3]
    if int(alpha.min()) == 255:
        return colour, np.ones(alpha.shape, bool)
    if int(alpha.max()) < 26:
        raise NoInkError("This picture is transparent throughout; there is no digit to see.")
    opaque = cv2.erode((alpha > 127).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if not opaque.any():
        opaque = alpha > 127
    inside = colour[opaque]
    if not inside.size or float(np.ptp(inside, axis=0).max()) < 0.2:
        behind = 1.0 - round(float(inside.mean())) if inside.size else 0.0
        share = alpha[..., None].astype(np.float32) / 255
        return colour * share + np.float32(behind) * (1 - share), None
    return np.where(opaque[..., None], colour, np.median(inside, axis=0)), opaque


def _innermost_sheet(colour: FloatArray, sheet: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where the paper is: without a desk, a scan's border, or a frame drawn around it.

    From the border of the picture, all that is reached over small steps in colour lies outside.
    What is left is ink, or a sheet if it is large, four-sided, and has something on it.
    """
    import cv2

    height, width = sheet.shape
    scale = min(1.0, SMALL / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if min(size) < 16:
        return sheet
    small = cv2.resize((colour * 255).round().astype(np.uint8), size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(sheet.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    found = False
    for _ in range(3):  # a frame on a sheet on a desk
        inner = _sheet_within(small, inside)
        if inner is None:
            break
        inside, found = inner, True
    if not found:
        return sheet
    large = cv2.resize(inside, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return large & sheet


def _sheet_within(
    small: NDArray[np.uint8], inside: NDArray[np.uint8]
) -> NDArray[np.uint8] | None:
    """Return the sheet inside the part of a small picture; None if there is no other."""
    import cv2

    height, width = inside.shape
    outside = _reached(small, inside, _rim(inside))
    rest = ((inside > 0) & ~outside).astype(np.uint8)
    rest = cv2.morphologyEx(rest, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(rest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    contour = max(contours, key=cv2.contourArea)
    area = cv2.contourArea(contour)
    _, sides, _ = cv2.minAreaRect(contour)
    if area < 0.15 * height * width or area < 0.88 * sides[0] * sides[1]:
        return None
    candidate = np.zeros_like(inside)
    cv2.drawContours(candidate, [contour], -1, 1, cv2.FILLED)
    for margin in (3, 7, 13):  # past the edge, past a frame's line
        kernel = np.ones((margin, margin), np.uint8)
        inner = cv2.erode(candidate, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        paper = _reached(small, inner, _rim(inner))
        covered = paper.sum() / max(1, int(inner.sum()))
        marked = (inner > 0) & ~paper
        if covered > 0.5 and marked.sum() > 12:
            return inner
    return None


def _rim(inside: NDArray[np.uint8]) -> NDArray[np.bool_]:
    import cv2

    kernel = np.ones((3, 3), np.uint8)
    inner = cv2.erode(inside, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    rim: NDArray[np.bool_] = (inside > 0) & (inner == 0)
    return rim


def _reached(
    small: NDArray[np.uint8], inside: NDArray[np.uint8], start: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return what is reached from `start` over steps of less than `EDGE`, inside."""
    import cv2

    step = np.ones((3, 3), np.uint8)
    gradient = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, step).max(axis=2)
    # The gradient spans two pixels.
    flat = ((gradient < 2 * EDGE * 255) & (inside > 0)).astype(np.uint8)
    _, labels = cv2.connectedComponents(flat, connectivity=4)
    reached = np.isin(labels, np.setdiff1d(np.unique(labels[start & (flat > 0)]), [0]))
    grown = cv2.dilate(reached.astype(np.uint8), step) > 0
    result: NDArray[np.bool_] = grown & (inside > 0)
    return result


def _contrast(colour: FloatArray, sheet: NDArray[np.bool_]) -> FloatArray:
    """Return how each pixel differs from the paper around it, `(height, width, 3)`.

    Light is a factor: the difference is divided by the paper's brightness.
    """
    import cv2

    height, width = sheet.shape
    scale = min(1.0, SMALL / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(sheet.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if not inside.any():
        inside[:] = True
    small = np.where(inside[..., None], small, np.median(small[inside], axis=0)).astype(np.float32)
    window = max(3, int(WINDOW * min(size)) | 1)
    rough = cv2.medianBlur((small * 255).round().astype(np.uint8), min(window, 255))
    paper = rough.astype(np.float32) / 255
    off = np.abs(_relative(small, paper)).max(axis=2)
    off[~inside] = 0
    inked = off > max(otsu(off[inside], FAINTEST), FAINTEST)
    inked = cv2.dilate(inked.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    paper = _smooth_without(small, paper, inside & ~inked)
    paper = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
    return _relative(colour, paper)


def _relative(colour: FloatArray, paper: FloatArray) -> FloatArray:
    brightness = np.maximum(paper.max(axis=2, keepdims=True), DARK)
    return ((colour - paper) / brightness).astype(np.float32)


def _smooth_without(
    small: FloatArray, rough: FloatArray, known: NDArray[np.bool_]
) -> FloatArray:
    """Smooth the known paper, finely where there is enough of it, else from further away."""
    import cv2

    weight = known.astype(np.float32)
    paper = rough
    for sigma in (16.0, 6.0, 2.0):
        near = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
        mean = cv2.GaussianBlur(small * weight[..., None], (0, 0), sigma) / np.maximum(near, 1e-6)
        share = np.clip(near * 4, 0, 1)
        paper = share * mean + (1 - share) * paper
    return paper.astype(np.float32)


def _along_one_colour(contrast: FloatArray, sheet: NDArray[np.bool_]) -> FloatArray:
    """Return the contrast along the colour of the ink, 1 at its strongest.

    The ink's colour is the direction in which most of the contrast lies.

    Raises:
        NoInkError: there is too little contrast.
    """
    off = np.where(sheet[..., None], contrast, 0)
    size = np.abs(off).max(axis=2)
    strongest = float(size.max())
    if strongest < FAINTEST:
        raise NoInkError("This picture has one colour throughout; there is no digit to see.")
    strong = off[size > 0.5 * strongest]
    _, vectors = np.linalg.eigh((strong.T @ strong).astype(np.float64))
    axis = vectors[:, -1].astype(np.float32)
    if float((strong @ axis).sum()) < 0:
        axis = -axis
    along = off @ axis
    ink = along[along > 0.5 * along.max()]
    return (along / np.quantile(ink, 0.75)).astype(np.float32)


def otsu(values: FloatArray, floor: float) -> float:
    """Return the threshold that parts the values above `floor` best into weak and strong.

    Otsu 1979, "A Threshold Selection Method from Gray-Level Histograms": the threshold with the
    largest variance between the two classes.
    """
    values = values[values > floor]
    if not values.size:
        return floor
    counts, edges = np.histogram(values, bins=128, range=(floor, max(float(values.max()), floor * 1.01)))
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    best = np.nan_to_num(between[:-1], nan=0.0)
    # Of a wide gap between the classes, the middle.
    ties = np.flatnonzero(best >= best.max() * (1 - 1e-9))
    return float(edges[1:][int(ties[len(ties) // 2])])
