"""How much chance decides: the course report's recipe, trained with ten seeds and measured."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.data.mnist import Digits
from core.evaluation import shipped
from core.evaluation.robustness import Robustness, decoded, digest, encoded, measure
from core.networks import LIBRARY, Network
from core.recipe import PRESETS, Recipe

SEEDS = range(10)
PATH = LIBRARY.folder / "seeds.json"
EPSILON = 0.1  # the L∞ budget at which the spread is told


@dataclass(frozen=True)
class Spread:
    """The smallest and the largest value over some seeds, each in [0, 1].

    Attributes:
        seeds: how many there are.
        clean_accuracy: over all test images, without an attack.
        evasion_rate: under PGD at `EPSILON`, misclassified / all test images.
    """

    seeds: int
    clean_accuracy: tuple[float, float]
    evasion_rate: tuple[float, float]


def recipe_of(seed: int) -> Recipe:
    """Return the course report's recipe with a seed."""
    return replace(PRESETS["report"], seed=seed)


def has_known_spread(recipe: Recipe) -> bool:
    """Whether a recipe is one of those whose spread over the seeds is measured."""
    return replace(recipe, seed=0) == recipe_of(0)


def write(
    networks: Sequence[Network],
    test: Digits,
    *,
    path: Path = PATH,
    on_progress: Callable[[int], object] = lambda budgets: None,
) -> None:
    """Measure a network of each seed, unless the file knows it (see `shipped.complete`).

    Args:
        networks: those of `SEEDS`, in their order.
        test: MNIST's test images.
        path: of the file.
        on_progress: as in `robustness.measure`.

    Raises:
        MeasuredFileError: the file can't be written.
    """
    by_name = {f"seed {seed}": network for seed, network in zip(SEEDS, networks, strict=True)}
    shipped.complete(
        path,
        {name: digest(network) for name, network in by_name.items()},
        lambda name: measure(by_name[name], test, on_progress=on_progress),
        decode=decoded,
        encode=encoded,
    )


def read(path: Path = PATH) -> tuple[Robustness, ...]:
    """Return what was measured, one network a seed; errors as in `shipped.read`."""
    return tuple(shipped.read(path, decoded).values())


def spread(measured: Sequence[Robustness]) -> Spread:
    """Return the spread over networks that differ by their seeds alone, at least one."""
    accuracies = [each.clean_accuracy for each in measured]
    rates = [each.evasion_rate("pgd", EPSILON) for each in measured]
    return Spread(len(measured), (min(accuracies), max(accuracies)), (min(rates), max(rates)))
