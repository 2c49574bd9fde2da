"""Training for the proof beside the bounds that prove, and what it is worth."""

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import Linear

from core import bounds, measures
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks import MLP, Network
from core.recipe import KAPPA, PRESETS, RAMPED_UP, WARM_UP, Recipe
from core.training import initial_network, split, train
from core.training.outcome import Epochs, outcome
from core.training.proof import losses, worst_logits
from core.training.pytorch import TorchEngine
from tests.conftest import SHIPPED, random_mlp
from tests.core.training.comparison import first, largest_difference, mlp

INTERVAL = Recipe(
    hidden=(20, 15), adversary="interval", adversary_epsilon=0.1, batch_size=64, optimizer="adam"
)
CERTIFIED = PRESETS["certified"]


def linears(network: MLP, dtype: torch.dtype) -> list[Linear]:
    """Return a network's layers as PyTorch has them."""
    layers = [Linear(*sizes, dtype=dtype) for sizes in pairwise(network.sizes)]
    with torch.no_grad():
        for layer, weight, bias in zip(layers, network.weights, network.biases, strict=True):
            layer.weight.copy_(torch.tensor(weight.T.copy()))
            layer.bias.copy_(torch.tensor(bias))
    return layers


def worst(network: MLP, digits: Digits, epsilon: float, dtype: torch.dtype) -> FloatArray:
    """Return the bounds of training, as float64."""
    x, y = torch.tensor(digits.x).to(dtype), torch.tensor(digits.y)
    with torch.no_grad():
        found = worst_logits(linears(network, dtype), x, y, epsilon)
    numbers: FloatArray = found.double().numpy()
    return numbers


# The bounds


