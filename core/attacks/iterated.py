"""The loop of the iterated attacks with a budget, and the balls that they stay in."""

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np

from core import one_pass, validate
from core.attacks.problem import Problem, check_gradient, setting, to_sign
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
            direction = problem.ascent(here, labels, gradient, check=decay is not None)
            if decay is not None:
                _remember(momentum, direction, decay)
            if watch:
                around.move(here, direction, step)
                moved = here.copy()
                around.project(here)
                watch(Step(number, places, direction, moved, here.copy()))
            else:
                around.step(here, direction, step)
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


class _Ball(ABC):
    """The images near some clean ones.

    Args:
        clean: `(N, 784)` clean images.
        epsilon: their budgets, `(N, 1)` or `(1, 1)`.
    """

    def __init__(self, clean: FloatArray, epsilon: FloatArray) -> None:
        self._clean = np.ascontiguousarray(clean)
        self._epsilon = epsilon

    @abstractmethod
    def ascend(self, direction: FloatArray) -> None:
        """Make each row of `direction`, `(N, 784)`, its best step of norm 1, in place."""

    @abstractmethod
    def project(self, x_adv: FloatArray) -> None:
        """Bring each image of `x_adv`, `(N, 784)`, back into the ball and into [0, 1], in place."""

    def move(self, x_adv: FloatArray, direction: FloatArray, size: FloatArray) -> None:
        """Add to `x_adv` the best step along `direction`, which becomes that step.

        Args:
            x_adv: `(N, 784)` images.
            direction: `(N, 784)`.
            size: the norm of each image's step, `(N, 1)` or `(1, 1)`.

        Raises:
            ValueError: `direction` has NaN or infinity.
        """
        check_gradient(direction)
        self.ascend(direction)
        direction *= size
        x_adv += direction

    def step(self, x_adv: FloatArray, direction: FloatArray, size: FloatArray) -> None:
        """Move `x_adv`, then project it (see `move`). `direction` may hold anything afterwards."""
        self.move(x_adv, direction, size)
        self.project(x_adv)


class LinfBall(_Ball):
    """The images that differ from a clean one by at most ε in every pixel (see `_Ball`)."""

    @cached_property
    def low(self) -> FloatArray:
        """The least value of each pixel, `(N, 784)`."""
        return np.maximum(self._clean - self._epsilon, 0)

    @cached_property
    def high(self) -> FloatArray:
        """The largest value of each pixel, `(N, 784)`."""
        return np.minimum(self._clean + self._epsilon, 1)

    def ascend(self, direction: FloatArray) -> None:
        """Replace each number of `direction` by its sign, in place."""
        to_sign(direction)

    def project(self, x_adv: FloatArray) -> None:
        """Bring each pixel of `x_adv` between its bounds, in place."""
        # With bounds that are arrays, these two calls are faster than np.clip.
        np.maximum(x_adv, self.low, out=x_adv)
        np.minimum(x_adv, self.high, out=x_adv)

    def step(self, x_adv: FloatArray, direction: FloatArray, size: FloatArray) -> None:
        """Move `x_adv`, then project it (see `move`), where it can be in one pass over memory."""
        loops = one_pass.loops(x_adv, direction, self._clean, self._epsilon, size)
        if not loops:
            super().step(x_adv, direction, size)
        elif not loops.step(x_adv, direction, self._clean, self._epsilon, size):
            check_gradient(direction)  # raises


class L2Ball(_Ball):
    """The images that differ from a clean one by an L2 norm of at most ε (see `_Ball`)."""

    def ascend(self, direction: FloatArray) -> None:
        """Divide each row by its L2 norm, in place."""
        # By its largest absolute value first, so that no square underflows.
        direction /= _or_one(np.abs(direction).max(axis=1, keepdims=True))
        direction /= _or_one(l2_norms(direction))

    def move(self, x_adv: FloatArray, direction: FloatArray, size: FloatArray) -> None:
        """Move `x_adv` (see `_Ball`), but not the pixels that would leave [0, 1] at once.

        Their part of the step would be lost, and the step would be shorter than `size`.
        """
        check_gradient(direction)
        # To multiply by 0 and 1 is several times as fast as to choose by them.
        direction *= ((x_adv > 0) | (direction > 0)) & ((x_adv < 1) | (direction < 0))
        super().move(x_adv, direction, size)

    def project(self, x_adv: FloatArray) -> None:
        """Shorten the perturbations, then clip to [0, 1], which never lengthens them, in place."""
        x_adv -= self._clean
        x_adv *= np.minimum(self._epsilon / _or_one(l2_norms(x_adv)), 1)
        x_adv += self._clean
        np.clip(x_adv, 0, 1, out=x_adv)


def _remember(momentum: FloatArray, direction: FloatArray, decay: float) -> None:
    """Add `direction`, each row divided by its L1 norm, to the decayed `momentum`; become that."""
    norms = _or_one(np.abs(direction).sum(axis=1, keepdims=True))
    if loops := one_pass.loops(momentum, direction):
        loops.remember(momentum, direction, norms, decay)
        return
    direction /= norms
    momentum *= decay
    momentum += direction
    direction[:] = momentum


def l2_norms(x: FloatArray) -> FloatArray:
    """Return the L2 norm of each row, `(N, 784)` to `(N, 1)`, in the rows' dtype."""
    norms: FloatArray = np.sqrt(np.vecdot(x, x))[:, None]
    return norms


def _or_one(norms: FloatArray) -> FloatArray:
    """Return `norms` with 1 in place of each 0, so that dividing a zero row leaves it as it is."""
    return np.where(norms > 0, norms, norms.dtype.type(1))
