"""DeepFool: steps to the nearest decision boundary of the linearised network."""

import numpy as np
from numpy.typing import ArrayLike

from core import validate
from core.attacks.problem import Goal, check_gradient, setting
from core.attacks.steps import Step, Watch
from core.batches import in_batches
from core.classifier import Classifier, FloatArray, IntArray

# Clipping to [0, 1] leaves a step short of the boundary, the next one by less, and so on without
# end. This addition to each step, an L2 norm in pixel units, takes the last one across.
MARGIN = 1e-3


def deepfool(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    *,
    target: ArrayLike | None = None,
    overshoot: float = 0.02,
    steps: int = 50,
    watch: Watch | None = None,
) -> FloatArray:
    """Step to the nearest boundary in L2, as if the network were linear, until it is crossed.

    r = |f_l| / ‖w_l‖₂² · w_l, where f_k = Z_k − Z_y and w_k = ∇ₓ f_k at xⁱ, and l is the label
    other than y for which |f_l| / ‖w_l‖₂ is smallest; xⁱ⁺¹ = clip(xⁱ + (1 + η) r, 0, 1) until the
    prediction changes: Moosavi-Dezfooli, Fawzi and Frossard 2016, "DeepFool: a simple and
    accurate method to fool deep neural networks", algorithm 2. Each step is longer by `MARGIN`.

    Arguments, return value and errors are those of `MinimalAttack`. In addition:
        target: None; DeepFool moves to the nearest label.
        overshoot: η, the fraction by which a step exceeds the distance to the boundary, at least 0
            (0.02, as in the paper).
        steps: the largest number of steps, at least 1 (the paper needs about three).
        watch: called with each step as it is made; see `core.attacks.steps`.

    Raises:
        ValueError: a target is given, too.
    """
    if target is not None:
        raise ValueError("target must be None: DeepFool moves to the nearest label")
    goal = Goal.of(classifier, x, y, None)
    stretch = goal.x.dtype.type(1 + setting(overshoot, name="overshoot"))
    steps = validate.whole_number(steps, name="steps", least=1)
    x_adv = goal.x.copy()

    def attack(rows: slice) -> None:
        left = np.arange(rows.start, rows.stop)  # the images whose prediction is still their label
        here = goal.clean(rows)
        if watch:
            watch(Step.start(left, here))
        for step in range(steps + 1):
            reached = goal.reached(classifier.logits(here), goal.labels[left])
            x_adv[left[reached]] = here[reached]
            left, here = left[~reached], here[~reached]
            if step == steps or not len(left):
                break
            move = stretch * _to_nearest(classifier, here, goal.labels[left])
            here += move
            moved = here.copy() if watch else here
            np.clip(here, 0, 1, out=here)
            if watch:
                watch(Step(step + 1, left, move, moved, here.copy()))

    in_batches(attack, len(goal.x))
    return x_adv


def _to_nearest(classifier: Classifier, x: FloatArray, y: IntArray) -> FloatArray:
    """Return the step r, longer by `MARGIN`, `(N, 784)`; 0 where every gradient is 0."""
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
        check_gradient(w)
        gap = np.abs(logits[images, other] - logits[images, y])
        length = np.sqrt(np.vecdot(w, w))
        distance = np.divide(gap, length, out=np.full_like(gap, np.inf), where=length > 0)
        closer = distance < shortest
        shortest[closer] = distance[closer]
        nearest[closer] = ((distance + MARGIN) / length)[closer, None] * w[closer]
    return nearest
