"""The ink of a drawing or a picture, told from its paper in any light and colour."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.data.sheet import STEP, Bytes, FloatArray, Mask, innermost_sheet, largest, rim_of


# The light is evened out on a copy of this size.
LIGHT = 128
# Smaller pictures are enlarged, so that a stroke is some pixels wide.
LEAST = 200
# Less contrast than this is paper: a JPEG's blocks and a sensor's noise stay below it.
FAINTEST = 0.06
# Windows for what is narrower than they are, as shares of the sheet's shorter side: for a pen, for
# a marker, for a digit so thick that it is a blot.
WINDOWS = (0.12, 0.25, 0.6)
# Under a paper darker than this, light is taken as added and no longer as a factor.
DARK = 0.25


@dataclass(frozen=True, eq=False)
class Ink:
    """What stands out from the paper.

    Attributes:
        picture: `(height, width, 3)` as it is seen.
        evened: `(height, width)` strength of the ink, 0 on paper, 1 at its strongest, and noise.
        noise: the standard deviation of `evened` on paper.
        sheet: `(height, width)`, where the paper is.
    """

    picture: Bytes
    evened: FloatArray
    noise: float
    sheet: Mask


class NoInkError(ValueError):
    """Nothing stands out from the paper."""


def find_ink(rgba: Bytes) -> Ink:
    """Return how strongly each pixel is inked.

    The light is evened out: each pixel is compared with the paper around it. Ink and paper may
    have any two colours, also of equal lightness: ink is what lies along the line between them.

    Raises:
        NoInkError: the picture has one colour throughout.
    """
    import cv2

    cv2.setNumThreads(1)  # a class draws at the same time: more threads would only wait
    picture, sheet = _seen(rgba)
    factor = -(-LEAST // max(sheet.shape))
    if factor > 1:
        size = (sheet.shape[1] * factor, sheet.shape[0] * factor)
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
        sheet = cv2.resize(sheet.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    strength: FloatArray | None = _between_two_colours(picture, sheet)
    if strength is None:
        sheet = innermost_sheet(picture, sheet)
        strength = _strength(picture, sheet)
    sample = strength[::3, ::3]
    paper = sample[sheet[::3, ::3] & (sample < 0.3)]
    noise = 1.4826 * float(np.median(np.abs(paper - np.median(paper)))) if paper.size else 0.0
    if noise > 0.02:
        strength = cv2.GaussianBlur(strength, (0, 0), 1.0)
        noise *= 0.3  # what that leaves of the noise of single pixels
    strength[~sheet] = 0
    return Ink(picture=picture, evened=strength, noise=noise, sheet=sheet)


def _seen(rgba: Bytes) -> tuple[Bytes, Mask]:
    """Return the colours on black or white, and where the sheet is: None if there is none.

    An opaque part of one colour is the ink itself. Any other opaque part is a sheet: the window of
    a screenshot with a transparent margin.
    """
    import cv2

    alpha = rgba[..., 3]
    colour = np.ascontiguousarray(rgba[..., :3])
    if int(alpha.min()) == 255:
        return colour, np.ones(alpha.shape, bool)
    if int(alpha.max()) < 26:
        raise NoInkError("There is no ink: all is transparent.")
    opaque = cv2.erode((alpha > 127).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if not opaque.any():  # thin strokes
        opaque = alpha > 127
    inside = colour[opaque] if opaque.any() else colour[alpha > 0]
    if not opaque.any() or int(np.ptp(inside, axis=0).max()) < 50:
        behind = 255.0 if inside.mean() < 128 else 0.0
        share = alpha[..., None].astype(np.float32) / 255
        whole = (colour * share + behind * (1 - share)).round().astype(np.uint8)
        return whole, np.ones(alpha.shape, bool)
    return np.where(opaque[..., None], colour, np.median(inside, axis=0)).astype(np.uint8), opaque


def _packed(colours: Bytes) -> NDArray[np.int32]:
    """Return each colour `(N, 3)` as one number."""
    red, green, blue = colours.astype(np.int32).T
    packed: NDArray[np.int32] = (red << 16) + (green << 8) + blue
    return packed


def _between_two_colours(picture: Bytes, sheet: Mask) -> FloatArray | None:
    """Return the strength of the ink where no light is to be evened out; None for other pictures.

    A drawing on a canvas has two colours, and few pixels between them.
    """
    import cv2

    sample = _packed(picture[::2, ::2][sheet[::2, ::2]])
    colours, counts = np.unique(sample, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    if len(order) < 2 or counts[order[:2]].sum() < 0.85 * len(sample):
        return None
    if len(order) > 2 and counts[order[2]] > 0.01 * len(sample):
        return None  # a desk, a shadow
    rim = (colours[order[1]] == _packed(picture[rim_of(np.ones(sheet.shape, np.uint8))])).mean()
    if rim > 0.25:
        return None  # a shadow or a desk that reaches the border
    paper, ink = (np.array([c >> 16, c >> 8 & 255, c & 255], float) for c in colours[order[:2]])
    axis = (ink - paper) / ((ink - paper) @ (ink - paper))
    if np.abs(ink - paper).max() < 255 * FAINTEST:
        return None
    matrix = np.append(axis, -float(axis @ paper)).astype(np.float32).reshape(1, 4)
    along: FloatArray = cv2.transform(picture.astype(np.float32), matrix)
    seen = along[sheet]
    if float(seen.min()) < -0.1 or float(seen.max()) > 1.1:
        return None  # the true ink is another colour: JPEG's ripples beside a thin line
    return along


def _strength(picture: Bytes, sheet: Mask) -> FloatArray:
    """Return how each pixel differs from the paper around it towards the ink's colour.

    It is 0 on paper and 1 where the ink is strong. Light is a factor: the difference is divided
    by the paper's brightness.
    """
    import cv2

    height, width = sheet.shape
    scale = min(1.0, LIGHT / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(sheet.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if not inside.any():
        inside[:] = True
    seen = np.where(inside[..., None], small, np.median(small[inside], axis=0))
    seen = seen.astype(np.float32) / 255
    axis = _colour_of_edges(seen, inside)
    axis, inked = _roughly_inked(seen, inside, axis)
    paper = _smooth(seen, inside & ~inked)
    brightness = np.maximum(largest(paper), DARK)
    # The rest needs only the one number a pixel that lies along the ink's colour.
    along: FloatArray = cv2.transform(picture.astype(np.float32), (axis / 255).reshape(1, 3))
    along -= cv2.resize(cv2.transform(paper, axis.reshape(1, 3)), (width, height))
    along /= cv2.resize(brightness, (width, height))
    sample = along[sheet]
    strongest = float(sample.max())
    if strongest < FAINTEST:
        raise NoInkError("There is no ink: nothing stands out from the paper.")
    strong = sample[sample > 0.5 * strongest]
    along /= np.quantile(strong, 0.75)
    return along


def _colour_of_edges(seen: FloatArray, inside: Mask) -> FloatArray:
    """Return the direction in colour, `(3,)`, in which most edges lie; its sign means nothing.

    Di Zenzo 1986, "A Note on the Gradient of a Multi-Image": the largest eigenvector of the
    gradients' second moments, over colours here.
    """
    import cv2

    whole = cv2.erode(inside.astype(np.uint8), STEP) > 0
    steps = [
        (seen[1:] - seen[:-1])[whole[1:] & whole[:-1]],
        (seen[:, 1:] - seen[:, :-1])[whole[:, 1:] & whole[:, :-1]],
    ]
    gradient = np.concatenate(steps).astype(np.float64)
    size = largest(np.abs(gradient))
    if not size.size or float(size.max()) < FAINTEST / 4:
        raise NoInkError("There is no ink: nothing stands out from the paper.")
    strong = gradient[size > 0.5 * size.max()]
    _, vectors = np.linalg.eigh(strong.T @ strong)
    return vectors[:, -1].astype(np.float32)


def _roughly_inked(seen: FloatArray, inside: Mask, axis: FloatArray) -> tuple[FloatArray, Mask]:
    """Return the ink's colour relative to paper, and where ink may be, on a small copy.

    What is narrower than a window stands out from its surroundings: the difference to the
    morphological opening, the top-hat of Serra 1982, which leaves the edge of a shadow where it
    is. The window is the narrowest one that finds ink at the strongest edges.
    """
    import cv2

    along = cv2.transform(seen, axis.reshape(1, 3))
    edges = _edges(along, inside)
    best, sign, chosen = -1.0, 1, np.zeros_like(along)
    for share in WINDOWS:
        window = max(3, int(share * min(inside.shape)))
        above, below = (each - _opened(each, window) for each in (along, -along))
        up = _stands_out(along, np.where(inside, np.maximum(above, below), 0)) >= 0
        off = above if up else below
        light = largest(seen)
        lighter = (float(axis.sum()) > 0) == up
        light = _opened(light, window) if lighter else -_opened(-light, window)
        off = np.where(inside, off / np.maximum(light, DARK), 0)
        marked = cv2.dilate((off > otsu(off[inside], FAINTEST)).astype(np.uint8), STEP)
        explained = float(marked[edges].mean()) if edges.any() else 0.0
        if explained > best + 0.04:
            best, sign, chosen = explained, 1 if up else -1, off
    threshold = otsu(chosen[inside], FAINTEST)
    inked = _whole_areas(chosen > max(0.4 * threshold, FAINTEST), edges)
    return np.float32(sign) * axis, cv2.dilate(inked.astype(np.uint8), STEP) > 0


def _whole_areas(inked: Mask, edges: Mask) -> Mask:
    """Return the ink with the middle of its blots: an area without edges is inked if most of it is.

    Where strokes meet they may be wider than the window.
    """
    import cv2

    count, areas = cv2.connectedComponents((~edges).astype(np.uint8), connectivity=4)
    total = np.bincount(areas.ravel(), minlength=count)
    share = np.bincount(areas[inked], minlength=count) / np.maximum(total, 1)
    share[0] = 0  # the edges
    whole: Mask = inked | (share > 0.5)[areas]
    return whole


def _edges(along: FloatArray, inside: Mask) -> Mask:
    """Return where the strongest edges are."""
    import cv2

    gradient = cv2.morphologyEx(along, cv2.MORPH_GRADIENT, STEP)
    gradient[cv2.erode(inside.astype(np.uint8), STEP, borderValue=1) == 0] = 0
    edges: Mask = gradient > 0.4 * gradient.max()
    return edges


def _opened(values: FloatArray, side: int) -> FloatArray:
    """Return the opening with a square; the picture goes on beyond its border as it is there."""
    import cv2

    kernel = np.ones((side, side), np.uint8)
    beyond = cv2.copyMakeBorder(values, side, side, side, side, cv2.BORDER_REPLICATE)
    return cv2.morphologyEx(beyond, cv2.MORPH_OPEN, kernel)[side:-side, side:-side]


def _stands_out(along: FloatArray, off: FloatArray) -> float:
    """Return by how much, along its outline, what stands out is above its surroundings."""
    import cv2

    marked = (off > otsu(off, FAINTEST)).astype(np.uint8)
    contours, _ = cv2.findContours(marked, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(marked)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    within = (filled > 0) & (cv2.erode(filled, STEP) == 0)
    around = (cv2.dilate(filled, STEP) > 0) & (filled == 0)
    if not within.any() or not around.any():
        return 0.0
    return float(along[within].mean() - along[around].mean())


def _smooth(seen: FloatArray, known: Mask) -> FloatArray:
    """Smooth the known paper, finely where there is enough of it, else from further away."""
    import cv2

    if not known.any():
        known = np.ones_like(known)
    weight = known.astype(np.float32)
    weighted = seen * weight[..., None]
    paper = np.broadcast_to(seen[known].mean(axis=0, dtype=np.float64), seen.shape)
    for side in (65, 33, 13, 5):
        near = cv2.blur(weight, (side, side))[..., None]
        mean = cv2.blur(weighted, (side, side)) / np.maximum(near, np.float32(1e-6))
        share = np.clip(near * 4, 0, 1)
        paper = share * mean + (1 - share) * paper
    return paper.astype(np.float32)


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
