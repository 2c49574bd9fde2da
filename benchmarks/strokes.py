"""Handwritten digits as strokes: lines that any pen can draw again."""

import numpy as np
from numpy.typing import NDArray

from core.classifier import FloatArray

SCALE = 8  # enlargement of MNIST's pixels, in which strokes are found
SPUR = 1.5  # a branch shorter than this, in MNIST's pixels, is the thinning's and not the writer's
BLOT = 2.1  # ink that is wider than a digit's strokes by this factor was a loop
SMOOTHING = 0.25  # standard deviation along a stroke, in MNIST's pixels

Stroke = NDArray[np.float64]
Pixel = tuple[int, int]


def strokes(image: FloatArray) -> list[Stroke]:
    """Return the strokes of a digit, the middle lines of its ink.

    Args:
        image: `(28, 28)` pixels in [0, 1], ink 1.

    Returns:
        Lines of points `(N, 2)`, x and y in MNIST's pixels; the image's corner is (0, 0).
    """
    pixels = _pixels(thin(_without_blots(_ink(image))))
    for _ in range(2):
        pixels = _without_spurs(pixels)
    return [(_smooth(np.array(chain)[:, ::-1]) + 0.5) / SCALE for chain in _chains(pixels)]


def _ink(image: FloatArray) -> NDArray[np.bool_]:
    """Tell ink from paper in the enlarged image."""
    import cv2

    side = image.shape[0] * SCALE
    large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
    large = cv2.GaussianBlur(large, (0, 0), SCALE / 2)
    # What is darker than its surroundings is paper: a loop that is almost filled stays open.
    sharp = 2 * large - cv2.GaussianBlur(large, (0, 0), 1.2 * SCALE)
    # Ink is half as strong as the strongest nearby: a faint stroke stays in one piece.
    nearby = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5 * SCALE + 1, 5 * SCALE + 1))
    strongest = cv2.GaussianBlur(cv2.dilate(sharp, nearby), (0, 0), SCALE)
    return np.asarray(sharp > 0.5 * np.maximum(strongest, 0.3))


def _without_blots(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Open what is much wider than the strokes: a pen would have drawn a loop there."""
    import cv2

    line = thin(ink)
    if not line.any():
        return ink
    depth = cv2.distanceTransform(ink.astype(np.uint8), cv2.DIST_L2, 5)
    depth = depth / np.median(depth[line])
    _, parts = cv2.connectedComponents((depth > BLOT / 1.25).astype(np.uint8))
    # Where strokes cross they are wider, too, but less.
    return np.asarray(ink & ~((parts > 0) & np.isin(parts, parts[depth > BLOT])))


def thin(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thin ink to lines of one pixel.

    Zhang and Suen 1984, "A Fast Parallel Algorithm for Thinning Digital Patterns": take pixels away
    from the rim, by turns from the south-east and the north-west, where no line breaks or shortens.
    """
    line = np.pad(ink, 1).astype(np.uint8)
    tables = _removable()
    while True:
        before = line
        for table in tables:
            code = np.zeros_like(line)
            for place, (row, column) in enumerate(_RING):
                code |= np.roll(line, (-row, -column), (0, 1)) << np.uint8(place)
            line = line & ~table[code]
        if np.array_equal(line, before):
            return line[1:-1, 1:-1].astype(bool)


# The eight neighbours (row, column), clockwise from the north: P2 to P9 in the paper.
_RING = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]


def _removable() -> list[NDArray[np.uint8]]:
    """Return for each half of a step which of the 256 neighbourhoods let a pixel be removed."""
    ring = np.arange(256)[:, None] >> np.arange(8) & 1
    north, east, south, west = ring[:, ::2].T
    rises = ((ring == 0) & (np.roll(ring, -1, axis=1) == 1)).sum(axis=1)
    count = ring.sum(axis=1)
    both = (count >= 2) & (count <= 6) & (rises == 1)
    halves = [
        both & (north * east * south == 0) & (east * south * west == 0),
        both & (north * east * west == 0) & (north * south * west == 0),
    ]
    return [half.astype(np.uint8) for half in halves]


