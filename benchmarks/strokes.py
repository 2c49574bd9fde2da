"""Handwritten digits, written again: larger in the writer's own ink, or with another pen."""

from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from core.classifier import FloatArray

SCALE = 8  # enlargement of MNIST's pixels, in which strokes are found
SPUR = 1.5  # a branch shorter than this, in MNIST's pixels, is the thinning's and not the writer's
BLOT = 1.8  # ink that is wider than a digit's strokes by this factor was a loop
SMOOTHING = 0.25  # standard deviation along a stroke, in MNIST's pixels

Stroke = NDArray[np.float64]
Pixel = tuple[int, int]


class Handwriting:
    """A test digit that can be written on a sheet of any size.

    Attributes:
        image: `(28, 28)` pixels in [0, 1], ink 1.
    """

    def __init__(self, image: FloatArray) -> None:
        self.image = image

    @cached_property
    def strokes(self) -> list[Stroke]:
        """The digit's strokes, which a pen follows, in MNIST's pixels."""
        return strokes(self.image)

    def write(
        self,
        random: Generator,
        *,
        side: int,
        length: float,
        astray: float = 0.08,
        width: float | None = None,
    ) -> FloatArray:
        """Write the digit on a square sheet.

        Args:
            random: for a tenth more or less of size, and for the place.
            side: of the sheet, in pixels.
            length: the longer side of the digit, as a share of `side`.
            astray: how far the digit's middle is at most from the sheet's, as a share of `side`.
            width: of a round pen that follows the strokes, in pixels; None for the writer's own
                ink, whose outline is enlarged with the digit.

        Returns:
            The ink in [0, 1], anti-aliased, `(side, side)`.
        """
        if width is None:
            points = (np.argwhere(_outlined(self.image, SCALE))[:, ::-1] + 0.5) / SCALE
        else:
            points = np.concatenate(self.strokes)
        low, high = points.min(axis=0), points.max(axis=0)
        scale = side * length * random.uniform(0.9, 1.1) / max(float((high - low).max()), 1e-6)
        middle = side * (0.5 + random.uniform(-astray, astray, 2))
        corner = middle - (low + high) / 2 * scale  # the image's, on the sheet
        if width is None:
            return _enlarged(self.image, side=side, scale=scale, corner=corner)
        lines = [line * scale + corner for line in self.strokes]
        return draw(lines, side=side, width=width)


def _outlined(image: FloatArray, scale: int) -> NDArray[np.bool_]:
    """Return where the enlarged image has ink of at least half strength."""
    import cv2

    size = (image.shape[1] * scale, image.shape[0] * scale)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC) >= 0.5)


def _enlarged(
    image: FloatArray, *, side: int, scale: float, corner: NDArray[np.float64]
) -> FloatArray:
    """Return the image's outline at half strength, filled with ink, on a sheet."""
    import cv2

    over = _finer(side)
    # OpenCV counts from the middle of the first pixel.
    shift = (corner + scale / 2) * over - 0.5
    matrix = np.array([[scale * over, 0, shift[0]], [0, scale * over, shift[1]]])
    large = cv2.warpAffine(image, matrix, (side * over, side * over), None, cv2.INTER_CUBIC)
    inked = np.asarray(large >= 0.5).astype(np.float32)
    return np.asarray(cv2.resize(inked, (side, side), interpolation=cv2.INTER_AREA))


def _finer(side: int) -> int:
    """Return how many times finer than its pixels a sheet is drawn, for soft edges."""
    return 4 if side <= 300 else 2


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

    over = _finer(side)
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
