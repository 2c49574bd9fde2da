"""What the course report measured, measured anew on a network: numbers and arrays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from core import measures
from core.attacks import fgsm, noise, pgd
from core.classifier import Classifier, FloatArray, IntArray
from core.data.mnist import Digits
from core.evaluation import robustness
from core.evaluation.attribution import Explanation, explain
from core.evaluation.confusion import confusion
from core.evaluation.rates import Evaluation, evaluate, evasion_curve
from core.evaluation.robustness import Robustness
from core.evaluation.similarity import similarity
from core.losses import COTANGENTS
from core.networks import LIBRARY, Card, Network, NetworkFileError
from core.presentation.course_report import facts
from core.presentation.remedies import REMEDIES, Remedy, first_of_each, presets
from core.training import of_digits, split

GRADIENTS = ("exact", "float32_autograd")
EPSILONS = tuple(np.linspace(0, 1, 41).round(3).tolist())  # of the curves
PRECISION = 1e-3  # of the ε that is sought
_HALVINGS = int(np.ceil(np.log2((EPSILONS[1] - EPSILONS[0]) / PRECISION)))
PASSES = len(GRADIENTS) * (1 + _HALVINGS + 1) + 2  # over the test images, in all


@dataclass(frozen=True)
class Split:
    """How many images there are and what they are for.

    Attributes:
        training, test: MNIST's images of each digit 0 to 9.
        learned: how many of them the network learned from.
        validated: how many it was validated on.
        tested: how many all that follows is measured on: the test images of its digits.
        held_out: whether those validated on are training images, not the test images.
    """

    training: tuple[int, ...]
    test: tuple[int, ...]
    learned: int
    validated: int
    tested: int
    held_out: bool


@dataclass(frozen=True)
class Accuracies:
    """On the images learned from, validated on and tested on, each in [0, 1]."""

    train: float
    validation: float
    test: float


@dataclass(frozen=True, eq=False)
class Evasion:
    """FGSM with one kind of gradient.

    Attributes:
        gradient: its name in `core.losses.COTANGENTS`.
        rates: the evasion rate (misclassified / all images) at each of `EPSILONS`.
        epsilon: the ε at which the report's evasion rate is reached, at most `PRECISION` too large;
            None where it is nowhere reached.
        attacked_at: the ε that all else was measured at: that one, or the largest there is.
        confusion: `(10, 10)` counts there; the row is the digit, the column what it is taken for.
        vanished: `(10,)`, of how many images of each digit the gradient's term of the true label
            is exactly 0 before the attack.
        withstood_vanished: how many of these are still classified correctly under the attack.
    """

    gradient: str
    rates: tuple[float, ...]
    epsilon: float | None
    attacked_at: float
    confusion: IntArray
    vanished: IntArray
    withstood_vanished: int

    @property
    def images(self) -> int:
        """How many images were attacked."""
        return int(self.confusion.sum())

    @property
    def withstood(self) -> int:
        """How many images are still classified correctly under the attack."""
        return int(self.confusion.trace())

    @property
    def evasion_rate(self) -> float:
        """Misclassified adversarial examples / all examples, at `attacked_at`."""
        return 1 - self.withstood / self.images


@dataclass(frozen=True, eq=False)
class Twins:
    """Figure 4: the first test image of each digit, and its adversarial twin.

    Attributes:
        y: `(K,)` the digits, rising.
        x, x_adv: `(K, 784)` the images.
        before, after: `(K,)` what they are taken for.
        l2_norm: `(K,)` of the perturbations.
    """

    y: IntArray
    x: FloatArray
    x_adv: FloatArray
    before: IntArray
    after: IntArray
    l2_norm: FloatArray


@dataclass(frozen=True, eq=False)
class Alike:
    """How alike the mean test images of any two digits are, `(10, 10)` each.

    See `core.evaluation.similarity.similarity`; `upper` and `lower` are of these halves of the
    images.
    """

    whole: FloatArray
    upper: FloatArray
    lower: FloatArray


@dataclass(frozen=True)
class Turned:
    """A digit and the label that the report says it is taken for, under FGSM (exact gradient).

    Attributes:
        said: what the report says.
        label: the one that it names.
        images: how many images of the digit were classified correctly before.
        turned: how many of these are taken for the label after.
        explanation: how the decision moved; None where none of them is.
    """

    said: facts.Mistaken
    label: int
    images: int
    turned: int
    explanation: Explanation | None


@dataclass(frozen=True)
class Trial:
    """A shipped network that follows one of the recommendations, beside the one without.

    Attributes:
        remedy: what it is.
        own: how it fares under attack; None where that has not been measured.
        seconds: how long its training took; None where nobody measured it.
        other, other_seconds: the same of the network without.
    """

    remedy: Remedy
    own: Robustness | None
    seconds: float | None
    other: Robustness | None
    other_seconds: float | None


@dataclass(frozen=True, eq=False)
class Findings:
    """All that the report's sections ask for.

    Attributes:
        card: what the network's file says of it.
        layers: units of each layer of each member, from the pixels to the logits.
        size: how many weights and biases it has.
        split: the images.
        accuracies: measured here.
        clean: `(10, 10)` counts without an attack; the row is the digit, the column what it is
            taken for.
        evasion: by the gradient's name.
        controls: the evasion rates of stronger and of weaker attacks at the exact gradient's ε, by
            the attack's name.
        twins: under FGSM with the exact gradient, at its ε.
        alike: MNIST's digits, whatever the network.
        turned: for each of the report's digits and labels where the network knows both.
        trials: what came of the recommendations.
    """

    card: Card
    layers: tuple[tuple[int, ...], ...]
    size: int
    split: Split
    accuracies: Accuracies
    clean: IntArray
    evasion: Mapping[str, Evasion]
    controls: Mapping[str, float]
    twins: Twins
    alike: Alike
    turned: tuple[Turned, ...]
    trials: tuple[Trial, ...]


def measure_report(
    network: Network,
    card: Card,
    train: Digits,
    test: Digits,
    *,
    on_progress: Callable[[int], object] = lambda images: None,
) -> Findings:
    """Measure on a network all that the course report says of its own.

    A network that learned some of the digits only is tested on images of these alone.

    Args:
        network: to measure.
        card: what its file says of it.
        train: MNIST's training images.
        test: MNIST's test images, every digit among them; every attack is given all.
        on_progress: is told again and again how many more images have been attacked; in the end,
            `PASSES` times as many as are tested. What it raises ends the work.

    Raises:
        ValueError: there are too few images for the card's recipe.
        RobustnessFileError: the file of what was measured before is damaged.
    """
    known = {preset: _measured(preset) for preset in presets()}
    learned, validated = split(card.recipe, train, test)
    tested = of_digits(test, card.recipe.digits)
    attacked = {
        gradient: _attacked(network, tested, gradient, on_progress) for gradient in GRADIENTS
    }
    exact, evasion = attacked["exact"]
    controls = {}
    for name, attack in (("pgd", pgd), ("noise", noise)):
        x_adv = attack(network, tested.x, tested.y, evasion.attacked_at)
        controls[name] = measures.evasion_rate(network, x_adv, tested.y)
        on_progress(len(tested))
    return Findings(
        card=card,
        layers=tuple(member.sizes for member in network.members),
        size=network.parameter_count,
        split=Split(
            training=_of_each(train.y),
            test=_of_each(test.y),
            learned=len(learned),
            validated=len(validated),
            tested=len(tested),
            held_out=card.recipe.held_out > 0,
        ),
        accuracies=Accuracies(
            *(measures.accuracy(network, part.x, part.y) for part in (learned, validated, tested))
        ),
        clean=confusion(exact.y, exact.before),
        evasion={gradient: each for gradient, (_, each) in attacked.items()},
        controls=controls,
        twins=_twins(exact),
        alike=_alike(test),
        turned=tuple(
            _turned(network, exact, said, said.label)
            for said in facts.MISTAKEN
            if said.label is not None and {said.digit, said.label} <= set(card.recipe.digits)
        ),
        trials=tuple(
            Trial(remedy, *known[remedy.preset], *known[remedy.compared_with])
            for remedy in REMEDIES
        ),
    )


def _attacked(
    network: Classifier, tested: Digits, gradient: str, on_progress: Callable[[int], object]
) -> tuple[Evaluation, Evasion]:
    """What FGSM with one gradient makes of the images where it reaches the report's rate."""
    x, y = tested.x, tested.y
    attack = partial(fgsm, gradient=gradient)
    rates = evasion_curve(network, attack, x, y, EPSILONS, on_progress=on_progress)
    epsilon = _epsilon_of_the_report(network, tested, gradient, rates, on_progress)
    at = EPSILONS[-1] if epsilon is None else epsilon
    attacked = evaluate(
        network, lambda x, y: attack(network, x, y, at), x, y, on_progress=on_progress
    )
    cotangent = COTANGENTS[gradient](measures.logits(network, x), y)
    vanished = cotangent[np.arange(len(y)), y] == 0
    evasion = Evasion(
        gradient=gradient,
        rates=tuple(rates.tolist()),
        epsilon=epsilon,
        attacked_at=at,
        confusion=confusion(y, attacked.after),
        vanished=np.bincount(y[vanished], minlength=10),
        withstood_vanished=int((vanished & ~attacked.misclassified).sum()),
    )
    return attacked, evasion


