import dataclasses

import numpy as np
import pytest
import torch

from core import measures
from core.digits import Digits
from core.mlp import MLP
from core.recipe import PRESETS, Recipe
from core.training import ENGINES, Engine, initial_network, train
from core.training.compiled import CompiledEngine
from core.training.pytorch import TorchEngine
from tests.core.torch_twin import torch_twin

REPORT = PRESETS["report"]
every_engine = pytest.mark.parametrize("engine", ENGINES)


def first(digits: Digits, count: int) -> Digits:
    return Digits(digits.x[:count], digits.y[:count])


def largest_difference(one: MLP, other: MLP) -> float:
    pairs = zip(one.weights + one.biases, other.weights + other.biases, strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


@pytest.mark.parametrize("hidden", [(128, 64), (), (32,), (40, 30, 20)])
def test_both_engines_end_in_the_same_weights_after_1000_steps(
    hidden: tuple[int, ...], training_digits: Digits
) -> None:
    recipe = dataclasses.replace(REPORT, hidden=hidden)
    start = initial_network(recipe)
    order = np.random.default_rng(0).permutation(60_000)[:1000]
    engines: list[Engine] = [CompiledEngine(start, recipe), TorchEngine(start, recipe)]
    outcomes = [engine.run(training_digits.x, training_digits.y, order) for engine in engines]
    compiled, torched = (engine.network() for engine in engines)
    assert largest_difference(compiled, torched) < 1e-4
    assert largest_difference(compiled, start) > 1e-2
    assert outcomes[0][0] == pytest.approx(outcomes[1][0], rel=1e-4)
    assert outcomes[0][1] == pytest.approx(outcomes[1][1], abs=1)


def test_one_compiled_step_is_autograd_s(training_digits: Digits) -> None:
    start = initial_network(REPORT)
    module = torch_twin(start)
    x, y = torch.tensor(training_digits.x[:1]).double(), torch.tensor(training_digits.y[:1])
    torch.nn.functional.cross_entropy(module(x), y).backward()
    engine = CompiledEngine(start, REPORT)
    engine.run(training_digits.x, training_digits.y, np.array([0]))
    stepped = engine.network()
    linears = [layer for layer in module if isinstance(layer, torch.nn.Linear)]
    for linear, weight, bias in zip(linears, stepped.weights, stepped.biases, strict=True):
        assert linear.weight.grad is not None
        assert linear.bias.grad is not None
        expected = (linear.weight - 0.01 * linear.weight.grad).detach().numpy().T
        np.testing.assert_allclose(weight, expected, atol=1e-7)
        expected = (linear.bias - 0.01 * linear.bias.grad).detach().numpy()
        np.testing.assert_allclose(bias, expected, atol=1e-7)


def test_the_torch_engine_takes_batches(training_digits: Digits) -> None:
    recipe = dataclasses.replace(REPORT, batch_size=4)
    start = initial_network(recipe)
    module = torch_twin(start, dtype=torch.float32)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    for rows in (slice(0, 4), slice(4, 8), slice(8, 10)):
        optimizer.zero_grad()
        x, y = torch.tensor(training_digits.x[rows]), torch.tensor(training_digits.y[rows])
        torch.nn.functional.cross_entropy(module(x), y).backward()
        optimizer.step()
    engine = TorchEngine(start, recipe)
    engine.run(training_digits.x, training_digits.y, np.arange(10))
    linears = [layer for layer in module if isinstance(layer, torch.nn.Linear)]
    for linear, weight in zip(linears, engine.network().weights, strict=True):
        np.testing.assert_allclose(weight, linear.weight.detach().numpy().T, atol=1e-6)


@every_engine
def test_an_epoch_is_reported_as_it_was(
    engine: str, training_digits: Digits, test_digits: Digits
) -> None:
    training, validation = first(training_digits, 700), first(test_digits, 300)
    seen: list[int] = []
    recipe = dataclasses.replace(REPORT, epochs=2)
    reports = list(train(recipe, training, validation, engine=engine, on_progress=seen.append))
    assert [report.epoch for report in reports] == [1, 2]
    assert sum(seen) == 1400
    assert reports[1].train_loss < reports[0].train_loss < 2.4
    last = reports[-1]
    accuracy = measures.accuracy(last.network, validation.x, validation.y)
    assert last.validation_accuracy == pytest.approx(accuracy)
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(last.network.logits(validation.x)), torch.tensor(validation.y)
    )
    assert last.validation_loss == pytest.approx(expected.item(), rel=1e-4)


@every_engine
def test_equal_recipes_give_equal_networks(
    engine: str, training_digits: Digits, test_digits: Digits
) -> None:
    training, validation = first(training_digits, 400), first(test_digits, 50)

    def trained(seed: int) -> MLP:
        recipe = dataclasses.replace(REPORT, epochs=1, seed=seed)
        (report,) = train(recipe, training, validation, engine=engine)
        return report.network

    assert largest_difference(trained(1), trained(1)) == 0
    assert largest_difference(trained(1), trained(2)) > 1e-3


def test_the_report_s_training_reaches_the_report_s_accuracies(
    training_digits: Digits, test_digits: Digits
) -> None:
    *_, last = train(REPORT, training_digits, test_digits)
    network = last.network
    assert measures.accuracy(network, training_digits.x, training_digits.y) >= 0.995
    assert measures.accuracy(network, test_digits.x, test_digits.y) >= 0.9747


def test_closing_the_generator_stops_the_training(
    training_digits: Digits, test_digits: Digits
) -> None:
    run = train(REPORT, first(training_digits, 100), first(test_digits, 10))
    next(run)
    run.close()
    assert list(run) == []


def test_the_initial_network_is_as_torch_starts() -> None:
    network = initial_network(Recipe(seed=3))
    assert network.sizes == (784, 128, 64, 10)
    for weight, bias in zip(network.weights, network.biases, strict=True):
        bound = 1 / np.sqrt(weight.shape[0])
        assert 0.98 * bound < np.abs(weight).max() <= bound
        assert np.abs(bias).max() <= bound
        assert weight.dtype == bias.dtype == np.float32


def test_what_can_t_be_trained_is_refused(training_digits: Digits, test_digits: Digits) -> None:
    some, none = first(test_digits, 5), first(test_digits, 0)
    with pytest.raises(ValueError, match="engine must be one of compiled, torch, not 'jax'"):
        next(train(REPORT, some, some, engine="jax"))
    with pytest.raises(ValueError, match="batch_size 1 only; take torch"):
        next(train(Recipe(batch_size=2), some, some, engine="compiled"))
    for training, validation in ((none, some), (some, none)):
        with pytest.raises(ValueError, match="at least one image each"):
            next(train(REPORT, training, validation))
