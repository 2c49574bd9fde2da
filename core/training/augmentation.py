"""Random changes of the training images, drawn anew in each epoch."""

from math import pi

import numba as nb
import numpy as np

from core import elementary
from core.classifier import FloatArray
from core.recipe import Recipe

_SIDE = 28


def augment(x: FloatArray, recipe: Recipe, rng: np.random.Generator) -> FloatArray:
    """Turn, move, scale and mirror each image at random, within the recipe's bounds.

    These are torchvision's RandomAffine and RandomHorizontalFlip, with new random numbers for each
    image. Pixels are interpolated bilinearly; those from outside the image are black. Every
    processor computes the same bits (see `core.elementary`).

    Args:
        x: `(N, 784)` float32 pixels in [0, 1].
        recipe: holds the bounds.
        rng: the generator of the random numbers.

    Returns:
        `(N, 784)` float32 pixels in [0, 1].
    """
    draws = 2 * rng.random((4, len(x))) - 1
    angle = recipe.rotation * pi / 180 * draws[0]
    size = 1 + recipe.scaling * draws[1]
    across, down = recipe.shift * draws[2], recipe.shift * draws[3]
    mirror = np.where(rng.random(len(x)) < 0.5, -1, 1) if recipe.flip else np.ones(len(x))
    # From a pixel of the new image to its source in `x`: moved, scaled and turned back.
    cos, sin = elementary.cos(angle) / size, elementary.sin(angle) / size
    changed = np.empty_like(x)
    _resample(x, mirror * cos, mirror * sin, -sin, cos, across, down, changed)
    return changed


@nb.njit(nogil=True, cache=True, error_model="numpy")
def _resample(x, xx, xy, yx, yy, across, down, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the images of `x`, each under its own affine map, bilinearly."""
    middle = (_SIDE - 1) / 2
    padded = np.zeros((_SIDE + 3, _SIDE + 3), np.float32)  # with a black rim
    for n in range(len(x)):
        for row in range(_SIDE):
            for column in range(_SIDE):
                padded[row + 1, column + 1] = x[n, row * _SIDE + column]
        for row in range(_SIDE):
            for column in range(_SIDE):
                right, below = column - middle - across[n], row - middle - down[n]
                u = right * xx[n] + below * xy[n] + (middle + 1)
                v = right * yx[n] + below * yy[n] + (middle + 1)
                u, v = min(max(u, 0.0), _SIDE + 1.0), min(max(v, 0.0), _SIDE + 1.0)
                left, top = int(u), int(v)
                du, dv = np.float32(u - left), np.float32(v - top)
                upper = padded[top, left] * (1 - du) + padded[top, left + 1] * du
                lower = padded[top + 1, left] * (1 - du) + padded[top + 1, left + 1] * du
                out[n, row * _SIDE + column] = min(upper * (1 - dv) + lower * dv, np.float32(1))
