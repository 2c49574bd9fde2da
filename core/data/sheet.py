"""The sheet of paper in a picture, without a desk, a scanner's bars, or a frame."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# OpenCV's types don't say which numbers an array holds.
FloatArray = NDArray[Any]
Bytes = NDArray[Any]
Mask = NDArray[np.bool_]

# Large and smooth things are looked for on a small copy: a sheet, its light.
SMALL = 256
# Neighbours on the small copy that differ by more are an edge: a soft shadow changes by 0.06 a
# pixel, a pencil's line by 0.15.
EDGE = 0.08
# A scanner's bar is no wider than this share of the picture; what is wider may be a shadow.
BAR = 0.08
STEP = np.ones((3, 3), np.uint8)


def innermost_sheet(picture: Bytes, sheet: Mask) -> Mask:
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
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(sheet.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    found = _without_bars(small, inside)
    inside, beside = _without_desk(small, inside)
    found |= beside
    for _ in range(3):  # a frame on a sheet on a desk
        inner = _sheet_within(small, inside)
        if inner is None:
            break
        inside, found = inner, True
    if not found:
        return sheet
    large = cv2.resize(inside, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return large & sheet


def _flat(small: Bytes, inside: Bytes) -> Bytes:
    """Return where the colour changes by less than `EDGE` from pixel to pixel."""
    import cv2

    gradient = largest(cv2.morphologyEx(small, cv2.MORPH_GRADIENT, STEP))
    # The gradient spans two pixels.
    flat: Bytes = ((gradient < 2 * EDGE * 255) & (inside > 0)).astype(np.uint8)
    return flat


def _without_bars(small: Bytes, inside: Bytes) -> bool:
    """Take the bars along the sides away that a scanner leaves; whether there were any."""
    off = largest(np.abs(small.astype(np.int32) - np.median(small[inside > 0], axis=0))) > 77
    off &= inside > 0
    found = False
    for turn in range(4):
        bars, left = np.rot90(off, turn), np.rot90(inside, turn)
        share = bars.mean(axis=1)
        count = int(np.argmin(share > 0.85))
        # It ends at once; the edge of a sheet that lies askew on a desk doesn't.
        if 0 < count < BAR * len(share) and share[count + 1] < 0.4:
            left[: count + 2] = 0
            found = True
    return found


def _without_desk(small: Bytes, inside: Bytes) -> tuple[Bytes, bool]:
    """Leave out a desk beside a sheet that reaches the picture's border, too.

    Of the even areas at the border, the one with ink in it is the sheet.
    """
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(_flat(small, inside), connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] > 0.02 * inside.size
    at_border = [n for n in np.unique(labels[rim_of(inside)]).tolist() if n and large[n]]
    if len(at_border) < 2:
        return inside, False
    sheets = []
    for label in at_border:
        region: Bytes = cv2.dilate((labels == label).astype(np.uint8), STEP)
        contours, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        filled = np.zeros_like(inside)
        cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
        hull = cv2.contourArea(cv2.convexHull(max(contours, key=cv2.contourArea)))
        if filled.sum() > region.sum() + 12 and filled.sum() > 0.96 * hull:
            sheets.append((label, filled))
    if len(sheets) != 1:
        return inside, False
    sheet, filled = sheets[0]
    colour = {label: np.median(small[labels == label], axis=0) for label in at_border}
    others = [np.abs(colour[label] - colour[sheet]).max() for label in at_border if label != sheet]
    if min(others) < 2 * EDGE * 255:
        return inside, False  # a line across the paper parts them
    beyond = cv2.copyMakeBorder(filled, 3, 3, 3, 3, cv2.BORDER_REPLICATE)
    return cv2.erode(beyond, np.ones((5, 5), np.uint8))[3:-3, 3:-3], True


def _sheet_within(
    small: Bytes, inside: Bytes
) -> Bytes | None:
    """Return the sheet inside the part of a small picture; None if there is no other."""
    import cv2

    height, width = inside.shape
    outside = _reached(small, inside, rim_of(inside))
    rest = ((inside > 0) & ~outside).astype(np.uint8)
    opened = cv2.morphologyEx(rest, cv2.MORPH_OPEN, STEP)
    contours, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    contour = max(contours, key=cv2.contourArea)
    area = cv2.contourArea(contour)
    hull = cv2.convexHull(contour)  # a stroke that runs off the sheet cuts into it
    _, sides, _ = cv2.minAreaRect(contour)
    if area < 0.15 * height * width or area < 0.88 * sides[0] * sides[1]:
        return None
    candidate = np.zeros_like(inside)
    cv2.drawContours(candidate, [hull], -1, 1, cv2.FILLED)
    for margin in (3, 7, 13):  # past the edge, past a frame's line
        kernel = np.ones((margin, margin), np.uint8)
        inner = cv2.erode(candidate, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        paper = _reached(small, inner, rim_of(inner))
        covered = paper.sum() / max(1, int(inner.sum()))
        marked = (inner > 0) & ~paper
        if covered > 0.5 and marked.sum() > 12:
            return inner
    return None


def rim_of(inside: Bytes) -> Mask:
    import cv2

    kernel = STEP
    inner = cv2.erode(inside, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    rim: Mask = (inside > 0) & (inner == 0)
    return rim


def _reached(
    small: Bytes, inside: Bytes, start: Mask
) -> Mask:
    """Return what is reached from `start` over steps of less than `EDGE`, inside."""
    import cv2

    flat = _flat(small, inside)
    _, labels = cv2.connectedComponents(flat, connectivity=4)
    reached = np.isin(labels, np.setdiff1d(np.unique(labels[start & (flat > 0)]), [0]))
    grown = cv2.dilate(reached.astype(np.uint8), STEP) > 0
    result: Mask = grown & (inside > 0)
    return result


def largest(channels: Any) -> Any:
    """Return the largest of three channels; NumPy is slow along a short axis."""
    return np.maximum(np.maximum(channels[..., 0], channels[..., 1]), channels[..., 2])
