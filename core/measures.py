"""Accuracy, evasion rate, the size of perturbations, and the grey levels of a screen."""

import numpy as np
from numpy.typing import ArrayLike

from core import validate
from core.batches import BATCH, in_batches, one_thread_a_product
from core.classifier import Classifier, FloatArray, IntArray

SCREEN = 256  # grey levels of a screen and of a picture file


def logits(classifier: Classifier, x: ArrayLike) -> FloatArray:
    """Return the logits of many images, `(N, 784)` to `(N, 10)`, computed on all cores.

    Raises:
        ValueError: `x` is not an array of pixels in [0, 1], or is empty.
    """
    with one_thread_a_product:  # once for all
        x = validate.images(x)
        if not len(x):
            raise ValueError("x must hold at least one image")
        if len(x) <= BATCH:
            return classifier.logits(x)
        first = classifier.logits(x[:1])
        out = np.empty((len(x), first.shape[1]), first.dtype)

        def fill(rows: slice) -> None:
            out[rows] = classifier.logits(x[rows])

        in_batches(fill, len(x))
        return out


def predict(classifier: Classifier, x: ArrayLike) -> IntArray:
    """Return the most probable label of each image, `(N,)`. Raise as `logits` does."""
    predictions: IntArray = logits(classifier, x).argmax(axis=1)
    return predictions


def accuracy(classifier: Classifier, x: ArrayLike, y: ArrayLike) -> float:
    """Return the share of all images whose prediction is `y`, in [0, 1].

    This is the clean accuracy for clean images. For the adversarial images of an attack it is an
    upper bound of the robust accuracy, since the attack may miss some.

    Raises:
        ValueError: as `logits` does, or `y` is not one label for each image.
    """
    predictions = predict(classifier, x)
    return float((predictions == validate.labels(y, len(predictions))).mean())


def accuracy_by_digit(classifier: Classifier, x: ArrayLike, y: ArrayLike) -> FloatArray:
    """Return for each digit 0 to 9 the share of its images whose prediction is `y`.

    Args:
        classifier: see `Classifier`.
        x: `(N, 784)` pixels in [0, 1].
        y: `(N,)` labels.

    Returns:
        `(10,)` shares in [0, 1].

    Raises:
        ValueError: as in `accuracy`, or a digit has no image.
    """
    predictions = predict(classifier, x)
    y = validate.labels(y, len(predictions))
    counts = np.bincount(y, minlength=10)
    if not counts.all():
        raise ValueError(f"y must have each digit at least once, and has no {counts.argmin()}")
    shares: FloatArray = np.bincount(y[predictions == y], minlength=10) / counts
    return shares


def first_of_each(y: IntArray) -> IntArray:
    """Return the index of each digit's first label in `(N,)`, in the digits' order."""
    first: IntArray = np.unique(y, return_index=True)[1]
    return first


def evasion_rate(classifier: Classifier, x_adv: ArrayLike, y: ArrayLike) -> float:
    """Return misclassified adversarial examples / all examples, in [0, 1], as the report does.

    Images that were misclassified before the attack count too. Raise as `accuracy` does.
    """
    return 1 - accuracy(classifier, x_adv, y)


def rounded(x: FloatArray, levels: int | None) -> FloatArray:
    """Round pixels to equally spaced grey levels from 0 to 1.

    A screen and a picture file have 256 levels, the multiples of 1/255.

    Args:
        x: pixels in [0, 1], of any shape.
        levels: the number of levels, at least 2; None leaves the pixels as they are.

    Returns:
        The rounded pixels, of the shape and dtype of `x`.

    Raises:
        ValueError: `levels` is not as above.
    """
    if levels is None:
        return x
    steps = validate.whole_number(levels, name="levels", least=2) - 1
    out = np.round(x * steps)
    out /= steps
    return out


def l2_norm(x: FloatArray, x_adv: FloatArray) -> FloatArray:
    """Return the L2 norm of each perturbation `x_adv - x`, over the last axis, in pixel units."""
    norm: FloatArray = np.linalg.norm(x_adv.astype(np.float64) - x, axis=-1)
    return norm


def linf_norm(x: FloatArray, x_adv: FloatArray) -> FloatArray:
    """Return the L∞ norm of each perturbation `x_adv - x`, over the last axis, in pixel units."""
    norm: FloatArray = np.abs(x_adv.astype(np.float64) - x).max(axis=-1)
    return norm
