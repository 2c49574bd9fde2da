"""The fast gradient sign method with momentum."""

from numpy.typing import ArrayLike

from core.attacks.iterated import LinfBall, iterate
from core.attacks.problem import Problem, setting
from core.attacks.steps import Watch
from core.classifier import Classifier, FloatArray


def mi_fgsm(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    target: ArrayLike | None = None,
    steps: int = 10,
    step_size: float | None = None,
    decay: float = 1.0,
    gradient: str = "exact",
    keep_best: bool = False,
    watch: Watch | None = None,
) -> FloatArray:
    """Take small FGSM steps along a decaying sum of all gradients so far, in the L∞ norm.

    gᵗ⁺¹ = μ gᵗ + ∇ₓ L(xᵗ, y) / ‖∇ₓ L(xᵗ, y)‖₁ and xᵗ⁺¹ = xᵗ + α · sign(gᵗ⁺¹), from x itself,
    within the L∞ budget and [0, 1]: Dong, Liao, Pang, Su, Zhu, Hu and Li 2018, "Boosting
    Adversarial Attacks with Momentum", algorithm 1; section 3.3 for targets.

    Arguments, return value and errors are those of `Attack`. In addition:
        steps: the number of steps, at least 1 (10, as in the paper).
        step_size: α in pixel units; None for ε / steps, as in the paper.
        decay: μ, at least 0; 0 drops all earlier gradients, 1 keeps them in full.
        gradient, keep_best, watch: as in `pgd`.
    """
    problem = Problem.with_budgets(classifier, x, y, epsilon, target)
    return iterate(
        problem,
        LinfBall,
        steps=steps,
        step_size=step_size,
        reach=1,
        gradient=gradient,
        keep_best=keep_best,
        watch=watch,
        decay=setting(decay, name="decay"),
    )
