"""The digits among what is inked: what is no stroke is dropped, what belongs together is joined."""

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.paper import FAINTEST, Ink, otsu
from core.data.ruled import without_ruled_lines
from core.data.sheet import NEIGHBOURS, FloatArray, Mask

# A pixel is weak ink from this share of the threshold on: a stroke's soft edge, a faint end.
WEAK = 0.4
# Of more pieces than this, the largest: what has so many is a texture.
MOST_PARTS = 60
# What takes more than the first share of a side of the picture is a desk or a frame; so is what
# takes more than the second and reaches less than the third into the picture.
BORDER, SHORT_BORDER, SHALLOW = 0.75, 0.3, 0.25
# The edge of a sheet is this share of its longer side wide; most of what it leaves lies in it.
EDGE_WIDTH, ON_THE_EDGE = 1 / 40, 0.6
# What a frame lies around is at least this share of its height. The loop of a digit has less in it.
FRAMED = 0.3
# A part is a speck if it is no longer than this many strokes are wide, as the dot of a tap, and
# shorter than this share of the longest part.
SPECK, SHORT = 1.8, 0.3
# Pieces belong together over a gap of this share of the pen's width, or of the digit's size.
GAP, SMALL_GAP = 0.7, 0.04
# Bars lie further away: above or below a digit up to the first share of its size, beside it up to
# the second.
BAR_GAP, BAR_GAP_BESIDE = 0.25, 0.15
# A digit's faint strokes have at least this share of its strongest ink. What the edge of a hard
# shadow leaves has 0.3, chalk in half the light 0.55.
FAINT = 0.4
# A digit beside another is at least this share of its size: anything smaller is a dash or a speck.
LEAST_SIZE = 0.4


@dataclass(frozen=True, eq=False)
class Digit:
    """One digit of a drawing.

    Attributes:
        box: left, top, right and bottom; the last two are exclusive.
        mask: `(height, width)` of the box, where the digit's strokes are.
        ink: `(height, width)` of the box, the digit's ink in [0, 1] with its soft edges.
    """

    box: tuple[int, int, int, int]
    mask: Mask
    ink: FloatArray

    @property
    def width(self) -> float:
        """The mean width of the strokes, in pixels."""
        return stroke_width(self.mask)

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

    @property
    def window(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)


def find_digits(ink: Ink) -> list[Digit]:
    """Return the digits from left to right; none if no stroke is left."""
    floor = max(FAINTEST, 5 * ink.noise)
    strength = without_ruled_lines(ink.evened, ink.sheet, floor)
    threshold = otsu(strength, floor)
    # Canny 1986: a weak pixel counts if it is connected to a strong one.
    weak = strength > max(floor, WEAK * threshold)
    strong = strength > threshold
    labels, parts = _parts(weak, strong)
    # What is left out is there beside a digit. Where it is all there is, it was drawn.
    parts = [part for part in parts if not _at_the_border(part, labels)] or parts
    parts = _without_edges(parts, labels, ink.sheet) or parts
    parts = _without_frames(parts, labels) or parts
    if not parts:
        return []
    level = float(np.quantile(strength[strong], 0.75))
    soft = np.clip((strength - 3 * ink.noise) / max(level - 3 * ink.noise, 1e-6), 0, 1)
    digits = [_digit(group, labels, strong, soft) for group in _grouped(parts, labels, strong)]
    largest = max(digit.size for digit in digits)
    digits = [digit for digit in digits if digit.size >= LEAST_SIZE * largest]
    return sorted(digits, key=lambda digit: digit.box[0])


