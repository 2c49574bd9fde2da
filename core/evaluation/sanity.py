"""Checks of whether an evaluation of attacks can be trusted.

A failing attack makes any network look robust. The checks are signs of such a failure from
Carlini, Athalye, Papernot, Brendel, Rauber, Tsipras, Goodfellow, Madry and Kurakin 2019, "On
Evaluating Adversarial Robustness", and Athalye, Carlini and Wagner 2018, "Obfuscated Gradients Give
a False Sense of Security".
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import measures, validate
from core.attacks import Attack, fgsm, noise, pgd
from core.batches import in_batches
from core.classifier import Classifier, FloatArray, IntArray
from core.evaluation.rates import Evaluation, evaluate
from core.losses import COTANGENTS

Mask: TypeAlias = NDArray[np.bool_]  # `(N,)`, a choice of the images

RUNS = 7  # attacks on all images that `measure` needs
# Thresholds, as shares of all images.
NEARLY_ALL = 0.95
HARDLY_ANY = 0.01
MOST = 0.9  # a share of the misled images


@dataclass(frozen=True)
class Vanished:
    """The number of images whose loss gradient has vanished.

    Attributes:
        label_term: images whose gradient in the logits is exactly 0 for the true label.
        pixels: images whose gradient is exactly 0 in every pixel.
        either: images that are one or the other.
    """

    label_term: int
    pixels: int
    either: int


@dataclass(frozen=True)
class Rounding:
    """The number of misled images that survive rounding to the grey levels of a screen.

    Attributes:
        misled: images that are classified correctly before the attack and misclassified after it.
        survive: those that are still misclassified when the adversarial image is rounded.
    """

    misled: int
    survive: int

    @property
    def passed(self) -> bool:
        """Whether at least `MOST` of the misled images survive, or none was misled."""
        return self.survive >= MOST * self.misled


@dataclass(frozen=True)
class Sanity:
    """Measurements of attacks on the same images, and the checks that they pass.

    Attributes:
        images: the number of images, N.
        epsilon: the L∞ budget.
        noise: images misclassified under random noise; the next fields are such counts too.
        fgsm: under FGSM with the exact gradient.
        fgsm_float32: under FGSM with float32 autograd's gradient.
        pgd: under PGD, three pairs of a budget and a count: for ε / 2, ε and 2 ε, at most 1.
        pgd_unbounded: under PGD with a budget of 1.
        fgsm_rounding: what rounding does to the images that FGSM misleads.
        pgd_rounding: what it does to those that PGD misleads with a budget of ε.
        exact: the exact gradient.
        float32: float32 autograd's gradient.
        passed: whether each check is passed, by name:
            "noise" is not stronger than FGSM;
            "steps": FGSM is not stronger than PGD;
            "budget": no smaller budget of `pgd` is stronger than a larger one;
            "unbounded": `pgd_unbounded` is at least `NEARLY_ALL`;
            "gradient": the exact gradient is 0 in every pixel for at most `HARDLY_ANY` images;
            "float32_gradient": float32 autograd's has vanished for at most `HARDLY_ANY` images;
            "float32_attack": the exact gradient is not stronger than float32 autograd's;
            "rounding": of the images that FGSM and PGD mislead, at least `MOST` survive rounding.
    """

    images: int
    epsilon: float
    noise: int
    fgsm: int
    fgsm_float32: int
    pgd: tuple[tuple[float, int], ...]
    pgd_unbounded: int
    fgsm_rounding: Rounding
    pgd_rounding: Rounding
    exact: Vanished
    float32: Vanished
    passed: Mapping[str, bool]


def measure(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: float,
    *,
    on_progress: Callable[[int], object] = lambda images: None,
) -> Sanity:
    """Attack all images in several ways and compare the results.

    Two attacks are compared on the same images. If b images are misclassified under the first only
    and c under the second only, the first is stronger if b − c exceeds both 2 √(b + c), which is
    chance (McNemar's test of 1947, at about 5 %), and `HARDLY_ANY` of all images, which is too
    little to matter: where both misclassify nearly all images, a few always differ.

    Args:
        classifier: the network.
        x: `(N, 784)` clean images, pixels in [0, 1].
        y: `(N,)` true labels.
        epsilon: the L∞ budget, above 0 and at most 1.
        on_progress: called repeatedly with the number of images attacked since the last call,
            `RUNS` × N in all; an exception that it raises ends the work.

    Raises:
        ValueError: `epsilon` is not as above; `x` or `y` as in `core.evaluation.rates.evaluate`.
    """
    if validate.budgets(epsilon).ndim or not 0 < epsilon <= 1:
        raise ValueError(f"epsilon must be one number above 0 and at most 1, not {epsilon!r}")
    x = validate.images(x)
    y = validate.labels(y, len(x))

    def run(attack: Attack, budget: float) -> Evaluation:
        return evaluate(
            classifier, lambda x, y: attack(classifier, x, y, budget), x, y, on_progress=on_progress
        )

    random = run(noise, epsilon).misclassified
    by_fgsm = run(fgsm, epsilon)
    exact, fgsm_rounding = by_fgsm.misclassified, _rounding(classifier, by_fgsm)
    float32 = run(partial(fgsm, gradient="float32_autograd"), epsilon).misclassified
    budgets = (epsilon / 2, epsilon, min(2 * epsilon, 1))
    by_pgd = [run(pgd, budget) for budget in budgets]
    rising, pgd_rounding = [each.misclassified for each in by_pgd], _rounding(classifier, by_pgd[1])
    unbounded = run(pgd, 1).misclassified
    exact_gradient = _vanished(classifier, x, y, "exact")
    float32_gradient = _vanished(classifier, x, y, "float32_autograd")
    few = HARDLY_ANY * len(x)
    return Sanity(
        images=len(x),
        epsilon=epsilon,
        noise=int(random.sum()),
        fgsm=int(exact.sum()),
        fgsm_float32=int(float32.sum()),
        pgd=tuple((budget, int(each.sum())) for budget, each in zip(budgets, rising, strict=True)),
        pgd_unbounded=int(unbounded.sum()),
        fgsm_rounding=fgsm_rounding,
        pgd_rounding=pgd_rounding,
        exact=exact_gradient,
        float32=float32_gradient,
        passed={
            "noise": not _stronger(random, exact),
            "steps": not _stronger(exact, rising[1]),
            "budget": not any(_stronger(*pair) for pair in pairwise(rising)),
            "unbounded": bool(unbounded.mean() >= NEARLY_ALL),
            "gradient": exact_gradient.pixels <= few,
            "float32_gradient": float32_gradient.either <= few,
            "float32_attack": not _stronger(exact, float32),
            "rounding": fgsm_rounding.passed and pgd_rounding.passed,
        },
    )


def _stronger(one: Mask, other: Mask) -> bool:
    """Return whether one attack misclassifies more images than another; see `measure`."""
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    chance = 2 * math.sqrt(only_one + only_other)
    return only_one - only_other > max(chance, HARDLY_ANY * len(one))


def _rounding(classifier: Classifier, attacked: Evaluation) -> Rounding:
    """Count the misled images that survive rounding to the grey levels of a screen."""
    misled = attacked.only(attacked.correct_before & attacked.misclassified)
    if not misled.images:
        return Rounding(0, 0)
    after = measures.predict(classifier, measures.rounded(misled.x_adv, measures.SCREEN))
    return Rounding(misled.images, int((after != misled.y).sum()))


def _vanished(classifier: Classifier, x: FloatArray, y: IntArray, gradient: str) -> Vanished:
    """Count the images whose gradient, a name in `COTANGENTS`, has vanished."""
    label_term, pixels = np.empty((2, len(x)), np.bool_)

    def look(rows: slice) -> None:
        logits, pull_back = classifier.vjp(x[rows])
        cotangent = COTANGENTS[gradient](logits, y[rows])
        label_term[rows] = cotangent[np.arange(len(logits)), y[rows]] == 0
        pixels[rows] = ~pull_back(cotangent).any(axis=1)

    in_batches(look, len(x))
    return Vanished(int(label_term.sum()), int(pixels.sum()), int((label_term | pixels).sum()))
