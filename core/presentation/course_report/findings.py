"""What the course report's sections need: a network's measurements, its card, the remedies."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.data import mnist
from core.data.mnist import Digits
from core.evaluation import replication, robustness, shipped, sweep
from core.evaluation.replication import PASSES, Images, Replication, Reported
from core.evaluation.robustness import Robustness
from core.evaluation.sweep import Stored, Task
from core.networks import LIBRARY, Card, Network, NetworkFileError
from core.presentation.course_report import facts
from core.presentation.remedies import presets
from core.recipe import Recipe
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
    `test` are MNIST's images. `on_progress` receives again and again how many more images are
    done, in all `PASSES` times the number of test images.

    Raises:
        ValueError: there are too few images for the card's recipe.
    """
    return _findings(network, card, _measured(network, card, train, test, on_progress))


def shipped_report(network: Network, card: Card) -> Findings | None:
    """Return the findings of a network if they are shipped, else None. This needs no MNIST.

    Raises:
        MeasuredFileError: the file of measurements is damaged or can't be read.
    """
    known = replication.cached(_key(network, card))
    return None if known is None else _findings(network, card, known)


def measure_files(
    files: Mapping[str, Path],
    executor: Executor,
    *,
    path: Path | None = None,
    images: int | None = None,
    on_progress: Callable[[int], object] = lambda networks: None,
) -> None:
    """Do for the course report what `robustness.measure_files` does; one network is one task.

    Args:
        files: the networks' files by their names.
        executor: see `core.evaluation.sweep.results`.
        path: the file of figures; None for the shipped one.
        images: how many of MNIST's test images, from the first; None for all.
        on_progress: called with 1 for each network that is done.

    Raises:
        Exception: as `robustness.measure_files` does.
    """
    stored = {name: Stored.at(file, _key) for name, file in files.items()}

    def measured(names: list[str]) -> Iterator[tuple[str, Replication]]:
        if names:
            mnist.load("train")  # unpacked here, before several workers would do it
        tasks = {name: [Task(_measure_stored, (stored[name], images), 1)] for name in names}
        for name, (found,) in sweep.results(executor, tasks, on_progress):
            yield name, found

    shipped.complete(
        path or replication.CACHE,
        {name: each.key for name, each in stored.items()},
        measured,
        on_known=lambda: on_progress(1),
    )


def _key(network: Network, card: Card) -> str:
    return replication.digest(network, _recipe(card), REPORTED)


def _recipe(card: Card) -> Recipe:
    """Return the recipe that decides which images a network is measured on.

    Where it is not known, these are all of MNIST's, as by the report's recipe.
    """
    return card.recipe or Recipe()


def _measure_stored(stored: Stored, images: int | None) -> Replication:
    network, card = stored.load(_key)
    test = sweep.digits("test", images)
    return _measured(network, card, sweep.digits("train"), test, lambda images: None)


def _measured(
    network: Network, card: Card, train: Digits, test: Digits, on_progress: Callable[[int], object]
) -> Replication:
    recipe = _recipe(card)
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
