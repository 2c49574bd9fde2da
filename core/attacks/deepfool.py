"""DeepFool: to the nearest decision boundary, as if all of them were flat."""

import numpy as np
from numpy.typing import ArrayLike

from core import validate
from core.attacks.problem import Goal, setting
from core.batches import in_chunks
from core.classifier import Classifier, FloatArray, IntArray

# What is cut off at 0 and 1 leaves a step short of the boundary, the next one by less, and so on
# for ever; this much more, an L2 norm in pixel units, takes the last of them across.
MARGIN = 1e-3


def deepfool(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    *,
    target: ArrayLike | None = None,
    overshoot: float = 0.02,
    steps: int = 50,
) -> FloatArray:
    """Again and again the shortest way to the nearest label, were the network linear, in L2.

    r = |f_l| / ‖w_l‖₂² · w_l, where f_k = Z_k − Z_y and w_k = ∇ₓ f_k at xⁱ, and l is the label
    other than y for which |f_l| / ‖w_l‖₂ is smallest; xⁱ⁺¹ = clip(xⁱ + (1 + η) r, 0, 1) until the
    prediction is another one: Moosavi-Dezfooli, Fawzi and Frossard 2016, "DeepFool: a simple and
    accurate method to fool deep neural networks", algorithm 2. Each step is longer by `MARGIN`.

    Args, returns and errors are those of `MinimalAttack`; besides:
        target: None; DeepFool goes to whichever label is nearest.
        overshoot: η, how much further than to the boundary, at least 0 (0.02, as in the paper).
        steps: how many at most, at least 1 (the paper needs about three).

    Raises:
        ValueError: there is a target, too.
    """
    if target is not None:
        raise ValueError("target must be None: DeepFool goes to whichever label is nearest")
    goal = Goal.of(classifier, x, y, None)
    stretch = goal.x.dtype.type(1 + setting(overshoot, name="overshoot"))
    steps = validate.whole_number(steps, name="steps", least=1)
    x_adv = goal.x.copy()

    def attack(rows: slice) -> None:
        left = np.arange(rows.start, rows.stop)  # the images that are still read as their label
        here = goal.clean(rows)
        for step in range(steps + 1):
            reached = goal.reached(classifier.logits(here), goal.labels[left])
            x_adv[left[reached]] = here[reached]
            left, here = left[~reached], here[~reached]
            if step == steps or not len(left):
                break
            here += stretch * _to_nearest(classifier, here, goal.labels[left])
            np.clip(here, 0, 1, out=here)

    in_chunks(attack, len(goal.x))
    return x_adv


def _to_nearest(classifier: Classifier, x: FloatArray, y: IntArray) -> FloatArray:
    """The step r of the shortest way, and `MARGIN` more; 0 where no gradient leads anywhere."""
    logits, pull_back = classifier.vjp(x)
    images = np.arange(len(y))
    shortest = np.full(len(y), np.inf, x.dtype)
    nearest = np.zeros_like(x)
    for turn in range(1, logits.shape[1]):
        other = (y + turn) % logits.shape[1]
        cotangent = np.zeros_like(logits)
        cotangent[images, other] = 1
        cotangent[images, y] = -1
        w = pull_back(cotangent)
        gap = np.abs(logits[images, other] - logits[images, y])
        length = np.sqrt(np.vecdot(w, w))
        distance = np.divide(gap, length, out=np.full_like(gap, np.inf), where=length > 0)
        closer = distance < shortest
        shortest[closer] = distance[closer]
        nearest[closer] = ((distance + MARGIN) / length)[closer, None] * w[closer]
    return nearest
