"""The confusion matrix, and what each digit is mistaken for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core import validate
from core.classifier import IntArray


@dataclass(frozen=True)
class Mistakes:
    """What the images of one digit are mistaken for.

    Attributes:
        digit: the true label.
        images: the number of its images.
        misclassified: the number of them that are predicted as another digit.
        labels: the most frequent wrong prediction; several, rising, if equally frequent; none if no
            image is misclassified.
        count: the number of images predicted as each of `labels`.
    """

    digit: int
    images: int
    misclassified: int
    labels: tuple[int, ...]
    count: int


def confusion(y: ArrayLike, predictions: ArrayLike) -> IntArray:
    """Return the confusion matrix.

    Args:
        y: `(N,)` true labels.
        predictions: `(N,)` predicted labels.

    Returns:
        `(10, 10)` counts; the row is the true label, the column the prediction.

    Raises:
        ValueError: the two are not labels from 0 to 9, or differ in number.
    """
    predictions = validate.labels(predictions, np.size(predictions), name="predictions")
    y = validate.labels(y, len(predictions))
    cells = np.bincount(y * validate.CLASSES + predictions, minlength=validate.CLASSES**2)
    return cells.reshape(validate.CLASSES, validate.CLASSES)


def most_mistaken(matrix: IntArray) -> tuple[Mistakes, ...]:
    """Return what each of the ten digits is most often mistaken for.

    Args:
        matrix: `(10, 10)` counts, as `confusion` returns them.
    """
    wrong = matrix * ~np.eye(len(matrix), dtype=np.bool_)
    counts = wrong.max(axis=1)
    return tuple(
        Mistakes(
            digit=digit,
            images=int(matrix[digit].sum()),
            misclassified=int(wrong[digit].sum()),
            labels=tuple(np.flatnonzero(wrong[digit] == count).tolist()) if count else (),
            count=count,
        )
        for digit, count in enumerate(counts.tolist())
    )
