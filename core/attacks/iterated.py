"""The loop of the iterated attacks with a budget, and the balls that they stay in."""

from dataclasses import dataclass

import numpy as np

from core import validate
from core.attacks.problem import Problem, setting, to_sign
from core.attacks.steps import Step, Watch
from core.batches import in_batches
from core.classifier import FloatArray, IntArray


def iterate(
    problem: Problem,
    ball: "type[LinfBall | L2Ball]",
    *,
    steps: int,
    step_size: float | None,
    reach: float,
    gradient: str,
    start: FloatArray | None = None,
    decay: float | None = None,
    keep_best: bool = False,
    watch: Watch | None = None,
) -> FloatArray:
    """Iterate xᵗ⁺¹ = Π(xᵗ + α · ascend(∇ₓ L(xᵗ, y))) and return the last iterate.

    Args:
        problem: the images and the budgets.
        ball: the kind of ball, which defines the direction of a step and Π.
        steps: the number of steps, at least 1.
        step_size: α in pixel units, for every budget; None for reach · ε / steps.
        reach: how many ε the default steps would go in all, in one straight line.
        gradient: a name in `core.losses.COTANGENTS`.
        start: None for x⁰ = x; otherwise `(N, 784)` points p of the unit ball, for x⁰ = Π(x + ε p).
        decay: None to follow the gradient; otherwise μ, to follow the running sum of all gradients,
            each divided by its L1 norm, where every step multiplies the sum by μ first.
        keep_best: True to return the iterate, x⁰ included, with the smallest margin to the goal
            (see `Goal.margin`). It costs a forward pass a step. With a fixed `step_size`, an image
            that some number of steps misleads is then misled by any larger number too.
        watch: called with x⁰ and with each step; see `core.attacks.steps`. With `keep_best`, the
            answer is one of the iterates that it is told of.

    Return value and errors are those of `Attack`.
    """
    steps = validate.whole_number(steps, name="steps", least=1)
    if step_size is None:
        step_sizes = reach * problem.epsilons / steps
    else:
        step_sizes = np.full_like(problem.epsilons, setting(step_size, name="step_size"))
    x_adv = problem.empty()
    images = len(problem.x)
    out = x_adv.reshape(-1, problem.x.shape[1])  # all images under the first budget, then the next

    def attack(rows: slice) -> None:
        places = np.arange(rows.start, rows.stop)
        budget, image = np.divmod(places, images)
        if budget[0] == budget[-1]:
            budget = budget[:1]  # NumPy is faster with one number than with a column
        epsilon = problem.epsilons[budget, None]
        step = step_sizes[budget, None]
        clean, labels = problem.clean(image), problem.labels[image]
        around = ball(clean, epsilon)
        momentum = np.zeros_like(clean)

        here = out[rows]
        here[:] = clean
        if start is not None:
            here += epsilon * start[image]
            around.project(here)
        best = _Best(problem, labels, here) if keep_best else None
        if watch:
            watch(Step.start(places, here))
        for number in range(1, steps + 1):
            direction = problem.ascent(here, labels, gradient)
            if decay is not None:
                direction /= _or_one(np.abs(direction).sum(axis=1, keepdims=True))
                momentum *= decay
                momentum += direction
                direction[:] = momentum
            around.ascend(direction)
            direction *= step
            here += direction
            moved = here.copy() if watch else here
            around.project(here)
            if watch:
                watch(Step(number, places, direction, moved, here.copy()))
            if best is not None:
                best.look_at(here)
        if best is not None:
            here[:] = best.x

    in_batches(attack, len(out))
    return problem.answer(x_adv)


class _Best:
    """The iterates of some images that came closest to the goal so far."""

    def __init__(self, problem: Problem, labels: IntArray, x: FloatArray) -> None:
        self._problem = problem
        self._labels = labels
        self.x = x.copy()
        self._margin = self._margin_of(x)

    def look_at(self, x: FloatArray) -> None:
        """Keep the images of `x`, `(N, 784)`, that are closer than any before."""
        margin = self._margin_of(x)
        closer = margin < self._margin
        self.x[closer] = x[closer]
        self._margin[closer] = margin[closer]

    def _margin_of(self, x: FloatArray) -> FloatArray:
        return self._problem.margin(self._problem.classifier.logits(x), self._labels)[0]


class LinfBall:
    """The images that differ from a clean one by at most ε in every pixel.

    Args:
        clean: `(N, 784)` clean images.
        epsilon: their budgets, `(N, 1)` or `(1, 1)`.

    Attributes:
        low, high: `(N, 784)`, the least and the largest value of each pixel.
    """

    def __init__(self, clean: FloatArray, epsilon: FloatArray) -> None:
        self.low = np.maximum(clean - epsilon, 0)
        self.high = np.minimum(clean + epsilon, 1)

    def ascend(self, direction: FloatArray) -> None:
        """Make each row of `direction`, `(N, 784)`, its best step of L∞ norm 1, in place."""
        to_sign(direction)

    def project(self, x_adv: FloatArray) -> None:
        """Bring each image of `x_adv`, `(N, 784)`, back into the ball and into [0, 1], in place."""
        # With bounds that are arrays, these two calls are faster than np.clip.
        np.maximum(x_adv, self.low, out=x_adv)
        np.minimum(x_adv, self.high, out=x_adv)


@dataclass(frozen=True)
class L2Ball:
    """The images that differ from a clean one by an L2 norm of at most ε (see `LinfBall`)."""

    clean: FloatArray
    epsilon: FloatArray

    def ascend(self, direction: FloatArray) -> None:
        """Divide each row by its L2 norm, in place."""
        # By its largest absolute value first, so that no square underflows.
        direction /= _or_one(np.abs(direction).max(axis=1, keepdims=True))
        direction /= _or_one(l2_norms(direction))

    def project(self, x_adv: FloatArray) -> None:
        """Shorten the perturbations, then clip to [0, 1], which never lengthens them, in place."""
        x_adv -= self.clean
        x_adv *= np.minimum(self.epsilon / _or_one(l2_norms(x_adv)), 1)
        x_adv += self.clean
        np.clip(x_adv, 0, 1, out=x_adv)


def l2_norms(x: FloatArray) -> FloatArray:
    """Return the L2 norm of each row, `(N, 784)` to `(N, 1)`, in the rows' dtype."""
    norms: FloatArray = np.sqrt(np.vecdot(x, x))[:, None]
    return norms


def _or_one(norms: FloatArray) -> FloatArray:
    """Return `norms` with 1 in place of each 0, so that dividing a zero row leaves it as it is."""
    return np.where(norms > 0, norms, norms.dtype.type(1))
