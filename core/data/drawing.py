"""The preparation of a drawing or picture in the way in which MNIST's digits were prepared."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.classifier import FloatArray
from core.data.paper import NoInkError, find_ink
from core.data.strokes import Digit, find_digits

SIDE = 28
DIGIT = 20
# Of MNIST's digits, nine in ten have strokes of 1.9 to 4.1 pixels, the mean one of 2.8.
THINNEST, THICKEST = 2.2, 3.6


class EmptyDrawingError(ValueError):
    """A drawing without ink."""


@dataclass(frozen=True, eq=False)
class Stages:
    """The stages of a drawing's preparation, with pixels in [0, 1], ink white.

    Attributes:
        ink: `(height, width)`, the whole drawing.
        box: left, top, right and bottom of the box around the ink; the last two are exclusive.
        boxes: of every digit found, from left to right.
        scaled: `(20, 20)`, the box in the middle, scaled with its aspect ratio kept.
        image: `(28, 28)`, the network's input.
    """

    ink: FloatArray
    box: tuple[int, int, int, int]
    boxes: tuple[tuple[int, int, int, int], ...]
    scaled: FloatArray
    image: FloatArray

    @property
    def x(self) -> FloatArray:
        """The `image` as a batch of one, `(1, 784)`."""
        return self.image.reshape(1, -1)


def to_mnist(
    rgba: NDArray[np.uint8], *, centre: bool = True, chosen: int | None = None
) -> Stages:
    if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype != np.uint8 or not rgba.size:
        raise ValueError(f"rgba must be (height, width, 4) bytes, not {rgba.dtype} {rgba.shape}")
    try:
        found = find_ink(rgba)
    except NoInkError as error:
        raise EmptyDrawingError(str(error)) from None
    digits, ink = find_digits(found)
    if not digits:
        raise EmptyDrawingError("There is no ink on the drawing yet.")
    largest = max(range(len(digits)), key=lambda index: digits[index].size)
    digit = digits[largest if chosen is None else chosen]
    fitted = _fit(_with_mnist_strokes(digit, ink), DIGIT)
    return Stages(
        ink=ink,
        box=digit.box,
        boxes=tuple(each.box for each in digits),
        scaled=_in_the_middle(fitted, DIGIT),
        image=_levels(_centred_by_mass(fitted) if centre else _in_the_middle(_fit(ink, SIDE), SIDE)),
    )


def _with_mnist_strokes(digit: Digit, ink: FloatArray) -> FloatArray:
    """Cut the digit out, its strokes as wide for its size as MNIST's are."""
    import cv2

    size = digit.size
    relative = digit.width * DIGIT / size
    margin = 0
    target = min(max(relative, THINNEST), THICKEST)
    # Widening by 2r makes the digit larger, too.
    r = (target / DIGIT * size - digit.width) / (1 - target / DIGIT) / 2
    left, top, right, bottom = digit.box
    around = np.pad(digit.mask, 2).astype(np.uint8)
    if abs(r) < 0.25 :
        soft = _window(ink, digit.box, 2)
        near = cv2.dilate(around, np.ones((5, 5), np.uint8))
        return _trimmed(np.where(near > 0, soft, 0).astype(np.float32))
    margin = int(np.ceil(max(r, 0))) + 2
    around = np.pad(digit.mask, margin).astype(np.uint8)
    outside = cv2.distanceTransform(1 - around, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    within = cv2.distanceTransform(around, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    signed = np.where(around > 0, within - 0.5, 0.5 - outside)
    return _trimmed(np.clip(signed + np.float32(r) + 0.5, 0, 1).astype(np.float32))


def _window(ink: FloatArray, box: tuple[int, int, int, int], margin: int) -> FloatArray:
    left, top, right, bottom = box
    padded = np.pad(ink, margin)
    return padded[top : bottom + 2 * margin, left : right + 2 * margin]


def _trimmed(ink: FloatArray) -> FloatArray:
    inked = ink > 0.1
    if not inked.any():
        return ink
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _levels(image: FloatArray) -> FloatArray:
    return (np.round(image * 255) / 255).astype(np.float32)


def _fit(ink: FloatArray, side: int) -> FloatArray:
    """Scale `ink`, anti-aliased, to a longer side of `side` pixels."""
    height, width = ink.shape
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    scaled = Image.fromarray(ink).resize(size, Image.Resampling.LANCZOS)
    return np.clip(np.asarray(scaled, dtype=np.float32), 0, 1)


def _in_the_middle(digit: FloatArray, side: int) -> FloatArray:
    """Place `digit` in the middle of a black square."""
    return _paste(digit, side, (side - digit.shape[0]) // 2, (side - digit.shape[1]) // 2)


def _centred_by_mass(digit: FloatArray) -> FloatArray:
    """Place `digit` on 28 × 28 pixels, its centre of mass within half a pixel of the middle."""
    mass = digit.sum()
    rows, columns = (np.arange(length) for length in digit.shape)
    top = round(SIDE / 2 - float(digit.sum(axis=1) @ rows / mass))
    left = round(SIDE / 2 - float(digit.sum(axis=0) @ columns / mass))
    return _paste(digit, SIDE, top, left)


def _paste(digit: FloatArray, side: int, top: int, left: int) -> FloatArray:
    """Place `digit` on a black square, moved as little as needed to lie inside."""
    top = min(max(top, 0), side - digit.shape[0])
    left = min(max(left, 0), side - digit.shape[1])
    out = np.zeros((side, side), np.float32)
    out[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return out
