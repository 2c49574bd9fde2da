"""Images that are worth a look: the first to flip, and those that are read wrong."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core import measures, validate
from core.attacks import fgsm
from core.classifier import Classifier, FloatArray, IntArray

NOTHING = -1


@dataclass(frozen=True, eq=False)
class Remarkable:
    """Images that are worth a look, by their indices.

    Attributes:
        first: `(10,)`, for each digit the image whose prediction flips at the smallest budget;
            `NOTHING` where none flips.
        budgets: `(10,)`, that budget; NaN where none flips.
        wrong: `(W,)`, rising, the images that are read wrong without any attack.
    """

    first: IntArray
    budgets: FloatArray
    wrong: IntArray

    @property
    def very_first(self) -> int:
        """The image that flips at the smallest budget of all; `NOTHING` if none flips."""
        if np.isnan(self.budgets).all():
            return NOTHING
        return int(self.first[np.nanargmin(self.budgets)])

    def among(self, rows: IntArray) -> "Remarkable":
        """Return the same by the indices that some images, `(N,)`, have among others."""
        first = np.where(self.first == NOTHING, NOTHING, rows[self.first])
        return Remarkable(first, self.budgets, rows[self.wrong])


def remarkable(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    budgets: ArrayLike,
    *,
    levels: int | None = None,
) -> Remarkable:
    """Look for images that FGSM flips at the smallest budgets, and for those that are read wrong.

    Only images that are read right can flip. Among those of a digit that flip at the same budget,
    the first is the one whose label is left farthest behind.

    Args:
        classifier: the network.
        x: `(N, 784)` images, pixels in [0, 1].
        y: `(N,)` labels.
        budgets: `(B,)`, rising, of FGSM; see `core.attacks.fgsm`.
        levels: the grey levels to which adversarial images are rounded; None to leave them.

    Raises:
        ValueError: as FGSM does.
    """
    x = validate.images(x)
    y = validate.labels(y, len(x))
    right = measures.predict(classifier, x) == y
    first = np.full(10, NOTHING)
    found = np.full(10, np.nan)
    for budget in np.asarray(budgets, float):
        left = np.flatnonzero(right & (first[y] == NOTHING))
        if not len(left):
            break
        images = measures.rounded(fgsm(classifier, x[left], y[left], float(budget)), levels)
        logits = measures.logits(classifier, images)
        own = logits[np.arange(len(left)), y[left]]
        behind = logits.max(axis=1) - own
        flipped = logits.argmax(axis=1) != y[left]
        for digit in np.unique(y[left][flipped]):
            its = np.flatnonzero(flipped & (y[left] == digit))
            first[digit], found[digit] = left[its[behind[its].argmax()]], budget
    return Remarkable(first, found, np.flatnonzero(~right))
