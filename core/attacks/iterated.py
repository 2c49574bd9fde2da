"""The loop that the iterated attacks with a budget share, and the balls that they stay in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from core import validate
from core.attacks.problem import Problem, setting, to_sign
from core.batches import in_chunks
from core.classifier import FloatArray, IntArray


class Ball(Protocol):
    """The images within a budget of some clean ones, and how one moves there. All in place."""

    def ascend(self, slope: FloatArray) -> None:
        """Make each row of `slope`, `(N, 784)`, the step of norm 1 that gains most along it."""
        ...

    def project(self, x_adv: FloatArray) -> None:
        """Bring each image of `x_adv`, `(N, 784)`, back into the ball and into [0, 1]."""
        ...


# From clean images `(N, 784)` and their budgets, `(N, 1)` or `(1, 1)`, to the ball around them.
MakeBall: TypeAlias = Callable[[FloatArray, FloatArray], Ball]


def iterate(
    problem: Problem,
    ball: MakeBall,
    *,
    steps: int,
    step_size: float | None,
    reach: float,
    gradient: str,
    start: FloatArray | None = None,
    decay: float | None = None,
    keep_best: bool = False,
) -> FloatArray:
    """xᵗ⁺¹ = Π(xᵗ + α · ascend(∇ₓ L(xᵗ, y))), of which the last iterate is returned.

    Args:
        problem: what to attack within which budgets.
        ball: its norm decides how a step is taken and what Π is.
        steps: how many, at least 1.
        step_size: α in pixel units, for every budget; None for reach · ε / steps.
        reach: how many ε the steps could go in all, were all in one direction.
        gradient: a name in `core.losses.COTANGENTS`.
        start: None for x⁰ = x; otherwise `(N, 784)` points of the unit ball, of which ε times
            each is added.
        decay: None to follow the gradient; otherwise the share that the sum of the gradients
            before, each over its L1 norm, keeps at each step.
        keep_best: True to return, of x⁰ and all iterates, the one whose logits are nearest to the
            goal or furthest beyond it, which costs a forward pass a step. With a given
            `step_size` no image is then lost by taking more steps.

    Returns:
        As `Attack` does.

    Raises:
        ValueError: a setting is out of its range; the message names it.
    """
    steps = validate.whole_number(steps, name="steps", least=1)
    if step_size is None:
        step_sizes = reach * problem.epsilons / steps
    else:
        step_sizes = np.full_like(problem.epsilons, setting(step_size, name="step_size"))
    x_adv = problem.empty()
    images = len(problem.x)
    out = x_adv.reshape(-1, problem.x.shape[1])  # one row for each budget of each image

    def attack(rows: slice) -> None:
        budget, image = np.divmod(np.arange(rows.start, rows.stop), images)
        if budget[0] == budget[-1]:
            budget = budget[:1]  # NumPy is faster with one number than with a column of equals
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
        for _ in range(steps):
            slope = problem.ascent(here, labels, gradient)
            if decay is not None:
                slope /= _or_one(np.abs(slope).sum(axis=1, keepdims=True))
                momentum *= decay
                momentum += slope
                slope[:] = momentum
            around.ascend(slope)
            slope *= step
            here += slope
            around.project(here)
            if best is not None:
                best.look_at(here)
        if best is not None:
            here[:] = best.x

    in_chunks(attack, len(out))
    return problem.answer(x_adv)


class _Best:
    """Of the iterates of some images so far, those that came closest to the goal."""

    def __init__(self, problem: Problem, labels: IntArray, x: FloatArray) -> None:
        self._problem = problem
        self._labels = labels
        self.x = x.copy()
        self._margin = self._margin_of(x)

    def look_at(self, x: FloatArray) -> None:
        """Keep those of `x`, `(N, 784)`, that are closer than any before."""
        margin = self._margin_of(x)
        closer = margin < self._margin
        self.x[closer] = x[closer]
        self._margin[closer] = margin[closer]

    def _margin_of(self, x: FloatArray) -> FloatArray:
        return self._problem.margin(self._problem.classifier.logits(x), self._labels)[0]


class LinfBall:
    """All images that differ from a clean one by at most ε in every pixel."""

    def __init__(self, clean: FloatArray, epsilon: FloatArray) -> None:
        self._low = np.maximum(clean - epsilon, 0)
        self._high = np.minimum(clean + epsilon, 1)

    def ascend(self, slope: FloatArray) -> None:
        """The sign of every number."""
        to_sign(slope)

    def project(self, x_adv: FloatArray) -> None:
        """Each pixel between its bounds.

        NumPy is quick at this with arrays, and at np.clip with two numbers, and slow the other
        way round.
        """
        np.maximum(x_adv, self._low, out=x_adv)
        np.minimum(x_adv, self._high, out=x_adv)


@dataclass(frozen=True)
class L2Ball:
    """All images that differ from a clean one by a perturbation of an L2 norm of at most ε."""

    clean: FloatArray
    epsilon: FloatArray

    def ascend(self, slope: FloatArray) -> None:
        """Each row over its L2 norm; over its largest number first, so that no square is lost."""
        slope /= _or_one(np.abs(slope).max(axis=1, keepdims=True))
        slope /= _or_one(l2_norms(slope))

    def project(self, x_adv: FloatArray) -> None:
        """Straight back towards the clean image, then into [0, 1], which leads no further away."""
        x_adv -= self.clean
        x_adv *= np.minimum(self.epsilon / _or_one(l2_norms(x_adv)), 1)
        x_adv += self.clean
        np.clip(x_adv, 0, 1, out=x_adv)


def l2_norms(x: FloatArray) -> FloatArray:
    """The L2 norm of each row, `(N, 784)` to `(N, 1)`, in the rows' type."""
    norms: FloatArray = np.sqrt(np.vecdot(x, x))[:, None]
    return norms


def _or_one(norms: FloatArray) -> FloatArray:
    """`norms`, 1 in place of each 0: what has no direction stays as it is when it is divided."""
    return np.where(norms > 0, norms, norms.dtype.type(1))
