"""What an attack makes of many images: predictions before and after, rates, and norms."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import measures, validate
from core.attacks import Attack
from core.batches import CHUNK, at_most, one_thread_a_product, threads
from core.classifier import Classifier, FloatArray, IntArray

# Images that an evaluation attacks in one go: so often a bar moves, and the work can be stopped.
BLOCK = 2 * CHUNK
# Blocks of a curve that are worked on at once, if there are as many cores: under 26 budgets, the
# images of each take 21 MB.
BLOCKS_AT_ONCE = 4
# Of a block of a curve, budgets that are attacked in one go: then the work can be stopped.
BUDGETS_AT_ONCE = 26
_SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What an attack made of some images.

    Attributes:
        x: `(N, 784)` clean images, pixels in [0, 1].
        y: `(N,)` true labels.
        x_adv: `(N, 784)` adversarial images.
        before: `(N,)` predictions of `x`.
        after: `(N,)` predictions of `x_adv`.
        l2_norm: `(N,)` of the perturbations `x_adv - x`, float64, in pixel units.
    """

    x: FloatArray
    y: IntArray
    x_adv: FloatArray
    before: IntArray
    after: IntArray
    l2_norm: FloatArray

    @property
    def images(self) -> int:
        """How many images there are, N."""
        return len(self.y)

    @property
    def misclassified(self) -> NDArray[np.bool_]:
        """`(N,)`, where the adversarial image is not taken for what it is."""
        wrong: NDArray[np.bool_] = self.after != self.y
        return wrong

    @property
    def correct_before(self) -> NDArray[np.bool_]:
        """`(N,)`, where the clean image is taken for what it is."""
        right: NDArray[np.bool_] = self.before == self.y
        return right

    @property
    def clean_accuracy(self) -> float:
        """The share of all images that are classified correctly before the attack."""
        return float(self.correct_before.mean())

    @property
    def evasion_rate(self) -> float:
        """Misclassified adversarial examples / all examples, as the report defines it."""
        return float(self.misclassified.mean())

    @property
    def evasion_rate_of_correct(self) -> float | None:
        """The same among the images classified correctly before; None where there is none."""
        right = self.correct_before
        return float(self.misclassified[right].mean()) if right.any() else None


def evaluate(
    classifier: Classifier,
    attack: Callable[[FloatArray, IntArray], FloatArray],
    x: ArrayLike,
    y: ArrayLike,
    *,
    on_progress: Callable[[int], object] = lambda images: None,
) -> Evaluation:
    """Attack every image and look at the predictions before and after.

    An attack that draws random numbers draws the same for the i-th image of every block. Each
    image is still given a draw like any other, so the rates are neither higher nor lower for it;
    they only rest on `BLOCK` different draws (under noise of ε = 0.3, one draw leads the report's
    network astray 4 percentage points more or less often than another, the mean of 512 draws 0.2).

    Args:
        classifier: the network that predicts.
        attack: from images `(B, 784)` and labels `(B,)` to adversarial images `(B, 784)`; it is
            called on blocks of at most `BLOCK` images.
        x: `(N, 784)` clean images, pixels in [0, 1].
        y: `(N,)` true labels.
        on_progress: is told after each block how many more images are done; what it raises ends
            the work.

    Raises:
        ValueError: `x` or `y` is not as above, there is no image, or the attack returns what is
            no image in [0, 1] for each that it was given.
    """
    x = validate.images(x)
    y = validate.labels(y, len(x))
    before = measures.predict(classifier, x)
    x_adv = np.empty_like(x)
    after = np.empty_like(before)
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        attacked = attack(x[rows], y[rows])
        if attacked.shape != x[rows].shape:
            raise ValueError(f"attack must return {x[rows].shape}, not {attacked.shape}")
        x_adv[rows] = attacked
        after[rows] = measures.predict(classifier, x_adv[rows])
        on_progress(len(attacked))
    return Evaluation(x, y, x_adv, before, after, measures.l2_norm(x, x_adv))


