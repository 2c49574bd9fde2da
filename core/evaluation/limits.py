"""The limits of an evasion rate: attacks reach at least the one, a proof excludes the other."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core import measures
from core.attacks import pgd
from core.classifier import Classifier, IntArray
from core.data.mnist import Digits
from core.evaluation.worst import can_be_bounded, in_threads, proved, worst

PRECISION = 1e-3  # of the ε that is searched
_HALVINGS = 10  # of [0, 1] to the precision
# How long the parts take beside each other.
_WORST, _REACHED, _EXCLUDED = 10, _HALVINGS, 4 * _HALVINGS
PASSES = _WORST + _REACHED + _EXCLUDED


@dataclass(frozen=True)
class Limits:
    """What is known of the worst case: at one ε, and for one evasion rate.

    Attributes:
        found: the evasion rate of the strongest attack at the ε, misclassified / all images. This
            is the union of FGSM, PGD and the others: a lower bound of the worst case.
        proved: the share of images that no attack can mislead at the ε; None if the network can't
            be bounded, or is too large.
        reached: an ε within which PGD, or FGSM, reaches the rate; None if neither does. Who may
            change pixels by ε may change them by less, so an image counts that PGD misleads there.
        excluded: an ε up to which it is proved that no attack reaches the rate; None as `proved`,
            or if the network reaches it without an attack.
    """

    found: float
    proved: float | None
    reached: float | None
    excluded: float | None


def measure(
    network: Classifier,
    images: Digits,
    epsilon: float,
    misled: NDArray[np.bool_],
    rate: float,
    *,
    on_progress: Callable[[int], object] = lambda images: None,
) -> Limits:
    """Measure the limits on some images.

    Args:
        network: see `core.evaluation.worst.worst`.
        images: at least one.
        epsilon: the L∞ budget, in [0, 1].
        misled: `(N,)`, the images that FGSM or PGD misleads at that ε.
        rate: an evasion rate, in [0, 1].
        on_progress: called repeatedly with numbers that add up to `PASSES` × N; an exception that
            it raises ends the work.
    """
    x, y, n = images.x, images.y, len(images)

    def passes(weight: int) -> Callable[[int], object]:
        return lambda some: on_progress(weight * some)

    at = worst(network, x, y, epsilon, misled[None], on_progress=passes(_WORST))

    def withstood(rows: IntArray, budget: float) -> NDArray[np.bool_]:
        held: NDArray[np.bool_] = (
            measures.predict(network, pgd(network, x[rows], y[rows], budget)) == y[rows]
        )
        return held

    def safe(rows: IntArray, budget: float) -> NDArray[np.bool_]:
        return proved(network, x[rows], y[rows], budget)

    _, reached = _narrowed(withstood, n, rate, epsilon, passes(_REACHED // _HALVINGS))
    excluded = None
    if epsilon > 0 and can_be_bounded(network, x):
        excluded, _ = _narrowed(safe, n, rate, epsilon, passes(_EXCLUDED // _HALVINGS))
    else:
        on_progress(_EXCLUDED * n)
    return Limits(
        found=float(at.misled.mean()),
        proved=None if at.certified is None else float(at.certified.mean()),
        reached=reached if reached < epsilon or misled.mean() >= rate else None,
        excluded=excluded,
    )


def _narrowed(
    holds: Callable[[IntArray, float], NDArray[np.bool_]],
    images: int,
    rate: float,
    most: float,
    on_progress: Callable[[int], object],
) -> tuple[float, float]:
    """Find the ε at which something holds for too few images by bisection of [0, most].

    Args:
        holds: tells for some images, by their indices, and an ε where it holds. Where it does, it
            counts as holding for all smaller ε, and where it doesn't, for no larger one.
        images: the number of images, N.
        rate: the share for which it must not hold.
        most: where to begin.
        on_progress: called with numbers that add up to `_HALVINGS` × N.

    Returns:
        An ε at which the share is still below the rate (or 0), and one at which it is not (or
        `most`), at most `PRECISION` apart.
    """
    low, high = 0.0, most
    left, known = np.arange(images), 0  # it holds for `known` others
    halvings = 0
    while high - low > PRECISION:
        middle = (low + high) / 2
        held = _held(holds, left, middle, on_progress)
        on_progress(images)
        halvings += 1
        if 1 - (known + held.sum()) / images < rate:
            low, left = middle, left[held]
        else:
            high, left, known = middle, left[~held], known + int(held.sum())
    on_progress((_HALVINGS - halvings) * images)
    return low, high


def _held(
    holds: Callable[[IntArray, float], NDArray[np.bool_]],
    left: IntArray,
    epsilon: float,
    on_progress: Callable[[int], object],
) -> NDArray[np.bool_]:
    """Return where something holds of some images; `on_progress` may stop the work."""
    held = np.empty(len(left), bool)

    def look(places: IntArray) -> None:
        held[places] = holds(left[places], epsilon)

    in_threads(look, np.arange(len(left)), lambda some: on_progress(0))
    return held
