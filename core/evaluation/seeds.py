"""The influence of the seed: the course report's recipe trained with ten seeds."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from core.evaluation.robustness import Robustness, read_cache
from core.networks import LIBRARY
from core.recipe import PRESETS, Recipe

SEEDS = range(10)
PATH = LIBRARY.folder / "seeds.json"  # written and read as `robustness.CACHE` is
EPSILON = 0.1  # the L∞ budget of the `Spread`


@dataclass(frozen=True)
class Spread:
    """The smallest and the largest value over networks that differ only in their seeds.

    Attributes:
        networks: the number of networks.
        epsilon: the L∞ budget of the attack.
        clean_accuracy: over all test images, without an attack, in [0, 1].
        evasion_rate: under PGD at `epsilon`, misclassified / all test images, in [0, 1].
    """

    networks: int
    epsilon: float
    clean_accuracy: tuple[float, float]
    evasion_rate: tuple[float, float]

    @classmethod
    def over(cls, measured: Collection[Robustness]) -> "Spread":
        """Return the spread over some measured networks, at least one."""
        accuracies = [each.clean_accuracy for each in measured]
        rates = [each.evasion_rate("pgd", EPSILON) for each in measured]
        bounds = [(min(each), max(each)) for each in (accuracies, rates)]
        return cls(len(measured), EPSILON, *bounds)


def recipe_of(seed: int) -> Recipe:
    """Return the course report's recipe with another seed."""
    return replace(PRESETS["report"], seed=seed)


def known_spread(recipe: Recipe) -> Spread | None:
    """Return the spread of a recipe over its seeds, or None if it has not been measured.

    Raises:
        MeasuredFileError: the file is damaged or can't be read.
    """
    if replace(recipe, seed=0) != recipe_of(0):
        return None
    measured = read_cache(PATH)
    return Spread.over(measured.values()) if measured else None
