"""Random noise: the control that shows that the direction of a perturbation matters."""

import numpy as np
from numpy.typing import ArrayLike

from core import validate
from core.attacks.problem import Problem, step_along
from core.batches import in_chunks
from core.classifier import Classifier, FloatArray


def noise(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    target: ArrayLike | None = None,
    seed: int = 0,
) -> FloatArray:
    """Every pixel up or down by ε at random: as large as an FGSM step, in no direction at all.

    x_adv = clip(x + ε · s, 0, 1) with s of independent fair signs, the same for every budget.
    It has the L∞ norm of an FGSM step and, before clipping, its L2 norm ε√784 too. (Uniform
    noise in [−ε, ε] would be smaller by √3, and the comparison unfair.)

    Args, returns and errors are those of `Attack`, of which `classifier`, `y` and `target` make no
    difference here; besides:
        seed: decides the signs; image i of a batch is given the i-th 784 of them.
    """
    problem = Problem.with_budgets(classifier, x, y, epsilon, target)
    seed = validate.whole_number(seed, name="seed", least=0)
    signs = np.random.default_rng(seed).integers(0, 2, problem.x.shape, np.int8) * 2 - 1
    signs = signs.astype(problem.x.dtype)
    x_adv = problem.empty()

    def perturb(rows: slice) -> None:
        step_along(signs[rows], problem.clean(rows), problem.epsilons, x_adv[:, rows])

    in_chunks(perturb, len(problem.x))
    return problem.answer(x_adv)
