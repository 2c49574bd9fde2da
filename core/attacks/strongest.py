"""The worst case: several attacks in turn, each on the images that withstood those before."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from core import validate
from core.attacks.apgd import LOSSES, Task, ascend
from core.attacks.fab import approach, between
from core.attacks.iterated import LinfBall
from core.attacks.problem import Goal, Problem
from core.attacks.random_search import search, square_sides
from core.attacks.square import Squares
from core.batches import in_batches
from core.classifier import Classifier, FloatArray, IntArray

STEPS = 20  # of APGD on the cross-entropy; what withstands it is left to the attacks after it
NEAR_STEPS = 50  # of APGD towards each of the NEAR nearest labels, from several random starts
NEAR = 4
STARTS = 3
FAR_STEPS = 10  # towards each of the others, which are rarely reached
FAB_STEPS = 10
QUERIES = 1000  # of the square attack, whose first squares cover so many of the pixels:
SHARE = 0.8
# The square attack searches longer where its first queries led at least so far, as a share of the
# way that any attack led, and where no more than so much of the clean image's margin is left.
MORE_QUERIES, AS_FAR, MOST_LEFT = 3000, 0.95, 0.1


@dataclass(frozen=True, eq=False)
class WorstCase:
    """What the strongest attack found.

    Attributes:
        x_adv: `(N, 784)` for one budget, `(E, N, 784)` for several. Images that withstood every
            attack are those with the smallest margin.
        found_by: `(N,)` or `(E, N)`, which attack found each: its place in `SEQUENCE`; `ALREADY`
            where the goal was reached before any attack, `WITHSTOOD` where none reached it.
    """

    x_adv: FloatArray
    found_by: IntArray


ALREADY, WITHSTOOD = -1, -2


def strongest(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    target: ArrayLike | None = None,
    seed: int = 0,
) -> FloatArray:
    """Attack each image with all that there is within the L∞ budget: see `worst_case`.

    Arguments, return value and errors are those of `Attack`. In addition:
        seed: decides all random draws.
    """
    return worst_case(classifier, x, y, epsilon, target=target, seed=seed).x_adv


def worst_case(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    target: ArrayLike | None = None,
    seed: int = 0,
) -> WorstCase:
    """Run the attacks of `SEQUENCE` in turn, each on the images that withstood those before.

    The idea is AutoAttack's: Croce and Hein 2020, "Reliable Evaluation of Adversarial Robustness
    with an Ensemble of Diverse Parameter-free Attacks", section 6. An image on which all fail may
    still have an adversarial example, so the rate is a lower bound.

    The random draws follow from the seed and the image itself, and an image counts as found where
    its margin is larger than what rounding can change. One image and one budget have one verdict,
    whatever images and budgets they come with, except where a step of an attack hangs on the last
    bit of a matrix product, which may round differently in a batch of another size.

    Arguments and errors are those of `strongest`.
    """
    problem = Problem.with_budgets(classifier, x, y, epsilon, target)
    seed = validate.whole_number(seed, name="seed", least=0)
    worst = _Worst(problem)
    for place, attack in enumerate(SEQUENCE.values()):
        if place == len(QUICK):
            worst.find_rivals()
        worst.look_for_more(place, partial(attack, seed=seed))
    shape = (len(problem.x),) if problem.single else (len(problem.epsilons), len(problem.x))
    return WorstCase(problem.answer(worst.x_adv), worst.found_by.reshape(shape))


@dataclass(frozen=True)
class Some:
    """Some images, their budgets, and which labels are near.

    Attributes:
        goal: n images.
        epsilon: `(n, 1)` budgets.
        rivals: `(n, 9)`, the labels other than the true one, from the nearest to the farthest, or
            `(n, 1)`, the target.
        margin: `(n,)`, the smallest margin to the goal that was found so far.
    """

    goal: Goal
    epsilon: FloatArray
    rivals: IntArray
    margin: FloatArray

    def aims(self) -> IntArray | None:
        """Return the targets; None where the attack is to lead away from the true labels."""
        return self.goal.labels if self.goal.targeted else None


def by_fgsm(some: Some, *, seed: int) -> FloatArray:
    """Return one step of size ε along the sign of the gradient; it needs no `seed`."""
    goal, ball = some.goal, LinfBall(some.goal.x, some.epsilon)
    x_adv = goal.ascent(goal.x, goal.labels, "exact")
    ball.ascend(x_adv)
    x_adv *= some.epsilon
    x_adv += goal.x
    ball.project(x_adv)
    return x_adv


def by_apgd(some: Some, *, seed: int) -> FloatArray:
    """Return what APGD on the cross-entropy finds."""
    task = Task(some.goal, some.aims(), some.epsilon, LOSSES["cross_entropy"])
    return ascend(task, task.start(seed, 0), steps=STEPS)[0]


def by_apgd_towards(some: Some, *, seed: int, rank: int, restart: int = 0) -> FloatArray:
    """Return what APGD on the targeted DLR loss finds towards one of the rivals, by its rank.

    With a target this is the only rival, and the loss is its lead over all labels: DLR would only
    lead it past the true one.
    """
    aims = some.rivals[:, min(rank, some.rivals.shape[1] - 1)]
    loss = LOSSES["margin" if some.goal.targeted else "dlr"]
    task = Task(some.goal, aims, some.epsilon, loss)
    steps = NEAR_STEPS if rank < NEAR else FAR_STEPS
    return ascend(task, task.start(seed, 1 + rank + 9 * restart), steps=steps)[0]


def by_fab(some: Some, *, seed: int) -> FloatArray:
    """Return what FAB finds in L∞, brought back into the ball; it needs no `seed`."""
    x_adv = approach(some.goal, "linf", steps=FAB_STEPS)
    LinfBall(some.goal.x, some.epsilon).project(x_adv)
    return x_adv


def by_square(some: Some, *, seed: int) -> FloatArray:
    """Return what the square attack finds; nothing where the images are not square.

    It searches longer where it is about as good as all gradients, which may lead nowhere, and where
    the goal is near.
    """
    goal, width = some.goal, math.isqrt(some.goal.x.shape[1])
    if width**2 != goal.x.shape[1]:
        return goal.x

    def found(rows: IntArray, queries: int) -> tuple[FloatArray, FloatArray]:
        part, sides = goal.only(rows), square_sides(queries, SHARE, width)
        x_adv, _ = search(part, Squares(part.x, some.epsilon[rows], sides=sides, seed=seed))
        return x_adv, _margin(part, x_adv)

    x_adv, margin = found(np.arange(len(goal.x)), QUERIES)
    start, best = _margin(goal, goal.x), np.minimum(margin, some.margin)
    as_far = start - margin >= AS_FAR * (start - best)
    promising = np.flatnonzero((best >= 0) & as_far & (best <= MOST_LEFT * start))
    if len(promising):
        more, new = found(promising, MORE_QUERIES)
        better = new < margin[promising]
        x_adv[promising[better]] = more[better]
    return x_adv


def _margin(goal: Goal, x_adv: FloatArray) -> FloatArray:
    """Return each image's margin to the goal, `(n,)`; negative beyond it."""
    return goal.margin(goal.classifier.logits(x_adv), goal.labels)[0]


