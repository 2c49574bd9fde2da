"""A drawing to the image that MNIST's makers would have made of it."""

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
    """A drawing on its way to the network, each stage with pixels in [0, 1], ink white.

    Attributes:
        ink: `(height, width)`, the whole drawing.
        box: left, top, right and bottom of the ink in it, the last two exclusive.
        scaled: `(20, 20)`, the ink box fitted in with its aspect ratio kept, in the middle.
        image: `(28, 28)`, what the network sees.
    """

    ink: FloatArray
    box: tuple[int, int, int, int]
    scaled: FloatArray
    image: FloatArray

    @property
    def x(self) -> FloatArray:
        """`image` as the one row of a `(1, 784)` batch."""
        return self.image.reshape(1, -1)


def to_mnist(rgba: NDArray[np.uint8], *, centre: bool = True) -> Stages:
    """Make of a drawing what MNIST would have made of it.

    As LeCun, Bottou, Bengio and Haffner 1998, "Gradient-Based Learning Applied to Document
    Recognition", section III.A: the ink is fitted into 20 × 20 pixels with its aspect ratio
    kept, anti-aliased, and put into 28 × 28 so that its centre of mass is in the middle.

    Args:
        rgba: `(height, width, 4)` bytes of any size, white ink on black or on nothing.
        centre: False to shrink the whole drawing to 28 × 28 as it is, wherever the ink is, so
            that one sees what the centring is good for.

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
        scaled=_paste(digit, DIGIT, (DIGIT - digit.shape[0]) // 2, (DIGIT - digit.shape[1]) // 2),
        image=_centred_by_mass(digit) if centre else _fit_square(ink),
    )


def _fit(ink: FloatArray, side: int) -> FloatArray:
    """`ink` scaled so that its longer side is `side`, anti-aliased."""
    height, width = ink.shape
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    scaled = Image.fromarray(ink).resize(size, Image.Resampling.LANCZOS)
    return np.clip(np.asarray(scaled, dtype=np.float32), 0, 1)


def _fit_square(ink: FloatArray) -> FloatArray:
    """The whole drawing in 28 × 28, in the middle where it is not square."""
    small = _fit(ink, SIDE)
    return _paste(small, SIDE, (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2)


def _centred_by_mass(digit: FloatArray) -> FloatArray:
    """`digit` in 28 × 28, its centre of mass within half a pixel of the middle."""
    mass = digit.sum()
    rows, columns = (np.arange(length) for length in digit.shape)
    top = round(SIDE / 2 - float(digit.sum(axis=1) @ rows / mass))
    left = round(SIDE / 2 - float(digit.sum(axis=0) @ columns / mass))
    return _paste(digit, SIDE, top, left)


def _paste(digit: FloatArray, side: int, top: int, left: int) -> FloatArray:
    """`digit` on black, moved as little as needed to lie inside."""
    top = min(max(top, 0), side - digit.shape[0])
    left = min(max(left, 0), side - digit.shape[1])
    out = np.zeros((side, side), np.float32)
    out[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return out
