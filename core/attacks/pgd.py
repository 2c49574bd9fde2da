"""Projected gradient descent."""

import numpy as np
from numpy.typing import ArrayLike

from core import checks
from core.attacks.problem import Problem
from core.chunks import in_chunks
from core.classifier import Classifier, FloatArray


def pgd(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    target: ArrayLike | None = None,
    steps: int = 40,
    step_size: float | None = None,
    random_start: bool = True,
    seed: int = 0,
    gradient: str = "exact",
) -> FloatArray:
    """Small steps along the sign of the loss gradient, each projected back into the L∞ ball.

    x⁰ is drawn uniformly from the ball of radius ε around x, and
    xᵗ⁺¹ = Π(xᵗ + α · sign(∇ₓ L(xᵗ, y))), the last iterate is returned: Madry, Makelov, Schmidt,
    Tsipras and Vladu 2018, "Towards Deep Learning Models Resistant to Adversarial Attacks",
    section 2.1.

    Args, returns and errors are those of `Attack`; besides:
        steps: how many, at least 1 (40, as the paper has for MNIST).
        step_size: α in pixel units; None for 2.5 ε / steps, which can reach any point of the ball
            from any other (the paper, section 5.2).
        random_start: False to start from x itself (the basic iterative method).
        seed: decides the start; image i of a batch is given the i-th 784 draws, for every budget.
        gradient: "exact" or "float32_autograd", as in `fgsm`.
    """
    problem = Problem.of(classifier, x, y, epsilon, target)
    steps = checks.whole_number(steps, name="steps", least=1)
    seed = checks.whole_number(seed, name="seed", least=0)
    if step_size is None:
        step_sizes = 2.5 * problem.epsilons / steps
    else:
        step_sizes = np.full_like(problem.epsilons, checks.budgets(step_size, name="step_size"))
    start = _uniform(problem.x, seed) if random_start else None
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
        low = np.maximum(clean - epsilon, 0)
        high = np.minimum(clean + epsilon, 1)

        here = out[rows]
        here[:] = clean
        if start is not None:
            here += epsilon * start[image]
            _project(here, low, high)
        for _ in range(steps):
            sign = problem.ascent_sign(here, labels, gradient)
            sign *= step
            here += sign
            _project(here, low, high)

    in_chunks(attack, len(out))
    return problem.answer(x_adv)


def _uniform(like: FloatArray, seed: int) -> FloatArray:
    """Draws from [−1, 1) in the shape of `like`, on all cores.

    Each chunk jumps to its place in the one stream of the seed, so that chunks don't matter.
    """
    draws = np.empty_like(like)

    def draw(rows: slice) -> None:
        stream = np.random.PCG64(seed).advance(rows.start * like.shape[1])
        draws[rows] = np.random.Generator(stream).random(like[rows].shape)
        draws[rows] *= 2
        draws[rows] -= 1

    in_chunks(draw, len(like))
    return draws


def _project(x_adv: FloatArray, low: FloatArray, high: FloatArray) -> None:
    """Bring each pixel between its bounds, in place.

    NumPy is quick at this with arrays, and at np.clip with two numbers, and slow the other way
    round.
    """
    np.maximum(x_adv, low, out=x_adv)
    np.minimum(x_adv, high, out=x_adv)
