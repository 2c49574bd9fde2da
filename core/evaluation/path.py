"""One image under every budget of an attack, and the budget at which its prediction flips.

A budget is an ε, or whatever else an attack's slider runs over (see `core.evaluation.scales`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import measures, validate
from core.attacks import noise
from core.classifier import Classifier, FloatArray, IntArray
from core.losses import softmax

RESOLUTION = 1e-4


@dataclass(frozen=True)
class Flip:
    """The smallest budget of a path at which the prediction is another one.

    Attributes:
        epsilon: that budget, at most the path's resolution too large.
        before: the prediction for the clean image.
        after: the prediction at `epsilon`.
    """

    epsilon: float
    before: int
    after: int


@dataclass(frozen=True, eq=False)
class Path:
    """An image on its way through an attack's budgets.

    Attributes:
        epsilons: `(E,)` budgets in rising order, the first of them 0.
        x_adv: `(E, 784)` adversarial images, the first of them clean.
        probabilities: `(E, 10)`.
        l2_norm: `(E,)`, of the perturbations.
        flip: where the prediction first changes; None where it nowhere does.
        reaches: the smallest budget at which the prediction is the target, to that resolution;
            None without a target or where it is nowhere reached.
    """

    epsilons: FloatArray
    x_adv: FloatArray
    probabilities: FloatArray
    l2_norm: FloatArray
    flip: Flip | None
    reaches: float | None

    @property
    def predictions(self) -> IntArray:
        """The most probable label at each budget, `(E,)`."""
        predictions: IntArray = self.probabilities.argmax(axis=1)
        return predictions


def trace(
    classifier: Classifier,
    attack: Callable[[FloatArray], FloatArray],
    epsilons: ArrayLike,
    *,
    target: int | None = None,
    resolution: float = RESOLUTION,
) -> Path:
    """Follow one image through an attack's budgets and find where its prediction flips.

    The prediction is looked at for every budget given; between the last one that keeps it and
    the first that does not, it is looked at again every `resolution`. A prediction that changes and
    changes back between two neighbouring budgets is not seen.

    Args:
        classifier: the network under attack.
        attack: from budgets `(E,)` to adversarial images `(E, 784)` of one image.
        epsilons: budgets in rising order from 0.
        target: the label that the attack is after, if any.
        resolution: how far apart the budgets are at which a flip is looked for.

    Raises:
        ValueError: the budgets don't rise from 0.
    """
    grid = np.atleast_1d(validate.budgets(epsilons, name="epsilons"))
    if grid[0] != 0 or not (np.diff(grid) > 0).all():
        raise ValueError(f"epsilons must rise from 0, not {epsilons!r}")
    x_adv = attack(grid)
    logits = measures.logits(classifier, x_adv)
    predictions = logits.argmax(axis=1)
    before = int(predictions[0])

    def first(wanted: Callable[[IntArray], NDArray[np.bool_]]) -> Flip | None:
        hits = np.flatnonzero(wanted(predictions))
        if not hits.size:
            return None
        place = hits[0]
        if place == 0:
            return Flip(0.0, before, before)
        parts = int(np.ceil((grid[place] - grid[place - 1]) / resolution))
        between = np.linspace(grid[place - 1], grid[place], parts + 1)[1:]
        closer = np.append(
            measures.predict(classifier, attack(between[:-1])) if parts > 1 else [],
            predictions[place],
        ).astype(np.int64)
        hit = np.flatnonzero(wanted(closer))[0]
        return Flip(float(between[hit]), before, int(closer[hit]))

    reached = first(lambda labels: labels == target) if target is not None else None
    return Path(
        epsilons=grid,
        x_adv=x_adv,
        probabilities=softmax(logits),
        l2_norm=measures.l2_norm(x_adv[0], x_adv),
        flip=first(lambda labels: labels != before),
        reaches=None if reached is None else reached.epsilon,
    )


def random_flips(
    classifier: Classifier, x: FloatArray, epsilon: float, *, tries: int = 100, seed: int = 0
) -> int:
    """How many of some random perturbations of size ε change one image's prediction.

    The control for a flip: were its direction of no account, noise would flip as easily.

    Args:
        classifier: the network.
        x: `(1, 784)` clean image.
        epsilon: the L∞ size of each perturbation; see `core.attacks.noise`.
        tries: how many perturbations.
        seed: decides them.
    """
    copies = np.repeat(validate.images(x), tries, axis=0)
    before = measures.predict(classifier, copies[:1])
    perturbed = noise(classifier, copies, before[0], epsilon, seed=seed)
    return int((measures.predict(classifier, perturbed) != before).sum())
