"""The digits among what is inked: what is no stroke is dropped, what belongs together is joined."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.classifier import FloatArray
from core.data.paper import FAINTEST, Ink, otsu

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Digit:
    """One digit of a drawing.

    Attributes:
        box: left, top, right and bottom; the last two are exclusive.
        mask: `(height, width)` of the box, where the digit's strokes are.
        ink: `(height, width)` of the box, the digit's ink in [0, 1] with its soft edges.
        width: of the strokes, in pixels.
    """

    box: tuple[int, int, int, int]
    mask: Mask
    ink: FloatArray
    width: float

    @property
    def size(self) -> int:
        """The longer side of the box."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top)


@dataclass(eq=False)
class _Part:
    """A connected piece of ink: its label, its box, its area."""

    label: int
    left: int
    top: int
    right: int
    bottom: int
    area: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def size(self) -> int:
        return max(self.width, self.height)


def find_digits(ink: Ink) -> list[Digit]:
    """Return the digits from left to right."""
    floor = max(FAINTEST, 5 * ink.noise)
    strength = without_ruled_lines(ink.evened, ink.sheet, floor)
    threshold = otsu(strength, floor)
    # Canny 1986: a weak pixel counts if it is connected to a strong one.
    weak = strength > max(floor, WEAK * threshold)
    strong = strength > threshold
    labels, parts = _parts(weak, strong)
    parts = [part for part in parts if not _at_the_border(part, labels)]
    parts = _without_edges(parts, labels, ink.sheet)
    parts = _without_frames(parts, labels)
    if not parts:
        return []
    level = float(np.quantile(strength[strong], 0.75))
    soft = np.clip((strength - 3 * ink.noise) / max(level - 3 * ink.noise, 1e-6), 0, 1)
    main = max(parts, key=lambda part: (part.size, part.area))
    pen = _digit([main], labels, strong, soft).width
    groups = _grouped(parts, labels, pen)
    digits = [_digit(group, labels, strong, soft) for group in groups]
    largest = max(digit.size for digit in digits)
    digits = [digit for digit in digits if digit.size >= LEAST_SIZE * largest]
    return sorted(digits, key=lambda digit: digit.box[0])


# A pixel is weak ink from this share of the threshold on: a stroke's soft edge, a faint end.
WEAK = 0.4
# A part is a speck if it is no longer than this many strokes are wide: a tap leaves a dot.
SPECK = 1.8
# A digit beside another is at least this large: anything smaller is a dash or a speck.
LEAST_SIZE = 0.4