def _pixels(line: NDArray[np.bool_]) -> set[Pixel]:
    return {(int(row), int(column)) for row, column in np.argwhere(line)}


def _neighbours(pixel: Pixel, pixels: set[Pixel]) -> list[Pixel]:
    """Return the connected pixels: diagonal ones where no straight step leads to them as well."""
    row, column = pixel
    near = [(row + down, column + right) for down, right in _RING[::2]]
    near = [other for other in near if other in pixels]
    for down, right in _RING[1::2]:
        other = (row + down, column + right)
        if other in pixels and not {(row + down, column), (row, column + right)} & pixels:
            near.append(other)
    return near


def _chains(pixels: set[Pixel]) -> list[list[Pixel]]:
    """Cut the lines at their ends and crossings; return each piece from one to the other."""
    near = {pixel: _neighbours(pixel, pixels) for pixel in sorted(pixels)}
    nodes = [pixel for pixel in near if len(near[pixel]) != 2]
    chains: list[list[Pixel]] = [[pixel] for pixel in nodes if not near[pixel]]
    walked: set[tuple[Pixel, Pixel]] = set()  # the steps, in both directions
    for start in [*nodes, *near]:  # the second part is for rings, which have no end or crossing
        if start not in nodes and any((start, other) in walked for other in near[start]):
            continue
        for step in near[start]:
            if (start, step) not in walked:
                chain = [start, step]
                while len(near[chain[-1]]) == 2 and chain[-1] != start:
                    one, other = near[chain[-1]]
                    chain.append(other if one == chain[-2] else one)
                walked.update(zip(chain, chain[1:], strict=False))
                walked.update(zip(chain[1:], chain, strict=False))
                chains.append(chain)
    return chains


def _without_spurs(pixels: set[Pixel]) -> set[Pixel]:
    """Remove the short branches from a crossing to an end."""
    ends = {pixel: len(_neighbours(pixel, pixels)) for pixel in pixels}
    kept = set(pixels)
    for chain in _chains(pixels):
        degrees = sorted((ends[chain[0]], ends[chain[-1]]))
        if degrees[0] == 1 and degrees[1] > 2 and len(chain) < SPUR * SCALE:
            kept -= {pixel for pixel in chain if ends[pixel] <= 2}
    return kept


def _smooth(points: NDArray[np.int64]) -> Stroke:
    """Smooth the steps of a line of pixels; its ends stay."""
    reach = min(3 * round(SMOOTHING * SCALE), len(points) - 1)
    if reach < 1:
        return points.astype(np.float64)
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / (SMOOTHING * SCALE)) ** 2)
    weights /= weights.sum()
    if (points[0] == points[-1]).all():
        wide = np.concatenate([points[-1 - reach : -1], points, points[1 : 1 + reach]])
    else:  # mirrored at the ends, through them
        first, last = points[:1], points[-1:]
        before = 2 * first - points[reach:0:-1]
        after = 2 * last - points[-2 : -2 - reach : -1]
        wide = np.concatenate([before, points, after])
    return np.stack([np.convolve(axis, weights, "valid") for axis in wide.T], axis=1)


def draw(lines: list[Stroke], *, side: int, width: float) -> FloatArray:
    """Draw strokes with a round pen, anti-aliased.

    Args:
        lines: points `(N, 2)`, x and y in pixels of the sheet.
        side: of the square sheet, in pixels.
        width: of the pen, in pixels.

    Returns:
        The ink in [0, 1], `(side, side)`.
    """
    import cv2

    over = 4 if side <= 300 else 2
    sheet = np.zeros((side * over, side * over), np.uint8)
    fine = 4  # OpenCV draws at a sixteenth of a pixel
    points = [np.round((line * over - 0.5) * 2**fine).astype(np.int32) for line in lines]
    thick = max(1, round(width * over))
    cv2.polylines(sheet, points, False, 255, thick, cv2.LINE_AA, fine)
    for line in points:  # the round pen; a single point is no line
        for x, y in (line[0], line[-1]):
            radius = round(width * over / 2 * 2**fine)
            cv2.circle(sheet, (int(x), int(y)), radius, 255, -1, cv2.LINE_AA, fine)
    small = cv2.resize(sheet, (side, side), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255
