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
# Of MNIST's digits, nine in ten have strokes of 1.9 to 4.1 pixels, the median is 2.7. Strokes as
# even as a pen's are read best if they are not thinner than that, nor much thicker. What lies
# between the two stays as it was drawn.
THINNEST, THICKEST = 2.7, 3.3
# A change by less than this on each side, in pixels of the drawing, leaves its soft edges alone.
UNCHANGED = 0.25
# Fainter pixels don't count for a digit's box.
SEEN = 0.1
NO_STROKE = "There is no stroke here that could be a digit's."

Box = tuple[int, int, int, int]


class EmptyDrawingError(ValueError):
    """A drawing or picture without a stroke that could be a digit's; the message says why."""


@dataclass(frozen=True, eq=False)
class Stages:
    """The stages of a drawing's preparation, with pixels in [0, 1], ink white.

    Attributes:
        picture: `(height, width, 3)`, the drawing or picture as it is seen, in its colours.
        evened: `(height, width)`, all that stands out from its paper.
        ink: `(height, width)`, what is left without specks, frames, lines, and the like.
        box: left, top, right and bottom of the box around the digit; the last two are exclusive.
        boxes: of every digit found, from left to right.
        scaled: `(20, 20)`, the box in the middle, scaled with its aspect ratio kept.
        image: `(28, 28)`, the network's input; its pixels are multiples of 1/255.
    """

    picture: FloatArray
    evened: FloatArray
    ink: FloatArray
    box: Box
    boxes: tuple[Box, ...]
    scaled: FloatArray
    image: FloatArray

    @property
    def x(self) -> FloatArray:
        """The `image` as a batch of one, `(1, 784)`."""
        return self.image.reshape(1, -1)

    @property
    def steps(self) -> tuple[tuple[FloatArray, str], ...]:
        """The stages in their order, each with a caption."""
        return (
            (self.picture, "The picture"),
            (self.evened, "The light evened out: what stands out from the paper"),
            (self.ink, "The strokes, without specks, frames and lines"),
            (self.scaled, f"The digit, its strokes as wide as MNIST's, in {DIGIT} × {DIGIT}"),
            (self.image, f"Centred by mass, {SIDE} × {SIDE}: what the network gets"),
        )


def warm_up() -> None:
    """Import what is heavy, so that the first drawing needn't wait for it."""
    rgba = np.zeros((SIDE, SIDE, 4), np.uint8)
    rgba[4:24, 12:16] = 255
    to_mnist(rgba)


def to_mnist(rgba: NDArray[np.uint8], *, centre: bool = True, chosen: int | None = None) -> Stages:
    """Prepare a drawing or a picture as MNIST's digits were prepared.

    The ink is told from its paper, and the digit from what else there is. It is scaled to
    20 × 20 pixels with its aspect ratio kept, anti-aliased, and placed on 28 × 28 pixels with its
    centre of mass in the middle: LeCun, Bottou, Bengio and Haffner 1998, "Gradient-Based Learning
    Applied to Document Recognition", section III.A. Strokes that are much thinner or thicker than
    MNIST's for the digit's size get a width that MNIST's have.

    Args:
        rgba: `(height, width, 4)` bytes of any size: ink of one colour on paper of another.
        centre: False to scale all strokes to 28 × 28 where they are, which shows why centring is
            needed. A grey picture of 28 × 28 pixels, or of that many equal squares, then stays as
            it is.
        chosen: which of the digits, from left to right; None for the largest.

    Raises:
        EmptyDrawingError: there is no stroke.
        IndexError: there are not so many digits.
        ValueError: `rgba` is not such an array.
    """
    if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype != np.uint8 or not rgba.size:
        raise ValueError(f"rgba must be (height, width, 4) bytes, not {rgba.dtype} {rgba.shape}")
    if not centre and (image := _as_it_is(rgba)) is not None:
        return _unchanged(image)
    try:
        found = find_ink(rgba)
    except NoInkError as error:
        raise EmptyDrawingError(str(error)) from None
    digits = find_digits(found)
    if not digits:
        raise EmptyDrawingError(NO_STROKE)
    largest = max(range(len(digits)), key=lambda index: digits[index].size)
    digit = digits[largest if chosen is None else chosen]
    fitted = _fit(_with_mnist_strokes(digit), DIGIT)
    if not fitted.any():  # specks that are smaller than a pixel
        raise EmptyDrawingError(NO_STROKE)
    ink = _strokes_of(digits, found.evened.shape)
    image = _centred_by_mass(fitted) if centre else _in_the_middle(_fit(ink, SIDE), SIDE)
    return Stages(
        picture=found.picture.astype(np.float32) / 255,
        evened=np.clip(found.evened, 0, 1),
        ink=ink,
        box=digit.box,
        boxes=tuple(each.box for each in digits),
        scaled=_in_the_middle(fitted, DIGIT),
        image=_levels(image),
    )


