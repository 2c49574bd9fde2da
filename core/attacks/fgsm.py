"""The fast gradient sign method."""

from numpy.typing import ArrayLike

from core import one_pass
from core.attacks.problem import Problem, check_gradient, step_along, to_sign
from core.batches import in_batches
from core.classifier import Classifier, FloatArray


def fgsm(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    target: ArrayLike | None = None,
    gradient: str = "exact",
) -> FloatArray:
    """Take one step of size ε along the sign of the loss gradient, in the L∞ norm.

    x_adv = clip(x + ε · sign(∇ₓ L(x, y)), 0, 1): Goodfellow, Shlens and Szegedy 2015,
    "Explaining and Harnessing Adversarial Examples", section 4. With a target, the step goes down
    its loss: Kurakin, Goodfellow and Bengio 2017, "Adversarial Machine Learning at Scale",
    equation 3. The direction does not depend on ε, so one gradient serves every budget.

    Arguments, return value and errors are those of `Attack`. In addition:
        gradient: "exact", or "float32_autograd" for the gradient that vanishes where the network
            is confident (see `core.losses`).
    """
    problem = Problem.with_budgets(classifier, x, y, epsilon, target)
    x_adv = problem.empty()

    def attack(rows: slice) -> None:
        clean = problem.clean(rows)
        direction = problem.ascent(clean, problem.labels[rows], gradient, check=False)
        loops = one_pass.loops(x_adv, direction, clean)
        if not loops:
            check_gradient(direction)
            to_sign(direction)
            step_along(direction, clean, problem.epsilons, x_adv[:, rows])
            return
        for epsilon, out in zip(problem.epsilons, x_adv[:, rows], strict=True):
            if not loops.step_from_clean(out, direction, clean, epsilon):
                check_gradient(direction)  # raises

    in_batches(attack, len(problem.x))
    return problem.answer(x_adv)