def _epsilon_of_the_report(
    network: Classifier,
    tested: Digits,
    gradient: str,
    rates: FloatArray,
    on_progress: Callable[[int], object],
) -> float | None:
    """The smallest ε that reaches the report's evasion rate, by halving the step of the curve."""
    reached = np.flatnonzero(rates >= facts.EVASION_RATE)
    place = int(reached[0]) if reached.size else 0
    low, high = EPSILONS[max(place - 1, 0)], EPSILONS[place]
    for _ in range(_HALVINGS):
        if high > low:
            middle = (low + high) / 2
            x_adv = fgsm(network, tested.x, tested.y, middle, gradient=gradient)
            if measures.evasion_rate(network, x_adv, tested.y) >= facts.EVASION_RATE:
                high = middle
            else:
                low = middle
        on_progress(len(tested))
    return high if reached.size else None


def _twins(attacked: Evaluation) -> Twins:
    """The first image of each digit."""
    rows = first_of_each(attacked.y)
    return Twins(
        y=attacked.y[rows],
        x=attacked.x[rows],
        x_adv=attacked.x_adv[rows],
        before=attacked.before[rows],
        after=attacked.after[rows],
        l2_norm=attacked.l2_norm[rows],
    )


def _alike(test: Digits) -> Alike:
    half = test.x.shape[1] // 2
    return Alike(
        whole=similarity(test.x, test.y),
        upper=similarity(test.x[:, :half], test.y),
        lower=similarity(test.x[:, half:], test.y),
    )


def _turned(network: Classifier, attacked: Evaluation, said: facts.Mistaken, label: int) -> Turned:
    """Whether and how a digit turns into the label that the report names."""
    images = attacked.correct_before & (attacked.y == said.digit)
    turned = int((images & (attacked.after == label)).sum())
    explanation = explain(network, attacked, said.digit, label) if turned else None
    return Turned(said, label, int(images.sum()), turned, explanation)


def _of_each(y: IntArray) -> tuple[int, ...]:
    """How many of each digit there are."""
    return tuple(np.bincount(y, minlength=10).tolist())


def _measured(preset: str) -> tuple[Robustness | None, float | None]:
    """How a shipped network fares, and how long its training took, as far as that is known."""
    try:
        network, card = LIBRARY.load(preset)
    except NetworkFileError:
        return None, None
    return robustness.cached(network), card.train_seconds
