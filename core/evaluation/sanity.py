"""Checks of whether an evaluation of attacks can be trusted.

A failing attack makes any network look robust. The checks are signs of such a failure from
Carlini, Athalye, Papernot, Brendel, Rauber, Tsipras, Goodfellow, Madry and Kurakin 2019, "On
Evaluating Adversarial Robustness"; Athalye, Carlini and Wagner 2018, "Obfuscated Gradients Give a
False Sense of Security"; and Pintor, Demetrio, Sotgiu, Demontis, Carlini, Biggio and Roli 2022,
"Indicators of Attack Failure: Debugging and Improving Optimization of Adversarial Examples".

Any attack may miss adversarial images, so its rate is a lower bound even if nothing fails. How many
PGD misses is measured too (`Beyond`), but it is not a check.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import measures, validate
from core.attacks import Attack, Step, fgsm, noise, pgd, strongest
from core.attacks.steps import WatchedAttack
from core.classifier import Classifier, FloatArray, IntArray
from core.evaluation.outputs import (
    Derivatives,
    Outputs,
    Vanished,
    look_at_derivatives,
    look_at_outputs,
    look_for_vanished,
)
from core.evaluation.rates import Evaluation, evaluate
from core.losses import log_odds

Mask: TypeAlias = NDArray[np.bool_]  # `(N,)`, a choice of the images

# The strongest attack is tried on at most this share of all images. It takes as long as STRONGEST
# of the other attacks on all images. Of 1,000 images, what PGD misses is then known to about a
# percentage point, as well as the rates are.
TRIED = 0.2
STRONGEST = 12
RUNS = 7 + STRONGEST
_TRIED_AT_ONCE = 50  # between two reports of progress
# Thresholds, as shares of all images.
NEARLY_ALL = 0.95
HARDLY_ANY = 0.01
MOST = 0.9  # a share of the misled images
SURE = 0.75  # a probability; logits divided by 10 stay below it, every shipped network above 0.94
LATE = 0.2  # a share of the rise of a loss


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
        """Whether about `MOST` of the misled images survive, or none was misled.

        Of few images somewhat fewer may survive by chance: two standard deviations are allowed.
        """
        chance = 2 * math.sqrt(MOST * (1 - MOST) * self.misled)
        return self.survive >= MOST * self.misled - chance


@dataclass(frozen=True)
class Climb:
    """How the loss that an iterated attack raises changes from its start to its end.

    The loss is log((1 − p_y) / p_y). It rises and falls with the cross-entropy, but does not round
    to 0 where the network is confident.

    Attributes:
        higher: images whose loss is higher at the end than at the start.
        rise: the mean rise over all images.
        late: the part of `rise` that comes in the second half of the steps.
    """

    higher: int
    rise: float
    late: float

    @property
    def converged(self) -> bool:
        """Whether the loss rises, at most `LATE` of it in the second half of the steps."""
        return self.rise > 0 and self.late <= LATE * self.rise


@dataclass(frozen=True)
class Beyond:
    """What the strongest attack finds where PGD finds nothing.

    Attributes:
        withstood: images that PGD does not mislead.
        tried: those of them on which the strongest attack is tried, at most `TRIED` of all images.
        found: those of them that it misleads.
    """

    withstood: int
    tried: int
    found: int


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
        climb: the loss of PGD with a budget of ε.
        beyond: what PGD misses with a budget of ε.
        outputs: whether the network's outputs look like logits.
        derivatives: whether its `vjp` gives their derivatives.
        exact: the exact gradient.
        float32: float32 autograd's gradient.
        passed: whether each check is passed, by name:
            "noise" is not stronger than FGSM;
            "steps": FGSM is not stronger than PGD;
            "budget": no smaller budget of `pgd` is stronger than a larger one;
            "float32_attack": the exact gradient is not stronger than float32 autograd's;
            "unbounded": `pgd_unbounded` is at least `NEARLY_ALL`;
            "loss": PGD's loss rises for at least `NEARLY_ALL` of the images;
            "converged": at most `LATE` of that rise comes in the second half of the steps;
            "logits": the mean probability of right answers is at least `SURE`, and the outputs are
            probabilities already for less than `NEARLY_ALL`;
            "derivatives": both `derivatives` agree for at least `NEARLY_ALL`;
            "gradient": the exact gradient is 0 in every pixel for at most `HARDLY_ANY` images;
            "float32_gradient": float32 autograd's has vanished for at most `HARDLY_ANY` images;
            "rounding": of the images that FGSM and PGD mislead, about `MOST` survive rounding.
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
    climb: Climb
    beyond: Beyond
    outputs: Outputs
    derivatives: Derivatives
    exact: Vanished
    float32: Vanished
    passed: Mapping[str, bool]

    @property
    def beyond_pgd(self) -> float:
        """The share of all images that PGD misses and the strongest attack finds, in [0, 1].

        Where the strongest attack was tried on a part of the images that withstood PGD, the others
        count as if they were like these.
        """
        beyond = self.beyond
        return beyond.withstood * beyond.found / max(1, beyond.tried) / self.images


def measure(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: float,
    *,
    iterated: WatchedAttack = pgd,
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
        iterated: the attack that is checked, PGD or another; the fields and checks that name PGD
            are about it.
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

    random, by_fgsm = run(noise, epsilon).misclassified, run(fgsm, epsilon)
    float32 = run(partial(fgsm, gradient="float32_autograd"), epsilon).misclassified
    budgets, watched = (epsilon / 2, epsilon, min(2 * epsilon, 1)), _Watched(iterated)
    attacks: tuple[Attack, ...] = (iterated, watched, iterated)
    by_pgd = [run(*each) for each in zip(attacks, budgets, strict=True)]
    exact, rising = by_fgsm.misclassified, [each.misclassified for each in by_pgd]
    unbounded = run(iterated, 1).misclassified
    found = Sanity(
        images=len(x),
        epsilon=epsilon,
        noise=int(random.sum()),
        fgsm=int(exact.sum()),
        fgsm_float32=int(float32.sum()),
        pgd=tuple((budget, int(each.sum())) for budget, each in zip(budgets, rising, strict=True)),
        pgd_unbounded=int(unbounded.sum()),
        fgsm_rounding=_rounding(classifier, by_fgsm),
        pgd_rounding=_rounding(classifier, by_pgd[1]),
        climb=watched.climb(),
        beyond=_beyond(classifier, by_pgd[1], epsilon, on_progress),
        outputs=look_at_outputs(classifier, x, y),
        derivatives=look_at_derivatives(classifier, x, y),
        exact=look_for_vanished(classifier, x, y, "exact"),
        float32=look_for_vanished(classifier, x, y, "float32_autograd"),
        passed={},
    )
    compared = {
        "noise": not _stronger(random, exact),
        "steps": not _stronger(exact, rising[1]),
        "budget": not any(_stronger(*pair) for pair in pairwise(rising)),
        "float32_attack": not _stronger(exact, float32),
    }
    return replace(found, passed={**compared, **_passed(found)})


def _passed(found: Sanity) -> dict[str, bool]:
    """Return whether each check is passed, except for those that compare two attacks."""
    nearly_all, hardly_any = NEARLY_ALL * found.images, HARDLY_ANY * found.images
    sure = found.outputs.confidence >= SURE
    return {
        "unbounded": found.pgd_unbounded >= nearly_all,
        "loss": found.climb.higher >= nearly_all,
        "converged": found.climb.converged,
        "logits": sure and found.outputs.probabilities < nearly_all,
        "derivatives": min(vars(found.derivatives).values()) >= nearly_all,
        "gradient": found.exact.pixels <= hardly_any,
        "float32_gradient": found.float32.either <= hardly_any,
        "rounding": found.fgsm_rounding.passed and found.pgd_rounding.passed,
    }


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


def _beyond(
    classifier: Classifier,
    attacked: Evaluation,
    epsilon: float,
    on_progress: Callable[[int], object],
) -> Beyond:
    """Try the strongest attack on images that withstand PGD.

    Report as much progress as `STRONGEST` attacks on all images make.
    """
    withstood = np.flatnonzero(~attacked.misclassified)
    number = min(len(withstood), math.ceil(TRIED * attacked.images))
    # Spread over all: MNIST's first images are not like its last.
    tried = withstood[np.arange(number) * len(withstood) // max(1, number)]
    found, reported, to_report = 0, 0, STRONGEST * attacked.images
    for start in range(0, len(tried), _TRIED_AT_ONCE):
        some = tried[start : start + _TRIED_AT_ONCE]
        x_adv = strongest(classifier, attacked.x[some], attacked.y[some], epsilon)
        found += int((measures.predict(classifier, x_adv) != attacked.y[some]).sum())
        done = to_report * (start + len(some)) // len(tried)
        on_progress(done - reported)
        reported = done
    on_progress(to_report - reported)
    return Beyond(len(withstood), len(tried), found)


class _Watched:
    """An iterated attack whose loss is recorded at each step.

    It is an `Attack` itself. Each call adds its images to those of the calls before.
    """

    def __init__(self, attack: WatchedAttack) -> None:
        self._attack = attack
        self._losses: list[FloatArray] = []  # `(T, n)` of each call: after each step, of each image

    def __call__(
        self,
        classifier: Classifier,
        x: ArrayLike,
        y: ArrayLike,
        epsilon: ArrayLike,
        *,
        target: ArrayLike | None = None,
    ) -> FloatArray:
        labels: IntArray = np.asarray(y)
        seen: list[tuple[int, IntArray, FloatArray]] = []

        def watch(step: Step) -> None:  # from several threads
            loss = log_odds(classifier.logits(step.x_adv), labels[step.rows])
            seen.append((step.number, step.rows, loss))

        x_adv = self._attack(classifier, x, y, epsilon, target=target, watch=watch)
        losses = np.empty((1 + max(number for number, _, _ in seen), len(labels)))
        for number, rows, loss in seen:
            losses[number, rows] = loss
        self._losses.append(losses)
        return x_adv

    def climb(self) -> Climb:
        """Return how the loss changed."""
        losses = np.concatenate(self._losses, axis=1)
        start, half, end = losses[0], losses[len(losses) // 2], losses[-1]
        return Climb(
            higher=int((end > start).sum()),
            rise=float((end - start).mean()),
            late=float((end - half).mean()),
        )
