"""What seeds alone change."""

from dataclasses import replace

from core.evaluation import robustness, seeds
from core.evaluation.robustness import EPSILONS, Robustness
from core.networks import MLP
from core.recipe import PRESETS, Recipe

TEN = (0.5,) * 10


def measured(accuracy: float, rate: float) -> Robustness:
    """A network with one evasion rate throughout."""
    rates = (rate,) * len(EPSILONS)
    return Robustness(10_000, accuracy, EPSILONS, {"fgsm": rates, "pgd": rates}, TEN, TEN)


def test_the_spread_is_from_the_smallest_to_the_largest() -> None:
    spread = seeds.Spread.over([measured(0.97, 0.7), measured(0.98, 0.6), measured(0.96, 0.65)])
    assert spread == seeds.Spread(3, 0.1, (0.96, 0.98), (0.6, 0.7))


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


def test_of_another_recipe_no_spread_is_known() -> None:
    assert seeds.known_spread(PRESETS["dropout"]) is None
