"""Softmax, cross-entropy, and its gradient, exact or as float32 rounds it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from core.classifier import Classifier, FloatArray, IntArray


def softmax(logits: FloatArray) -> FloatArray:
    """Return the probabilities `(N, 10)` of logits `(N, 10)`; each row sums to 1."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: FloatArray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def cross_entropy(logits: FloatArray, y: IntArray) -> FloatArray:
    """Return each image's loss −log p_y: logits `(N, 10)` and labels `(N,)` to `(N,)`."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    loss: FloatArray = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]
    return loss


def doubt(logits: FloatArray, y: IntArray) -> FloatArray:
    """Return 1 − p_y, the probability of all other classes, exact where p_y rounds to 1.

    Args:
        logits: `(N, 10)`.
        y: `(N,)` labels.

    Returns:
        `(N,)` in float64.
    """
    wide = logits.astype(np.float64)
    exponentials = np.exp(wide - wide.max(axis=1, keepdims=True))
    total = exponentials.sum(axis=1)
    exponentials[np.arange(len(y)), y] = 0
    rest: FloatArray = exponentials.sum(axis=1) / total
    return rest


def exact_cotangent(logits: FloatArray, y: IntArray) -> FloatArray:
    """Return ∂ cross-entropy / ∂ logits, exact up to a positive factor for each image.

    The derivative is p_j for every class j ≠ y, and p_y − 1 for y. When the network is confident,
    softmax rounds p_y to exactly 1 and the largest term becomes 0. But p_y − 1 is minus the sum of
    the other terms. Computed like this, and with all terms divided by the largest p_j, nothing
    cancels and nothing underflows. The factor does not matter to an attack: it needs the direction.

    Args:
        logits: `(N, 10)`.
        y: `(N,)` labels.

    Returns:
        `(N, 10)`; in each row the largest component other than y's is 1, and the sum is 0.
    """
    images = np.arange(len(y))
    others = logits.T.copy()  # a row a class: NumPy reduces ten long rows faster than many short
    others[y, images] = -np.inf
    others -= others.max(axis=0)
    np.exp(others, out=others)
    others[y, images] = -others.sum(axis=0)
    return others.T


def log_odds(logits: FloatArray, y: IntArray) -> FloatArray:
    """Return log((1 − p_y) / p_y), which orders images as their cross-entropy does.

    The cross-entropy of a confident network rounds to 0, and then no step seems to raise it. This
    does not round: it is log Σ_{j≠y} exp(Z_j) − Z_y.

    Args:
        logits: `(N, 10)`.
        y: `(N,)` labels.

    Returns:
        `(N,)`, in the dtype of the logits.
    """
    images = np.arange(len(y))
    others = logits.T.copy()
    others[y, images] = -np.inf
    largest = others.max(axis=0)
    odds: FloatArray = largest + np.log(np.exp(others - largest).sum(axis=0)) - logits[images, y]
    return odds


def dlr(logits: FloatArray, y: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the difference of logits ratio and its gradient in the logits.

    DLR = −(Z_y − max_{j≠y} Z_j) / (Z_π1 − Z_π3), where π sorts the logits from the largest down.
    It is the same for logits that are scaled or shifted, so no confidence makes it vanish: Croce
    and Hein 2020, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
    Parameter-free Attacks", equation 6.

    Args:
        logits: `(N, 10)`.
        y: `(N,)` labels.

    Returns:
        The loss, `(N,)`, and its derivatives, `(N, 10)`, up to a positive factor for each image.
    """
    order = logits.argsort(axis=1)
    rival = np.where(order[:, -1] == y, order[:, -2], order[:, -1])
    weights = np.zeros_like(logits)
    images = np.arange(len(y))
    weights[images, order[:, -1]] = 1
    weights[images, order[:, -3]] = -1
    return _ratio(logits, y, rival, weights)


def targeted_dlr(
    logits: FloatArray, y: IntArray, target: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return the difference of logits ratio towards a target, and its gradient in the logits.

    DLR = −(Z_y − Z_t) / (Z_π1 − (Z_π3 + Z_π4) / 2): equation 7 of the paper that `dlr` names, whose
    arguments and return values these are; `target` is `(N,)`, other than `y`.
    """
    order = logits.argsort(axis=1)
    weights = np.zeros_like(logits)
    images = np.arange(len(y))
    weights[images, order[:, -1]] = 1
    weights[images, order[:, -3]] = weights[images, order[:, -4]] = -0.5
    return _ratio(logits, y, target, weights)


def _ratio(
    logits: FloatArray, y: IntArray, rival: IntArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return −(Z_y − Z_rival) / d, where d = Σ weights · Z, and its gradient times d.

    The gradient of −a / d is (−∇a + (a / d) ∇d) / d. Where d is 0, the ratio counts as 0.
    """
    images = np.arange(len(y))
    lead = logits[images, y] - logits[images, rival]
    spread = np.vecdot(weights, logits)
    ratio = np.divide(lead, spread, out=np.zeros_like(lead), where=spread > 0)
    cotangent: FloatArray = ratio[:, None] * weights
    cotangent[images, y] -= 1
    cotangent[images, rival] += 1
    return -ratio, cotangent


def float32_autograd_cotangent(logits: FloatArray, y: IntArray) -> FloatArray:
    """Return ∂ cross-entropy / ∂ logits as automatic differentiation computes it in float32.

    This is softmax minus the one-hot label: logits `(N, 10)` and labels `(N,)` to `(N, 10)`. Where
    p_y rounds to 1 the label's term is exactly 0 while the others survive, and many signs of the
    pixel gradient are wrong. This gradient masking makes a network look robust (Carlini et al.
    2019, "On Evaluating Adversarial Robustness", section 3). It is kept to show the difference.
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
    classifier: Classifier,
    x: FloatArray,
    y: IntArray,
    *,
    gradient: str = "exact",
    downhill: bool = False,
) -> FloatArray:
    """Return the gradient of the cross-entropy with respect to the pixels of each image.

    Args:
        classifier: see `Classifier`.
        x: `(N, 784)` pixels in [0, 1].
        y: `(N,)` labels.
        gradient: a name in `COTANGENTS`.
        downhill: True to return its negative.

    Returns:
        `(N, 784)`; for "exact", each row is scaled by a positive factor.

    Raises:
        ValueError: `gradient` is not in `COTANGENTS`.
    """
    if gradient not in COTANGENTS:
        raise ValueError(f"gradient must be one of {', '.join(COTANGENTS)}, not {gradient!r}")
    logits, pull_back = classifier.vjp(x)
    cotangent = COTANGENTS[gradient](logits, y)
    return pull_back(-cotangent if downhill else cotangent)