def stroke_width(mask: Mask) -> float:
    """Return the mean width of the strokes in pixels.

    Across a stroke of width w, the mean distance to its edge is w / 4.
    """
    import cv2

    padded = np.pad(mask.astype(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_5)
    # The distance from a pixel's middle to the next middle outside is half a pixel too long.
    return max(1.0, 4 * (float(distance[padded > 0].mean()) - 0.5))


def _parts(weak: Mask, strong: Mask) -> tuple[NDArray[Any], list[_Part]]:
    """Return the connected pieces that have strong ink; of very many, the largest."""
    import cv2

    _, labels, stats, _ = cv2.connectedComponentsWithStats(weak.astype(np.uint8), connectivity=8)
    area = np.bincount(labels[strong], minlength=len(stats))
    order = np.argsort(-area[1:], kind="stable")[:60] + 1
    parts = []
    for label in order.tolist():
        if area[label] > 0:
            left, top, width, height, _ = stats[label].tolist()
            parts.append(_Part(label, left, top, left + width, top + height, int(area[label])))
    return labels, parts


def _at_the_border(part: _Part, labels: NDArray[Any]) -> bool:
    """Whether it lies along the picture's border, as a desk does.

    A digit's bar may lie there, too, but the digit reaches further into the picture.
    """
    height, width = labels.shape
    sides = (
        (labels[0], part.bottom / height),
        (labels[-1], 1 - part.top / height),
        (labels[:, 0], part.right / width),
        (labels[:, -1], 1 - part.left / width),
    )
    for along, depth in sides:
        share = np.count_nonzero(along == part.label) / len(along)
        if share > 0.75 or (share > 0.3 and depth < 0.25):
            return True
    return False


def _without_edges(parts: list[_Part], labels: NDArray[Any], sheet: Mask) -> list[_Part]:
    """Leave out what lies along the edge of a sheet that was cut out."""
    import cv2

    if sheet.all():
        return parts
    near = np.ones((2 * (max(sheet.shape) // 40) + 1,) * 2, np.uint8)
    edge = cv2.dilate((~sheet).astype(np.uint8), near) > 0
    counts = np.bincount(labels.ravel()), np.bincount(labels[edge], minlength=labels.max() + 1)
    return [part for part in parts if counts[1][part.label] < 0.6 * counts[0][part.label]]


def _without_frames(parts: list[_Part], labels: NDArray[Any]) -> list[_Part]:
    """Leave out what lies around another large part: a frame or a ring drawn around the digit."""
    kept = []
    for outer in parts:
        inner = [
            part
            for part in parts
            if part is not outer
            and part.left > outer.left
            and part.right < outer.right
            and part.top > outer.top
            and part.bottom < outer.bottom
            and part.height > 0.3 * outer.height
        ]
        if not any(_surrounds(outer, part, labels) for part in inner):
            kept.append(outer)
    return kept


def _surrounds(outer: _Part, inner: _Part, labels: NDArray[Any]) -> bool:
    """Whether `outer` has ink to all four sides of the middle of `inner`."""
    row = (inner.top + inner.bottom) // 2
    column = (inner.left + inner.right) // 2
    rays = (
        labels[row, : inner.left],
        labels[row, inner.right :],
        labels[: inner.top, column],
        labels[inner.bottom :, column],
    )
    return all(bool((ray == outer.label).any()) for ray in rays)


def _grouped(
    parts: list[_Part], labels: NDArray[Any], pen: float
) -> list[list[_Part]]:
    """Join the parts of each digit; specks away from all others are left out."""
    largest = max(part.size for part in parts)
    groups: list[list[_Part]] = []
    for part in sorted(parts, key=lambda part: -part.size):
        if part.size < SPECK * pen and part.size < 0.3 * largest:
            reach = 0.7 * pen  # a broken stroke's end
        else:
            reach = None
        home = next((g for g in groups if _belongs(part, g, labels, pen, reach)), None)
        if home is not None:
            home.append(part)
        elif reach is None:
            groups.append([part])
    return groups


def _belongs(
    part: _Part,
    group: list[_Part],
    labels: NDArray[Any],
    pen: float,
    reach: float | None,
) -> bool:
    """Whether a part is a piece of the digit that the group is."""
    left, right = min(p.left for p in group), max(p.right for p in group)
    top, bottom = min(p.top for p in group), max(p.bottom for p in group)
    size = max(right - left, bottom - top)
    across = max(left, part.left) - min(right, part.right)  # the gap; negative where they overlap
    down = max(top, part.top) - min(bottom, part.bottom)
    if reach is None:
        near = max(0.7 * pen, 0.04 * size)
        # A bar above a 5, the second stroke of an open 4: over or under the rest.
        over = -across > 0.4 * min(part.width, right - left)
        tall = max(part.height, bottom - top)
        flat = min(part.height, bottom - top) < 0.5 * tall
        if over and down <= (0.25 * max(size, part.size) if flat else near):
            return True
        # A bar that is too far to the right.
        flat = part.height < 0.5 * (bottom - top) and part.size < 0.7 * size
        reach = max(near, 0.15 * size) if flat else near
    if max(across, down) > reach:
        return False
    return _gap(part, group, labels, reach) <= reach


def _gap(part: _Part, group: list[_Part], labels: NDArray[Any], reach: float) -> float:
    """Return the distance between a part and a group in pixels, if it is within reach."""
    import cv2

    margin = int(np.ceil(reach)) + 1
    rows = slice(max(0, part.top - margin), part.bottom + margin)
    columns = slice(max(0, part.left - margin), part.right + margin)
    window = labels[rows, columns]
    away = (~np.isin(window, [p.label for p in group])).astype(np.uint8)
    if away.all():
        return float("inf")
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(distance[window == part.label].min()) - 1


def _digit(
    group: list[_Part], labels: NDArray[Any], strong: Mask, soft: FloatArray
) -> Digit:
    left, right = min(p.left for p in group), max(p.right for p in group)
    top, bottom = min(p.top for p in group), max(p.bottom for p in group)
    window = (slice(top, bottom), slice(left, right))
    own = np.isin(labels[window], [p.label for p in group])
    mask = own & strong[window]
    ink = np.where(own, soft[window], 0).astype(np.float32)
    return Digit((left, top, right, bottom), mask, ink, stroke_width(mask))


# How far ruled lines may be out of true: 6°.
SLOPES = np.arange(-10, 11) / 100


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
    looked_at = weak[:, np.linspace(left, right - 1, 12).astype(int)].astype(np.int8)
    if np.count_nonzero((np.diff(looked_at, axis=0) > 0).sum(axis=0) >= 3) < 8:
        return strength  # most columns cross fewer than three lines
    height = len(weak)
    step = max(1, (right - left) // 200)
    y, x = np.nonzero(weak[:, left:right:step])
    x = x * step
    count = len(range(left, right, step))
    best, lines, slope = 0, None, 0.0
    for each in SLOPES:
        start = np.round(y - each * x).astype(int) + height
        coverage = np.bincount(start, minlength=3 * height) / count
        covered = coverage > 0.7
        if covered.sum() > best:
            best, lines, slope = int(covered.sum()), covered, float(each)
    if lines is None:
        return strength
    edges = np.flatnonzero(np.diff(np.pad(lines.astype(np.int8), 1)))
    starts, stops = edges[::2], edges[1::2]
    thick = int((stops - starts).max())
    if len(starts) < 3 or thick > 0.03 * height + 3:
        return strength
    near = cv2.dilate(lines.astype(np.uint8).reshape(-1, 1), np.ones((5, 1), np.uint8))[:, 0] > 0
    rows = np.arange(height)[:, None]
    offsets = np.round(rows - slope * (np.arange(strength.shape[1]) - left)).astype(int) + height
    band = near[offsets]
    # What is as high as a line is thick and more is a stroke that crosses it.
    standing = cv2.morphologyEx(strength, cv2.MORPH_OPEN, np.ones((thick + 4, 1), np.uint8))
    # A line is as strong as its middle, not its soft edges; a stroke may lie along one of the lines.
    start = np.round(y - slope * x).astype(int) + height
    total = np.bincount(start, weights=strength[y, left + x], minlength=3 * height)
    mean = total / np.maximum(np.bincount(start, minlength=3 * height), 1)
    typical = float(np.median([mean[a:b].max() for a, b in zip(starts, stops, strict=True)]))
    stronger = np.where(strength > 1.6 * typical, strength, 0)
    return np.where(band, np.maximum(standing, stronger), strength).astype(np.float32)
