"""What seeds alone change."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.evaluation import robustness, seeds, shipped
from core.evaluation.robustness import EPSILONS, MEASURED_ATTACKS, Robustness
from core.evaluation.seeds import Chance
from core.networks import MLP
from core.recipe import PRESETS, Recipe

TEN = (0.5,) * 10


def measured(accuracy: float, *rates: float) -> Robustness:
    """A network with the same evasion rates under all attacks, the first throughout by default."""
    rates = rates if len(rates) > 1 else rates * len(EPSILONS)
    by_attack = dict.fromkeys(MEASURED_ATTACKS, rates)
    return Robustness(10_000, accuracy, 1000, EPSILONS, by_attack, None, TEN, TEN)


def test_the_spread_is_from_the_smallest_to_the_largest() -> None:
    spread = seeds.Spread.over([measured(0.97, 0.7), measured(0.98, 0.6), measured(0.96, 0.65)])
    assert spread == seeds.Spread(3, 0.1, (0.96, 0.98), (0.6, 0.7))


def test_chance_is_the_largest_difference_where_as_many_images_are_misled() -> None:
    low = (0.02, 0.08, 0.3, 0.7, 0.9, *[1.0] * 8)
    high = (0.03, 0.1, 0.4, 0.75, 0.95, *[1.0] * 8)
    among = Chance.among([measured(0.9773, *low), measured(0.98, *low), measured(0.9819, *high)])
    assert among.accuracy == 0.5  # of the accuracies as they are shown
    for attack in MEASURED_ATTACKS:
        assert among.most(attack) == 10.0
        assert among.differences[attack][:6] == (1.0, 2.0, 10.0, 5.0, 5.0, 0.0)
        assert among.of(attack, among.rates[attack][2]) == 10.0
        middle = (among.rates[attack][2] + among.rates[attack][3]) / 2
        assert among.of(attack, middle) == 7.5
        assert among.of(attack, 0.0, middle) == 7.5  # the larger of both
        assert among.of(attack, 0.0) == 1.0
        assert among.of(attack, 1.0, 1.0) == 0.0


def test_each_seed_has_a_recipe_of_its_own() -> None:
    recipes = [seeds.recipe_of(seed) for seed in seeds.SEEDS]
    assert recipes[0] == PRESETS["report"]
    assert len(set(recipes)) == 10
    assert {replace(recipe, seed=0) for recipe in recipes} == {Recipe()}


def test_the_shipped_spread_is_of_ten_networks_the_shipped_one_among_them(
    report_network: MLP,
) -> None:
    spread = seeds.known_spread(Recipe(seed=123))
    assert spread is not None
    assert spread.networks == 10
    own = robustness.cached(report_network, path=seeds.PATH)
    assert own == robustness.cached(report_network)
    assert own is not None
    assert spread.clean_accuracy[0] <= own.clean_accuracy <= spread.clean_accuracy[1]


def test_how_much_chance_decides_is_kept_with_the_figures() -> None:
    among = seeds.known_chance()
    assert among is not None
    figures = robustness.read_cache(seeds.PATH).values()
    for attack in MEASURED_ATTACKS:
        at = [each.evasion_rate(attack, 0.1) for each in figures]
        found = among.differences[attack][EPSILONS.index(0.1)]
        assert found == pytest.approx(100 * (max(at) - min(at)), abs=0.051)
        assert among.most(attack) >= found > 0


def test_one_network_alone_says_nothing_about_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report_network: MLP
) -> None:
    monkeypatch.setattr(seeds, "PATH", tmp_path / "seeds.json")
    assert seeds.known_chance() is None
    known = robustness.cached(report_network)
    digest = robustness.digest(report_network)
    shipped.complete(seeds.PATH, {"seed 0": digest}, lambda names: [("seed 0", known)])
    assert seeds.known_chance() is None
    assert seeds.known_spread(Recipe()) is not None


def test_of_another_recipe_no_spread_is_known() -> None:
    assert seeds.known_spread(PRESETS["dropout"]) is None
