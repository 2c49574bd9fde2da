"""The sheet of paper in a picture, without a desk, a scanner's bars, or a frame."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# OpenCV's types don't say which numbers an array holds.
FloatArray = NDArray[Any]
Bytes = NDArray[Any]
Mask = NDArray[np.bool_]

# A sheet is large: it is looked for on a copy whose longer side has so many pixels.
SMALL = 256
# A copy that is narrower than this shows no sheet.
NARROW = 16
# Neighbours on the small copy that differ by more are an edge: a soft shadow changes by 0.06 a
# pixel, a pencil's line by 0.15.
EDGE = 0.08
# A scanner's bar differs from the picture's median by this much at least, fills most of each of
# its rows, and is no wider than this share of the picture: what is wider may be a shadow.
BAR_CONTRAST, BAR_FILLED, BAR_WIDTH = 0.3, 0.85, 0.08
# Behind its last row no more than this is as dark. The edge of a sheet that lies askew on a desk
# doesn't end so suddenly.
BAR_BEHIND = 0.4
# An even area at the border counts from this share of the picture on.
LARGE = 0.02
# A sheet fills its convex hull but for strokes that run off it, and a rectangle but for its
# perspective; it takes a good part of the picture.
HULL_FILLED, RECTANGLE_FILLED, SHEET_SHARE = 0.96, 0.88, 0.15
# More pixels than this that aren't paper are something drawn: a dust grain has fewer.
MARK = 12
# So many pixels are cut from a sheet's edge: the edge itself, a thin or a thick frame on it.
MARGINS = (1, 3, 6)
# A pixel and its eight neighbours.
NEIGHBOURS = np.ones((3, 3), np.uint8)


def innermost_sheet(picture: Bytes, sheet: Mask) -> Mask:
    """Return where the paper is: without a desk, a scan's border, or a frame drawn around it.

    Args:
        picture: `(height, width, 3)` colours.
        sheet: `(height, width)`, where to look.

    Returns:
        `(height, width)`, a part of `sheet`, or `sheet` itself where none is found within.
    """
    import cv2

    height, width = sheet.shape
    scale = min(1.0, SMALL / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if min(size) < NARROW:
        return sheet
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    whole = cv2.resize(sheet.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    inside = _without_desk(small, _without_bars(small, whole))
    for _ in range(3):  # a frame on a sheet on a desk
        inner = _sheet_within(small, inside)
        if inner is None:
            break
        inside = inner
    if np.array_equal(inside, whole):
        return sheet
    large = cv2.resize(inside, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return large & sheet


def _without_bars(small: Bytes, inside: Bytes) -> Bytes:
    """Leave out the bars along the sides that a scanner leaves."""
    middle = np.median(small[inside > 0], axis=0)
    off = largest(np.abs(small.astype(np.int32) - middle)) > 255 * BAR_CONTRAST
    off &= inside > 0
    rest = inside.copy()
    for turn in range(4):
        share = np.rot90(off, turn).mean(axis=1)
        count = int(np.argmin(share > BAR_FILLED))
        if 0 < count < BAR_WIDTH * len(share) and share[count + 1] < BAR_BEHIND:
            np.rot90(rest, turn)[: count + 2] = 0  # with its soft edge
    return rest


def _without_desk(small: Bytes, inside: Bytes) -> Bytes:
    """Leave out a desk beside a sheet that reaches the picture's border, too.

    Of the even areas at the border, the one with ink in it is the sheet.
    """
    import cv2

    _, labels, stats, _ = cv2.connectedComponentsWithStats(_even(small, inside), connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] > LARGE * inside.size
    at_border = [n for n in np.unique(labels[_rim(inside)]).tolist() if n and large[n]]
    if len(at_border) < 2:
        return inside
    sheets = []
    for label in at_border:
        region: Bytes = cv2.dilate((labels == label).astype(np.uint8), NEIGHBOURS)
        contours, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        filled = np.zeros_like(inside)
        cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
        hull = cv2.contourArea(cv2.convexHull(max(contours, key=cv2.contourArea)))
        if filled.sum() > region.sum() + MARK and filled.sum() > HULL_FILLED * hull:
            sheets.append((label, filled))
    if len(sheets) != 1:
        return inside
    sheet, filled = sheets[0]
    colour = {label: np.median(small[labels == label], axis=0) for label in at_border}
    others = [np.abs(colour[label] - colour[sheet]).max() for label in at_border if label != sheet]
    if min(others) < 2 * EDGE * 255:
        return inside  # a line across the paper parts them
    beyond = cv2.copyMakeBorder(filled, 3, 3, 3, 3, cv2.BORDER_REPLICATE)
    return cv2.erode(beyond, np.ones((5, 5), np.uint8))[3:-3, 3:-3]


def _sheet_within(small: Bytes, inside: Bytes) -> Bytes | None:
    """Return the sheet inside a part of a small picture; None if there is no other.

    From the border of that part, all that is reached over small steps in colour lies outside.
    What is left is ink, or a sheet if it is large, four-sided, and has something on it.
    """
    import cv2

    rest = ((inside > 0) & ~_reached(small, inside)).astype(np.uint8)
    opened = cv2.morphologyEx(rest, cv2.MORPH_OPEN, NEIGHBOURS)
    contours, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    contour = max(contours, key=cv2.contourArea)
    area = cv2.contourArea(contour)
    _, sides, _ = cv2.minAreaRect(contour)
    if area < SHEET_SHARE * inside.size or area < RECTANGLE_FILLED * sides[0] * sides[1]:
        return None
    candidate = np.zeros_like(inside)
    # The hull, as a stroke that runs off the sheet cuts into it.
    cv2.drawContours(candidate, [cv2.convexHull(contour)], -1, 1, cv2.FILLED)
    for margin in MARGINS:
        inner = _shrunk(candidate, margin)
        paper = _reached(small, inner)
        marked = (inner > 0) & ~paper
        if paper.sum() > 0.5 * inner.sum() and marked.sum() > MARK:  # paper, and ink on it
            beside = (inside > 0) & (candidate == 0)
            edge = (candidate > 0) & (_shrunk(candidate, 3) == 0)
            if _parted(small, paper, beside, edge, marked):
                return inner
            return None
    return None


def _parted(small: Bytes, paper: Mask, beside: Mask, edge: Mask, marked: Mask) -> bool:
    """Whether a sheet differs from what is beside it, or a line as strong as its ink frames it.

    Four lines of squared paper do neither.
    """
    colour = np.median(small[paper], axis=0)
    if beside.any() and np.abs(np.median(small[beside], axis=0) - colour).max() > 2 * EDGE * 255:
        return True
    line, ink = (
        largest(np.abs(small[where].astype(np.int32) - colour)) for where in (edge, marked)
    )
    # A thin line takes a third of the edge's pixels.
    return bool(np.quantile(line, 0.8) > 0.5 * np.quantile(ink, 0.9))


def _reached(small: Bytes, inside: Bytes) -> Mask:
    """Return what is reached from the rim of a part over steps of less than `EDGE`."""
    import cv2

    even = _even(small, inside)
    _, labels = cv2.connectedComponents(even, connectivity=4)
    reached = np.isin(labels, np.setdiff1d(np.unique(labels[_rim(inside) & (even > 0)]), [0]))
    grown = cv2.dilate(reached.astype(np.uint8), NEIGHBOURS) > 0
    result: Mask = grown & (inside > 0)
    return result


def _even(small: Bytes, inside: Bytes) -> Bytes:
    """Return where the colour changes by less than `EDGE` from pixel to pixel."""
    import cv2

    gradient = largest(cv2.morphologyEx(small, cv2.MORPH_GRADIENT, NEIGHBOURS))
    # The gradient spans two pixels.
    even: Bytes = ((gradient < 2 * EDGE * 255) & (inside > 0)).astype(np.uint8)
    return even


def _rim(inside: Bytes) -> Mask:
    """Return the outermost pixels of a part."""
    rim: Mask = (inside > 0) & (_shrunk(inside, 1) == 0)
    return rim


def _shrunk(inside: Bytes, margin: int) -> Bytes:
    """Return a part without `margin` pixels at its rim."""
    import cv2

    kernel = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    return cv2.erode(inside, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)


def largest(channels: Any) -> Any:
    """Return the largest of three channels; NumPy is slow along a short axis."""
    return np.maximum(np.maximum(channels[..., 0], channels[..., 1]), channels[..., 2])