def nearest_labels(goal: Goal) -> IntArray:
    """Rank the labels other than the true one by their distance in the linearised network.

    Returns:
        `(n, 9)`, the nearest boundary in L∞ first.
    """
    logits, pull_back = goal.classifier.vjp(goal.x)
    images = np.arange(len(goal.y))
    distance = np.full(logits.shape, np.inf)
    for turn in range(1, logits.shape[1]):
        rival = (goal.y + turn) % logits.shape[1]
        boundary = between(goal.y, rival, goal.x, logits, pull_back)
        distance[images, rival] = boundary.distance("linf")
    ranked: IntArray = distance.argsort(axis=1, kind="stable")[:, :-1]
    return ranked


class _Attack(Protocol):
    def __call__(self, some: Some, *, seed: int) -> FloatArray: ...


# The attacks in their order. The last two find what a gradient that leads nowhere hides.
QUICK: Mapping[str, _Attack] = MappingProxyType({"FGSM": by_fgsm, "APGD": by_apgd})
TOWARDS: Mapping[str, _Attack] = MappingProxyType(
    {
        f"APGD towards label {rank + 1} of 9": partial(by_apgd_towards, rank=rank)
        for rank in range(9)
    }
    | {
        f"APGD towards label {rank + 1} of 9, start {restart + 1}": partial(
            by_apgd_towards, rank=rank, restart=restart
        )
        for restart in range(1, STARTS)
        for rank in range(NEAR)
    }
)
SEQUENCE: Mapping[str, _Attack] = MappingProxyType(
    {**QUICK, **TOWARDS, "FAB": by_fab, "square attack": by_square}
)


