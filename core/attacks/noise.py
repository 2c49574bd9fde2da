"""Random noise: the control that shows how much the direction of a perturbation matters."""

import numpy as np
from numpy.typing import ArrayLike

from core import validate
from core.attacks import draws
from core.attacks.problem import Problem, step_along
from core.batches import in_batches
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
    """Move every pixel up or down by ε at random: as large as an FGSM step, without its direction.

    x_adv = clip(x + ε · s, 0, 1), where s are independent random signs, the same for every budget.
    Its L∞ norm is that of an FGSM step, and so is its L2 norm before clipping, ε√784. (Uniform
    noise in [−ε, ε] would have a smaller L2 norm by a factor of √3: an unfair comparison.)

    Arguments, return value and errors are those of `Attack`; `classifier`, `y` and `target` are
    ignored. In addition:
        seed: decides the signs of each image, whatever it comes with.
    """
    problem = Problem.with_budgets(classifier, x, y, epsilon, target)
    seed = validate.whole_number(seed, name="seed", least=0)
    x_adv = problem.empty()

    def perturb(rows: slice) -> None:
        clean = problem.clean(rows)
        signs = np.copysign(clean.dtype.type(1), draws.uniform(seed, "noise", clean))
        step_along(signs, clean, problem.epsilons, x_adv[:, rows])

    in_batches(perturb, len(problem.x))
    return problem.answer(x_adv)
