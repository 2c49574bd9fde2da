"""Projected gradient descent in two norms, and its predecessor, the basic iterative method."""

import numpy as np
from numpy.typing import ArrayLike

from core import validate
from core.attacks import draws
from core.attacks.iterated import L2Ball, LinfBall, iterate, l2_norms
from core.attacks.problem import Problem
from core.attacks.steps import Watch
from core.classifier import Classifier, FloatArray


def bim(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    target: ArrayLike | None = None,
    steps: int = 10,
    step_size: float | None = None,
    gradient: str = "exact",
    keep_best: bool = False,
    watch: Watch | None = None,
) -> FloatArray:
    """Take several small FGSM steps from the image itself, within the L∞ budget.

    x⁰ = x and xᵗ⁺¹ = clip(xᵗ + α · sign(∇ₓ L(xᵗ, y))), between x − ε and x + ε and in [0, 1]:
    Kurakin, Goodfellow and Bengio 2017, "Adversarial Examples in the Physical World", section
    2.2; section 2.3 for targets.

    Arguments, return value and errors are those of `Attack`. In addition:
        steps: the number of steps, at least 1.
        step_size: α in pixel units; None for 1.25 ε / steps. In the paper, with pixels and ε
            from 0 to 255, α is 1 and there are 1.25 ε steps.
        gradient, keep_best, watch: as in `pgd`.
    """
    problem = Problem.with_budgets(classifier, x, y, epsilon, target)
    return iterate(
        problem,
        LinfBall,
        steps=steps,
        step_size=step_size,
        reach=1.25,
        gradient=gradient,
        keep_best=keep_best,
        watch=watch,
    )


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
    keep_best: bool = False,
    watch: Watch | None = None,
) -> FloatArray:
    """Step along the sign of the loss gradient; project into the L∞ ball after each step.

    x⁰ is drawn uniformly from the ball of radius ε around x, and
    xᵗ⁺¹ = Π(xᵗ + α · sign(∇ₓ L(xᵗ, y))). The last iterate is returned. Madry, Makelov, Schmidt,
    Tsipras and Vladu 2018, "Towards Deep Learning Models Resistant to Adversarial Attacks",
    section 2.1.

    Arguments, return value and errors are those of `Attack`. In addition:
        steps: the number of steps, at least 1 (40, as in the paper for MNIST).
        step_size: α in pixel units; None for 2.5 ε / steps, which can reach any point of the ball
            from any other (the paper, section 5.2).
        random_start: False to start from x itself, as `bim` does.
        seed: decides the start of each image, whatever it comes with; the same for all budgets.
        gradient: "exact" or "float32_autograd", as in `fgsm`.
        keep_best: True to return the iterate closest to the goal instead of the last one.
        watch: called with each step as it is made; see `core.attacks.steps`.
    """
    problem = Problem.with_budgets(classifier, x, y, epsilon, target)
    seed = validate.whole_number(seed, name="seed", least=0)
    return iterate(
        problem,
        LinfBall,
        steps=steps,
        step_size=step_size,
        reach=2.5,
        gradient=gradient,
        keep_best=keep_best,
        watch=watch,
        start=draws.uniform(seed, "pgd", problem.x) if random_start else None,
    )


def pgd_l2(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    target: ArrayLike | None = None,
    steps: int = 40,
    step_size: float | None = None,
    random_start: bool = False,
    seed: int = 0,
    gradient: str = "exact",
    keep_best: bool = False,
    watch: Watch | None = None,
) -> FloatArray:
    """Step along the loss gradient; project into the L2 ball after each step.

    x⁰ = x and xᵗ⁺¹ = Π(xᵗ + α · gᵗ / ‖gᵗ‖₂): Madry et al. 2018 (see `pgd`), section 2.1, and
    section 5 for the L2 norm. Π projects onto the ball, then clips to [0, 1].

    gᵗ is ∇ₓ L(xᵗ, y) with 0 for every pixel that can't go that way: a pixel at 0 can't fall, and
    one at 1 can't rise. So gᵗ / ‖gᵗ‖₂ is the steepest step of norm 1 that stays in [0, 1]. The
    paper takes the whole gradient. Four fifths of a digit's pixels are 0, and what the gradient
    takes from them is clipped away: of a step of α, less is left.

    It starts from the image, where the paper starts anywhere in the ball. Nearly all the volume of
    a ball of 784 dimensions lies at its surface, so a random start is ε away from the image, in a
    direction that leads nowhere, and the attack misleads fewer images.

    Arguments, return value and errors are those of `Attack`, except for:
        epsilon: the L2 budget of the whole perturbation, or `(E,)` of them, in pixel units. It may
            exceed 1: a change of 0.1 in all 784 pixels has a norm of 2.8.
        random_start: True to start from a point drawn uniformly from the ball, as the paper does.
    Other settings are those of `pgd`; `step_size` is the L2 norm of a step.
    """
    problem = Problem.with_budgets(classifier, x, y, epsilon, target, most=np.inf)
    seed = validate.whole_number(seed, name="seed", least=0)
    return iterate(
        problem,
        L2Ball,
        steps=steps,
        step_size=step_size,
        reach=2.5,
        gradient=gradient,
        keep_best=keep_best,
        watch=watch,
        start=_in_l2_ball(seed, problem.x) if random_start else None,
    )


def _in_l2_ball(seed: int, images: FloatArray) -> FloatArray:
    """Return a uniformly random point of the unit L2 ball for each of some images.

    A random point on a sphere in two more dimensions, without its last two coordinates, is such a
    point: Voelker, Gosmann and Stewart 2017, "Efficiently Sampling Vectors and Coordinates from the
    n-Sphere and n-Ball".
    """
    pixels = images.shape[1]
    sphere = np.empty((len(images), pixels + 2))
    for image, point in zip(images, sphere, strict=True):
        draws.generator(seed, "pgd in l2", image).standard_normal(out=point)
    sphere /= l2_norms(sphere)
    return sphere[:, :pixels].astype(images.dtype)
