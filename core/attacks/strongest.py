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
from core.attacks.fab import approach
from core.attacks.iterated import LinfBall
from core.attacks.problem import Goal, Problem
from core.attacks.random_search import search, square_sides
from core.attacks.square import Squares
from core.batches import in_batches
from core.classifier import Classifier, FloatArray, IntArray

STEPS = 20  # of APGD on the cross-entropy; what withstands it is left to the attacks after it
FEW_STEPS = 10  # of APGD towards each other label, to see which ones are near
MANY_STEPS = 50  # of APGD towards the NEAR nearest of these, from several random starts
NEAR, STARTS = 4, 3
# A label is near if no more than this share of the clean image's margin is left of the true label's
# lead over it: for the first start and for each other one. The nearest always gets the first start.
WITHIN, WITHIN_AGAIN = 0.5, 0.2
FAB_STEPS = 10
QUERIES = 1000  # of the square attack, whose first squares cover so many of the pixels:
SHARE = 0.8
# The square attack gives up an image on which it stays behind the gradients. Of the way that they
# led, it must have led a share that rises from PROMISING at its first query to 1 at its last. Where
# it led AS_FAR of the way, and no more than a share MOST_LEFT of the clean image's margin is left,
# it begins again, with MORE_QUERIES and with AS_FAR in place of PROMISING.
PROMISING, MORE_QUERIES, AS_FAR, MOST_LEFT = 0.85, 3000, 0.94, 0.1


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
        worst.look_for_more(place, partial(attack, seed=seed))
    shape = (len(problem.x),) if problem.single else (len(problem.epsilons), len(problem.x))
    return WorstCase(problem.answer(worst.x_adv), worst.found_by.reshape(shape))


@dataclass(frozen=True)
class Some:
    """Some images, their budgets, and how near each label is.

    Attributes:
        goal: n images.
        epsilon: `(n, 1)` budgets.
        clean: `(n,)`, the clean images' margins to the goal.
        leads: `(n, 10)`, the smallest lead of the true label over each other one that was found so
            far, infinite for itself; `(n, 1)` with a target: the smallest margin to it.
    """

    goal: Goal
    epsilon: FloatArray
    clean: FloatArray
    leads: FloatArray

    def aims(self) -> IntArray | None:
        """Return the targets; None where the attack is to lead away from the true labels."""
        return self.goal.labels if self.goal.targeted else None

    def only(self, rows: IntArray) -> "Some":
        """Return some of them."""
        goal = self.goal.only(rows)
        return Some(goal, self.epsilon[rows], self.clean[rows], self.leads[rows])

    def apgd_towards(self, aims: IntArray, start: int, steps: int, seed: int) -> FloatArray:
        """Return what APGD on the targeted DLR loss finds towards labels, `(n, 784)`.

        With a target this is the only aim, and the loss is its lead over all labels: DLR would only
        lead it past the true one.

        Args:
            aims: `(n,)` labels, none of them the true one; ignored with a target.
            start: the number of the random start; each run has another one.
            steps: the number of steps.
            seed: decides the start.
        """
        targeted = self.goal.targeted
        loss = LOSSES["margin" if targeted else "dlr"]
        task = Task(self.goal, self.goal.labels if targeted else aims, self.epsilon, loss)
        return ascend(task, task.start(seed, start), steps=steps)[0]


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


def by_apgd_towards(some: Some, *, seed: int, turn: int) -> FloatArray:
    """Return what a few steps towards one other label find, the true one plus `turn`."""
    classes = some.leads.shape[1]
    aims = (some.goal.y + min(turn, classes - 1)) % classes
    return some.apgd_towards(aims, turn, FEW_STEPS, seed)


def by_apgd_again(some: Some, *, seed: int, rank: int, start: int) -> FloatArray:
    """Return what many steps find towards one of the labels nearest by now, if it is near enough.

    Elsewhere it returns the clean images.
    """
    aims = some.leads.argsort(axis=1, kind="stable")[:, min(rank, some.leads.shape[1] - 1)]
    lead = some.leads[np.arange(len(aims)), aims]
    near = lead <= (WITHIN_AGAIN if start else WITHIN) * some.clean
    rows = np.flatnonzero(near | (rank + start == 0))
    x_adv = some.goal.x.copy()
    if len(rows):
        unused = 10 + rank + NEAR * start  # the shorter runs began at 0 to 9
        x_adv[rows] = some.only(rows).apgd_towards(aims[rows], unused, MANY_STEPS, seed)
    return x_adv


def by_fab(some: Some, *, seed: int) -> FloatArray:
    """Return what FAB finds in L∞, brought back into the ball; it needs no `seed`."""
    x_adv = approach(some.goal, "linf", steps=FAB_STEPS)
    LinfBall(some.goal.x, some.epsilon).project(x_adv)
    return x_adv


