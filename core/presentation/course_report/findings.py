"""What the course report's sections need: a network's measurements, its card, the remedies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.data.mnist import Digits
from core.evaluation import replication, replication_file, robustness, shipped
from core.evaluation.replication import PASSES, Images, Replication, Reported
from core.evaluation.robustness import Robustness
from core.networks import LIBRARY, Card, Network, NetworkFileError
from core.presentation.course_report import facts
from core.presentation.remedies import REMEDIES, Remedy, presets
from core.training import of_digits, split

REPORTED = Reported(
    facts.EVASION_RATE,
    tuple((said.digit, said.label) for said in facts.MISTAKEN if said.label is not None),
)


@dataclass(frozen=True)
class Trial:
    """A shipped network with a remedy, and the one without it.

    Attributes:
        remedy: the remedy.
        own: the measurements of the network with it; None if there are none.
        seconds: how long its training took; None if that is not known.
        other, other_seconds: the same for the network without it.
    """

    remedy: Remedy
    own: Robustness | None
    seconds: float | None
    other: Robustness | None
    other_seconds: float | None


@dataclass(frozen=True, eq=False)
class Findings(Replication):
    """All that the report's sections need.

    Attributes:
        card: the card in the network's file.
        layers: units of each layer of each member, from the pixels to the logits.
        size: the number of weights and biases.
        trials: one for each remedy.
    """

    card: Card
    layers: tuple[tuple[int, ...], ...]
    size: int
    trials: tuple[Trial, ...]


def measure_report(
    network: Network,
    card: Card,
    train: Digits,
    test: Digits,
    *,
    on_progress: Callable[[int], object] = lambda images: None,
) -> Findings:
    """Measure on a network what the course report measured on its own.

    A network that learned only some of the digits is tested on images of these alone.

    Args:
        network: the network.
        card: the card in its file.
        train: MNIST's training images.
        test: MNIST's test images, with every digit.
        on_progress: as in `core.evaluation.replication.measure`.

    Raises:
        ValueError: there are too few images for the card's recipe.
    """
    return _findings(network, card, _measure(network, card, train, test, on_progress))


def shipped_report(network: Network, card: Card) -> Findings | None:
    """Return the findings of a network if they are shipped, else None. This needs no MNIST.

    Raises:
        MeasuredFileError: the file of measurements is damaged or can't be read.
    """
    known = replication_file.cached(replication_file.digest(network, card.recipe, REPORTED))
    return None if known is None else _findings(network, card, known)


def write_shipped(
    networks: Mapping[str, tuple[Network, Card]],
    train: Callable[[], Digits],
    test: Digits,
    *,
    on_progress: Callable[[int], object] = lambda images: None,
) -> None:
    """Measure the networks that the shipped file lacks; remove those that are not given.

    Args:
        networks: with their cards, by name.
        train: returns MNIST's training images; called only if they are needed.
        test: MNIST's test images.
        on_progress: receives again and again how many more images are done, in all `PASSES` times
            the number of test images for each network.

    Raises:
        MeasuredFileError: the file can't be written.
    """

    def measure(name: str) -> Replication:
        network, card = networks[name]
        tested = len(of_digits(test, card.recipe.digits))
        found = _measure(network, card, train(), test, on_progress)
        on_progress(PASSES * (len(test) - tested))
        return found

    replication_file.write_cache(
        {
            name: replication_file.digest(network, card.recipe, REPORTED)
            for name, (network, card) in networks.items()
        },
        measure,
        on_known=lambda: on_progress(PASSES * len(test)),
    )


def _measure(
    network: Network,
    card: Card,
    train: Digits,
    test: Digits,
    on_progress: Callable[[int], object],
) -> Replication:
    recipe = card.recipe
    learned, validated = split(recipe, train, test)
    tested = of_digits(test, recipe.digits)
    images = Images(train, test, learned, validated, tested, held_out=recipe.held_out > 0)
    return replication.measure(network, images, REPORTED, on_progress=on_progress)


def _findings(network: Network, card: Card, measured: Replication) -> Findings:
    try:
        robustnesses = robustness.read_cache()
    except shipped.MeasuredFileError:  # the sections say what is missing
        robustnesses = {}
    known = {preset: _trial(preset, robustnesses) for preset in presets()}
    return Findings(
        **vars(measured),
        card=card,
        layers=tuple(member.sizes for member in network.members),
        size=network.parameter_count,
        trials=tuple(
            Trial(remedy, *known[remedy.preset], *known[remedy.compared_with])
            for remedy in REMEDIES
        ),
    )


def _trial(
    preset: str, robustnesses: Mapping[str, Robustness]
) -> tuple[Robustness | None, float | None]:
    """Return a shipped network's measurements and the seconds of its training, where known."""
    try:
        network, card = LIBRARY.load(preset)
    except NetworkFileError:
        return None, None
    return robustnesses.get(robustness.digest(network)), card.train_seconds
