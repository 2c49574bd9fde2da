"""What each setting of a recipe changes in the training."""

import dataclasses

import numpy as np
import pytest

from core import measures
from core.data.mnist import Digits
from core.networks import MLP, Sequential
from core.networks.layers import AveragePooling, MaxPooling
from core.recipe import Recipe
from core.training import initial_network, train
from tests.conftest import random_mlp
from tests.core.training.comparison import (
    every_engine,
    first,
    initial_mlp,
    largest_difference,
    mlp,
)


def black(count: int) -> Digits:
    """Return black images: in the first layer only the biases have a gradient."""
    return Digits(np.zeros((count, 784), np.float32), np.arange(count) % 10)


# Schedule


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.1] * 8),
        ("step", [0.1] * 4 + [0.01] * 2 + [0.001] * 2),
        ("cosine", [0.1 * (1 + np.cos(np.pi * done / 8)) / 2 for done in range(8)]),
    ],
)
@every_engine
def test_each_epoch_has_the_schedule_s_learning_rate(
    engine: str, schedule: str, expected: list[float]
) -> None:
    recipe = Recipe(hidden=(), epochs=8, learning_rate=0.1, schedule=schedule, weight_decay=0.1)
    images = black(100)
    used = []
    before = initial_mlp(recipe).weights[0]
    for report in train(recipe, images, images, engine=engine):
        # Weights without a gradient only decay, by learning rate × λ a step.
        after = mlp(report.network).weights[0]
        ratio = np.median(after / before)
        used.append((1 - ratio ** (1 / len(images))) / recipe.weight_decay)
        before = after
    np.testing.assert_allclose(used, expected, rtol=1e-2)


# Weight decay


@every_engine
def test_decay_shrinks_weights_and_no_bias(engine: str, few: Digits, others: Digits) -> None:
    def trained(images: Digits, weight_decay: float) -> MLP:
        recipe = Recipe(hidden=(20,), epochs=1, weight_decay=weight_decay)
        (report,) = train(recipe, images, others, engine=engine)
        return mlp(report.network)

    start = initial_mlp(Recipe(hidden=(20,)))
    plain, decayed = (trained(first(few, 1), decay) for decay in (0.0, 0.1))
    for layer in range(2):
        shrinkage = plain.weights[layer] - decayed.weights[layer]
        np.testing.assert_allclose(shrinkage, 0.001 * start.weights[layer], atol=1e-7)
        np.testing.assert_array_equal(plain.biases[layer], decayed.biases[layer])
    plain, decayed = (trained(few, decay) for decay in (0.0, 0.1))
    for layer in range(2):
        norms = [np.linalg.norm(network.weights[layer]) for network in (plain, decayed)]
        assert norms[1] < 0.9 * norms[0]


# Dropout


@every_engine
def test_dropout_keeps_the_expectation_and_is_off_afterwards(engine: str) -> None:
    # One hidden unit of output 1. In training it gives 1 / (1 - dropout) or, dropped, 0.
    second = np.zeros((1, 10), np.float32)
    second[0, 3] = 2
    start = MLP(
        (np.full((784, 1), 1 / 784, np.float32), second),
        (np.zeros(1, np.float32), np.zeros(10, np.float32)),
    )
    images = Digits(np.ones((4000, 784), np.float32), np.full(4000, 3))
    recipe = Recipe(hidden=(1,), epochs=1, dropout=0.25, learning_rate=1e-12, start="another")
    (report,) = train(recipe, images, images, start=start, engine=engine)

    def loss(hidden: float) -> float:
        return float(np.log(1 + 9 * np.exp(-2 * hidden)))

    assert report.logged.validation_loss == pytest.approx(loss(1), rel=1e-4)
    assert largest_difference(report.network, start) < 1e-6
    kept_share = (loss(0) - report.logged.train_loss) / (loss(0) - loss(1 / 0.75))
    assert kept_share == pytest.approx(0.75, abs=0.03)


# Frozen layers and other starts


@pytest.mark.parametrize("frozen", [0, 1, 2])
@every_engine
def test_frozen_layers_stay_and_the_rest_learns(
    engine: str, frozen: int, few: Digits, others: Digits
) -> None:
    start = random_mlp((784, 24, 16, 10), seed=1, dtype=np.float32)
    recipe = Recipe(hidden=(24, 16), epochs=2, start="another", frozen=frozen, weight_decay=0.01)
    *_, last = train(recipe, few, others, start=start, engine=engine)
    network = mlp(last.network)
    for layer in range(3):
        for before, after in (
            (start.weights[layer], network.weights[layer]),
            (start.biases[layer], network.biases[layer]),
        ):
            assert (before == after).all() == (layer < frozen)


@every_engine
def test_training_goes_on_from_the_start(engine: str, few: Digits, others: Digits) -> None:
    start = random_mlp((784, 24, 10), seed=1, dtype=np.float32)
    recipe = Recipe(hidden=(24,), epochs=1, start="another", learning_rate=1e-9)
    (report,) = train(recipe, few, others, start=start, engine=engine)
    assert largest_difference(report.network, start) < 1e-5
    assert report.logged.train_accuracy == measures.accuracy(start, few.x, few.y)


@pytest.mark.parametrize(
    ("name", "sizes", "said"),
    [
        ("another", None, "start must be the network that the recipe names: 'another'"),
        ("", (784, 128, 64, 10), "start must be the network that the recipe names"),
        ("another", (784, 128, 10), "start: another has the layers 784-128-10, the recipe"),
        ("another", (783, 128, 64, 10), "start: another has the layers 783-"),
        ("another", (784, 128, 64, 5), "start: another has the layers .*-5,"),
    ],
)
@every_engine
def test_a_start_that_does_not_fit_is_refused(
    engine: str, name: str, sizes: tuple[int, ...] | None, said: str, few: Digits, others: Digits
) -> None:
    start = random_mlp(sizes, seed=0, dtype=np.float32) if sizes else None
    with pytest.raises(ValueError, match=f"^{said}"):
        next(train(Recipe(start=name), few, others, start=start, engine=engine))


def test_a_start_of_other_convolutions_is_refused_and_named(few: Digits, others: Digits) -> None:
    recipe = Recipe(convolutions=(3, 4), hidden=(20,), batch_size=8, epochs=1, start="another")
    fits = initial_network(dataclasses.replace(recipe, start="", seed=5))
    assert isinstance(fits, Sequential)
    pools = [MaxPooling(2, 2) if isinstance(each, AveragePooling) else each for each in fits.layers]
    perceptron = random_mlp((784, 20, 10), seed=0, dtype=np.float32)
    for start, said in (
        (Sequential(tuple(pools)), "max pooling to 3 × 14 × 14"),
        (perceptron, "784-20-10"),
        (initial_network(dataclasses.replace(recipe, convolutions=(3,))), "3 × 28 × 28"),
    ):
        with pytest.raises(ValueError, match=f"^start: another .*{said}.* the recipe convolution"):
            next(train(recipe, few, others, start=start))
    with pytest.raises(ValueError, match="^start: another .* convolution .* the recipe 784-20-10$"):
        next(train(dataclasses.replace(recipe, convolutions=()), few, others, start=fits))
    (report,) = train(dataclasses.replace(recipe, learning_rate=1e-9), few, others, start=fits)
    assert largest_difference(report.network, fits) < 1e-5
