"""The compiled loop, beside the PyTorch engine and beside autograd."""

from typing import Any

import numpy as np
import pytest

from core.data.mnist import Digits
from core.recipe import Recipe
from core.training.compiled import CompiledEngine
from core.training.loop import Engine
from core.training.pytorch import TorchEngine
from tests.core.training.comparison import first, gradients, initial_mlp, largest_difference

STEPS = 1000
FROZEN = {"frozen": 1, "start": "another"}
ALL = {"dropout": 0.3, "weight_decay": 0.05, **FROZEN}


def dropout_mask(recipe: Recipe, images: int) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    """Which units stay open, the same for both engines."""
    if not recipe.dropout:
        return None
    draws: np.ndarray[Any, np.dtype[np.bool_]] = (
        np.random.default_rng(1).random((images, sum(recipe.hidden))) >= recipe.dropout
    )
    return draws


def assert_engines_agree(recipe: Recipe, digits: Digits) -> float:
    """Run both for 1,000 steps; returns how far they went from the start."""
    start = initial_mlp(recipe)
    order = np.random.default_rng(0).permutation(60_000)[:STEPS]
    engines: list[Engine] = [CompiledEngine(start, recipe), TorchEngine(start, recipe)]
    (loss, correct), (torch_loss, torch_correct) = (
        engine.run(digits.x, digits.y, order, recipe.learning_rate, dropout_mask(recipe, STEPS))
        for engine in engines
    )
    compiled, torched = (engine.network() for engine in engines)
    assert largest_difference(compiled, torched) < 1e-4
    assert loss == pytest.approx(torch_loss, rel=1e-4)
    assert correct == pytest.approx(torch_correct, abs=1)
    return largest_difference(compiled, start)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "options",
    [{}, {"dropout": 0.5}, {"weight_decay": 0.1}, FROZEN, ALL],
    ids=["plain", "dropout", "weight decay", "frozen", "all"],
)
@pytest.mark.parametrize("hidden", [(128, 64), (), (32,), (40, 30, 20)])
def test_both_engines_end_in_the_same_weights_after_1000_steps(
    hidden: tuple[int, ...], options: dict[str, Any], training_digits: Digits
) -> None:
    if not hidden and "frozen" in options:
        options = {**options, "frozen": 0}
    recipe = Recipe(hidden=hidden, **options)
    assert assert_engines_agree(recipe, training_digits) > 1e-2


@pytest.mark.parametrize("frozen", [2, 3])
def test_both_engines_agree_on_deeper_frozen_layers(frozen: int, training_digits: Digits) -> None:
    recipe = Recipe(hidden=(40, 30, 20), frozen=frozen, start="another", weight_decay=0.1)
    assert assert_engines_agree(recipe, training_digits) > 1e-2


@pytest.mark.parametrize("learning_rate", [0.1, 1.0, 9.0])
def test_weights_may_decay_by_orders_of_magnitude_within_a_run(
    learning_rate: float, training_digits: Digits
) -> None:
    # A hundredth, a tenth, nine tenths a step: 0.9 to the 1,000th is 0 in float32.
    recipe = Recipe(hidden=(40, 30, 20), weight_decay=0.1, learning_rate=learning_rate)
    assert assert_engines_agree(recipe, training_digits) > 1e-2


@pytest.mark.parametrize(
    ("options", "frozen"),
    [({}, 0), ({"dropout": 0.4}, 0), ({"weight_decay": 0.1}, 0), (FROZEN, 1), (ALL, 1)],
    ids=["plain", "dropout", "weight decay", "frozen", "all"],
)
def test_one_step_is_autograd_s(
    options: dict[str, Any], frozen: int, training_digits: Digits
) -> None:
    recipe = Recipe(learning_rate=0.1, **options)
    start, digits, mask = (
        initial_mlp(recipe),
        first(training_digits, 1),
        dropout_mask(recipe, 1),
    )
    gates = None if mask is None else mask / (1 - recipe.dropout)
    slopes, bias_slopes = gradients([*start.weights], [*start.biases], digits, gates)
    engine = CompiledEngine(start, recipe)
    engine.run(digits.x, digits.y, np.array([0]), 0.1, mask)
    stepped = engine.network()
    for layer in range(3):
        weight, bias = start.weights[layer].astype(np.float64), start.biases[layer]
        if layer >= frozen:
            weight = weight - 0.1 * (slopes[layer] + recipe.weight_decay * weight)
            bias = bias - 0.1 * bias_slopes[layer]
        np.testing.assert_allclose(stepped.weights[layer], weight, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(stepped.biases[layer], bias, rtol=1e-6, atol=1e-7)


def test_runs_add_up(training_digits: Digits) -> None:
    recipe = Recipe(weight_decay=0.1, learning_rate=0.1)
    x, y, order = training_digits.x, training_digits.y, np.arange(400)
    whole, halves = (CompiledEngine(initial_mlp(recipe), recipe) for _ in range(2))
    loss, correct = whole.run(x, y, order, 0.1)
    parts = [halves.run(x, y, half, 0.1) for half in (order[:150], order[150:])]
    assert largest_difference(whole.network(), halves.network()) < 1e-5
    assert loss == pytest.approx(sum(part[0] for part in parts), rel=1e-5)
    assert correct == pytest.approx(sum(part[1] for part in parts), abs=1)


def test_the_network_is_a_copy(training_digits: Digits) -> None:
    start = initial_mlp(Recipe())
    engine = CompiledEngine(start, Recipe())
    before = engine.network()
    engine.run(training_digits.x, training_digits.y, np.arange(50), 0.01)
    assert largest_difference(before, start) == 0
    assert largest_difference(engine.network(), start) > 1e-3


@pytest.mark.parametrize(
    ("options", "covered"),
    [
        ({}, True),
        (ALL, True),
        ({"rotation": 5, "held_out": 5, "patience": 1, "schedule": "cosine", "members": 2}, True),
        ({"batch_size": 2}, False),
        ({"optimizer": "momentum"}, False),
        ({"optimizer": "adam"}, False),
        ({"batch_norm": True, "batch_size": 2}, False),
        ({"adversary": "fgsm"}, False),
        ({"adversary": "interval"}, False),
    ],
)
def test_what_it_covers(options: dict[str, Any], covered: bool) -> None:
    assert Recipe(**options).reproducible is covered