def stroke_width(mask: Mask) -> float:
    """Return the mean width of the strokes in pixels.

    Across a stroke of width w, the mean distance to its edge is w / 4.
    """
    import cv2

    padded = np.pad(mask.astype(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_5)
    # The distance from a pixel's middle to the next middle outside is half a pixel too long.
    return max(1.0, 4 * (float(distance[padded > 0].mean(dtype=np.float64)) - 0.5))


def _parts(weak: Mask, strong: Mask) -> tuple[NDArray[Any], list[_Part]]:
    """Return the connected pieces that have strong ink; of very many, the largest."""
    import cv2

    # Only where there is ink: a digit takes a small part of a large sheet.
    x, y, width, height = cv2.boundingRect(weak.astype(np.uint8))
    window = slice(y, y + height), slice(x, x + width)
    labels = np.zeros(weak.shape, np.int32)
    if not width:
        return labels, []
    _, labels[window], stats, _ = cv2.connectedComponentsWithStats(
        weak[window].astype(np.uint8), connectivity=8
    )
    stats[:, :2] += (x, y)
    area = np.bincount(labels[strong], minlength=len(stats))
    order = np.argsort(-area[1:], kind="stable")[:MOST_PARTS] + 1
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
        if share > BORDER or (share > SHORT_BORDER and depth < SHALLOW):
            return True
    return False


def _without_edges(parts: list[_Part], labels: NDArray[Any], sheet: Mask) -> list[_Part]:
    """Leave out what lies along the edge of a sheet that was cut out."""
    import cv2

    if sheet.all():
        return parts
    side = 2 * int(max(sheet.shape) * EDGE_WIDTH) + 1
    edge = cv2.dilate((~sheet).astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    area = np.bincount(labels.ravel())
    on_edge = np.bincount(labels[edge], minlength=len(area))
    return [part for part in parts if on_edge[part.label] < ON_THE_EDGE * area[part.label]]


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
            and part.height > FRAMED * outer.height
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


def _grouped(parts: list[_Part], labels: NDArray[Any], strong: Mask) -> list[list[_Part]]:
    """Join the parts of each digit; specks away from all others are left out."""
    if len(parts) == 1:
        return [parts]
    main = max(parts, key=lambda part: (part.size, part.area))
    pen = stroke_width((labels[main.window] == main.label) & strong[main.window])
    largest = max(part.size for part in parts)
    groups: list[list[_Part]] = []
    for part in sorted(parts, key=lambda part: -part.size):
        speck = part.size < SPECK * pen and part.size < SHORT * largest
        reach = GAP * pen if speck else None
        homes = [group for group in groups if _belongs(part, group, labels, pen, reach)]
        if not speck:
            homes = homes[:1]  # a line below two digits doesn't make them one
        if homes or not speck:
            groups = [group for group in groups if group not in homes]
            groups.append([part, *chain.from_iterable(homes)])
    return groups


def _belongs(
    part: _Part,
    group: list[_Part],
    labels: NDArray[Any],
    pen: float,
    reach: float | None,
) -> bool:
    """Whether a part is a piece of the digit that the group is.

    A speck belongs to it within `reach` pixels. For other parts `reach` is None, and the gap may be
    as wide as those that people leave in a digit.
    """
    left, right = min(p.left for p in group), max(p.right for p in group)
    top, bottom = min(p.top for p in group), max(p.bottom for p in group)
    size = max(right - left, bottom - top)
    across = max(left, part.left) - min(right, part.right)  # the gap; negative where they overlap
    down = max(top, part.top) - min(bottom, part.bottom)
    if reach is None:
        near = max(GAP * pen, SMALL_GAP * size)
        # A bar above a 5, the second stroke of an open 4: over or under the rest.
        over = -across > 0.4 * min(part.width, right - left)
        tall = max(part.height, bottom - top)
        flat = min(part.height, bottom - top) < 0.5 * tall
        if over and down <= (BAR_GAP * max(size, part.size) if flat else near):
            return True
        # A bar that is too far to the right.
        flat = part.height < 0.5 * (bottom - top) and part.size < 0.7 * size
        reach = max(near, BAR_GAP_BESIDE * size) if flat else near
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
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_5)
    return float(distance[window == part.label].min()) - 1


def _digit(group: list[_Part], labels: NDArray[Any], strong: Mask, soft: FloatArray) -> Digit:
    left, right = min(p.left for p in group), max(p.right for p in group)
    top, bottom = min(p.top for p in group), max(p.bottom for p in group)
    window = (slice(top, bottom), slice(left, right))
    own = np.isin(labels[window], [p.label for p in group])
    ink = np.where(own, soft[window], 0).astype(np.float32)
    return Digit((left, top, right, bottom), _with_faint_strokes(own & strong[window], ink), ink)


def _with_faint_strokes(strong: Mask, ink: FloatArray) -> Mask:
    """Return where a digit's strokes are, also those that are fainter than its others.

    The edge of a stroke is where the ink is half as strong as the strongest nearby.
    """
    import cv2

    faint = ((ink > 0) & ~strong).astype(np.uint8)
    if not cv2.erode(faint, NEIGHBOURS).any():  # the soft edges of the strong strokes
        return strong
    reach = 2 * round(stroke_width(strong)) + 1
    nearby = cv2.dilate(ink, np.ones((reach, reach), np.uint8))
    mask: Mask = strong | (ink > np.maximum(0.5 * nearby, FAINT))
    return mask
