"""Checks of arguments; each error names the argument."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from core.batches import in_batches
from core.classifier import FloatArray, IntArray

CLASSES = 10


def images(x: ArrayLike, *, name: str = "x") -> FloatArray:
    """Return `x` as an `(N, 784)` float32 or float64 array of pixels in [0, 1].

    Raises:
        ValueError: `x` has not two dimensions, or not numbers in [0, 1] only.
    """
    array = image_array(x, name=name)
    in_batches(lambda rows: pixels(array[rows], name=name), len(array))
    return array


def image_array(x: ArrayLike, *, name: str = "x") -> FloatArray:
    """Return `x` as an `(N, 784)` float32 or float64 array; the range of its pixels is not checked.

    Raises:
        ValueError: `x` has not two dimensions, or not numbers only.
    """
    array = _numbers(x, name)
    if array.ndim != 2:
        raise ValueError(f"{name} must be of shape (N, 784), not {array.shape}")
    if array.dtype.kind != "f":
        array = array.astype(np.float32)
    elif array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
    return array


def pixels(x: FloatArray, *, name: str = "x") -> None:
    """Check that every number of `x` is in [0, 1].

    Raises:
        ValueError: a number is outside [0, 1], or NaN.
    """
    # NaN fails every comparison, so it fails this one too.
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(f"{name} must be pixels in [0, 1], without NaN")


def labels(y: ArrayLike, n: int, *, name: str = "y") -> IntArray:
    """Return `y` as an `(n,)` array of labels 0 to 9; a single label is repeated n times.

    Raises:
        ValueError: `y` has another shape, or is not made of whole numbers from 0 to 9.
    """
    array = _numbers(y, name)
    if array.ndim == 0:
        array = np.full(n, array)
    if array.shape != (n,):
        raise ValueError(f"{name} must be {n} labels, one an image, not of shape {array.shape}")
    if array.size and (array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= CLASSES):
        raise ValueError(f"{name} must be whole numbers from 0 to {CLASSES - 1}")
    return array.astype(np.int64)


def budgets(epsilon: ArrayLike, *, name: str = "epsilon") -> FloatArray:
    """Return `epsilon` as a float64 array of shape `()` for one budget or `(E,)` for several.

    Raises:
        ValueError: `epsilon` has more dimensions, is empty, or has a number below 0 or not finite.
    """
    array = _numbers(epsilon, name).astype(np.float64)
    if array.ndim > 1 or array.size == 0:
        raise ValueError(f"{name} must be one number or a sequence of them, not {epsilon!r}")
    if not (np.isfinite(array).all() and array.min() >= 0):
        raise ValueError(f"{name} must be finite and at least 0, not {epsilon!r}")
    return array


def whole_number(value: int | np.integer[Any], *, name: str, least: int) -> int:
    """Return `value` as an int.

    Raises:
        ValueError: `value` is not a whole number of at least `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
    return int(value)


def _numbers(values: ArrayLike, name: str) -> np.ndarray[Any, np.dtype[Any]]:
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        raise ValueError(f"{name} must be a rectangular array of numbers") from None
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} must be numbers, not {array.dtype}")
    return array
