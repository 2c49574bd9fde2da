"""Whether an evaluation of attacks can be trusted: what should hold of any, checked on a network.

An attack that fails says as little of a network as a broken thermometer of the weather. The signs
of a failing attack are known: Carlini, Athalye, Papernot, Brendel, Rauber, Tsipras, Goodfellow,
Madry and Kurakin 2019, "On Evaluating Adversarial Robustness"; Athalye, Carlini and Wagner 2018,
"Obfuscated Gradients Give a False Sense of Security".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import validate as arguments
from core.attacks import Attack, fgsm, noise, pgd
from core.batches import in_chunks
from core.classifier import Classifier, FloatArray, IntArray
from core.evaluation.rates import evaluate
from core.losses import COTANGENTS

# `(N,)`, which of the images are misclassified, or have lost something.
Where: TypeAlias = NDArray[np.bool_]

RUNS = 7  # attacks on all images that `checks` needs
# As shares of all images.
NEARLY_ALL = 0.95
HARDLY_ANY = 0.01


@dataclass(frozen=True)
class Check:
    """Something that should hold of an evaluation, and whether it does.

    Attributes:
        title: what should hold.
        passed: whether it does, but for chance.
        finding: what was measured, each share with its denominator.
        meaning: why it matters, and what it means where it does not hold.
    """

    title: str
    passed: bool
    finding: str
    meaning: str


@dataclass(frozen=True, eq=False)
class _Vanished:
    """Of which images a loss gradient has vanished, each `(N,)`.

    Attributes:
        label_lost: the true label's term of the gradient by the logits is exactly 0.
        nowhere: the gradient by the pixels is exactly 0 in all of them.
    """

    label_lost: Where
    nowhere: Where


def checks(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: float,
    *,
    on_progress: Callable[[int], object] = lambda images: None,
) -> tuple[Check, ...]:
    """Attack all images in several ways and hold the results against one another.

    Two attacks are compared on the same images. Where one misleads the network on b images on
    which the other does not, and the other on c on which the one does not, a difference b − c of
    up to twice √(b + c) is taken for chance (McNemar 1947's test, at about 5 %), and one of up to
    `HARDLY_ANY` of all images for too little to matter: once nearly all are misclassified, a
    few of them come and go.

    Args:
        classifier: the network.
        x: `(N, 784)` clean images, pixels in [0, 1].
        y: `(N,)` true labels.
        epsilon: the L∞ budget a pixel, above 0 and at most 1.
        on_progress: is told again and again how many more images were attacked, `RUNS` × N in
            all; what it raises ends the work.

    Raises:
        ValueError: `epsilon` is not as above; `x` and `y` as in `core.evaluation.rates.evaluate`.
    """
    if arguments.budgets(epsilon).ndim or not 0 < epsilon <= 1:
        raise ValueError(f"epsilon must be one number above 0 and at most 1, not {epsilon!r}")
    x = arguments.images(x)
    y = arguments.labels(y, len(x))

    def run(attack: Attack, size: float) -> Where:
        return evaluate(
            classifier, lambda x, y: attack(classifier, x, y, size), x, y, on_progress=on_progress
        ).misclassified

    random, exact = run(noise, epsilon), run(fgsm, epsilon)
    rounded = run(partial(fgsm, gradient="float32_autograd"), epsilon)
    sizes = (epsilon / 2, epsilon, min(2 * epsilon, 1))
    rising = tuple(run(pgd, size) for size in sizes)
    unbounded = run(pgd, 1)
    gradients = {name: _vanished(classifier, x, y, name) for name in COTANGENTS}
    return (
        _noise_is_weaker(random, exact, epsilon),
        _steps_are_stronger(exact, rising[1], epsilon),
        _more_budget_more_evasion(rising, sizes),
        _without_bounds(unbounded),
        _gradient_is_there(gradients["exact"]),
        _rounded_gradient_is_there(gradients["float32_autograd"]),
        _rounded_gradient_would_do(rounded, exact, epsilon),
    )


def _noise_is_weaker(random: Where, exact: Where, epsilon: float) -> Check:
    return Check(
        title="Random noise is weaker than FGSM",
        passed=not _beyond_chance(random, exact),
        finding=f"At ε = {epsilon:g}, noise has {_rate(random)} of all {_images(random)} "
        f"misclassified, FGSM {_rate(exact)}.",
        meaning="Both change every pixel by ε; only FGSM's direction is chosen. Where noise does "
        "better, the direction is worthless: the gradient is masked or the attack is broken, and "
        "that it fails says nothing of the network.",
    )


def _steps_are_stronger(one: Where, many: Where, epsilon: float) -> Check:
    return Check(
        title="FGSM is no stronger than PGD",
        passed=not _beyond_chance(one, many),
        finding=f"At ε = {epsilon:g}, FGSM has {_rate(one)} of all {_images(one)} misclassified, "
        f"PGD {_rate(many)}.",
        meaning="PGD looks at the gradient anew after each of its many steps and may go wherever "
        "FGSM's one step goes. Where FGSM does better, the gradient misleads on the way: it is "
        "masked near the images, or PGD's steps are too few or too short.",
    )


def _more_budget_more_evasion(rising: tuple[Where, ...], sizes: tuple[float, ...]) -> Check:
    rates = ", ".join(
        f"{_rate(each)} at ε = {size:g}" for each, size in zip(rising, sizes, strict=True)
    )
    return Check(
        title="A larger ε misleads more often",
        passed=not any(map(_beyond_chance, rising[:-1], rising[1:])),
        finding=f"PGD has of all {_images(rising[0])} misclassified: {rates}.",
        meaning="Whatever a small ε allows, a larger one allows too. Where the rate falls, the "
        "attack does not find what is there, and the rates are too low by an unknown amount.",
    )


def _without_bounds(unbounded: Where) -> Check:
    return Check(
        title="Without a bound, nearly every image is misclassified",
        passed=_share(unbounded) >= NEARLY_ALL,
        finding=f"PGD at ε = 1 has {_rate(unbounded)} of all {_images(unbounded)} misclassified; "
        f"{_percent(NEARLY_ALL)} would do.",
        meaning="At ε = 1 any image may become any other, so a working attack succeeds. Where it "
        "does not, it is stopped by something other than the network's robustness.",
    )


def _gradient_is_there(vanished: _Vanished) -> Check:
    return Check(
        title="The gradient is there to follow",
        passed=_share(vanished.nowhere) <= HARDLY_ANY,
        finding=f"The exact gradient is 0 in every pixel for {_of_all(vanished.nowhere)}; "
        f"the true label's term is 0 for {_of_all(vanished.label_lost)}.",
        meaning="An attack that follows the gradient leaves an image as it is where the gradient "
        f"is 0. Beyond {_percent(HARDLY_ANY)} of the images that passes for robustness.",
    )


def _rounded_gradient_is_there(vanished: _Vanished) -> Check:
    lost = vanished.label_lost | vanished.nowhere
    return Check(
        title="Float32 autograd's gradient has not vanished",
        passed=_share(lost) <= HARDLY_ANY,
        finding=f"It has lost the true label's term, rounded to 0, for "
        f"{_of_all(vanished.label_lost)}; every pixel's gradient is 0 for "
        f"{_of_all(vanished.nowhere)}.",
        meaning="Of a network that is sure of itself, float32 rounds the true label's probability "
        "to 1 and the largest term of the gradient to 0. What is left points elsewhere. Most "
        "attack libraries compute it so; the attacks here do not, unless they are asked to.",
    )


def _rounded_gradient_would_do(rounded: Where, exact: Where, epsilon: float) -> Check:
    return Check(
        title="Float32 autograd's gradient misleads as often as the exact one",
        passed=not _beyond_chance(exact, rounded),
        finding=f"At ε = {epsilon:g}, FGSM with float32 autograd's gradient has {_rate(rounded)} "
        f"of all {_images(exact)} misclassified, with the exact one {_rate(exact)}.",
        meaning="It is the same attack on the same network; only how the gradient is rounded "
        "differs. Where the exact one misleads more often, robustness that was measured with the "
        "other is overstated by that much: gradient masking, by arithmetic alone.",
    )


def _beyond_chance(one: Where, other: Where) -> bool:
    """Whether one attack misleads more often, by what is neither chance nor too little."""
    only_one = int((one & ~other).sum())
    only_other = int((other & ~one).sum())
    chance = 2 * math.sqrt(only_one + only_other)
    return only_one - only_other > max(chance, HARDLY_ANY * len(one))


def _share(which: Where) -> float:
    return float(which.mean())


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def _rate(misclassified: Where) -> str:
    return _percent(_share(misclassified))


def _images(misclassified: Where) -> str:
    return f"{len(misclassified):,} images"


def _of_all(which: Where) -> str:
    return f"{which.sum():,} of all {_images(which)} ({_percent(_share(which))})"


def _vanished(classifier: Classifier, x: FloatArray, y: IntArray, gradient: str) -> _Vanished:
    found = _Vanished(np.empty(len(x), np.bool_), np.empty(len(x), np.bool_))

    def look(rows: slice) -> None:
        logits, pull_back = classifier.vjp(x[rows])
        cotangent = COTANGENTS[gradient](logits, y[rows])
        found.label_lost[rows] = cotangent[np.arange(len(logits)), y[rows]] == 0
        found.nowhere[rows] = ~pull_back(cotangent).any(axis=1)

    in_chunks(look, len(x))
    return found
