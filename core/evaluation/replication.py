"""The course report's measurements, repeated on any network and kept in a file.

The report's own figures are arguments here; `core.presentation.course_report` compares them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from core import measures
from core.attacks import fgsm, noise, pgd
from core.classifier import Classifier, FloatArray, IntArray
from core.data.mnist import Digits
from core.evaluation import limits, shipped
from core.evaluation.attribution import explain
from core.evaluation.confusion import confusion
from core.evaluation.limits import Limits
from core.evaluation.rates import Evaluation, evaluate, evasion_curve
from core.evaluation.similarity import similarity
from core.losses import COTANGENTS
from core.networks import LIBRARY, Network
from core.recipe import Recipe

GRADIENTS = ("exact", "float32_autograd")  # their names in `core.losses.COTANGENTS`
EPSILONS = tuple(np.linspace(0, 1, 41).round(3).tolist())  # of the evasion curves
PRECISION = 1e-3  # of the ε that reaches the report's evasion rate
CACHE = LIBRARY.folder / "replication.json"
_VERSION = 2  # to be raised whenever the same network would be measured differently
_HALVINGS = int(np.ceil(np.log2((EPSILONS[1] - EPSILONS[0]) / PRECISION)))
# Over the test images, for one network.
PASSES = len(GRADIENTS) * (1 + _HALVINGS + 1) + 2 + limits.PASSES


@dataclass(frozen=True)
class Reported:
    """The claims of the report that the measurements depend on.

    Attributes:
        evasion_rate: misclassified / all adversarial examples, in [0, 1].
        turned: pairs of a digit and the label that the report says its adversarial examples get.
    """

    evasion_rate: float
    turned: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Images:
    """The images that a network is measured on; see `Split` for their numbers.

    Attributes:
        training, test: all of MNIST.
        learned, validated: the images that the network learned from and was validated on.
        tested: the test images of the digits that it learned.
        held_out: whether `validated` are training images rather than test images.
    """

    training: Digits
    test: Digits
    learned: Digits
    validated: Digits
    tested: Digits
    held_out: bool


@dataclass(frozen=True)
class Split:
    """The numbers of the `Images`; `training` and `test` are counted for each digit 0 to 9."""

    training: tuple[int, ...]
    test: tuple[int, ...]
    learned: int
    validated: int
    tested: int
    held_out: bool


@dataclass(frozen=True)
class Accuracies:
    """The accuracy on the images learned from, validated on and tested on, each in [0, 1]."""

    train: float
    validation: float
    test: float


@dataclass(frozen=True, eq=False)
class Evasion:
    """The results of FGSM with one of the `GRADIENTS`.

    Attributes:
        rates: the evasion rate (misclassified / all images) at each of `EPSILONS`.
        epsilon: the smallest ε that reaches the report's evasion rate, at most `PRECISION` too
            large; None if no ε up to 1 does.
        attacked_at: the ε of everything below: `epsilon`, or 1 if that is None.
        confusion: `(10, 10)` counts; the row is the digit, the column the prediction.
        vanished: `(10,)`, the number of images of each digit whose gradient in the logits is
            exactly 0 for the true label before the attack.
        withstood_vanished: how many of these are still classified correctly under the attack.
    """

    rates: tuple[float, ...]
    epsilon: float | None
    attacked_at: float
    confusion: IntArray
    vanished: IntArray
    withstood_vanished: int

    @property
    def images(self) -> int:
        """The number of images attacked."""
        return int(self.confusion.sum())

    @property
    def withstood(self) -> int:
        """The number of images still classified correctly under the attack."""
        return int(self.confusion.trace())

    @property
    def evasion_rate(self) -> float:
        """Misclassified adversarial examples / all examples, at `attacked_at`."""
        return 1 - self.withstood / self.images


@dataclass(frozen=True, eq=False)
class Similarities:
    """The similarity of any two digits' mean test images, `(10, 10)` each.

    See `core.evaluation.similarity.similarity`. `upper` and `lower` compare half images.
    """

    whole: FloatArray
    upper: FloatArray
    lower: FloatArray


@dataclass(frozen=True, eq=False)
class Turned:
    """How many images of a digit become another label under FGSM with the exact gradient.

    Attributes:
        digit, label: a pair of `Reported.turned`.
        images: the number of the digit's images that were classified correctly before.
        turned: how many of these are classified as the label after.
        contributions: `(784,)`, as in `core.evaluation.attribution.Explanation`; None if `turned`
            is 0.
    """

    digit: int
    label: int
    images: int
    turned: int
    contributions: FloatArray | None


@dataclass(frozen=True, eq=False)
class Replication:
    """All measurements of a network.

    Attributes:
        split: the numbers of images.
        accuracies: the accuracies on them.
        clean: `(10, 10)` counts without an attack; the row is the digit, the column the
            prediction.
        evasion: by the gradient's name.
        controls: evasion rates of a stronger attack, "pgd", and a weaker one, "noise", at the ε of
            the exact gradient.
        limits: of the evasion rate at that ε, and of the ε for the report's evasion rate.
        twins: the first tested image of each digit, in the digits' order, under FGSM with the exact
            gradient at its ε (the report's figure 4).
        similarity: the similarities of MNIST's digits, the same for all networks.
        means: `(10, 784)`, each digit's mean over the tested images that are classified
            correctly; NaN where there are none.
        turned: one for each reported pair of digits that the network knows.
    """

    split: Split
    accuracies: Accuracies
    clean: IntArray
    evasion: Mapping[str, Evasion]
    controls: Mapping[str, float]
    limits: Limits
    twins: Evaluation
    similarity: Similarities
    means: FloatArray
    turned: tuple[Turned, ...]


def measure(
    network: Classifier,
    images: Images,
    reported: Reported,
    *,
    on_progress: Callable[[int], object] = lambda images: None,
) -> Replication:
    """Repeat the course report's measurements on a network.

    Args:
        network: the network.
        images: the images to measure it on; `test` holds every digit.
        reported: the report's claims.
        on_progress: called repeatedly with the number of images attacked since the last call,
            `PASSES` × `images.tested` in all; an exception that it raises ends the work.
    """
    tested = images.tested
    attacked = {
        gradient: _attacked(network, tested, gradient, reported.evasion_rate, on_progress)
        for gradient in GRADIENTS
    }
    exact, evasion = attacked["exact"]
    misled = {}
    for name, attack in (("pgd", pgd), ("noise", noise)):
        x_adv = attack(network, tested.x, tested.y, evasion.attacked_at)
        misled[name] = measures.predict(network, x_adv) != tested.y
        on_progress(len(tested))
    of_both = limits.measure(
        network,
        tested,
        evasion.attacked_at,
        exact.misclassified | misled["pgd"],
        reported.evasion_rate,
        on_progress=on_progress,
    )
    parts = (images.learned, images.validated, tested)
    return Replication(
        split=_split(images),
        accuracies=Accuracies(*(measures.accuracy(network, part.x, part.y) for part in parts)),
        clean=confusion(exact.y, exact.before),
        evasion={gradient: each for gradient, (_, each) in attacked.items()},
        controls={name: float(wrong.mean()) for name, wrong in misled.items()},
        limits=of_both,
        twins=exact.only(measures.first_of_each(exact.y)),
        similarity=_similarities(images.test),
        means=_means(exact),
        turned=tuple(
            _turned(network, exact, digit, label)
            for digit, label in reported.turned
            if {digit, label} <= set(tested.y.tolist())
        ),
    )


def _attacked(
    network: Classifier,
    tested: Digits,
    gradient: str,
    reported_rate: float,
    on_progress: Callable[[int], object],
) -> tuple[Evaluation, Evasion]:
    """Attack the images by FGSM with one gradient, at the ε that reaches the report's rate."""
    x, y = tested.x, tested.y
    attack = partial(fgsm, gradient=gradient)
    rates = evasion_curve(network, attack, x, y, EPSILONS, on_progress=on_progress)

    def reached(epsilon: float) -> bool:
        rate = measures.evasion_rate(network, attack(network, x, y, epsilon), y)
        on_progress(len(y))
        return rate >= reported_rate

    reaching = np.flatnonzero(rates >= reported_rate)
    epsilon = _smallest_epsilon(int(reaching[0]), reached) if reaching.size else None
    if epsilon is None:
        on_progress(_HALVINGS * len(y))
    at = EPSILONS[-1] if epsilon is None else epsilon
    attacked = evaluate(
        network, lambda x, y: attack(network, x, y, at), x, y, on_progress=on_progress
    )
    cotangent = COTANGENTS[gradient](measures.logits(network, x), y)
    vanished = cotangent[np.arange(len(y)), y] == 0
    evasion = Evasion(
        rates=tuple(rates.tolist()),
        epsilon=epsilon,
        attacked_at=at,
        confusion=confusion(y, attacked.after),
        vanished=np.bincount(y[vanished], minlength=10),
        withstood_vanished=int((vanished & ~attacked.misclassified).sum()),
    )
    return attacked, evasion


def _smallest_epsilon(place: int, reached: Callable[[float], bool]) -> float:
    """Bisect the step of the curve before `EPSILONS[place]`, where the rate is first reached."""
    low: float = EPSILONS[max(place - 1, 0)]
    high: float = EPSILONS[place]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if reached(middle):
            high = middle
        else:
            low = middle
    return high


def _split(images: Images) -> Split:
    """Count the images."""
    return Split(
        training=_of_each(images.training.y),
        test=_of_each(images.test.y),
        learned=len(images.learned),
        validated=len(images.validated),
        tested=len(images.tested),
        held_out=images.held_out,
    )


def _similarities(images: Digits) -> Similarities:
    """Compare the mean images of the digits, and their halves."""
    half = images.x.shape[1] // 2
    return Similarities(
        whole=similarity(images.x, images.y),
        upper=similarity(images.x[:, :half], images.y),
        lower=similarity(images.x[:, half:], images.y),
    )


def _means(attacked: Evaluation) -> FloatArray:
    """Average each digit's images that are classified correctly before the attack."""
    means = np.full((10, attacked.x.shape[1]), np.nan)
    right = attacked.correct_before
    for digit in np.unique(attacked.y[right]):
        means[digit] = attacked.x[right & (attacked.y == digit)].mean(axis=0, dtype=np.float64)
    return means


def _turned(network: Classifier, attacked: Evaluation, digit: int, label: int) -> Turned:
    """Count how often a digit turns into a label, and find the pixels that did it."""
    images = attacked.correct_before & (attacked.y == digit)
    turned = int((images & (attacked.after == label)).sum())
    moved = explain(network, attacked, digit, label).contributions if turned else None
    return Turned(digit, label, int(images.sum()), turned, moved)


def _of_each(y: IntArray) -> tuple[int, ...]:
    """Count the labels of each digit."""
    return tuple(np.bincount(y, minlength=10).tolist())


def digest(network: Network, recipe: Recipe, reported: Reported) -> str:
    """Return the key of a network's measurements in the file (see `shipped.digest`).

    The recipe's digits, numbers of images and seed decide which images it learned from.
    """
    images = (recipe.seed, recipe.digits, recipe.training_images, recipe.held_out)
    return shipped.digest(network, _VERSION, EPSILONS, PRECISION, images, reported)


def cached(key: str, *, path: Path = CACHE) -> Replication | None:
    """Return the measurements that the file has under a digest, or None; errors as `shipped.read`.

    Means and contributions are rounded to float16.
    """
    return shipped.read(path, Replication, [key]).get(key)
