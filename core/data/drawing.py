"""The preparation of a drawing in the way in which MNIST's digits were prepared."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.classifier import FloatArray

SIDE = 28
DIGIT = 20


class EmptyDrawingError(ValueError):
    """A drawing without ink."""


@dataclass(frozen=True, eq=False)
class Stages:
    """The stages of a drawing's preparation, with pixels in [0, 1], ink white.

    Attributes:
        ink: `(height, width)`, the whole drawing.
        box: left, top, right and bottom of the box around the ink; the last two are exclusive.
        scaled: `(20, 20)`, the box in the middle, scaled with its aspect ratio kept.
        image: `(28, 28)`, the network's input.
    """

    ink: FloatArray
    box: tuple[int, int, int, int]
    scaled: FloatArray
    image: FloatArray

    @property
    def x(self) -> FloatArray:
        """The `image` as a batch of one, `(1, 784)`."""
        return self.image.reshape(1, -1)


def to_mnist(rgba: NDArray[np.uint8], *, centre: bool = True) -> Stages:
    """Prepare a drawing as MNIST's digits were prepared.

    The ink is scaled to 20 × 20 pixels with its aspect ratio kept, anti-aliased, and placed on
    28 × 28 pixels with its centre of mass in the middle: LeCun, Bottou, Bengio and Haffner 1998,
    "Gradient-Based Learning Applied to Document Recognition", section III.A.

    Args:
        rgba: `(height, width, 4)` bytes of any size, white ink on black or transparent background.
        centre: False to scale the whole drawing to 28 × 28 without centring the ink, which shows
            why centring is needed.

    Raises:
        EmptyDrawingError: there is no ink.
        ValueError: `rgba` is not such an array.
    """
    if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype != np.uint8 or not rgba.size:
        raise ValueError(f"rgba must be (height, width, 4) bytes, not {rgba.dtype} {rgba.shape}")
    red, green, blue, alpha = np.moveaxis(rgba, 2, 0)
    lightest = np.maximum(np.maximum(red, green), blue)
    ink = lightest.astype(np.float32) * alpha / 255**2
    inked = ink > 0.1
    if not inked.any():
        raise EmptyDrawingError("There is no ink on the drawing yet.")
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    digit = _fit(ink[box[1] : box[3], box[0] : box[2]], DIGIT)
    return Stages(
        ink=ink,
        box=box,
        scaled=_in_the_middle(digit, DIGIT),
        image=_centred_by_mass(digit) if centre else _in_the_middle(_fit(ink, SIDE), SIDE),
    )


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