class _Worst:
    """The worst that was found for every image under every budget.

    Attributes:
        x_adv: `(E, N, 784)`, the adversarial image, or the one with the smallest margin.
        found_by: `(E · N,)`, see `WorstCase`.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        images, budgets = len(problem.x), len(problem.epsilons)
        self.x_adv = problem.empty()
        self.x_adv[:] = problem.x
        self.found_by = np.full(budgets * images, WITHSTOOD)
        self._margin = np.full((budgets, images), np.inf)
        self._rivals = problem.labels[:, None]

        def look(rows: slice) -> None:
            logits = problem.classifier.logits(problem.clean(rows))
            self._margin[:, rows], _ = problem.margin(logits, problem.labels[rows])
            reached = problem.reached(logits, problem.labels[rows])
            self.found_by.reshape(budgets, images)[:, rows][:, reached] = ALREADY

        in_batches(look, images)

    def find_rivals(self) -> None:
        """Rank the labels for the images that are left, the nearest linearised boundary first."""
        problem = self._problem
        if problem.targeted:
            return
        left = np.unique(self._left() % max(1, len(problem.x)))
        if not len(left):
            return
        classes = problem.classifier.logits(problem.x[left[:1]]).shape[1]
        self._rivals = np.zeros((len(problem.x), classes - 1), np.int64)

        def rank(rows: slice) -> None:
            self._rivals[left[rows]] = nearest_labels(problem.only(left[rows]))

        in_batches(rank, len(left))

    def _left(self) -> IntArray:
        """Return which images under which budgets withstood so far and may change at all."""
        left = np.flatnonzero(self.found_by == WITHSTOOD)
        some: IntArray = left[self._problem.epsilons[left // max(1, len(self._problem.x))] > 0]
        return some

    def look_for_more(self, place: int, attack: Callable[[Some], FloatArray]) -> None:
        """Run an attack, whose place in `SEQUENCE` it is, on the images that withstood so far."""
        problem, left = self._problem, self._left()
        flat = self.x_adv.reshape(len(self.found_by), problem.x.shape[1])
        least = self._margin.reshape(-1)

        def work(rows: slice) -> None:
            places = left[rows]
            budget, image = np.divmod(places, len(problem.x))
            goal = problem.only(image)
            epsilon, rivals = problem.epsilons[budget, None], self._rivals[image]
            x_adv = attack(Some(goal, epsilon, rivals, least[places]))
            logits = problem.classifier.logits(x_adv)
            margin, _ = goal.margin(logits, goal.labels)
            closer = margin < least[places]
            flat[places[closer]], least[places[closer]] = x_adv[closer], margin[closer]
            self.found_by[places[goal.won(logits)]] = place

        in_batches(work, len(left))
