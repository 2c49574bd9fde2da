"""What a classifier gives an attack to work with: its outputs and their derivatives.

An attack on the cross-entropy takes the outputs for logits and follows what `vjp` returns. If they
are something else, it fails, and the classifier looks robust.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.batches import in_batches
from core.classifier import Classifier, FloatArray, IntArray
from core.losses import COTANGENTS, exact_cotangent, softmax

# The L2 norm, in pixel units, of the step along which the slope of the outputs is measured. It is
# long enough for float32, whose rounding changes the slope by 3 % at most, and so short that hardly
# any ReLU switches on the way: those that do change it by 8 % at most. (Each for 99 of 100 images,
# on every shipped network. Half this length doubles the former. Twice this length doubles the
# latter for the convolutional one: where the image is black, its ReLUs all switch at once.) No
# pixel moves by half a grey level, so a network that rounds MNIST's images to these levels sees no
# step at all.
STEP = 0.0015
TOLERANCE = 0.1
# By so many of 255 grey levels at most, drawn for each pixel, an image is moved before that. Most
# pixels of MNIST are 0, so most windows of max pooling see equal numbers there. The outputs have a
# kink where they are equal, and no slope.
_GREY_LEVELS = 16


@dataclass(frozen=True)
class Outputs:
    """Whether a classifier's outputs look like logits, on some images.

    Attributes:
        correct: images that are classified correctly.
        confidence: the mean of the largest probability, softmax of the outputs, over these images,
            in [0, 1]; 1 if there are none.
        probabilities: images whose outputs are probabilities already: at least 0, with sum 1.
    """

    correct: int
    confidence: float
    probabilities: int


@dataclass(frozen=True)
class Vanished:
    """The number of images whose loss gradient has vanished.

    Attributes:
        label_term: images whose gradient in the logits is exactly 0 for the true label.
        pixels: images whose gradient is exactly 0 in every pixel.
        either: images that are one or the other.
    """

    label_term: int
    pixels: int
    either: int


@dataclass(frozen=True)
class Derivatives:
    """The number of images on which `vjp` gives the derivative that a finite difference finds.

    Attributes:
        gradient: along the gradient of the cross-entropy.
        random: of a random combination of the outputs, along a random direction.
    """

    gradient: int
    random: int


def look_at_outputs(classifier: Classifier, x: FloatArray, y: IntArray) -> Outputs:
    """Look at the outputs for images `(N, 784)` with labels `(N,)`.

    Adding a constant to all outputs of an image changes no loss, so log-probabilities are logits.
    """
    correct, probabilities = np.empty((2, len(x)), np.bool_)
    confidence = np.empty(len(x))

    def look(rows: slice) -> None:
        found = classifier.logits(x[rows]).astype(np.float64)
        correct[rows] = found.argmax(axis=1) == y[rows]
        confidence[rows] = softmax(found).max(axis=1)
        probabilities[rows] = (found >= 0).all(axis=1) & (np.abs(found.sum(axis=1) - 1) < 1e-3)

    in_batches(look, len(x))
    return Outputs(
        correct=int(correct.sum()),
        confidence=float(confidence[correct].mean()) if correct.any() else 1.0,
        probabilities=int(probabilities.sum()),
    )


def look_for_vanished(
    classifier: Classifier, x: FloatArray, y: IntArray, gradient: str
) -> Vanished:
    """Count the images whose gradient, a name in `core.losses.COTANGENTS`, has vanished."""
    label_term, pixels = np.empty((2, len(x)), np.bool_)

    def look(rows: slice) -> None:
        logits, pull_back = classifier.vjp(x[rows])
        cotangent = COTANGENTS[gradient](logits, y[rows])
        label_term[rows] = cotangent[np.arange(len(logits)), y[rows]] == 0
        pixels[rows] = ~pull_back(cotangent).any(axis=1)

    in_batches(look, len(x))
    return Vanished(int(label_term.sum()), int(pixels.sum()), int((label_term | pixels).sum()))


def look_at_derivatives(classifier: Classifier, x: FloatArray, y: IntArray) -> Derivatives:
    """Compare `vjp` with finite differences near images `(N, 784)` with labels `(N,)`.

    Each pixel is first moved at random by 1 to `_GREY_LEVELS` grey levels, away from black and
    white, so that no two stay equal and no step leaves [0, 1]. Then let c be a cotangent,
    f = c · logits, and g what `vjp` makes of c. A step of `STEP` forwards and one backwards lead to
    the images b and a. The check is whether f(b) − f(a) = g · (b − a). The error may be `TOLERANCE`
    times the right side. Where g and the step are nearly orthogonal, it may be `TOLERANCE` times
    what the right side is on average for random signs, |g| |b − a| / √784.
    """
    rng = np.random.default_rng(0)
    classes = classifier.logits(x[:1]).shape[1]
    random = rng.standard_normal((len(x), classes))
    signs = rng.integers(0, 2, x.shape, np.int8) * 2 - 1
    moves = rng.integers(1, _GREY_LEVELS + 1, x.shape, np.int8)
    along_gradient, along_signs = np.empty((2, len(x)), np.bool_)

    def look(rows: slice) -> None:
        here = _moved(x[rows], moves[rows])
        logits, pull_back = classifier.vjp(here)
        cotangent = exact_cotangent(logits, y[rows])
        gradient = pull_back(cotangent.copy())
        along_gradient[rows] = _agrees(classifier, here, cotangent, gradient, gradient)
        cotangent = random[rows].astype(logits.dtype)
        gradient = pull_back(cotangent.copy())
        along_signs[rows] = _agrees(classifier, here, cotangent, gradient, signs[rows])

    in_batches(look, len(x))
    return Derivatives(int(along_gradient.sum()), int(along_signs.sum()))


def _moved(x: FloatArray, moves: NDArray[np.int8]) -> FloatArray:
    """Return images `(n, 784)` moved by so many grey levels, away from the nearer end of [0, 1]."""
    moved: FloatArray = x + np.where(x > 0.5, -moves, moves) / x.dtype.type(255)
    return moved


def _agrees(
    classifier: Classifier,
    x: FloatArray,
    cotangent: FloatArray,
    gradient: FloatArray,
    direction: NDArray[Any],
) -> NDArray[np.bool_]:
    """Return for which images a gradient is the slope along a direction, `(n,)`.

    Args:
        classifier: the network.
        x: `(n, 784)` images.
        cotangent: `(n, 10)`, of their logits.
        gradient: `(n, 784)`, what `vjp` makes of it.
        direction: `(n, 784)`, of any length; 0 for an image that is not moved.
    """
    cotangent, gradient, step = (
        array.astype(np.float64) for array in (cotangent, gradient, direction)
    )
    length = np.linalg.norm(step, axis=1, keepdims=True)
    step *= STEP / np.where(length > 0, length, 1)
    a, b = (np.clip(x + way, 0, 1).astype(x.dtype) for way in (-step, step))
    way = b.astype(np.float64) - a  # as it is after rounding to the images' dtype
    rise = classifier.logits(b).astype(np.float64) - classifier.logits(a)
    expected = np.vecdot(gradient, way)
    usual = np.linalg.norm(gradient, axis=1) * np.linalg.norm(way, axis=1) / np.sqrt(x.shape[1])
    error = np.abs(np.vecdot(cotangent, rise) - expected)
    agrees: NDArray[np.bool_] = error <= TOLERANCE * np.maximum(np.abs(expected), usual)
    return agrees
