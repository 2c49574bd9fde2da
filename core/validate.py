"""Checks of arguments; each error names the argument."""

import re
import unicodedata
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from core.batches import in_batches
from core.classifier import FloatArray, IntArray

CLASSES = 10
MAX_NAME = 40  # characters of a network's name
_LETTERS_AND_DIGITS = ("Lu", "Ll", "Lt", "Lm", "Lo", "Nd")  # Unicode's categories
_MARKS = ("Mn", "Mc")  # Hindi, for example, needs them


class NetworkNameError(ValueError):
    """A name that a network can't have; the message says why."""


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


def network_name(name: str) -> str:
    """Return a name for a network to keep, in Unicode's form NFC and without space around it.

    Raises:
        NetworkNameError: the name is empty, too long, or can't be a file's name on every system.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(name) <= MAX_NAME:
        raise NetworkNameError(f"A network's name must have 1 to {MAX_NAME} characters.")
    categories = [unicodedata.category(character) for character in name]
    if categories[0] not in _LETTERS_AND_DIGITS:
        raise NetworkNameError("A network's name must begin with a letter or a digit.")
    if not all(
        category in _LETTERS_AND_DIGITS + _MARKS or character in " -_.=,"
        for character, category in zip(name, categories, strict=True)
    ):
        raise NetworkNameError(
            "A network's name may have letters, digits, spaces and - _ . = , but nothing else."
        )
    if name.endswith("."):
        raise NetworkNameError("A network's name must not end in a full stop.")
    if re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d) *(\..*)?", name, re.ASCII | re.IGNORECASE):
        raise NetworkNameError(f"{name} can't be a network's name: Windows reserves it.")
    return name


def _numbers(values: ArrayLike, name: str) -> np.ndarray[Any, np.dtype[Any]]:
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        raise ValueError(f"{name} must be a rectangular array of numbers") from None
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} must be numbers, not {array.dtype}")
    return array
