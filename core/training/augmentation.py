"""Random changes of the training images, drawn anew in each epoch."""

from math import pi, sqrt

import numba as nb
import numpy as np

from core import elementary
from core.classifier import FloatArray, IntArray
from core.recipe import Recipe
from core.training.strokes import with_hooks, with_other_widths

_SIDE = 28
_DIGIT = 20  # pixels, the longer side of a digit of MNIST
_LEAST_INK = 0.1  # a darker pixel does not count for the longer side
_SMOOTHING = 4.0  # pixels, the Gaussian's standard deviation in elastic distortion
_REACH = 12  # pixels, how far that Gaussian goes to each side


def augment(x: FloatArray, y: IntArray, recipe: Recipe, rng: np.random.Generator) -> FloatArray:
    """Change each image at random, within the recipe's bounds.

    Strokes are added and made thicker or thinner (see `core.training.strokes`). Then one map moves
    all pixels: the image is mirrored, stretched, sheared, turned, scaled, distorted, fitted again
    and moved. Pixels are interpolated bilinearly; those from outside the image are black.

    Mirroring, turning, scaling and moving are torchvision's RandomAffine and RandomHorizontalFlip.
    Elastic distortion is that of Simard, Steinkraus and Platt 2003, "Best Practices for
    Convolutional Neural Networks Applied to Visual Document Analysis", section 2. Every image has
    random numbers of its own. Every processor computes the same bits (see `core.elementary`).

    Args:
        x: `(N, 784)` float32 pixels in [0, 1].
        y: `(N,)` labels.
        recipe: holds the bounds.
        rng: the generator of the random numbers.

    Returns:
        `(N, 784)` float32 pixels in [0, 1].
    """
    count = len(x)
    draws = 2 * rng.random((4, count)) - 1
    angle = recipe.rotation * pi / 180 * draws[0]
    size = 1 + recipe.scaling * draws[1]
    across, down = recipe.shift * draws[2], recipe.shift * draws[3]
    mirror = np.where(rng.random(count) < 0.5, -1, 1) if recipe.flip else np.ones(count)
    # The kinds below draw only where they are wanted, so other recipes keep their random numbers.
    slant, wide, tall = np.zeros(count), np.ones(count), np.ones(count)
    if recipe.shear:
        slant = recipe.shear * (2 * rng.random(count) - 1)
    if recipe.stretching:
        wide, tall = 1 + recipe.stretching * (2 * rng.random((2, count)) - 1)
    if recipe.hooks:
        x = with_hooks(x, y, rng.random((6, count)), recipe.hooks)
    if recipe.stroke_width:
        x = with_other_widths(x, recipe.stroke_width * (2 * rng.random(count) - 1))
    field = np.zeros((0, 2, _SIDE, _SIDE), np.float32)
    if recipe.elastic:
        field = _elastic_field(recipe.elastic, count, rng)
    # From a pixel of the new image to its source in `x`: turned and scaled back, sheared back,
    # stretched and mirrored back.
    cos, sin = elementary.cos(angle) / size, elementary.sin(angle) / size
    xx, xy = mirror * (cos - slant * sin) / wide, mirror * (sin + slant * cos) / wide
    changed = np.empty_like(x)
    _resample(
        *(x, xx, xy, -sin / tall, cos / tall, across, down, size, recipe.refit, field, changed)
    )
    return changed


def _elastic_field(largest: float, count: int, rng: np.random.Generator) -> FloatArray:
    """Draw how far the source of each pixel moves, right and down, `(count, 2, 28, 28)`, in pixels.

    The moves of an image have a standard deviation from 0 to `largest`, drawn too.
    """
    sizes = largest * rng.random(count)
    field = 2 * rng.random((count, 2, _SIDE, _SIDE), np.float32) - 1
    _smooth(field, _kernel())
    field *= sizes.astype(np.float32)[:, None, None, None]
    return field


def _kernel() -> FloatArray:
    """Return half of the Gaussian of elastic distortion, from its middle, `(13,)`.

    Noise from -1 to 1 that is smoothed with it along both axes has a standard deviation of 1.
    """
    distance = np.arange(_REACH + 1) / _SMOOTHING
    kernel = np.empty(len(distance))
    elementary.exp(-distance * distance / 2, kernel)
    squares = 1.0
    for value in kernel[1:]:
        squares += 2 * value * value
    # The noise has the variance 1/3, and each of two passes multiplies it by the squares' sum.
    scaled: FloatArray = (kernel * sqrt(sqrt(3) / squares)).astype(np.float32)
    return scaled


_compiled = nb.njit(nogil=True, cache=True, error_model="numpy")


