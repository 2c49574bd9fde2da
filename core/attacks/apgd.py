"""Auto-PGD: projected gradient descent that chooses its own step size."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import validate
from core.attacks import draws
from core.attacks.iterated import LinfBall
from core.attacks.problem import Goal, Problem, check_gradient
from core.batches import in_batches
from core.classifier import Classifier, FloatArray, IntArray
from core.losses import dlr, exact_cotangent, log_odds, targeted_dlr

# Images that reach the goal are dropped once fewer than this share is left: to drop each at once
# would copy the others too often.
KEEP = 0.8
MOMENTUM = 0.75  # α, the weight of the new step beside that of the one before
RISING = 0.75  # ρ, the share of steps since the last checkpoint that must have raised the loss


def apgd(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    target: ArrayLike | None = None,
    loss: str = "cross_entropy",
    steps: int = 100,
    restarts: int = 1,
    seed: int = 0,
) -> FloatArray:
    """Step along the sign of the gradient with momentum; halve the step where the loss stalls.

    zᵏ⁺¹ = Π(xᵏ + η · sign(∇ₓ L(xᵏ))) and xᵏ⁺¹ = Π(xᵏ + α (zᵏ⁺¹ − xᵏ) + (1 − α) (xᵏ − xᵏ⁻¹)), within
    the L∞ budget and [0, 1]. η is 2 ε at first. At each of a few checkpoints it is halved, and the
    attack goes back to the best point so far, if less than a share ρ of the steps since the last
    checkpoint raised the loss, or if neither η nor the best loss has changed since. Croce and Hein
    2020, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free
    Attacks", algorithm 1.

    It returns the first point that reaches the goal, else the one of the largest loss. The random
    draws follow from the seed and the image itself, whatever it is batched with.

    Arguments, return value and errors are those of `Attack`. In addition:
        loss: a name in `LOSSES`: "cross_entropy"; "dlr", with a target the targeted one, which
            leads the target past the true label only; or "margin", the lead in logits of the
            strongest other label over the true one, or of the target over the strongest other.
        steps: the number of steps, at least 1 (100, as in the paper).
        restarts: how many random points of the ball to start from, at least 1; a later one only for
            images that withstood those before.
        seed: decides the starts.
    """
    problem = Problem.with_budgets(classifier, x, y, epsilon, target)
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, not {loss!r}")
    steps = validate.whole_number(steps, name="steps", least=1)
    restarts = validate.whole_number(restarts, name="restarts", least=1)
    seed = validate.whole_number(seed, name="seed", least=0)
    x_adv = problem.empty()
    out = x_adv.reshape(-1, problem.x.shape[1])  # all images under the first budget, then the next

    def attack(rows: slice) -> None:
        budget, image = np.divmod(np.arange(rows.start, rows.stop), len(problem.x))
        goal = problem.only(image)
        aims = goal.labels if goal.targeted else None
        task = Task(goal, aims, problem.epsilons[budget, None], LOSSES[loss])
        here, value = out[rows], np.full(len(image), -np.inf, out.dtype)
        left = np.arange(len(image))  # the images that withstood the starts so far
        for restart in range(restarts):
            some = task.only(left)
            found, found_value, won = ascend(some, some.start(seed, restart), steps=steps)
            better = won | (found_value > value[left])
            here[left[better]] = found[better]
            value[left[better]] = found_value[better]
            left = left[~won]
            if not len(left):
                break

    in_batches(attack, len(out))
    return problem.answer(x_adv)


def cross_entropy_loss(
    logits: FloatArray, y: IntArray, target: IntArray | None
) -> tuple[FloatArray, FloatArray]:
    """Rise with the loss of the true labels, or fall with that of the targets (see `Loss`)."""
    if target is None:
        return log_odds(logits, y), exact_cotangent(logits, y)
    return -log_odds(logits, target), -exact_cotangent(logits, target)


def dlr_loss(
    logits: FloatArray, y: IntArray, target: IntArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return the difference of logits ratio, the targeted one with a target (see `Loss`)."""
    return dlr(logits, y) if target is None else targeted_dlr(logits, y, target)


