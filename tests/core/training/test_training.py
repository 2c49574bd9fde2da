"""Training as a generator of reports, by each engine and from each seed."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from core import measures
from core.data.mnist import Digits
from core.networks import Sequential, Single
from core.recipe import PRESETS, Recipe
from core.training import initial_network, split, train
from tests.conftest import random_mlp
from tests.core.training.comparison import (
    REPORT,
    every_engine,
    first,
    initial_mlp,
    largest_difference,
)

# Reports


@every_engine
def test_an_epoch_is_reported_as_it_was(
    engine: str, training_digits: Digits, test_digits: Digits
) -> None:
    training, validation = first(training_digits, 700), first(test_digits, 300)
    seen: list[int] = []
    recipe = dataclasses.replace(REPORT, epochs=2)
    reports = list(train(recipe, training, validation, engine=engine, on_progress=seen.append))
    assert [report.logged.epoch for report in reports] == [1, 2]
    assert [report.logged.member for report in reports] == [1, 1]
    assert sum(seen) == 1400
    assert reports[1].logged.train_loss < reports[0].logged.train_loss < 2.4
    last = reports[-1]
    accuracy = measures.accuracy(last.network, validation.x, validation.y)
    assert last.logged.validation_accuracy == pytest.approx(accuracy)
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(last.network.logits(validation.x)), torch.tensor(validation.y)
    )
    assert last.logged.validation_loss == pytest.approx(expected.item(), rel=1e-4)
    assert last.kept is last.network
    assert last.kept_epoch == 2


def test_closing_the_generator_stops_the_training(few: Digits, others: Digits) -> None:
    run = train(REPORT, few, others)
    next(run)
    run.close()
    assert list(run) == []


def test_a_training_that_diverges_says_so(few: Digits, others: Digits) -> None:
    with pytest.raises(ValueError, match="^training diverged in epoch 1: .* learning_rate$"):
        list(train(Recipe(learning_rate=10), few, others))


def test_the_initial_network_is_as_torch_starts() -> None:
    network = initial_mlp(Recipe(seed=3))
    assert network.sizes == (784, 128, 64, 10)
    for weight, bias in zip(network.weights, network.biases, strict=True):
        bound = 1 / np.sqrt(weight.shape[0])
        assert 0.98 * bound < np.abs(weight).max() <= bound
        assert np.abs(bias).max() <= bound
        assert weight.dtype == bias.dtype == np.float32


def test_a_convolution_s_weights_are_as_torch_starts_it() -> None:
    network = initial_network(PRESETS["convolutional"])
    assert isinstance(network, Sequential)
    for place, inputs in enumerate((25, 150, 400, 120, 84)):
        weight, bias = network.arrays[2 * place : 2 * place + 2]
        bound = 1 / np.sqrt(inputs)
        assert 0.95 * bound < np.abs(weight).max() <= bound
        assert np.abs(bias).max() <= bound
        assert weight.dtype == bias.dtype == np.float32
    other = initial_network(dataclasses.replace(PRESETS["convolutional"], seed=1))
    assert largest_difference(network, other) > 0.1


# Seeds

EVERYTHING: dict[str, Any] = {
    "hidden": (24, 16),
    "epochs": 3,
    "schedule": "cosine",
    "weight_decay": 0.01,
    "dropout": 0.2,
    "rotation": 10,
    "shift": 1.5,
    "scaling": 0.1,
    "shear": 0.2,
    "stretching": 0.2,
    "elastic": 1.5,
    "stroke_width": 0.5,
    "hooks": 0.5,
    "refit": True,
    "flip": True,
    "training_images": 200,
    "held_out": 40,
    "patience": 2,
    "digits": (0, 2, 3, 5, 7),
    "members": 2,
}
FROM_ANOTHER = {**EVERYTHING, "start": "another", "frozen": 1}
IN_BATCHES = {**EVERYTHING, "batch_size": 16, "optimizer": "adam", "adversary": "pgd"}
FOR_A_PROOF = {**IN_BATCHES, "adversary": "interval", "dropout": 0.0, "patience": 0}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("engine", "options"),
    [
        ("compiled", {"epochs": 1}),
        ("compiled", EVERYTHING),
        ("compiled", FROM_ANOTHER),
        ("torch", {"epochs": 1}),
        ("torch", FROM_ANOTHER),
        ("torch", {**IN_BATCHES, "batch_norm": True}),
        ("torch", FOR_A_PROOF),
        ("torch", {**IN_BATCHES, "convolutions": (3, 4), "adversary": "fgsm"}),
        ("torch", {**IN_BATCHES, "start": "another", "frozen": 2, "optimizer": "momentum"}),
    ],
)
def test_equal_recipes_give_equal_networks(
    engine: str, options: dict[str, Any], training_digits: Digits, test_digits: Digits
) -> None:
    def trained(seed: int) -> list[Single]:
        recipe = Recipe(**options, seed=seed)
        training, validation = split(recipe, first(training_digits, 500), first(test_digits, 90))
        start = random_mlp((784, 24, 16, 10), seed=0, dtype=np.float32) if recipe.start else None
        *_, last = train(recipe, training, validation, start=start, engine=engine)
        return list(last.kept.members)

    one, same, other = trained(1), trained(1), trained(5)
    assert len(one) == options.get("members", 1)
    for member, again, another in zip(one, same, other, strict=True):
        assert largest_difference(member, again) == 0
        assert largest_difference(member, another) > 1e-3


# Engines


@every_engine
def test_both_engines_train_a_recipe_alike(engine: str, few: Digits, others: Digits) -> None:
    recipe = Recipe(hidden=(24, 16), epochs=2, dropout=0.2, weight_decay=0.01, schedule="cosine")
    recipe = dataclasses.replace(recipe, rotation=10, shift=1, scaling=0.1, flip=True)
    *_, chosen = train(recipe, few, others)
    *_, last = train(recipe, few, others, engine=engine)
    assert largest_difference(last.network, chosen.network) < 1e-4
    assert last.logged.train_loss == pytest.approx(chosen.logged.train_loss, rel=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 2},
        {"optimizer": "momentum"},
        {"optimizer": "adam"},
        {"batch_norm": True, "batch_size": 2},
        {"adversary": "pgd"},
        {"convolutions": (2,)},
    ],
)
def test_what_the_compiled_loop_does_not_cover_goes_to_torch(
    options: dict[str, Any], few: Digits, others: Digits
) -> None:
    recipe = Recipe(epochs=1, **options)
    with pytest.raises(ValueError, match="plain SGD with batch_size 1"):
        next(train(recipe, few, others, engine="compiled"))
    (chosen,) = train(recipe, few, others)
    (torched,) = train(recipe, few, others, engine="torch")
    assert largest_difference(chosen.network, torched.network) == 0


def test_what_can_t_be_trained_is_refused(test_digits: Digits) -> None:
    some, none = first(test_digits, 5), first(test_digits, 0)
    with pytest.raises(ValueError, match="engine must be one of compiled, torch, not 'jax'"):
        next(train(REPORT, some, some, engine="jax"))
    for training, validation in ((none, some), (some, none)):
        with pytest.raises(ValueError, match="at least one image each"):
            next(train(REPORT, training, validation))


# Presets


@pytest.mark.thorough
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_trained(
    name: str, training_digits: Digits, test_digits: Digits
) -> None:
    preset = PRESETS[name]
    changes: dict[str, Any] = {"epochs": 2, "training_images": 500}
    if preset.held_out:
        changes["held_out"] = 50
    recipe = dataclasses.replace(preset, **changes)
    training, validation = split(recipe, first(training_digits, 2000), first(test_digits, 100))
    start = initial_network(Recipe(hidden=recipe.hidden, seed=9)) if recipe.start else None
    *_, last = train(recipe, training, validation, start=start)
    assert last.logged.member == recipe.members
    before = initial_network(recipe) if start is None else start
    assert last.network.sizes == before.sizes
    assert largest_difference(last.network, before) > 1e-3
