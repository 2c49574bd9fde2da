"""One image under every budget of an attack, and the budget at which its prediction changes.

A budget is an ε. For an attack without one it is a share of the way, the straight line from the
clean image to the image that the attack found (see `core.attacks.Scale`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core import measures, validate
from core.attacks import LINF, WAY, Method, MinimalMethod, Scale, noise, towards
from core.classifier import Classifier, FloatArray, IntArray
from core.losses import softmax


@dataclass(frozen=True)
class Flip:
    """The first budget on a path, as far as `trace` looks, with the prediction that is sought.

    Attributes:
        epsilon: that budget, to the scale's resolution.
        before: the prediction for the clean image.
        after: the prediction at that budget.
    """

    epsilon: float
    before: int
    after: int


@dataclass(frozen=True, eq=False)
class AttackPath:
    """An image under every budget of an attack.

    Attributes:
        scale: its budgets, `(B,)`, from 0 for the clean image.
        x_adv: `(B, 784)` adversarial images.
        probabilities: `(B, 10)`.
        l2_norm: `(B,)`, of the perturbations, in pixel units.
        flip: where the prediction first changes; None where it never does.
        reaches: the smallest budget at which the prediction is the target, to the scale's
            resolution; None without a target or where it is never reached.
        random_flips: how many of 100 random perturbations, as large as the perturbation at the
            flip, change the prediction too; 0 without a flip.
    """

    scale: Scale
    x_adv: FloatArray
    probabilities: FloatArray
    l2_norm: FloatArray
    flip: Flip | None
    reaches: float | None
    random_flips: int = 0

    @property
    def predictions(self) -> IntArray:
        """The most probable label at each budget, `(B,)`."""
        predictions: IntArray = self.probabilities.argmax(axis=1)
        return predictions


def follow(
    classifier: Classifier, method: Method, x: FloatArray, label: int, *, target: int | None = None
) -> AttackPath:
    """Attack one image with every budget of the method's scale.

    Args:
        classifier: the network under attack.
        method: the attack.
        x: `(1, 784)` clean image, pixels in [0, 1].
        label: the true label.
        target: the digit to move towards, if any.

    Raises:
        ValueError: as the attack does, which may refuse a target.
    """
    if isinstance(method, MinimalMethod):
        found = method.attack(classifier, x, [label], target=target)

        def attack(budgets: FloatArray) -> FloatArray:
            return towards(x, found, budgets)[:, 0]
    else:
        attack_within = method.attack

        def attack(budgets: FloatArray) -> FloatArray:
            return attack_within(classifier, x, [label], budgets, target=target)[:, 0]

    return trace(classifier, method.scale, attack, target=target)


def trace(
    classifier: Classifier,
    scale: Scale,
    attack: Callable[[FloatArray], FloatArray],
    *,
    target: int | None = None,
) -> AttackPath:
    """Look at one image under every budget of a scale and find where its prediction flips.

    The prediction is computed at every budget of the scale, then at finer steps, of the scale's
    resolution, between the last budget that keeps it and the first that changes it. A prediction
    that changes and changes back between two neighbouring budgets is not seen.

    Args:
        classifier: the network under attack.
        scale: the budgets.
        attack: from budgets `(B,)` to adversarial images `(B, 784)` of one image; budget 0 gives
            the clean image.
        target: the target of the attack, if any.
    """
    grid = scale.budgets
    x_adv = attack(grid)
    logits = measures.logits(classifier, x_adv)
    predictions: IntArray = logits.argmax(axis=1)
    before = int(predictions[0])

    def first(wanted: Callable[[IntArray], NDArray[np.bool_]]) -> Flip | None:
        """Find the first budget whose prediction is wanted."""
        hits = np.flatnonzero(wanted(predictions))
        if not hits.size:
            return None
        place = hits[0]
        if place == 0:
            return Flip(0.0, before, before)
        parts = int(np.ceil((grid[place] - grid[place - 1]) / scale.resolution))
        between = np.linspace(grid[place - 1], grid[place], parts + 1)[1:]
        closer = np.append(
            measures.predict(classifier, attack(between[:-1])) if parts > 1 else [],
            predictions[place],
        ).astype(np.int64)
        hit = np.flatnonzero(wanted(closer))[0]
        return Flip(float(between[hit]), before, int(closer[hit]))

    flip = first(lambda labels: labels != before)
    reached = first(lambda labels: labels == target) if target is not None else None
    l2_norm = measures.l2_norm(x_adv[0], x_adv)
    flips = 0
    if flip is not None:
        epsilon = flip.epsilon * (l2_norm[-1] if scale is WAY else 1)  # an L∞ or an L2 norm
        if scale is not LINF:
            epsilon /= np.sqrt(x_adv.shape[1])  # noise of ±ε in every pixel has this L2 norm
        flips = random_flips(classifier, x_adv[:1], float(epsilon))
    return AttackPath(
        scale=scale,
        x_adv=x_adv,
        probabilities=softmax(logits),
        l2_norm=l2_norm,
        flip=flip,
        reaches=None if reached is None else reached.epsilon,
        random_flips=flips,
    )


def random_flips(
    classifier: Classifier, x: FloatArray, epsilon: float, *, tries: int = 100, seed: int = 0
) -> int:
    """Count the random perturbations of size ε that change one image's prediction.

    This is the control for a flip: if direction did not matter, noise would flip as often.

    Args:
        classifier: the network.
        x: `(1, 784)` clean image, pixels in [0, 1].
        epsilon: the L∞ norm of each perturbation; see `core.attacks.noise`.
        tries: the number of perturbations.
        seed: decides them.
    """
    copies = np.repeat(validate.images(x), tries, axis=0)
    before = measures.predict(classifier, copies[:1])
    perturbed = noise(classifier, copies, before[0], epsilon, seed=seed)
    return int((measures.predict(classifier, perturbed) != before).sum())
