"""The influence of the seed: the course report's recipe trained with ten seeds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from core.evaluation.robustness import MEASURED_ATTACKS, STRONGEST, Robustness, read_cache
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
        evasion_rate: under the strongest attack at `epsilon`, misled / all attacked, in [0, 1].
    """

    networks: int
    epsilon: float
    clean_accuracy: tuple[float, float]
    evasion_rate: tuple[float, float]

    @classmethod
    def over(cls, measured: Collection[Robustness]) -> "Spread":
        """Return the spread over some measured networks, at least one."""
        accuracies = [each.clean_accuracy for each in measured]
        rates = [each.evasion_rate(STRONGEST, EPSILON) for each in measured]
        bounds = [(min(each), max(each)) for each in (accuracies, rates)]
        return cls(len(measured), EPSILON, *bounds)


@dataclass(frozen=True)
class Chance:
    """How much networks differ whose seeds alone differ, in percentage points.

    Near 0 and 100 % the evasion rates of such networks hardly differ; where about half of the
    images are misled, they differ most. So how much chance decides is a matter of the rate.

    Attributes:
        accuracy: the largest difference of two clean accuracies.
        rates: for each attack, the networks' mean evasion rates, rising with ε, in [0, 1].
        differences: for each attack, the largest differences of two evasion rates at the same ε.
    """

    accuracy: float
    rates: Mapping[str, tuple[float, ...]]
    differences: Mapping[str, tuple[float, ...]]

    @classmethod
    def among(cls, measured: Collection[Robustness]) -> "Chance":
        """Return how much some measured networks differ, at least two."""
        rates, differences = {}, {}
        in_percent = [round(100 * each.clean_accuracy, 1) for each in measured]  # as it is shown
        for attack in MEASURED_ATTACKS:
            shares = np.array([each.evasion_rates[attack] for each in measured])
            rates[attack] = tuple(shares.mean(axis=0).tolist())
            differences[attack] = tuple((100 * np.ptp(shares, axis=0)).round(1).tolist())
        accuracy = round(max(in_percent) - min(in_percent), 1)
        return cls(accuracy, rates, differences)

    def of(self, attack: str, *rates: float) -> float:
        """Return by how much networks that an attack misleads as often differ by chance.

        Args:
            attack: one of `MEASURED_ATTACKS`.
            rates: evasion rates. That of them counts at which chance decides most.
        """
        at = np.interp(rates, self.rates[attack], self.differences[attack])
        return round(float(at.max()), 1)

    def most(self, attack: str) -> float:
        """Return the largest of an attack's `differences`."""
        return max(self.differences[attack])


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


def known_chance() -> Chance | None:
    """Return how much chance decides, or None if it has not been measured.

    Raises:
        MeasuredFileError: the file is damaged or can't be read.
    """
    measured = read_cache(PATH)
    return Chance.among(measured.values()) if len(measured) > 1 else None