@pytest.mark.parametrize("epsilon", [0.0, 0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("hidden", [(), (30,), (40, 30), (12, 11, 10, 9)])
def test_the_bounds_are_those_that_prove(
    hidden: tuple[int, ...], epsilon: float, test_digits: Digits
) -> None:
    network, some = random_mlp((784, *hidden, 10), seed=len(hidden)), first(test_digits, 40)
    proved = bounds.margins(network, some.x, some.y, epsilon, method="interval")
    others = np.isfinite(proved)
    assert others.sum() == 40 * 9
    ours = worst(network, some, epsilon, torch.float64)
    assert (ours[~others] == 0).all()
    room = -ours[others] - proved[others]  # what the proof allows for rounding
    scale = 1 + np.abs(proved[others]).max()
    assert room.min() >= 0
    assert room.max() < 1e-5 * scale
    coarse = worst(network, some, epsilon, torch.float32)
    np.testing.assert_allclose(coarse, ours, atol=1e-5 * scale)


def test_no_image_within_epsilon_is_worse_than_the_bounds(test_digits: Digits) -> None:
    network, some, epsilon = random_mlp((784, 30, 10), seed=1), first(test_digits, 20), 0.1
    limits, rng = worst(network, some, epsilon, torch.float64), np.random.default_rng(0)
    for _ in range(50):
        signs = rng.choice([-1, 0, 1], some.x.shape)
        logits = network.logits(np.clip(some.x + epsilon * signs, 0, 1).astype(np.float64))
        above = logits - np.take_along_axis(logits, some.y[:, None], axis=1)
        assert (above <= limits + 1e-9).all()


# The loss and its gradient


def loss_of(layers: list[Linear], x: Tensor, y: Tensor) -> Tensor:
    return losses(layers, x, y, 0.1, 0.3)[0]


def test_the_gradient_is_the_difference_of_losses(test_digits: Digits) -> None:
    layers = linears(random_mlp((784, 12, 9, 10), seed=3), torch.float64)
    x, y = torch.tensor(test_digits.x[:16]).double(), torch.tensor(test_digits.y[:16])
    loss_of(layers, x, y).backward()
    rng, step = np.random.default_rng(0), 1e-6
    for layer in layers:
        for values in (layer.weight, layer.bias):
            assert values.grad is not None
            flat, gradient = values.data.view(-1), values.grad.view(-1)
            # The pixels in the corner are black in every image: their weights move only a bound.
            for place in rng.choice(len(flat), 9, replace=False):
                before = flat[place].item()
                flat[place] = before + step
                above = loss_of(layers, x, y).item()
                flat[place] = before - step
                below = loss_of(layers, x, y).item()
                flat[place] = before
                expected = (above - below) / (2 * step)
                assert gradient[place].item() == pytest.approx(expected, rel=1e-4, abs=1e-8)


def plain_loss(network: MLP, digits: Digits, epsilon: float, kappa: float) -> tuple[float, int]:
    """Return the loss and how many images are proved, from the bounds that prove."""
    y = torch.tensor(digits.y)
    margins = bounds.margins(network, digits.x, digits.y, epsilon, method="interval")
    logits = torch.tensor(np.where(np.isfinite(margins), -margins, 0))
    clean = torch.tensor(network.logits(digits.x)).double()
    entropy = torch.nn.functional.cross_entropy
    loss = kappa * entropy(clean, y) + (1 - kappa) * entropy(logits, y)
    return float(loss), int((margins > 0).all(axis=1).sum())


@pytest.mark.parametrize("done", [0.0, 0.1, 0.15, 0.5, 1.0])
def test_a_run_counts_the_mixed_loss_and_the_proved_images(
    done: float, training_digits: Digits
) -> None:
    plain = dataclasses.replace(INTERVAL, adversary="none")
    learned = TorchEngine(initial_network(plain), plain)
    learned.run(training_digits.x, training_digits.y, np.arange(6400), 0.002)
    network, some = learned.network(), first(training_digits, 300)
    recipe = dataclasses.replace(INTERVAL, batch_size=300, adversary_epsilon=0.01)
    engine = TorchEngine(network, recipe)
    loss, proved = engine.run(some.x, some.y, np.arange(300), 1e-9, done=done)
    expected = plain_loss(mlp(network), some, *recipe.proof_at(done))
    assert loss / 300 == pytest.approx(expected[0], rel=1e-3)
    assert abs(proved - expected[1]) <= 1  # rounding may decide one
    assert 0 < proved < 300


def test_before_epsilon_grows_it_learns_the_images_themselves(training_digits: Digits) -> None:
    recipes = (INTERVAL, dataclasses.replace(INTERVAL, adversary="none"))
    engines = [TorchEngine(initial_network(recipe), recipe) for recipe in recipes]
    for engine in engines:
        engine.run(training_digits.x, training_digits.y, np.arange(640), 0.002, done=0.0)
    one, other = (engine.network() for engine in engines)
    assert largest_difference(one, other) < 1e-5
    assert largest_difference(one, initial_network(INTERVAL)) > 1e-3


# The schedule


@pytest.mark.parametrize(
    ("done", "share"),
    [
        (0, 0),
        (WARM_UP, 0),
        ((WARM_UP + RAMPED_UP) / 2, 0.5),
        (RAMPED_UP, 1),
        (0.7, 1),
        (1, 1),
    ],
)
def test_epsilon_grows_while_the_images_themselves_count_less(done: float, share: float) -> None:
    epsilon, kappa = Recipe(adversary="interval", adversary_epsilon=0.3).proof_at(done)
    assert epsilon == pytest.approx(0.3 * share)
    assert kappa == pytest.approx(1 - share * (1 - KAPPA))


def test_the_loop_says_how_much_is_done(
    training_digits: Digits, test_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []

    def proof_at(self: Recipe, done: float) -> tuple[float, float]:
        told.append(done)
        return 0.0, 1.0

    monkeypatch.setattr(Recipe, "proof_at", proof_at)
    recipe = dataclasses.replace(INTERVAL, epochs=2, batch_size=1500, members=2)
    list(train(recipe, first(training_digits, 6000), first(test_digits, 10)))
    steps = [0, 0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75]
    assert told == pytest.approx(steps * 2)  # anew for each member


# What it is worth


def proved_share(network: Network, digits: Digits, epsilon: float, method: str) -> float:
    safe = bounds.certified(network, digits.x, digits.y, epsilon, method=method)
    return float(safe.mean())


@pytest.mark.thorough
@pytest.mark.training
@pytest.mark.parametrize("members", [1, 2])
def test_far_more_images_are_proved(
    members: int, training_digits: Digits, test_digits: Digits
) -> None:
    short: dict[str, Any] = {"hidden": (32,), "epochs": 6, "training_images": 8000}
    recipe = dataclasses.replace(CERTIFIED, **short, members=members, adversary_epsilon=0.06)
    training, validation = split(recipe, training_digits, first(test_digits, 1000))
    *_, last = train(recipe, training, validation)
    plain = dataclasses.replace(recipe, adversary="none")
    *_, other = train(plain, training, validation)
    assert proved_share(other.kept, validation, 0.05, "interval") < 0.1
    assert proved_share(last.kept, validation, 0.05, "interval") > 0.5
    assert last.logged.validation_accuracy > 0.8


@pytest.mark.parametrize("method", bounds.METHODS)
def test_four_of_five_test_images_are_proved_for_the_shipped_network(
    method: str, test_digits: Digits
) -> None:
    network, card = SHIPPED.load("certified")
    assert card.recipe == CERTIFIED
    assert network.members[0].sizes == SHIPPED.load("report")[0].members[0].sizes
    assert proved_share(network, first(test_digits, 1000), 0.1, method) >= 0.8
    assert card.test_accuracy == measures.accuracy(network, test_digits.x, test_digits.y)


@pytest.mark.thorough
@pytest.mark.parametrize("method", bounds.METHODS)
def test_so_they_are_of_all_test_images(method: str, test_digits: Digits) -> None:
    network, _ = SHIPPED.load("certified")
    assert proved_share(network, test_digits, 0.1, method) >= 0.8


# When it is stopped


def test_one_that_was_stopped_keeps_its_last_epoch(
    training_digits: Digits, test_digits: Digits
) -> None:
    some: dict[str, Any] = {"training": first(training_digits, 300)}
    some |= {"validation": first(test_digits, 100), "test": first(test_digits, 100)}
    recipe = dataclasses.replace(INTERVAL, epochs=5)
    epochs = Epochs()
    for result in train(recipe, some["training"], some["validation"]):
        # As where ε grows: the network reads fewer images than it did before.
        lower = dataclasses.replace(result.logged, validation_accuracy=1 / result.logged.epoch)
        epochs = epochs.after(dataclasses.replace(result, logged=lower))
        if result.logged.epoch == 3:
            break
    network, card = outcome(recipe, epochs, **some, seconds=1, today="2026-01-02", stopped=True)
    assert card.epochs_trained == 3
    assert network is epochs.last.network  # type: ignore[union-attr]
