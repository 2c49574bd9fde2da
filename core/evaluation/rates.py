"""An attack on many images: predictions before and after, evasion rates, and norms."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import measures, validate
from core.attacks import Attack, Searched
from core.batches import BATCH, at_most, one_thread_a_product, threads
from core.classifier import Classifier, FloatArray, IntArray

# Images that `evaluate` attacks in one call. Between calls progress is reported and can stop it.
ATTACK_BATCH = 2 * BATCH
# Batches that `evasion_curve` attacks at once, cores permitting, and the budgets of one call. The
# images of a batch under 26 budgets take 21 MB. The work can be stopped between calls.
BATCHES_AT_ONCE = 4
BUDGETS_AT_ONCE = 26
_SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The results of an attack on some images.

    Attributes:
        x: `(N, 784)` clean images, pixels in [0, 1].
        y: `(N,)` true labels.
        x_adv: `(N, 784)` adversarial images.
        before: `(N,)` predictions of `x`.
        after: `(N,)` predictions of `x_adv`.
        l2_norm: `(N,)`, of the perturbations `x_adv - x`, float64, in pixel units.
        queries: `(N,)`, how often the attack asked the network; None if it doesn't tell.
    """

    x: FloatArray
    y: IntArray
    x_adv: FloatArray
    before: IntArray
    after: IntArray
    l2_norm: FloatArray
    queries: IntArray | None = None

    def only(self, rows: IntArray | NDArray[np.bool_]) -> "Evaluation":
        """Return the results for some of the images, by their indices or a mask `(N,)`."""
        some = {name: array[rows] for name, array in vars(self).items() if array is not None}
        return Evaluation(**some)

    @property
    def images(self) -> int:
        """The number of images, N."""
        return len(self.y)

    @property
    def misclassified(self) -> NDArray[np.bool_]:
        """`(N,)`, where the prediction of the adversarial image is wrong."""
        wrong: NDArray[np.bool_] = self.after != self.y
        return wrong

    @property
    def correct_before(self) -> NDArray[np.bool_]:
        """`(N,)`, where the prediction of the clean image is right."""
        right: NDArray[np.bool_] = self.before == self.y
        return right

    @property
    def clean_accuracy(self) -> float:
        """The share of all images that are classified correctly before the attack, in [0, 1]."""
        return float(self.correct_before.mean())

    @property
    def evasion_rate(self) -> float:
        """Misclassified adversarial examples / all examples, as the report defines it."""
        return float(self.misclassified.mean())

    @property
    def evasion_rate_of_correct(self) -> float | None:
        """The same among images classified correctly before; None if there are none."""
        right = self.correct_before
        return float(self.misclassified[right].mean()) if right.any() else None


def evaluate(
    classifier: Classifier,
    attack: Callable[[FloatArray, IntArray], FloatArray | Searched],
    x: ArrayLike,
    y: ArrayLike,
    *,
    levels: int | None = None,
    on_progress: Callable[[int], object] = lambda images: None,
) -> Evaluation:
    """Attack every image and predict before and after.

    Args:
        classifier: the network that predicts.
        attack: from images `(B, 784)` and labels `(B,)` to adversarial images `(B, 784)`, or to
            those with the queries for each; it is called on batches of at most `ATTACK_BATCH`
            images.
        x: `(N, 784)` clean images, pixels in [0, 1].
        y: `(N,)` true labels.
        levels: the grey levels to which adversarial images are rounded before they are predicted
            and measured, 256 for what a screen or a picture file shows; None for the attack's own
            float images. See `core.measures.rounded`.
        on_progress: called after each batch with the number of its images; an exception that it
            raises ends the work.

    Raises:
        ValueError: `x`, `y` or `levels` is not as above, there is no image, or the attack does not
            return one image in [0, 1] for each that it was given.
    """
    x = validate.images(x)
    y = validate.labels(y, len(x))
    before = measures.predict(classifier, x)
    x_adv = np.empty_like(x)
    after = np.empty_like(before)
    queries: list[IntArray] = []
    for start in range(0, len(x), ATTACK_BATCH):
        rows = slice(start, start + ATTACK_BATCH)
        attacked = attack(x[rows], y[rows])
        if isinstance(attacked, Searched):
            queries.append(attacked.queries)
            attacked = attacked.x_adv
        if attacked.shape != x[rows].shape:
            raise ValueError(f"attack must return {x[rows].shape}, not {attacked.shape}")
        x_adv[rows] = measures.rounded(attacked, levels)
        after[rows] = measures.predict(classifier, x_adv[rows])
        on_progress(len(attacked))
    asked = np.concatenate(queries) if queries else None
    return Evaluation(x, y, x_adv, before, after, measures.l2_norm(x, x_adv), asked)