def _as_it_is(rgba: NDArray[np.uint8]) -> FloatArray | None:
    """Return 28 × 28 grey pixels, also of a picture enlarged without smoothing; None of others."""
    height, width = rgba.shape[:2]
    if height != width or height % SIDE or (rgba[..., 3] != 255).any():
        return None
    grey = rgba[..., 0]
    factor = height // SIDE
    image = grey[::factor, ::factor]
    enlarged = image.repeat(factor, axis=0).repeat(factor, axis=1)
    if (rgba[..., :3] != enlarged[..., None]).any():
        return None
    return image.astype(np.float32) / np.float32(255)


def _unchanged(image: FloatArray) -> Stages:
    if not image.any():
        raise EmptyDrawingError(NO_STROKE)
    box = (0, 0, SIDE, SIDE)
    return Stages(
        picture=np.repeat(image[..., None], 3, axis=2),
        evened=image,
        ink=image,
        box=box,
        boxes=(box,),
        scaled=_fit(image, DIGIT),
        image=image,
    )


def _strokes_of(digits: list[Digit], shape: tuple[int, ...]) -> FloatArray:
    """Return the ink of all digits where it is."""
    ink = np.zeros(shape, np.float32)
    for digit in digits:
        left, top, right, bottom = digit.box
        window = ink[top:bottom, left:right]
        np.maximum(window, digit.ink, out=window)
    return ink


def _with_mnist_strokes(digit: Digit) -> FloatArray:
    """Return the digit's ink, its strokes as wide for its size as MNIST's are."""
    import cv2

    height, width = digit.mask.shape
    drawn = digit.width
    wanted = min(max(drawn * DIGIT / max(height, width), THINNEST), THICKEST) / DIGIT
    # Widening by 2r makes the digit larger, too.
    r = (wanted * max(height, width) - drawn) / (1 - wanted) / 2
    if abs(r) < UNCHANGED:
        return _trimmed(digit.ink)
    mask = np.pad(digit.mask, int(np.ceil(max(r, 0))) + 2).astype(np.uint8)
    # The distance to the next middle of a pixel beyond the edge, or before it.
    beyond = mask if r < 0 else 1 - mask
    distance = cv2.distanceTransform(beyond, cv2.DIST_L2, cv2.DIST_MASK_5)
    moved = distance + np.float32(r) if r < 0 else np.float32(1 + r) - distance
    return _trimmed(np.clip(moved, 0, 1))


def _trimmed(ink: FloatArray) -> FloatArray:
    inked = ink > SEEN
    if not inked.any():
        return ink
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _levels(image: FloatArray) -> FloatArray:
    """Return the image with pixels that are multiples of 1/255.

    Halves are common, and processors differ in the last digits: these are dropped first.
    """
    return (np.round(np.round(image * 255, 3)) / 255).astype(np.float32)


def _fit(ink: FloatArray, side: int) -> FloatArray:
    """Scale `ink` to a longer side of `side` pixels, each the mean of what it covers."""
    height, width = ink.shape
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    kind = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    scaled = Image.fromarray(ink).resize(size, kind)
    return np.clip(np.asarray(scaled, dtype=np.float32), 0, 1)


def _in_the_middle(digit: FloatArray, side: int) -> FloatArray:
    """Place `digit` in the middle of a black square."""
    return _paste(digit, side, (side - digit.shape[0]) // 2, (side - digit.shape[1]) // 2)


def _centred_by_mass(digit: FloatArray) -> FloatArray:
    """Place `digit` on 28 × 28 pixels, its centre of mass within half a pixel of the middle."""
    weight = digit.astype(np.float64)
    mass = weight.sum()
    rows, columns = (np.arange(length) for length in digit.shape)
    down = float(weight.sum(axis=1) @ rows / mass)
    across = float(weight.sum(axis=0) @ columns / mass)
    # A symmetric digit's middle may lie halfway between two pixels: drop the last digits.
    return _paste(digit, SIDE, round(round(SIDE / 2 - down, 3)), round(round(SIDE / 2 - across, 3)))


def _paste(digit: FloatArray, side: int, top: int, left: int) -> FloatArray:
    """Place `digit` on a black square, moved as little as needed to lie inside."""
    top = min(max(top, 0), side - digit.shape[0])
    left = min(max(left, 0), side - digit.shape[1])
    out = np.zeros((side, side), np.float32)
    out[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return out