def margin_loss(
    logits: FloatArray, y: IntArray, target: IntArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return the lead of the strongest other label over y, or of the target over that one."""
    images = np.arange(len(y))
    label, sign = (y, -1) if target is None else (target, 1)
    others = logits.copy()
    others[images, label] = -np.inf
    rival = others.argmax(axis=1)
    cotangent = np.zeros_like(logits)
    cotangent[images, label] = sign
    cotangent[images, rival] = -sign
    return sign * (logits[images, label] - logits[images, rival]), cotangent


# A function of the logits, `(N, 10)`, the true labels, `(N,)`, and None or the labels to aim for.
# It returns a loss that an attack raises, `(N,)`, and its derivatives, `(N, 10)`, up to a positive
# factor for each image.
Loss: TypeAlias = Callable[[FloatArray, IntArray, IntArray | None], tuple[FloatArray, FloatArray]]

LOSSES: Mapping[str, Loss] = MappingProxyType(
    {"cross_entropy": cross_entropy_loss, "dlr": dlr_loss, "margin": margin_loss}
)


@dataclass(frozen=True)
class Task:
    """Some images to attack within their budgets.

    Attributes:
        goal: the images, and what is to be reached.
        aims: `(n,)`, the labels that the loss leads to; None if it leads away from the true labels.
            They need not be the goal's.
        epsilon: `(n, 1)` budgets.
        loss: what is raised.
    """

    goal: Goal
    aims: IntArray | None
    epsilon: FloatArray
    loss: Loss

    def only(self, rows: IntArray | NDArray[np.bool_]) -> "Task":
        """Return the task for some of the images."""
        aims = None if self.aims is None else self.aims[rows]
        return Task(self.goal.only(rows), aims, self.epsilon[rows], self.loss)

    def start(self, seed: int, restart: int) -> FloatArray:
        """Return a uniformly random point of each image's ball, `(n, 784)`."""
        start = draws.uniform(seed, f"apgd {restart}", self.goal.x)
        start *= self.epsilon
        start += self.goal.x
        return start


def ascend(
    task: Task, start: FloatArray, *, steps: int
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Follow algorithm 1 from some points; stop for each image that reaches the goal.

    Args:
        task: n images.
        start: `(n, 784)`, points near the balls; they are projected into them.
        steps: the number of steps, at least 1.

    Returns:
        `(n, 784)`, the first point that reaches the goal, else that of the largest loss; `(n,)`,
        the loss there; and `(n,)`, whether it reaches the goal.
    """
    answer = np.empty_like(start)
    value = np.empty(len(start), start.dtype)
    won = np.zeros(len(start), np.bool_)
    points = _Points(task, start)
    checkpoints = iter(_checkpoints(steps))
    last, check = 0, next(checkpoints, steps)
    for step in range(steps + 1):
        reached = points.look() & ~won[points.rows]
        arrived = points.rows[reached]
        answer[arrived], won[arrived] = points.here[reached], True
        value[arrived] = points.value[reached]
        if step == steps or won.all():
            break
        if step == check:
            points.check(check - last)
            last, check = check, next(checkpoints, steps)
        left = ~won[points.rows]
        if left.mean() < KEEP:
            points.keep(left)
        points.step(momentum=step > 0)
    left = ~won[points.rows]
    rows = points.rows[left]
    answer[rows], value[rows] = points.best[left], points.best_value[left]
    return answer, value, won


def _checkpoints(steps: int) -> list[int]:
    """Return the steps after which the step size may be halved: w_j of the paper, section 3.1."""
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    return [math.ceil(share * steps - 1e-9) for share in shares[1:] if share < 1]


class _Points:
    """Where the attack is with those images that it still works on.

    Attributes:
        rows: `(n,)`, which of the task's images these are.
        here, value: `(n, 784)` and `(n,)`, the points and their losses.
        best, best_value: the points of the largest loss so far, and their losses.
    """

    def __init__(self, task: Task, start: FloatArray) -> None:
        self._task = task
        self._ball = LinfBall(task.goal.x, task.epsilon)
        self.rows = np.arange(len(start))
        self.here = start
        self._ball.project(self.here)
        self.value = np.full(len(start), -np.inf, start.dtype)
        self._before, self._gradient = self.here, np.zeros_like(start)
        self._step = 2 * task.epsilon
        self._rises = np.zeros(len(start), np.int64)
        self.best, self._best_gradient = self.here.copy(), self._gradient.copy()
        self.best_value = self.value.copy()
        self._checked = np.full(len(start), -np.inf, start.dtype)  # the best at the last checkpoint
        self._halved = np.ones(len(start), np.bool_)  # at the last checkpoint

    def look(self) -> NDArray[np.bool_]:
        """Compute the losses and gradients here; return which images have reached the goal."""
        task = self._task
        logits, pull_back = task.goal.classifier.vjp(self.here)
        value, cotangent = task.loss(logits, task.goal.y, task.aims)
        self._gradient = pull_back(cotangent)
        check_gradient(self._gradient)
        self._rises += value > self.value
        self.value = value
        better = value > self.best_value
        self.best[better], self._best_gradient[better] = self.here[better], self._gradient[better]
        self.best_value[better] = value[better]
        return task.goal.won(logits)

    def check(self, steps: int) -> None:
        """Halve the step and return to the best point where the last `steps` steps stalled."""
        few_rises = self._rises < RISING * steps
        nothing_new = ~self._halved & (self.best_value == self._checked)
        self._halved = few_rises | nothing_new
        self._checked = self.best_value.copy()
        self._rises[:] = 0
        stalled = self._halved
        self._step[stalled] /= 2
        self.here = np.where(stalled[:, None], self.best, self.here)
        self._gradient = np.where(stalled[:, None], self._best_gradient, self._gradient)
        self.value = np.where(stalled, self.best_value, self.value)

    def step(self, *, momentum: bool) -> None:
        """Go one step along the signs of the gradient, and on in the direction of the last one."""
        before, here = self._before, self.here
        there = here.copy()
        self._ball.step(there, self._gradient, self._step)
        if momentum:
            there *= MOMENTUM
            # xᵏ + α (z − xᵏ) + (1 − α) (xᵏ − xᵏ⁻¹) = α z + 2 (1 − α) xᵏ − (1 − α) xᵏ⁻¹
            there += (2 * (1 - MOMENTUM)) * here
            there -= (1 - MOMENTUM) * before
            self._ball.project(there)
        self._before, self.here = here, there

    def keep(self, left: NDArray[np.bool_]) -> None:
        """Go on with some of the images only, `(n,)`."""
        self._task = self._task.only(left)
        self._ball = LinfBall(self._task.goal.x, self._task.epsilon)
        for name, array in vars(self).items():
            if isinstance(array, np.ndarray):
                setattr(self, name, array[left])