def evasion_curve(
    classifier: Classifier,
    attack: Attack,
    x: ArrayLike,
    y: ArrayLike,
    epsilons: ArrayLike,
    *,
    levels: int | None = None,
    on_progress: Callable[[int], object] = lambda images: None,
) -> FloatArray:
    """Return the evasion rate at each of several budgets: misclassified / all images.

    Several batches of `BATCH` images are attacked at a time, each under many budgets at once, and
    their images are predicted and dropped: all images under all budgets are never in memory.

    Args:
        classifier: the network under attack.
        attack: see `core.attacks.Attack`; called on each batch with at most `BUDGETS_AT_ONCE`
            budgets, from several threads.
        x: `(N, 784)` clean images, pixels in [0, 1].
        y: `(N,)` true labels.
        epsilons: `(E,)` budgets, or one.
        levels: as in `evaluate`.
        on_progress: called in the caller's thread with the number of images done since the last
            call, which may be 0; an exception that it raises ends the work soon.

    Returns:
        `(E,)` rates in [0, 1].

    Raises:
        ValueError: as `evaluate` does, or a budget is below 0 or not finite.
    """
    x = validate.images(x)
    y = validate.labels(y, len(x))
    if not len(x):
        raise ValueError("x must hold at least one image")
    grid = np.atleast_1d(validate.budgets(epsilons, name="epsilons"))

    over = threading.Event()

    def misclassified(start: int) -> list[int]:
        rows = slice(start, start + BATCH)
        counts: list[int] = []
        for some in np.array_split(grid, -(-len(grid) // BUDGETS_AT_ONCE)):
            if over.is_set():
                break
            with at_most(1):  # the batches already keep the cores busy
                x_adv = measures.rounded(attack(classifier, x[rows], y[rows], some), levels)
            counts += [(measures.predict(classifier, each) != y[rows]).sum() for each in x_adv]
        return counts

    counts = np.zeros(len(grid), np.int64)
    # Limiting BLAS anew for each product would take longer than the products.
    with one_thread_a_product, ThreadPoolExecutor(min(threads(), BATCHES_AT_ONCE)) as pool:
        batches = [pool.submit(misclassified, start) for start in range(0, len(x), BATCH)]
        try:
            for number, batch in enumerate(batches):
                while not wait([batch], timeout=_SECONDS_BETWEEN_LOOKS).done:
                    on_progress(0)
                counts += batch.result()
                on_progress(min(BATCH, len(x) - number * BATCH))
        finally:
            over.set()
            pool.shutdown(cancel_futures=True)
    rates: FloatArray = counts / len(x)
    return rates


def smallest_budgets(
    classifier: Classifier,
    attack: Attack,
    x: ArrayLike,
    y: ArrayLike,
    budgets: ArrayLike,
    *,
    levels: int | None = None,
    on_progress: Callable[[int], object] = lambda images: None,
) -> FloatArray:
    """Return for each image the smallest of some budgets within which an attack misleads it.

    The largest budget comes first. An image that withstands one is not attacked within a smaller
    one. So each image withstands once at most, which is what takes long with a slow attack, and an
    image that is misled within a budget counts as misled within all larger ones.

    Args:
        classifier: the network under attack.
        attack: see `core.attacks.Attack`; called with one budget and at most `ATTACK_BATCH` images.
        x: `(N, 784)` clean images, pixels in [0, 1].
        y: `(N,)` true labels.
        budgets: `(E,)` of them, in any order.
        levels: as in `evaluate`.
        on_progress: called after each call of the attack with the number of images that are done
            since the last one, which may be 0; an exception that it raises ends the work.

    Returns:
        `(N,)` budgets; inf where the image withstands the largest.

    Raises:
        ValueError: as `evasion_curve` does.
    """
    x = validate.images(x)
    y = validate.labels(y, len(x))
    if not len(x):
        raise ValueError("x must hold at least one image")
    falling = np.unique(validate.budgets(budgets, name="budgets"))[::-1]
    smallest = np.full(len(x), np.inf)
    for start in range(0, len(x), ATTACK_BATCH):
        left = np.arange(start, min(start + ATTACK_BATCH, len(x)))
        for budget in falling:
            x_adv = measures.rounded(attack(classifier, x[left], y[left], budget), levels)
            misled = measures.predict(classifier, x_adv) != y[left]
            on_progress(int((~misled).sum()))
            left = left[misled]
            if not len(left):
                break
            smallest[left] = budget
        on_progress(len(left))
    return smallest


def evasion_within(evaluation: Evaluation, budgets: ArrayLike) -> FloatArray:
    """Return the evasion rate of a minimal attack at each of several L2 budgets.

    Args:
        evaluation: of a minimal attack (see `core.attacks.MinimalMethod`).
        budgets: `(E,)` L2 norms in pixel units, or one.

    Returns:
        `(E,)` in [0, 1]: the share of all images that are misclassified without an attack or by a
        perturbation whose L2 norm is at most the budget.

    Raises:
        ValueError: a budget is below 0 or not finite.
    """
    grid = np.atleast_1d(validate.budgets(budgets, name="budgets"))
    needed = np.where(evaluation.misclassified, evaluation.l2_norm, np.inf)
    needed[~evaluation.correct_before] = 0
    within: FloatArray = (needed <= grid[:, None]).mean(axis=1)
    return within


def limited_to(evaluation: Evaluation, budget: float) -> Evaluation:
    """Return the evaluation of a minimal attack that is limited to a budget.

    Args:
        evaluation: of a minimal attack (see `core.attacks.MinimalMethod`).
        budget: an L2 norm in pixel units; images that need more stay clean.
    """
    enough = evaluation.l2_norm <= budget
    return replace(
        evaluation,
        x_adv=np.where(enough[:, None], evaluation.x_adv, evaluation.x),
        after=np.where(enough, evaluation.after, evaluation.before),
        l2_norm=np.where(enough, evaluation.l2_norm, 0.0),
    )
