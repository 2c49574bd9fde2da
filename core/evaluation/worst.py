"""The worst case of many images: what the strongest attack finds, and what is proved safe."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import measures, validate
from core.attacks import strongest
from core.batches import at_most, one_thread_a_product, threads
from core.classifier import Classifier, FloatArray, IntArray
from core.evaluation.certainty import multiply_adds
from core.networks import Network

# Of the bounds for one ε: a minute of a core, or less.
MOST_MULTIPLY_ADDS = 1e12
_AT_ONCE = 128  # images of a thread; the work can be stopped after them
_SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True, eq=False)
class Worst:
    """What is known of each image under each budget. Between the two lies what nobody knows.

    Attributes:
        misled: `(E, N)`, where an attack within the budget misleads the network, or it is wrong
            without one. The share is a lower bound: attacks may miss some.
        certified: `(E, N)`, where it is proved that no attack within the budget can; None if the
            network can't be bounded, or is too large.
    """

    misled: NDArray[np.bool_]
    certified: NDArray[np.bool_] | None


def worst(
    network: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    epsilons: ArrayLike,
    misled: NDArray[np.bool_],
    *,
    on_progress: Callable[[int], object] = lambda images: None,
) -> Worst:
    """Prove images safe, and run the strongest attack on those for which neither is known yet.

    The strongest attack is the union of several, so an image that a quicker one has misled counts.
    No attack misleads an image that is proved safe. So both kinds are left out, which changes
    nothing but the time. The largest budget comes first: an image that withstands it is not
    attacked within smaller ones, and an image that is misled within a budget counts as misled
    within larger ones.

    Args:
        network: the network. Only one of `core.networks` can be bounded.
        x: `(N, 784)` clean images, pixels in [0, 1].
        y: `(N,)` true labels.
        epsilons: `(E,)` L∞ budgets in [0, 1], each above the one before.
        misled: `(E, N)`, where quicker attacks, such as FGSM and PGD, have misled the network.
        on_progress: called in the caller's thread with the number of images done since the last
            call, which may be 0, N in all; an exception that it raises ends the work soon.

    Raises:
        ValueError: an argument is not as above, or the network's gradient is not a number.
    """
    x = validate.images(x)
    y = validate.labels(y, len(x))
    budgets = _rising(epsilons)
    if misled.shape != (len(budgets), len(x)):
        raise ValueError(f"misled must be of shape {len(budgets), len(x)}, not {misled.shape}")
    known = np.logical_or.accumulate(misled, axis=0)
    left = np.flatnonzero(~known[0])
    on_progress(len(x) - len(left))
    certified = np.zeros_like(known) if can_be_bounded(network, x[left]) else None

    def look(rows: IntArray) -> None:
        some = known[:, rows]
        some |= measures.predict(network, x[rows]) != y[rows]
        safe = np.zeros_like(some)
        if certified is not None:
            safe = certified[:, rows] = proved(network, x[rows], y[rows], budgets)
        _attack(network, x[rows], y[rows], budgets, some, safe)
        known[:, rows] = some

    in_threads(look, left, on_progress)
    return Worst(known, certified)


def _rising(epsilons: ArrayLike) -> FloatArray:
    """Return the budgets, `(E,)`; raise `ValueError` if one is not above the one before."""
    budgets = np.atleast_1d(validate.budgets(epsilons, name="epsilons"))
    if (np.diff(budgets) <= 0).any():
        raise ValueError("epsilons must rise")
    return budgets


def can_be_bounded(network: Classifier, x: FloatArray) -> bool:
    """Return whether bounds for some images, within one ε, are possible and take a minute or so."""
    from core.bounds import certified  # a page that shows no proof starts without it

    if not isinstance(network, Network):
        return False
    if len(x) * multiply_adds(network) > MOST_MULTIPLY_ADDS:
        return False
    try:
        certified(network, x[:0], np.empty(0, np.int64), 0.0)
    except ValueError:  # the weights are too large
        return False
    return True


def proved(
    network: Classifier, x: FloatArray, y: IntArray, epsilons: ArrayLike
) -> NDArray[np.bool_]:
    """Return `core.bounds.certified` of a network that can be bounded."""
    from core.bounds import certified

    assert isinstance(network, Network)
    return certified(network, x, y, epsilons)


def _attack(
    network: Classifier,
    x: FloatArray,
    y: IntArray,
    budgets: FloatArray,
    misled: NDArray[np.bool_],
    safe: NDArray[np.bool_],
) -> None:
    """Note in `misled`, `(E, N)`, what the strongest attack misleads beyond that."""
    left = np.ones(len(x), bool)
    for budget in reversed(range(len(budgets))):
        left &= ~safe[budget]
        rows = np.flatnonzero(left & ~misled[budget])
        if len(rows):
            x_adv = strongest(network, x[rows], y[rows], budgets[budget])
            found = measures.predict(network, x_adv) != y[rows]
            misled[budget, rows[found]] = True
            left[rows[~found]] = False


def in_threads(
    look: Callable[[IntArray], None], left: IntArray, on_progress: Callable[[int], object]
) -> None:
    """Call a function with some of the images at a time, in as many threads as are allowed.

    Args:
        look: a function of some of the indices.
        left: the indices of all images to look at.
        on_progress: see `worst`; the numbers add up to those of `left`.
    """
    over = threading.Event()

    def work(rows: IntArray) -> None:
        if not over.is_set():
            with at_most(1):  # the threads already keep the cores busy
                look(rows)

    parts = [left[start : start + _AT_ONCE] for start in range(0, len(left), _AT_ONCE)]
    with one_thread_a_product, ThreadPoolExecutor(threads()) as pool:
        futures = [pool.submit(work, rows) for rows in parts]
        try:
            for rows, future in zip(parts, futures, strict=True):
                while not wait([future], timeout=_SECONDS_BETWEEN_LOOKS).done:
                    on_progress(0)
                future.result()
                on_progress(len(rows))
        finally:
            over.set()
            pool.shutdown(cancel_futures=True)
