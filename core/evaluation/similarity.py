"""How similar the ten digits are."""

import numpy as np
from numpy.typing import ArrayLike

from core import validate
from core.classifier import FloatArray, IntArray


def similarity(x: FloatArray, y: IntArray) -> FloatArray:
    """Return the cosine similarity of the ten digits' mean images.

    Args:
        x: `(N, 784)` images, pixels in [0, 1].
        y: `(N,)` labels.

    Returns:
        `(10, 10)` in [0, 1], symmetric; 1 means the same image up to its brightness. NaN for a
        digit that has no images, or only blank ones.

    Raises:
        ValueError: `x` or `y` is not as above.
    """
    x = validate.images(x)
    y = validate.labels(y, len(x))
    directions = np.full((validate.CLASSES, x.shape[1]), np.nan)
    for digit in np.unique(y):
        mean = x[y == digit].mean(axis=0, dtype=np.float64)
        if mean.any():
            directions[digit] = mean / np.linalg.norm(mean)
    cosines: FloatArray = directions @ directions.T
    return cosines


def rank(similarity: ArrayLike, digit: int, label: int) -> int:
    """Return the rank of a label among the nine other digits, 1 for the most similar to `digit`.

    Args:
        similarity: `(10, 10)`, as `similarity` returns it; digits with NaN rank last.
        digit: the digit that the others are compared with.
        label: one of the others.

    Raises:
        ValueError: `digit` and `label` are not two different digits, or their similarity is NaN.
    """
    validate.labels([digit, label], 2, name="digit and label")
    if digit == label:
        raise ValueError(f"label must be another digit than {digit}")
    row = np.array(similarity, np.float64)[digit]
    if np.isnan(row[label]):
        raise ValueError(f"similarity must have a number for {digit} and {label}")
    row[digit] = np.nan
    return 1 + int((row > row[label]).sum())
