"""Bounds of networks with convolutions, against oracles, known answers and attacks."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from core.bounds import certified, certified_epsilon, margins, refine
from core.bounds.steps import Steps
from core.classifier import FloatArray
from core.networks import Ensemble, Sequential
from core.networks.layers import (
    Activation,
    Affine,
    AveragePooling,
    Convolution,
    Layer,
    MaxPooling,
    Scaling,
)
from tests.conftest import random_mlp
from tests.core.bounds import convolutional_oracles as oracles
from tests.core.networks.lenet import lenet

both_methods = pytest.mark.parametrize("method", ["crown", "interval"])
both_norms = pytest.mark.parametrize("norm", ["linf", "l2"])


class Maker:
    """Random layers, each after the last."""

    def __init__(self, seed: int, dtype: type = np.float64) -> None:
        self.rng, self.dtype = np.random.default_rng(seed), dtype

    def numbers(self, *shape: int, size: float) -> FloatArray:
        """Return normal numbers."""
        numbers: FloatArray = (size * self.rng.normal(size=shape)).astype(self.dtype)
        return numbers

    def convolution(self, before: int, after: int, side: int = 3, **settings: int) -> Convolution:
        """Return a convolution from so many channels to so many."""
        size = 1.4 / np.sqrt(before * side**2)
        weight = self.numbers(after, before, side, side, size=size)
        return Convolution(weight, self.numbers(after, size=0.3), **settings)

    def affine(self, inputs: int, outputs: int) -> Affine:
        """Return an affine layer."""
        weight = self.numbers(inputs, outputs, size=1.4 / np.sqrt(inputs))
        return Affine(weight, self.numbers(outputs, size=0.3))

    def scaling(self, channels: int) -> Scaling:
        """Return a scaling of each channel, of which some are turned around."""
        return Scaling(self.numbers(channels, size=1.5), self.numbers(channels, size=0.5))


def layers_of(kind: str, make: Maker) -> tuple[tuple[Layer, ...], tuple[int, int, int]]:
    """Return layers, and the shape of the image they are for."""
    relu, tanh, sigmoid = Activation("relu"), Activation("tanh"), Activation("sigmoid")
    conv, affine = make.convolution, make.affine
    layers: list[Layer]
    match kind:
        case "lenet":
            layers = [conv(1, 2, padding=1), relu, MaxPooling(2, 2), conv(2, 3), relu]
            return (*layers, MaxPooling(2, 2), affine(3, 6), relu, affine(6, 4)), (1, 8, 8)
        case "padded":  # the windows of the second convolution reach beyond the image
            layers = [conv(1, 2, padding=2), relu, conv(2, 3, padding=2), relu, affine(243, 4)]
            return tuple(layers), (1, 5, 5)
        case "pooled first":
            layers = [conv(1, 3), MaxPooling(2, 2), relu, conv(3, 3, 2), MaxPooling(2, 1), relu]
            return (*layers, affine(3, 5), relu, affine(5, 4)), (1, 8, 8)
        case "overlapping":
            layers = [conv(1, 2, padding=1), relu, MaxPooling(3, 2), conv(2, 2, 2), relu]
            return (*layers, affine(8, 4)), (1, 7, 7)
        case "pooled twice":
            layers = [conv(1, 2, padding=1), relu, MaxPooling(2, 2), MaxPooling(2, 1)]
            return (*layers, conv(2, 2, 2), relu, affine(8, 4)), (1, 8, 8)
        case "strided":
            layers = [conv(2, 3, stride=2, padding=1), relu, AveragePooling(3, 1)]
            return (*layers, conv(3, 4, 2, stride=2), relu, affine(4, 4)), (2, 9, 10)
        case "scaled":
            layers = [make.scaling(1), conv(1, 2), make.scaling(2), relu, conv(2, 2, padding=1)]
            return (*layers, make.scaling(2), relu, affine(72, 4), make.scaling(4)), (1, 8, 8)
        case "deep":  # two convolutions without anything in between
            layers = [conv(1, 2, padding=1), conv(2, 2, padding=2), relu, conv(2, 2, 2), relu]
            return (*layers, conv(2, 1, 2), affine(25, 4)), (1, 5, 5)
        case "tanh":
            layers = [conv(1, 2, padding=1), tanh, AveragePooling(2, 2), conv(2, 3), tanh]
            return (*layers, MaxPooling(2, 1), affine(3, 6), sigmoid, affine(6, 4)), (1, 8, 8)
        case "no weights last":
            return (affine(9, 5), relu, affine(5, 4), tanh), (1, 3, 3)
        case _:
            return (affine(9, 4),), (1, 3, 3)


KINDS = ("lenet", "padded", "pooled first", "overlapping", "pooled twice", "strided", "scaled",
         "deep", "tanh", "no weights last", "linear")  # fmt: skip


def network_of(kind: str, *, seed: int = 0, dtype: type = np.float64) -> Sequential:
    return Sequential(*layers_of(kind, Maker(seed, dtype)))


def some_images(network: Sequential, n: int = 3, *, seed: int = 0) -> FloatArray:
    """Return images with some black and white pixels: few, or windows have equal bounds."""
    pixels = np.random.default_rng(seed).uniform(-0.2, 1.2, (n, network.sizes[0]))
    return np.clip(pixels, 0, 1).astype(network.dtype)


@pytest.mark.thorough
@both_norms
@pytest.mark.parametrize("epsilon", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("kind", KINDS)
def test_crown_is_a_plain_one_s_with_dense_matrices(kind: str, epsilon: float, norm: str) -> None:
    network = network_of(kind)
    x = some_images(network)
    y = np.arange(len(x))
    found = margins(network, x, y, epsilon, norm=norm)
    for image, bounds in enumerate(found):
        expected = oracles.Bounds(network, x[image], epsilon, norm).margins(image, "crown")
        np.testing.assert_allclose(
            np.delete(bounds, image), np.delete(expected, image), atol=1e-6, rtol=1e-7
        )
        assert bounds[image] == np.inf


@pytest.mark.thorough
@pytest.mark.parametrize("epsilon", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("kind", KINDS)
def test_intervals_are_plain_ones(kind: str, epsilon: float) -> None:
    network = network_of(kind, seed=1)
    x = some_images(network)
    found = margins(network, x, 3, epsilon, method="interval")
    for image, bounds in zip(x, found, strict=True):
        expected = oracles.interval_margins(network, image, epsilon, 3)
        np.testing.assert_allclose(bounds[:3], expected[:3], atol=1e-6, rtol=1e-7)


@pytest.mark.thorough
@pytest.mark.parametrize("epsilon", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("kind", ["lenet", "pooled first", "overlapping", "tanh"])
def test_crown_is_below_the_linear_programme_and_that_below_the_truth(
    kind: str, epsilon: float
) -> None:
    network = network_of(kind, seed=2)
    for y, x in enumerate(some_images(network, 2, seed=2)):
        bound = margins(network, x[None], y, epsilon)[0]
        known = oracles.Bounds(network, x, epsilon, "linf")
        least = nearest_found(network, x, y, known)
        for j in set(range(4)) - {y}:
            optimum = oracles.linear_programme(known, y, j)
            assert bound[j] <= optimum + 1e-6
            assert optimum <= least[j] + 1e-6


def nearest_found(network: Sequential, x: FloatArray, y: int, known: oracles.Bounds) -> FloatArray:
    """Return the least z_y − z_j, `(4,)`, that descent along the gradient finds in the ball."""
    least = np.full(4, np.inf)
    for j in range(4):
        here = np.stack([x, known.low, known.high])
        for step in np.linspace(1, 0.01, 25):
            logits, pull = network.vjp(here)
            least = np.minimum(least, (logits[:, [y]] - logits).min(axis=0))
            cotangent = np.zeros_like(logits)
            cotangent[:, y], cotangent[:, j] = 1, -1
            moved = here - step * known.radius * np.sign(pull(cotangent))
            here = np.clip(moved, known.low, known.high)
    return least


@pytest.mark.thorough
@both_norms
@both_methods
@pytest.mark.parametrize("kind", KINDS)
def test_no_image_of_the_ball_is_below_the_bounds(kind: str, method: str, norm: str) -> None:
    rng = np.random.default_rng(0)
    network = network_of(kind, seed=3, dtype=np.float32)
    x = some_images(network, 4)
    y, pixels = np.arange(4), x.shape[1]
    for epsilon in (0.0, 0.01, 0.1, 0.6):
        bounds = margins(network, x, y, epsilon, norm=norm, method=method)
        for _ in range(100):
            if norm == "linf":
                moves = rng.choice([-1.0, 1.0], x.shape)
            else:
                moves = rng.normal(size=x.shape) * (rng.random(x.shape) < rng.random())
                moves /= np.maximum(np.linalg.norm(moves, axis=1, keepdims=True), 1e-9)
            logits = network.logits(np.clip(x + epsilon * moves, 0, 1).astype(np.float32))
            lead = (logits[np.arange(4), y][:, None] - logits).astype(np.float64)
            lead[np.arange(4), y] = np.inf
            assert (bounds <= lead).all()
        if epsilon == 0:
            np.testing.assert_allclose(bounds, lead, atol=1e-3 * np.sqrt(pixels))


@both_norms
@pytest.mark.parametrize("kind", ["lenet", "strided", "scaled", "tanh"])
def test_one_image_has_one_result(kind: str, norm: str) -> None:
    network = network_of(kind)
    x, y = some_images(network, 40), np.arange(40) % 4
    for method in ("interval", "crown"):
        together = margins(network, x, y, 0.05, norm=norm, method=method)
        alone = margins(network, x[7:8], y[7:8], 0.05, norm=norm, method=method)
        np.testing.assert_allclose(together[7], alone[0], rtol=0, atol=1e-9)


def test_it_proves_as_much_as_the_same_perceptron() -> None:
    mlp = random_mlp((12, 9, 7, 10), seed=5)
    layers: list[Layer] = []
    for weight, bias in zip(mlp.weights, mlp.biases, strict=True):
        layers += [Activation(), Affine(weight, bias)]
    network = Sequential(tuple(layers[1:]), (3, 2, 2))
    x = np.clip(np.random.default_rng(0).uniform(-0.5, 1.5, (6, 12)), 0, 1)
    for method in ("interval", "crown"):
        for norm in ("linf", "l2"):
            ours, theirs = (
                margins(each, x, np.arange(6), 0.1, norm=norm, method=method)
                for each in (network, mlp)
            )
            if norm == "linf":
                np.testing.assert_allclose(ours, theirs, atol=1e-8)
            else:  # of the first layer the box around the ball may say more than the ball
                assert (ours >= theirs - 1e-8).all()
        proved, theirs = (
            certified_epsilon(each, x, mlp.logits(x).argmax(axis=1), method=method)
            for each in (network, mlp)
        )
        np.testing.assert_array_equal(proved, theirs)


def test_known_answers() -> None:
    # The largest of |x₀ − x₁| and its mirror, against 0.5, by a convolution of two pixels.
    kernel = np.array([[[[1.0, -1.0]]], [[[-1.0, 1.0]]]])
    network = Sequential(
        (
            Convolution(kernel, np.zeros(2)),
            Activation(),
            Affine(np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([0.5, 0.0])),
        ),
        (1, 1, 2),
    )
    for norm, exact in (("linf", 0.25), ("l2", 0.5 / np.sqrt(2))):
        found = certified_epsilon(network, np.array([[0.5, 0.5]]), 0, norm=norm, resolution=1e-5)
        assert found == pytest.approx(exact, abs=2.5e-5)
        assert found <= exact
    # The brightest of four pixels, against 0.6: only the brightest one matters at first.
    brightest = Sequential(
        (MaxPooling(2, 1), Affine(np.array([[0.0, 1.0]]), np.array([0.6, 0.0]))), (1, 2, 2)
    )
    x = np.array([[0.4, 0.1, 0.3, 0.0]])
    for norm in ("linf", "l2"):
        found = certified_epsilon(brightest, x, 0, norm=norm, resolution=1e-5)
        assert found == pytest.approx(0.2, abs=2e-5)


def test_an_ensemble_may_have_such_members() -> None:
    network = network_of("lenet")
    x = some_images(network, 6)
    y = network.logits(x).argmax(axis=1)
    once = certified_epsilon(network, x, y)
    assert once.max() > 0.01
    np.testing.assert_allclose(certified_epsilon(Ensemble((network,) * 2), x, y), once, atol=1e-4)
    mixed = Ensemble((network, random_mlp((64, 8, 4), seed=0)))
    y, rng = mixed.logits(x).argmax(axis=1), np.random.default_rng(0)
    for epsilon in (0.0, 0.05):
        bounds = margins(mixed, x, y, epsilon)
        for _ in range(100):
            p = np.exp(mixed.logits(np.clip(x + epsilon * rng.choice([-1, 1], x.shape), 0, 1)))
            lead = p[np.arange(6), y][:, None] - p
            lead[np.arange(6), y] = np.inf
            assert (bounds <= lead).all()


def test_a_layer_whose_rows_cost_too_much_keeps_its_intervals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = network_of("lenet")
    x = some_images(network)
    assert Steps.of(network).by_crown == {4, 7}
    more = margins(network, x, 0, 0.2)[:, 1:]
    monkeypatch.setattr("core.bounds.cost.MOST_PRODUCTS", 10)
    assert Steps.of(network).by_crown == set()
    less = margins(network, x, 0, 0.2)[:, 1:]
    intervals = margins(network, x, 0, 0.2, method="interval")[:, 1:]
    assert (intervals < less).all()
    assert less.mean() < more.mean() - 0.01


def test_no_matrix_of_a_convolution_is_made() -> None:
    """The second convolution's alone would take 15 MB, the first one's 29 MB."""
    network, x = lenet(), some_images(lenet(), 40)
    for method in ("interval", "crown"):
        tracemalloc.start()
        margins(network, x[: 4 if method == "crown" else 40], 0, 0.01, method=method)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 20e6


def test_more_is_certified_within_smaller_budgets() -> None:
    network = network_of("lenet")
    x = some_images(network, 12)
    y = network.logits(x).argmax(axis=1)
    largest = certified_epsilon(network, x, y)
    found = certified(network, x, y, [0.05, 0.01])
    np.testing.assert_array_equal(found, largest >= np.array([[0.05], [0.01]]))
    assert found[0].sum() < found[1].sum()


LARGE = (Affine(np.full((4, 4), 1e20), np.zeros(4)), Affine(np.full((4, 4), 1e20), np.zeros(4)))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"network": Sequential(LARGE, (1, 2, 2))}, "too large"),
        ({"x": np.zeros((2, 5))}, "64"),
        ({"y": 4}, "0 to 3"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(wrong: dict[str, Any], said: str) -> None:
    good: dict[str, Any] = {"x": np.zeros((2, 64)), "y": 1, "epsilon": 0.1}
    if "network" in wrong:
        good["x"] = np.zeros((2, 4))
    with pytest.raises(ValueError, match=said):
        margins(**({"network": network_of("lenet")} | good | wrong))


def test_branch_and_bound_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="Sequential"):
        next(refine(network_of("lenet"), np.zeros(64), 0))


def test_no_image_has_no_result() -> None:
    network, y = network_of("lenet"), np.zeros(0, np.int64)
    for method in ("interval", "crown"):
        assert margins(network, np.zeros((0, 64)), y, 0.1, method=method).shape == (0, 4)
    assert certified_epsilon(network, np.zeros((0, 64)), y).shape == (0,)
