import numpy as np
import pytest
import torch

from core.attacks import METHODS
from core.data.mnist import Digits
from core.evaluation.path import follow
from core.evaluation.units import Units, hidden_shapes, pixel_weights, watch
from core.measures import SCREEN
from core.networks import MLP, Sequential
from core.networks.layers import Activation, Affine, AveragePooling, Scaling
from tests.conftest import random_mlp
from tests.core.networks.lenet import lenet, torch_lenet


@pytest.fixture(scope="module")
def attacked(report_network: MLP, test_digits: Digits) -> tuple[Units, np.ndarray, np.ndarray]:
    """Watch the shipped network under PGD; return the units, the images and probabilities."""
    label = int(test_digits.y[17])
    path = follow(report_network, METHODS["pgd"], test_digits.x[[17]], label, levels=SCREEN)
    assert path.flip is not None
    return watch(report_network, path.x_adv), path.x_adv, path.probabilities


def test_the_activations_recompute_the_logits(
    report_network: MLP, attacked: tuple[Units, np.ndarray, np.ndarray]
) -> None:
    units, x_adv, probabilities = attacked
    first, second = units.activations
    assert first.shape == (len(x_adv), 128) and second.shape == (len(x_adv), 64)
    assert min(first.min(), second.min()) == 0
    logits = second.astype(np.float64) @ report_network.weights[2] + report_network.biases[2]
    np.testing.assert_allclose(logits, report_network.logits(x_adv), atol=1e-4)
    np.testing.assert_allclose(units.logits, report_network.logits(x_adv), atol=1e-4)
    # They are the logits of the attack's own verdicts.
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, probabilities, atol=1e-4)
    # And the second layer follows from the first, the first from the pixels.
    weights, biases = report_network.weights, report_network.biases
    np.testing.assert_allclose(np.maximum(first @ weights[1] + biases[1], 0), second, atol=1e-4)
    np.testing.assert_allclose(np.maximum(x_adv @ weights[0] + biases[0], 0), first, atol=1e-4)


def test_the_contributions_add_up_to_the_change_of_each_logit(
    attacked: tuple[Units, np.ndarray, np.ndarray],
) -> None:
    units, x_adv, _ = attacked
    for budget in range(0, len(x_adv), 10):
        contributions = units.contributions(budget)
        assert contributions.shape == (64, 10)
        change = units.logits[budget] - units.logits[0]
        np.testing.assert_allclose(contributions.sum(axis=0), change, atol=1e-4)
    assert not units.contributions(0).any()


def test_in_float64_they_add_up_to_the_last_bits() -> None:
    network = random_mlp((12, 9, 7, 10), seed=3)
    x = np.random.default_rng(0).random((5, 12))
    units = watch(network, x)
    logits = network.logits(x)
    for budget in range(5):
        total = units.contributions(budget).sum(axis=0)
        np.testing.assert_allclose(total, logits[budget] - logits[0], rtol=0, atol=1e-13)


def test_a_contribution_is_what_the_logit_loses_without_the_unit_s_change(
    report_network: MLP, attacked: tuple[Units, np.ndarray, np.ndarray]
) -> None:
    units, _, _ = attacked
    unit, digit = (int(each[0]) for each in units.carriers(40))
    hidden = units.activations[-1][40].astype(np.float64)
    hidden[unit] = units.activations[-1][0, unit]  # as if the attack had not reached it
    without = hidden @ report_network.weights[-1] + report_network.biases[-1]
    lost = units.logits[40, digit] - without[digit]
    assert lost == pytest.approx(units.contributions(40)[unit, digit], abs=1e-4)


def test_the_carriers_are_the_largest(attacked: tuple[Units, np.ndarray, np.ndarray]) -> None:
    units, _, _ = attacked
    contributions = units.contributions(60)
    carriers, digits = units.carriers(60)
    sizes = np.abs(contributions[carriers, digits])
    assert sizes.tolist() == sorted(np.abs(contributions).ravel(), reverse=True)[:10]
    assert sizes[-1] > 0


def test_networks_of_other_sizes() -> None:
    x = np.random.default_rng(1).random((3, 12))
    units = watch(random_mlp((12, 5, 10), seed=1), x)
    assert [layer.shape for layer in units.activations] == [(3, 5)]
    assert len(watch(random_mlp((12, 1, 10), seed=1), x).carriers(2, count=20)[0]) == 10
    with pytest.raises(ValueError, match="no hidden units"):
        watch(random_mlp((12, 10), seed=1), x)
    with pytest.raises(ValueError, match="shape"):
        watch(random_mlp((12, 5, 10), seed=1), x[:, 1:])


def test_a_convolutional_network_s_units_and_channels() -> None:
    network = lenet(pooling=AveragePooling, dtype=np.float64)
    x = np.random.default_rng(0).random((70, 784))  # more than go through the layers at once
    assert hidden_shapes(network) == [(6, 14, 14), (16, 5, 5), (120,), (84,)]
    assert pixel_weights(network) is None
    units = watch(network, x)
    oracle = list(
        torch_lenet(network)
    )  # Unflatten, then each layer; Flatten before the first affine
    here, seen = torch.tensor(x), []
    for module in oracle:
        here = module(here)
        seen.append(here.detach().numpy())
    for ours, theirs in zip(units.maps, (seen[3], seen[6]), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    for ours, theirs in zip(units.activations, (seen[9], seen[11]), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(units.logits, network.logits(x), rtol=1e-12)
    change = units.logits[60] - units.logits[0]
    np.testing.assert_allclose(units.contributions(60).sum(axis=0), change, rtol=0, atol=1e-12)
    assert watch(network, x, maps=False).maps == ()


def test_a_perceptron_of_layers_is_looked_into_like_any_other() -> None:
    mlp = random_mlp((784, 5, 10), seed=1)
    first, last = map(Affine, mlp.weights, mlp.biases)
    pixels = Scaling(np.array([-3.0]), np.array([0.5]))
    network = Sequential((pixels, first, Activation(), last))
    weights = pixel_weights(network)
    assert weights is not None
    np.testing.assert_allclose(weights, -3 * mlp.weights[0])
    x = np.random.default_rng(1).random((3, 784))
    np.testing.assert_allclose(watch(network, x).logits, mlp.logits(0.5 - 3 * x), rtol=1e-9)
    with pytest.raises(ValueError, match="last layer"):
        watch(Sequential((first, Activation(), last, Activation("sigmoid"))), x)
    with pytest.raises(ValueError, match="no hidden units"):
        watch(Sequential((Affine(np.ones((784, 10)), np.ones(10)),)), x)
