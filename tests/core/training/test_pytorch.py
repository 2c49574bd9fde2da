"""The PyTorch engine beside the textbook formulas in NumPy."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core import measures
from core.attacks import fgsm
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.losses import cross_entropy, exact_cotangent
from core.networks import Sequential, Single
from core.recipe import Recipe
from core.training import initial_network
from core.training.pytorch import TorchEngine, _exact_cotangent
from tests.core.training.comparison import first, gradients, initial_mlp, largest_difference, mlp

BATCH_NORM: dict[str, Any] = {"batch_norm": True, "batch_size": 32, "optimizer": "momentum"}
ADAM: dict[str, Any] = {"optimizer": "adam", "batch_size": 64}


class TextbookOptimizer:
    """The steps of one array, as in the papers."""

    def __init__(self, name: str, learning_rate: float, decay: float) -> None:
        self.name, self.learning_rate, self.decay = name, learning_rate, decay
        self.steps = 0
        self.velocity: FloatArray = np.zeros(())
        self.mean: FloatArray = np.zeros(())
        self.square: FloatArray = np.zeros(())

    def step(self, w: FloatArray, gradient: FloatArray) -> FloatArray:
        """Return `w` after one step."""
        self.steps += 1
        if self.name == "adam":
            self.mean = 0.9 * self.mean + 0.1 * gradient
            self.square = 0.999 * self.square + 0.001 * gradient**2
            mean = self.mean / (1 - 0.9**self.steps)
            square = self.square / (1 - 0.999**self.steps)
            direction = mean / (np.sqrt(square) + 1e-8)
            change: FloatArray = self.learning_rate * (direction + self.decay * w)
            return w - change
        momentum = 0.9 if self.name == "momentum" else 0.0
        self.velocity = momentum * self.velocity + gradient + self.decay * w
        return w - self.learning_rate * self.velocity


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_batches_and_optimizers_are_the_textbook_s(
    optimizer: str, weight_decay: float, training_digits: Digits
) -> None:
    recipe = Recipe(batch_size=4, optimizer=optimizer, weight_decay=weight_decay, hidden=(20, 15))
    start = initial_mlp(recipe)
    weights: list[FloatArray] = [weight.astype(np.float64) for weight in start.weights]
    biases: list[FloatArray] = [bias.astype(np.float64) for bias in start.biases]
    of_weights = [TextbookOptimizer(optimizer, 0.05, weight_decay) for _ in weights]
    of_biases = [TextbookOptimizer(optimizer, 0.05, 0.0) for _ in biases]
    for rows in (slice(0, 4), slice(4, 8), slice(8, 10)):
        batch = Digits(training_digits.x[rows], training_digits.y[rows])
        of_w, of_b = gradients(weights, biases, batch)
        for layer in range(3):
            weights[layer] = of_weights[layer].step(weights[layer], of_w[layer])
            biases[layer] = of_biases[layer].step(biases[layer], of_b[layer])
    engine = TorchEngine(start, recipe)
    engine.run(training_digits.x, training_digits.y, np.arange(10), 0.05)
    network = mlp(engine.network())
    for layer in range(3):
        np.testing.assert_allclose(network.weights[layer], weights[layer], atol=1e-5)
        np.testing.assert_allclose(network.biases[layer], biases[layer], atol=1e-5)
    assert largest_difference(network, start) > 1e-3


def test_dropout_gates_each_image_of_a_batch(training_digits: Digits) -> None:
    recipe = Recipe(batch_size=8, dropout=0.4, hidden=(20, 15))
    start, digits = initial_mlp(recipe), first(training_digits, 8)
    dropout_mask = np.random.default_rng(0).random((8, 35)) >= 0.4
    of_w, _ = gradients([*start.weights], [*start.biases], digits, dropout_mask / 0.6)
    engine = TorchEngine(start, recipe)
    engine.run(digits.x, digits.y, np.arange(8), 0.1, dropout_mask)
    network = mlp(engine.network())
    for layer in range(3):
        expected = start.weights[layer] - 0.1 * of_w[layer]
        np.testing.assert_allclose(network.weights[layer], expected, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"dropout": 0.3}], ids=["alone", "with dropout"])
def test_folding_batch_normalisation_changes_no_logit(
    options: dict[str, Any], training_digits: Digits, test_digits: Digits
) -> None:
    recipe = Recipe(**BATCH_NORM, **options)
    engine = TorchEngine(initial_mlp(recipe), recipe)
    mask = np.random.default_rng(0).random((6400, 192)) >= 0.3 if options else None
    engine.run(training_digits.x, training_digits.y, np.arange(6400), 0.05, mask)
    x = test_digits.x[:1000]
    with torch.no_grad():
        expected = engine.model(torch.tensor(x)).numpy()
    assert not engine.model.training
    for norm in engine.model.norms:  # or there would be little to fold
        assert isinstance(norm, torch.nn.BatchNorm1d)
        assert norm.running_mean is not None
        assert norm.running_mean.abs().max() > 0.1
        assert (norm.weight - 1).abs().max() > 0.01
    np.testing.assert_allclose(engine.network().logits(x), expected, atol=1e-4)


def test_in_training_sums_are_normalised_over_the_batch(training_digits: Digits) -> None:
    recipe = Recipe(hidden=(30,), batch_norm=True, batch_size=50)
    start = initial_mlp(recipe)
    x, y = training_digits.x[:50].astype(np.float64), training_digits.y[:50]
    sums = x @ start.weights[0] + start.biases[0]
    sums = (sums - sums.mean(axis=0)) / np.sqrt(sums.var(axis=0) + 1e-5)
    logits = np.maximum(sums, 0) @ start.weights[1] + start.biases[1]
    loss, _ = TorchEngine(start, recipe).run(training_digits.x, y, np.arange(50), 1e-9)
    assert loss == pytest.approx(float(cross_entropy(logits, y).sum()), rel=1e-4)


def test_a_last_image_by_itself_is_not_normalised(training_digits: Digits) -> None:
    recipe = Recipe(batch_norm=True, batch_size=4)
    engines = [TorchEngine(initial_mlp(recipe), recipe) for _ in range(2)]
    for engine, count in zip(engines, (8, 9), strict=True):
        engine.run(training_digits.x, training_digits.y, np.arange(count), 0.1)
    assert largest_difference(engines[0].network(), engines[1].network()) == 0


# Convolutions

LENET: dict[str, Any] = {"convolutions": (6, 16), "hidden": (120, 84), "batch_size": 32}


class LeNet(torch.nn.Module):
    """LeNet-5 as a textbook of PyTorch has it, from torch's own modules, in float64."""

    def __init__(self, *, batch_norm: bool = False) -> None:
        super().__init__()
        nn = torch.nn
        norms = [nn.BatchNorm2d(6), nn.BatchNorm2d(16), nn.BatchNorm1d(120), nn.BatchNorm1d(84)]
        first, second, third, fourth = norms if batch_norm else [nn.Identity()] * 4
        self.layers = nn.Sequential(
            *(nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, 6, 5, padding=2), first, nn.ReLU()),
            *(nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), second, nn.ReLU(), nn.AvgPool2d(2)),
            *(nn.Flatten(), nn.Linear(400, 120), third, nn.ReLU()),
            *(nn.Linear(120, 84), fourth, nn.ReLU(), nn.Linear(84, 10)),
        )
        self.double()

    @property
    def learned(self) -> list[torch.nn.Conv2d | torch.nn.Linear]:
        """The layers with weights."""
        return [each for each in self.layers if isinstance(each, torch.nn.Conv2d | torch.nn.Linear)]

    def take(self, network: Single) -> None:
        """Take a network's weights."""
        assert isinstance(network, Sequential)
        with torch.no_grad():
            for own, weight, bias in zip(
                self.learned, network.arrays[::2], network.arrays[1::2], strict=True
            ):
                turned = weight.T if isinstance(own, torch.nn.Linear) else weight
                own.weight.copy_(torch.tensor(turned.copy()))
                assert own.bias is not None
                own.bias.copy_(torch.tensor(bias))

    def difference(self, network: Single) -> float:
        """Return the largest difference of any weight or bias."""
        assert isinstance(network, Sequential)
        theirs = [
            each.detach().numpy().T if isinstance(own, torch.nn.Linear) else each.detach().numpy()
            for own in self.learned
            for each in own.parameters()
        ]
        pairs = zip(theirs, network.arrays, strict=True)
        return max(float(np.abs(a - b).max()) for a, b in pairs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        logits: torch.Tensor = self.layers(x)
        return logits


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_convolutions_learn_as_torch_s_own_modules_do(
    optimizer: str, training_digits: Digits
) -> None:
    recipe = Recipe(**LENET, optimizer=optimizer, weight_decay=0.01)
    start, digits = initial_network(recipe), first(training_digits, 80)
    x, y = torch.tensor(digits.x).double(), torch.tensor(digits.y)
    textbook = LeNet()
    textbook.take(start)
    weights = [layer.weight for layer in textbook.learned]
    biases = [layer.bias for layer in textbook.learned if layer.bias is not None]
    groups = [{"params": weights, "weight_decay": 0.01}, {"params": biases, "weight_decay": 0.0}]
    steps = torch.optim.AdamW(groups, lr=0.01)
    if optimizer == "momentum":
        steps = torch.optim.SGD(groups, lr=0.01, momentum=0.9)  # type: ignore[assignment]
    for rows in (slice(0, 32), slice(32, 64), slice(64, 80)):
        steps.zero_grad()
        torch.nn.functional.cross_entropy(textbook(x[rows]), y[rows]).backward()
        steps.step()
    engine = TorchEngine(start, recipe)
    engine.run(digits.x, digits.y, np.arange(80), 0.01)
    learned = engine.network()
    assert textbook.difference(learned) < 1e-4
    assert largest_difference(learned, start) > 1e-3
    with torch.no_grad():
        textbook.take(learned)
        expected = textbook(x).numpy()
    np.testing.assert_allclose(learned.logits(digits.x), expected, atol=1e-5)


def test_batch_normalisation_folds_into_convolutions(
    training_digits: Digits, test_digits: Digits
) -> None:
    recipe = Recipe(**LENET, batch_norm=True, optimizer="momentum")
    start = initial_network(recipe)
    textbook = LeNet(batch_norm=True)
    textbook.take(start)
    x, y = training_digits.x[:32], training_digits.y[:32]
    logits = textbook(torch.tensor(x).double()).detach().numpy()  # normalised over the batch
    engine = TorchEngine(start, recipe)
    loss, _ = engine.run(training_digits.x, y, np.arange(32), 1e-9)
    assert loss == pytest.approx(float(cross_entropy(logits, y).sum()), rel=1e-4)
    engine.run(training_digits.x, training_digits.y, np.arange(3200), 0.05)
    with torch.no_grad():
        expected = engine.model(torch.tensor(test_digits.x[:500])).numpy()
    for norm in engine.model.norms:  # or there would be little to fold
        assert norm.running_mean is not None
        assert norm.running_mean.abs().max() > 0.1
    np.testing.assert_allclose(
        engine.network().logits(test_digits.x[:500]), expected, atol=2e-4, rtol=1e-4
    )


def test_dropout_leaves_convolutions_alone(training_digits: Digits) -> None:
    recipe = Recipe(**LENET, dropout=0.5)
    engine = TorchEngine(initial_network(recipe), recipe)
    x, y = training_digits.x[:32], training_digits.y[:32]
    none = np.zeros((32, 120 + 84), np.bool_)  # without a hidden unit the biases are left
    bias = engine.network().arrays[-1].astype(np.float64)
    loss, _ = engine.run(x, y, np.arange(32), 1e-9, none)
    expected = cross_entropy(np.tile(bias, (32, 1)), y).sum()
    assert loss == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("frozen", [0, 1, 3])
def test_frozen_convolutions_stay(frozen: int, training_digits: Digits) -> None:
    recipe = Recipe(**LENET, start="another", frozen=frozen)
    start = initial_network(Recipe(**LENET, seed=7))
    engine = TorchEngine(start, recipe)
    engine.run(training_digits.x, training_digits.y, np.arange(64), 0.1)
    pairs = zip(start.arrays, engine.network().arrays, strict=True)
    stayed = [bool((before == after).all()) for before, after in pairs]
    assert stayed == [True] * 2 * frozen + [False] * (10 - 2 * frozen)


def batches_of(engine: TorchEngine, digits: Digits) -> FloatArray:
    """Return the images that a run over `digits` learns from, in their order."""
    batches: list[FloatArray] = []

    def keep(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if module.training:
            batches.append(inputs[0].detach().cpu().numpy().copy())

    hook = engine.model.register_forward_pre_hook(keep)
    engine.run(digits.x, digits.y, np.arange(len(digits)), 1e-9)
    hook.remove()
    return np.concatenate(batches)


@pytest.mark.parametrize("convolutions", [(), (6, 16)], ids=["perceptron", "convolutions"])
@pytest.mark.parametrize("adversary", ["fgsm", "pgd"])
def test_adversarial_images_stay_within_the_budget_and_raise_the_loss(
    adversary: str, convolutions: tuple[int, ...], training_digits: Digits
) -> None:
    plain, epsilon = Recipe(**ADAM, convolutions=convolutions), 0.1
    learned = TorchEngine(initial_network(plain), plain)
    learned.run(training_digits.x, training_digits.y, np.arange(3200), 0.002)
    network, digits = learned.network(), first(training_digits, 192)
    recipe = dataclasses.replace(plain, adversary=adversary, adversary_epsilon=epsilon)
    x_adv = batches_of(TorchEngine(network, recipe), digits)
    assert x_adv.shape == digits.x.shape
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1
    norms = measures.linf_norm(digits.x, x_adv)
    assert norms.max() <= epsilon + 1e-6
    assert norms.min() > 0.9 * epsilon
    clean, attacked = (cross_entropy(network.logits(x), digits.y) for x in (digits.x, x_adv))
    assert attacked.mean() > clean.mean() + 1


def test_the_adversary_starts_anew_each_time_but_from_the_seed(training_digits: Digits) -> None:
    digits = first(training_digits, 64)

    def engine(seed: int) -> TorchEngine:
        recipe = Recipe(**ADAM, adversary="fgsm", seed=seed)
        return TorchEngine(initial_mlp(Recipe()), recipe)

    one, same, other = engine(1), engine(1), engine(2)
    x_adv = batches_of(one, digits)
    np.testing.assert_array_equal(x_adv, batches_of(same, digits))
    assert np.abs(x_adv - batches_of(other, digits)).max() > 0.01
    assert np.abs(x_adv - batches_of(one, digits)).max() > 0.01


def test_without_an_adversary_images_are_learned_as_they_are(training_digits: Digits) -> None:
    digits = first(training_digits, 100)
    engine = TorchEngine(initial_mlp(Recipe(**ADAM)), Recipe(**ADAM))
    np.testing.assert_array_equal(batches_of(engine, digits), digits.x)


@pytest.mark.parametrize("adversary", ["fgsm", "pgd"])
def test_adversarial_training_lowers_the_evasion_rate(
    adversary: str, training_digits: Digits, test_digits: Digits
) -> None:
    x, y = test_digits.x[:1000], test_digits.y[:1000]

    def evasion_rate(**options: Any) -> float:
        recipe = Recipe(hidden=(64,), **ADAM, **options)
        engine = TorchEngine(initial_mlp(recipe), recipe)
        engine.run(training_digits.x, training_digits.y, np.arange(300 * 64), 0.002)
        network = engine.network()
        return measures.evasion_rate(network, fgsm(network, x, y, 0.1), y)

    assert evasion_rate(adversary=adversary) < evasion_rate() - 0.2


@given(
    arrays(np.float64, (6, 10), elements=st.floats(-1e4, 1e4)),
    arrays(np.int64, 6, elements=st.integers(0, 9)),
)
def test_the_adversary_s_cotangent_is_core_s(logits: FloatArray, y: np.ndarray[Any, Any]) -> None:
    ours = _exact_cotangent(torch.tensor(logits), torch.tensor(y)).numpy()
    np.testing.assert_allclose(ours, exact_cotangent(logits, y), rtol=1e-12, atol=1e-300)


def test_the_network_is_a_copy(training_digits: Digits) -> None:
    start = initial_mlp(Recipe())
    engine = TorchEngine(start, Recipe())
    before = engine.network()
    engine.run(training_digits.x, training_digits.y, np.arange(50), 0.01)
    assert largest_difference(before, start) == 0
    assert largest_difference(engine.network(), start) > 1e-3
