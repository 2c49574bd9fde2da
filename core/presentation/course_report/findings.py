"""What the course report's sections need: a network's measurements, its card, the remedies."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from core.data.mnist import Digits
from core.evaluation import replication, robustness, shipped
from core.evaluation.replication import PASSES, Images, Replication, Reported
from core.evaluation.robustness import Robustness
from core.networks import LIBRARY, Card, Network, NetworkFileError
from core.presentation.course_report import facts
from core.presentation.remedies import presets
from core.training import of_digits, split

REPORTED = Reported(
    facts.EVASION_RATE,
    tuple((said.digit, said.label) for said in facts.MISTAKEN if said.label is not None),
)


@dataclass(frozen=True, eq=False)
class Findings(Replication):
    """All that the report's sections need.

    Attributes:
        network, card: what was measured, and the card in its file.
        trials: by preset, what is known of the shipped networks that try a remedy, or that a remedy
            is compared with.
        seconds: by preset, how long their trainings took.
    """

    network: Network
    card: Card
    trials: Mapping[str, Robustness]
    seconds: Mapping[str, float]


def measure_report(
    network: Network,
    card: Card,
    train: Digits,
    test: Digits,
    *,
    on_progress: Callable[[int], object] = lambda images: None,
) -> Findings:
    """Measure on a network what the course report measured on its own.

    A network that learned only some of the digits is tested on images of these alone. `train` and
    `test` are MNIST's images; for `on_progress` see `write_shipped`.

    Raises:
        ValueError: there are too few images for the card's recipe.
    """
    return _findings(network, card, _measure(network, card, train, test, on_progress))


def shipped_report(network: Network, card: Card) -> Findings | None:
    """Return the findings of a network if they are shipped, else None. This needs no MNIST.

    Raises:
        MeasuredFileError: the file of measurements is damaged or can't be read.
    """
    known = replication.cached(replication.digest(network, card.recipe, REPORTED))
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
        return _measure(*networks[name], train(), test, on_progress)

    shipped.complete(
        replication.CACHE,
        {
            name: replication.digest(network, card.recipe, REPORTED)
            for name, (network, card) in networks.items()
        },
        measure,
        on_known=lambda: on_progress(PASSES * len(test)),
    )


def _measure(
    network: Network, card: Card, train: Digits, test: Digits, on_progress: Callable[[int], object]
) -> Replication:
    recipe = card.recipe
    learned, validated = split(recipe, train, test)
    tested = of_digits(test, recipe.digits)
    images = Images(train, test, learned, validated, tested, held_out=recipe.held_out > 0)
    found = replication.measure(network, images, REPORTED, on_progress=on_progress)
    on_progress(PASSES * (len(test) - len(tested)))
    return found


def _findings(network: Network, card: Card, measured: Replication) -> Findings:
    try:
        known = robustness.read_cache()
    except shipped.MeasuredFileError:  # the sections say what is missing
        known = {}
    trials, seconds = {}, {}
    for preset in presets():
        with suppress(NetworkFileError):
            tried, its_card = LIBRARY.load(preset)
            if its_card.train_seconds is not None:
                seconds[preset] = its_card.train_seconds
            if found := known.get(robustness.digest(tried)):
                trials[preset] = found
    return Findings(**vars(measured), network=network, card=card, trials=trials, seconds=seconds)
