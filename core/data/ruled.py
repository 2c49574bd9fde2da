"""The lines of lined and squared paper, taken away from what is inked."""

import numpy as np

from core.data.sheet import FloatArray, Mask

# How far ruled lines may be out of true: 6°.
SLOPES = np.arange(-10, 11) / 100
# A ruled line is inked over this share of the sheet's width.
RULED = 0.7
# A stroke on a ruled line is stronger than the line by this factor.
STRONGER = 1.6


def without_ruled_lines(strength: FloatArray, sheet: Mask, floor: float) -> FloatArray:
    """Return the ink without the lines of lined or squared paper: three or more across the sheet.

    Where a stroke crosses a line, it stays.
    """
    weak = strength > max(floor, 0.1)
    across = _without_lines(strength, weak, sheet)
    down = _without_lines(across.T, weak.T, sheet.T).T
    return np.ascontiguousarray(down)


def _without_lines(strength: FloatArray, weak: Mask, sheet: Mask) -> FloatArray:
    """Take lines from left to right away."""
    import cv2

    columns = np.flatnonzero(sheet.any(axis=0))
    if not columns.size:
        return strength
    left, right = int(columns[0]), int(columns[-1]) + 1
    if not _may_be_ruled(weak[:, left:right]):
        return strength
    lines, slope = _lines(weak[:, left:right])
    edges = np.flatnonzero(np.diff(np.pad(lines.astype(np.int8), 1)))
    starts, stops = edges[::2], edges[1::2]
    height = len(weak)
    if len(starts) < 3 or (stops - starts).max() > 0.03 * height + 3:
        return strength  # a few strokes, or a texture
    thick = int((stops - starts).max())
    # For each pixel the place in `lines` of the line through it.
    offsets = slope * (np.arange(strength.shape[1]) - left)
    places = np.round(np.arange(height)[:, None] - offsets).astype(int) + height
    near = cv2.dilate(lines.astype(np.uint8)[:, None], np.ones((5, 1), np.uint8))[:, 0] > 0
    # What is higher than a line is thick is a stroke that crosses it.
    standing = cv2.morphologyEx(strength, cv2.MORPH_OPEN, np.ones((thick + 4, 1), np.uint8))
    # Where it lies between pixels, a line has a strong and a weak row.
    middle = np.zeros(len(lines), bool)
    middle[(starts + stops) // 2] = True
    strongest = cv2.dilate(strength, np.ones((thick + 2, 1), np.uint8))
    typical = float(np.median(strongest[middle[places] & weak]))
    stronger = np.where(strength > STRONGER * typical, strength, 0)
    return np.where(near[places], np.maximum(standing, stronger), strength).astype(np.float32)


def _may_be_ruled(weak: Mask) -> bool:
    """Whether most of twelve columns cross three lines or more."""
    looked_at = weak[:, np.linspace(0, weak.shape[1] - 1, 12).astype(int)].astype(np.int8)
    crossed = (np.diff(looked_at, axis=0) > 0).sum(axis=0)
    return bool(np.count_nonzero(crossed >= 3) >= 8)


def _lines(weak: Mask) -> tuple[Mask, float]:
    """Return where lines cross the left side, and their slope, the one that most lines have.

    The lines' places are counted from one height of the picture above it: a line that rises or
    falls may cross the left side above or below the picture. This is a Hough transform of few
    slopes: Duda and Hart 1972, "Use of the Hough Transformation to Detect Lines and Curves in
    Pictures".
    """
    height, width = weak.shape
    step = max(1, width // 200)
    y, x = np.nonzero(weak[:, ::step])
    count = len(range(0, width, step))
    best, best_slope = np.zeros(3 * height, bool), 0.0
    for slope in SLOPES.tolist():
        places = np.round(y - slope * step * x).astype(int) + height
        lines = np.bincount(places, minlength=3 * height) > RULED * count
        if lines.sum() > best.sum():
            best, best_slope = lines, slope
    return best, best_slope