def by_square(some: Some, *, seed: int) -> FloatArray:
    """Return what the square attack finds; nothing where the images are not square.

    It gives up early where it is much weaker than the gradients. It searches longer where it is
    about as good as all of them, which may lead nowhere, and where the goal is near.
    """
    if math.isqrt(some.goal.x.shape[1]) ** 2 != some.goal.x.shape[1]:
        return some.goal.x
    least = some.leads.min(axis=1)
    x_adv, margin = _by_squares(some, least, QUERIES, PROMISING, seed)
    least = np.minimum(margin, least)
    as_far = some.clean - margin >= AS_FAR * (some.clean - least)
    rows = np.flatnonzero((least >= 0) & as_far & (least <= MOST_LEFT * some.clean))
    if len(rows):
        more, new = _by_squares(some.only(rows), least[rows], MORE_QUERIES, AS_FAR, seed)
        better = new < margin[rows]
        x_adv[rows[better]] = more[better]
    return x_adv


def _by_squares(
    some: Some, least: FloatArray, queries: int, promising: float, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Return what one search finds, and the margins there; `least` is what others had left."""
    goal, way = some.goal, some.clean - least

    def most(queried: float) -> FloatArray:
        share = promising + (1 - promising) * queried
        return np.where(way > 0, some.clean - share * way, np.inf)

    sides = square_sides(queries, SHARE, math.isqrt(goal.x.shape[1]))
    x_adv, _ = search(goal, Squares(goal.x, some.epsilon, sides=sides, seed=seed), most=most)
    return x_adv, goal.margin(goal.classifier.logits(x_adv), goal.labels)[0]


class _Attack(Protocol):
    def __call__(self, some: Some, *, seed: int) -> FloatArray: ...


_TOWARDS = {
    f"APGD towards label {turn} of 9": partial(by_apgd_towards, turn=turn) for turn in range(1, 10)
}
_AGAIN = {
    f"APGD towards nearest label {rank + 1}, start {start + 1}": partial(
        by_apgd_again, rank=rank, start=start
    )
    for start in range(STARTS)
    for rank in range(NEAR)
}
# The attacks in their order. The last two find what a gradient that leads nowhere hides.
SEQUENCE: Mapping[str, _Attack] = MappingProxyType(
    {"FGSM": by_fgsm, "APGD": by_apgd}
    | _TOWARDS
    | _AGAIN
    | {"FAB": by_fab, "square attack": by_square}
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
        few = problem.only(np.arange(min(1, images)))  # tells how many labels there are
        leads = lead_over_each(few, problem.classifier.logits(few.x))
        self._clean = np.empty((images, leads.shape[1]), leads.dtype)

        def look(rows: slice) -> None:
            some = problem.only(np.arange(rows.start, rows.stop))
            logits = problem.classifier.logits(some.x)
            self._clean[rows] = lead_over_each(some, logits)
            reached = problem.reached(logits, some.labels)
            self.found_by.reshape(budgets, images)[:, rows][:, reached] = ALREADY

        in_batches(look, images)
        self._leads = np.tile(self._clean, (budgets, 1))

    def _left(self) -> IntArray:
        """Return which images under which budgets withstood so far and may change at all."""
        left = np.flatnonzero(self.found_by == WITHSTOOD)
        some: IntArray = left[self._problem.epsilons[left // max(1, len(self._problem.x))] > 0]
        return some

    def look_for_more(self, place: int, attack: Callable[[Some], FloatArray]) -> None:
        """Run an attack, whose place in `SEQUENCE` it is, on the images that withstood so far."""
        problem, left = self._problem, self._left()
        flat = self.x_adv.reshape(len(self.found_by), problem.x.shape[1])

        def work(rows: slice) -> None:
            places = left[rows]
            budget, image = np.divmod(places, len(problem.x))
            goal, before = problem.only(image), self._leads[places]
            x_adv = attack(
                Some(goal, problem.epsilons[budget, None], self._clean[image].min(axis=1), before)
            )
            logits = problem.classifier.logits(x_adv)
            leads = lead_over_each(goal, logits)
            closer = leads.min(axis=1) < before.min(axis=1)
            flat[places[closer]] = x_adv[closer]
            self._leads[places] = np.minimum(leads, before)
            self.found_by[places[goal.won(logits)]] = place

        in_batches(work, len(left))


def lead_over_each(goal: Goal, logits: FloatArray) -> FloatArray:
    """Return how far the goal is by each other label, as `Some.leads`; negative beyond it."""
    if goal.targeted:
        return goal.margin(logits, goal.labels)[0][:, None]
    images = np.arange(len(goal.y))
    leads: FloatArray = logits[images, goal.y, None] - logits
    leads[images, goal.y] = np.inf
    return leads
