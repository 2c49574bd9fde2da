"""An iterated attack's steps on one image, as its own loop made them.

What is shown is what is judged: with `levels` each iterate is rounded to the grey levels of a
screen before it is predicted. The attack itself goes on from its own float images.
"""

from dataclasses import dataclass

import numpy as np

from core import measures
from core.attacks import WATCHED, WATCHED_MINIMAL, Method, Step
from core.classifier import Classifier, FloatArray, IntArray
from core.losses import cross_entropy, softmax


@dataclass(frozen=True, eq=False)
class Walk:
    """The steps of an attack on one image; row 0 of each array is where it starts.

    Attributes:
        epsilon: the budget; None for an attack without one.
        clean: `(784,)`, the image under attack.
        before: the prediction for it.
        moves: `(T, 784)`, what each step adds.
        moved: `(T, 784)`, the iterates before they are brought back into the ball and [0, 1].
        x_adv: `(T, 784)`, the iterates after that. The last is the attack's answer.
        shown: `(T, 784)`, the same, rounded where levels were asked for.
        probabilities: `(T, 10)`, of the images shown.
        loss: `(T,)`, the cross-entropy of the images shown: of the true label, which an attack
            raises, or of the target, which it lowers.
        distance: `(T,)`, of the iterates from the clean image in the attack's norm, in pixel
            units; for "l0" the number of changed pixels.
        gave_up: whether the attack found nothing, so that its answer is the clean image.
    """

    epsilon: float | None
    clean: FloatArray
    before: int
    moves: FloatArray
    moved: FloatArray
    x_adv: FloatArray
    shown: FloatArray
    probabilities: FloatArray
    loss: FloatArray
    distance: FloatArray
    gave_up: bool

    @property
    def predictions(self) -> IntArray:
        """The most probable label of each image shown, `(T,)`."""
        predictions: IntArray = self.probabilities.argmax(axis=1)
        return predictions

    @property
    def flip(self) -> int | None:
        """The first step whose prediction is not that of the clean image, if there is one."""
        flipped = np.flatnonzero(self.predictions != self.before)
        return int(flipped[0]) if flipped.size else None

    @property
    def taken_back(self) -> IntArray:
        """How many pixels of each step were brought back into the ball and [0, 1], `(T,)`."""
        changed: IntArray = (self.moved != self.x_adv).sum(axis=1)
        return changed


def can_be_recorded(method: Method) -> bool:
    """Return whether an attack tells of its steps."""
    return method.name in WATCHED or method.name in WATCHED_MINIMAL


def record(
    classifier: Classifier,
    method: Method,
    x: FloatArray,
    label: int,
    *,
    epsilon: float,
    target: int | None = None,
    levels: int | None = None,
) -> Walk:
    """Attack one image and record the steps under one budget.

    The attack is the one of `core.evaluation.path.follow`, with all budgets of the method's scale
    at once: matrix products of another size would round otherwise.

    Args:
        classifier: the network under attack.
        method: the attack.
        x: `(1, 784)` clean image, pixels in [0, 1].
        label: the true label.
        epsilon: the budget; the nearest of the method's scale is taken. An attack without a budget
            does without it.
        target: the digit to move towards, if any.
        levels: the grey levels to which the clean image and what is shown are rounded.

    Raises:
        ValueError: the attack can't be watched, or refuses an argument.
    """
    clean = measures.rounded(x, levels)
    steps: list[tuple[FloatArray, FloatArray, FloatArray]] = []

    def watch(step: Step) -> None:
        if len(here := np.flatnonzero(step.rows == row)):
            at = int(here[0])
            steps.append((step.move[at].copy(), step.moved[at].copy(), step.x_adv[at].copy()))

    if method.name in WATCHED_MINIMAL:
        row = 0
        answer = WATCHED_MINIMAL[method.name](
            classifier, clean, [label], target=target, watch=watch
        )[0]
    elif method.name in WATCHED:
        budgets = method.scale.budgets
        row = int(np.abs(budgets - epsilon).argmin())
        attack = WATCHED[method.name]
        answer = attack(classifier, clean, [label], budgets, target=target, watch=watch)[row, 0]
    else:
        raise ValueError(f"method must be an attack that can be watched, not {method.name}")
    moves, moved, x_adv = map(np.array, zip(*steps, strict=True))
    shown = measures.rounded(x_adv, levels)
    logits = measures.logits(classifier, np.concatenate([clean, shown])).astype(np.float64)
    aim = label if target is None else target
    return Walk(
        epsilon=None if method.name in WATCHED_MINIMAL else float(budgets[row]),
        clean=clean[0],
        before=int(logits[0].argmax()),
        moves=moves,
        moved=moved,
        x_adv=x_adv,
        shown=shown,
        probabilities=softmax(logits[1:]),
        loss=cross_entropy(logits[1:], np.full(len(shown), aim)),
        distance=_distance(method.norm, clean[0], x_adv),
        gave_up=not np.array_equal(answer, x_adv[-1]),
    )


def _distance(norm: str, clean: FloatArray, x_adv: FloatArray) -> FloatArray:
    """Return how far the images `(T, 784)` are from the clean one in a norm, `(T,)`."""
    if norm == "l0":
        changed: FloatArray = (x_adv != clean).sum(axis=1).astype(np.float64)
        return changed
    return (measures.linf_norm if norm == "linf" else measures.l2_norm)(clean, x_adv)
