"""What an evaluation reports: accuracies, the evasion rate, the size of a perturbation."""

import numpy as np
from numpy.typing import ArrayLike

from core import validate
from core.batches import in_chunks
from core.classifier import Classifier, FloatArray, IntArray


def logits(classifier: Classifier, x: ArrayLike) -> FloatArray:
    """The logits of many images, `(N, 784)` to `(N, 10)`, on all cores.

    Raises:
        ValueError: `x` is not such an array of pixels in [0, 1], or has no image.
    """
    x = validate.images(x)
    if not len(x):
        raise ValueError("x must hold at least one image")
    first = classifier.logits(x[:1])
    out = np.empty((len(x), first.shape[1]), first.dtype)

    def fill(rows: slice) -> None:
        out[rows] = classifier.logits(x[rows])

    in_chunks(fill, len(x))
    return out


def predict(classifier: Classifier, x: ArrayLike) -> IntArray:
    """The most probable label of each image, `(N,)`; errors as in `logits`."""
    predictions: IntArray = logits(classifier, x).argmax(axis=1)
    return predictions


def accuracy(classifier: Classifier, x: ArrayLike, y: ArrayLike) -> float:
    """The share of all images whose prediction is `y`, in [0, 1]: clean or robust, as `x` is.

    Raises:
        ValueError: as in `logits`, or `y` is not a label for each image.
    """
    predictions = predict(classifier, x)
    return float((predictions == validate.labels(y, len(predictions))).mean())


def evasion_rate(classifier: Classifier, x_adv: ArrayLike, y: ArrayLike) -> float:
    """Misclassified adversarial examples / all examples, as the report defines it, in [0, 1].

    All images count, also those misclassified before the attack. Errors as in `accuracy`.
    """
    return 1 - accuracy(classifier, x_adv, y)


def l2_norm(x: FloatArray, x_adv: FloatArray) -> FloatArray:
    """The L2 norm of each perturbation `x_adv - x`, over the last axis, in pixel units."""
    norm: FloatArray = np.linalg.norm(x_adv.astype(np.float64) - x, axis=-1)
    return norm


def linf_norm(x: FloatArray, x_adv: FloatArray) -> FloatArray:
    """The largest change of a pixel in each perturbation, over the last axis, in pixel units."""
    norm: FloatArray = np.abs(x_adv.astype(np.float64) - x).max(axis=-1)
    return norm