@_compiled
def _smooth(field, kernel):  # type: ignore[no-untyped-def]
    """Convolve each plane of `field`, `(N, 2, 28, 28)`, along both axes with a symmetric kernel.

    `kernel` holds its middle and one side. What lies outside a plane counts as 0.
    """
    reach = len(kernel) - 1
    padded = np.zeros((_SIDE + 2 * reach, _SIDE), np.float32)
    sums = np.zeros(_SIDE, np.float32)
    for plane in field.reshape(-1, _SIDE, _SIDE):
        for _ in range(2):  # down the columns, and, as the result is transposed, along the rows
            for i in range(_SIDE):
                for j in range(_SIDE):
                    padded[i + reach, j] = plane[i, j]
            for i in range(_SIDE):
                middle = padded[i + reach]
                for j in range(_SIDE):
                    sums[j] = kernel[0] * middle[j]
                for k in range(1, reach, 3):  # three steps at a time read and write `sums` once
                    a, b, c = kernel[k : k + 3]
                    above_c, above_b, above_a = padded[i + reach - k - 2 : i + reach - k + 1]
                    below_a, below_b, below_c = padded[i + reach + k : i + reach + k + 3]
                    for j in range(_SIDE):
                        sums[j] += (
                            a * (above_a[j] + below_a[j])
                            + b * (above_b[j] + below_b[j])
                            + c * (above_c[j] + below_c[j])
                        )
                for j in range(_SIDE):
                    plane[j, i] = sums[j]


@_compiled
def _resample(  # type: ignore[no-untyped-def]
    x, xx, xy, yx, yy, across, down, size, refit, field, out
):
    """Fill `out` with the images of `x`, each under its own map, bilinearly."""
    middle = (_SIDE - 1) / 2
    padded = np.zeros((_SIDE + 3, _SIDE + 3), np.float32)  # with a black rim
    for n in range(len(x)):
        image = x[n].reshape(_SIDE, _SIDE)
        for row in range(_SIDE):
            for column in range(_SIDE):
                padded[row + 1, column + 1] = image[row, column]
        moves = field[n] if len(field) else field.reshape(0, _SIDE, _SIDE)
        at, x0, y0, zoom = middle, 0.0, 0.0, 1.0
        if refit:
            # MNIST's digits have their centre of mass at 14, half a pixel from the middle.
            x0, y0, side = _place(image, xx[n], xy[n], yx[n], yy[n], moves)
            at, zoom = _SIDE / 2, side / (_DIGIT * size[n])
        for row in range(_SIDE):
            for column in range(_SIDE):
                right = (column - at - across[n]) * zoom + x0
                below = (row - at - down[n]) * zoom + y0
                u = right * xx[n] + below * xy[n] + (middle + 1)
                v = right * yx[n] + below * yy[n] + (middle + 1)
                if len(moves):
                    u += moves[0, row, column]
                    v += moves[1, row, column]
                u, v = min(max(u, 0.0), _SIDE + 1.0), min(max(v, 0.0), _SIDE + 1.0)
                left, top = int(u), int(v)
                du, dv = np.float32(u - left), np.float32(v - top)
                upper = padded[top, left] * (1 - du) + padded[top, left + 1] * du
                lower = padded[top + 1, left] * (1 - du) + padded[top + 1, left + 1] * du
                out[n, row * _SIDE + column] = min(upper * (1 - dv) + lower * dv, np.float32(1))


@_compiled
def _place(image, xx, xy, yx, yy, moves):  # type: ignore[no-untyped-def]
    """Return where a map takes the ink of a `(28, 28)` image.

    The matrix of `xx`, `xy`, `yx` and `yy` leads from a new pixel to its source, both seen from the
    image's middle. `moves`, `(2, 28, 28)`, or `(0, 28, 28)` for none, move the source. Returns the
    centre of mass, right and down from the middle, and the longer side of the box around the ink,
    all in pixels; 0, 0 and 20 if there is no ink.
    """
    middle = (_SIDE - 1) / 2
    size = xx * yy - xy * yx
    left, right, top, bottom = np.inf, -np.inf, np.inf, -np.inf
    mass, across, down = 0.0, 0.0, 0.0
    for row in range(_SIDE):
        for column in range(_SIDE):
            ink = np.float64(image[row, column])
            if ink == 0:
                continue
            u, v = column - middle, row - middle
            x, y = (yy * u - xy * v) / size, (xx * v - yx * u) / size
            if len(moves):  # as they are near the place where the pixel would go without them
                i = min(max(int(y + middle + 0.5), 0), _SIDE - 1)
                j = min(max(int(x + middle + 0.5), 0), _SIDE - 1)
                u, v = u - moves[0, i, j], v - moves[1, i, j]
                x, y = (yy * u - xy * v) / size, (xx * v - yx * u) / size
            mass += ink
            across += ink * x
            down += ink * y
            if ink > _LEAST_INK:
                left, right = min(left, x), max(right, x)
                top, bottom = min(top, y), max(bottom, y)
    if right < left:
        return 0.0, 0.0, np.float64(_DIGIT)
    return across / mass, down / mass, max(right - left, bottom - top) + 1
