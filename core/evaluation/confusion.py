"""What digits are taken for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core import validate
from core.classifier import IntArray


@dataclass(frozen=True)
class Mistakes:
    """What the images of one digit are mistaken for.

    Attributes:
        digit: what the images are of.
        images: how many there are.
        misclassified: how many of them are taken for another digit.
        labels: the digit that they are most often mistaken for; several, rising, where these are
            equally frequent; none where no image is misclassified.
        count: how often they are mistaken for each of `labels`.
    """

    digit: int
    images: int
    misclassified: int
    labels: tuple[int, ...]
    count: int


def confusion(y: ArrayLike, predictions: ArrayLike) -> IntArray:
    """How often each digit is taken for each.

    Args:
        y: `(N,)` true labels.
        predictions: `(N,)` labels that the images are taken for.

    Returns:
        `(10, 10)` counts: the row is the digit, the column what it is taken for.

    Raises:
        ValueError: they are not labels from 0 to 9, or not as many.
    """
    predictions = validate.labels(predictions, np.size(predictions), name="predictions")
    y = validate.labels(y, len(predictions))
    cells = np.bincount(y * validate.CLASSES + predictions, minlength=validate.CLASSES**2)
    return cells.reshape(validate.CLASSES, validate.CLASSES)


def most_mistaken(matrix: IntArray) -> tuple[Mistakes, ...]:
    """What each of the ten digits is most often mistaken for.

    Args:
        matrix: `(10, 10)` counts as `confusion` gives them.
    """
    return tuple(_mistakes(digit, row) for digit, row in enumerate(matrix))


def _mistakes(digit: int, row: IntArray) -> Mistakes:
    others = row.copy()
    others[digit] = 0
    count = int(others.max())
    return Mistakes(
        digit=digit,
        images=int(row.sum()),
        misclassified=int(others.sum()),
        labels=tuple(map(int, np.flatnonzero(others == count))) if count else (),
        count=count,
    )
