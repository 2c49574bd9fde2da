"""Softmax, cross-entropy, and the gradient of cross-entropy in two precisions."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from core.classifier import Classifier, FloatArray, IntArray


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities `(N, 10)` of logits `(N, 10)`; each row adds up to 1."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: FloatArray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def cross_entropy(logits: FloatArray, y: IntArray) -> FloatArray:
    """The loss −log p_y of each image: logits `(N, 10)` and labels `(N,)` to `(N,)`."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    loss: FloatArray = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]
    return loss


def exact_cotangent(logits: FloatArray, y: IntArray) -> FloatArray:
    """∂ cross-entropy / ∂ logits up to a positive factor an image, with nothing rounded away.

    The derivative is p_j for every class j but y, and p_y − 1 for y. Of a confident network
    softmax rounds p_y to exactly 1, and the largest term is lost. But p_y − 1 is minus the sum
    of the others; written so, and with all of them divided by the largest, no term cancels and
    none underflows. Only the direction matters to an attack.

    Args:
        logits: `(N, 10)`.
        y: `(N,)` labels.

    Returns:
        `(N, 10)`; each row's largest component other than y's is 1, and the row's sum is 0.
    """
    images = np.arange(len(y))
    others = logits.T.copy()  # a row a class: NumPy reduces ten long rows faster than many short
    others[y, images] = -np.inf
    others -= others.max(axis=0)
    np.exp(others, out=others)
    others[y, images] = -others.sum(axis=0)
    return others.T


def float32_autograd_cotangent(logits: FloatArray, y: IntArray) -> FloatArray:
    """∂ cross-entropy / ∂ logits as automatic differentiation computes it in float32.

    This is softmax minus the one-hot label, `(N, 10)`. Where p_y rounds to 1 the label's term is
    exactly 0 although the others survive, and the sign of the pixels' gradient is mostly wrong:
    the gradient masking that makes a network look robust (Carlini et al. 2019, "On Evaluating
    Adversarial Robustness", section 3). Kept by name, to show the difference.
    """
    shifted = logits.astype(np.float32)
    shifted -= shifted.max(axis=1, keepdims=True)
    cotangent: FloatArray = np.exp(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
    cotangent[np.arange(len(y)), y] -= 1
    return cotangent


COTANGENTS: Mapping[str, Callable[[FloatArray, IntArray], FloatArray]] = MappingProxyType(
    {"exact": exact_cotangent, "float32_autograd": float32_autograd_cotangent}
)


def pixel_gradient(
    classifier: Classifier, x: FloatArray, y: IntArray, *, gradient: str = "exact"
) -> FloatArray:
    """The direction in which the cross-entropy of `y` rises fastest, for each image.

    Args:
        classifier: see `Classifier`.
        x: `(N, 784)` pixels.
        y: `(N,)` labels.
        gradient: a name in `COTANGENTS`.

    Returns:
        `(N, 784)`, for "exact" up to a positive factor an image.

    Raises:
        ValueError: `gradient` is no such name.
    """
    if gradient not in COTANGENTS:
        raise ValueError(f"gradient must be one of {', '.join(COTANGENTS)}, not {gradient!r}")
    logits, pull_back = classifier.vjp(x)
    return pull_back(COTANGENTS[gradient](logits, y))