def evasion_curve(
    classifier: Classifier,
    attack: Attack,
    x: ArrayLike,
    y: ArrayLike,
    epsilons: ArrayLike,
    *,
    on_progress: Callable[[int], object] = lambda images: None,
) -> FloatArray:
    """The evasion rate at each of several budgets: misclassified / all images.

    Blocks of `CHUNK` images are attacked under many budgets at once and looked at while they are in
    the cache, several blocks at a time: all images under all budgets are never in memory. Of random
    draws holds what `evaluate` says, with `CHUNK` in place of `BLOCK`.

    Args:
        classifier: the network under attack.
        attack: see `core.attacks.Attack`; called on each block with at most `BUDGETS_AT_ONCE`
            budgets, from several threads.
        x: `(N, 784)` clean images, pixels in [0, 1].
        y: `(N,)` true labels.
        epsilons: `(E,)` budgets, or one.
        on_progress: is told again and again how many more images are done, 0 too, in the
            caller's thread; what it raises ends the work soon.

    Returns:
        `(E,)` rates in [0, 1].

    Raises:
        ValueError: as in `evaluate`, or a budget is not finite or below 0.
    """
    x = validate.images(x)
    y = validate.labels(y, len(x))
    if not len(x):
        raise ValueError("x must hold at least one image")
    grid = np.atleast_1d(validate.budgets(epsilons, name="epsilons"))

    over = threading.Event()

    def misclassified(start: int) -> list[int]:
        rows = slice(start, start + CHUNK)
        counts: list[int] = []
        for some in np.array_split(grid, -(-len(grid) // BUDGETS_AT_ONCE)):
            if over.is_set():
                break
            with at_most(1):  # the blocks are many already
                x_adv = attack(classifier, x[rows], y[rows], some)
            counts += [(measures.predict(classifier, each) != y[rows]).sum() for each in x_adv]
        return counts

    counts = np.zeros(len(grid), np.int64)
    # One thread a product throughout: to let BLAS go and take it back at each one costs more time
    # than the products do.
    with one_thread_a_product, ThreadPoolExecutor(min(threads(), BLOCKS_AT_ONCE)) as pool:
        blocks = [pool.submit(misclassified, start) for start in range(0, len(x), CHUNK)]
        try:
            for number, block in enumerate(blocks):
                while not wait([block], timeout=_SECONDS_BETWEEN_LOOKS).done:
                    on_progress(0)
                counts += block.result()
                on_progress(min(CHUNK, len(x) - number * CHUNK))
        finally:
            over.set()
            pool.shutdown(cancel_futures=True)
    rates: FloatArray = counts / len(x)
    return rates


def evasion_within(evaluation: Evaluation, budgets: ArrayLike) -> FloatArray:
    """The evasion rate over L2 budgets of an attack that has none and seeks the smallest norm.

    Args:
        evaluation: of such an attack.
        budgets: `(E,)` L2 norms in pixel units, or one.

    Returns:
        `(E,)`, for each budget the share of all images that are misclassified clean, or by a
        perturbation whose L2 norm is at most that budget.

    Raises:
        ValueError: a budget is not finite or below 0.
    """
    grid = np.atleast_1d(validate.budgets(budgets, name="budgets"))
    needed = np.where(evaluation.misclassified, evaluation.l2_norm, np.inf)
    needed[~evaluation.correct_before] = 0
    within: FloatArray = (needed <= grid[:, None]).mean(axis=1)
    return within


def limited_to(evaluation: Evaluation, budget: float) -> Evaluation:
    """What an attack without a budget comes to where it may spend no more than one.

    Args:
        evaluation: of such an attack.
        budget: an L2 norm in pixel units; images that need more stay as they are.
    """
    enough = evaluation.l2_norm <= budget
    return replace(
        evaluation,
        x_adv=np.where(enough[:, None], evaluation.x_adv, evaluation.x),
        after=np.where(enough, evaluation.after, evaluation.before),
        l2_norm=np.where(enough, evaluation.l2_norm, 0.0),
    )
