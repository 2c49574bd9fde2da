"""The bounds against oracles and known answers."""

from typing import Any

import numpy as np
import pytest

from core.attacks import fgsm
from core.bounds import METHODS, certified, certified_epsilon, crown, margins
from core.bounds.balls import Box
from core.bounds.layers import Layers
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks import MLP, Ensemble
from tests.conftest import random_mlp
from tests.core.attacks.referee import in_float64
from tests.core.bounds import oracles

both_methods = pytest.mark.parametrize("method", ["crown", "interval"])
both_norms = pytest.mark.parametrize("norm", ["linf", "l2"])


def network_of(*layers: tuple[list[list[float]], list[float]], dtype: type = np.float32) -> MLP:
    """Return the network whose layers have these rows, one an input, and these biases."""
    return MLP(
        tuple(np.array(weight, dtype) for weight, _ in layers),
        tuple(np.array(bias, dtype) for _, bias in layers),
    )


LINEAR = network_of(([[1, 0], [0, 1]], [0, 0]))  # two pixels, and the larger one wins
DISTANCE = network_of(([[1, -1], [-1, 1]], [0, 0]), ([[0, 1], [0, 1]], [0.5, 0]))  # 0.5, |x₀ − x₁|
DEEP = random_mlp((12, 9, 7, 8, 10), seed=5)


def some_images(n: int = 6, pixels: int = 12, *, seed: int = 0) -> FloatArray:
    """Return images with black and white pixels among the grey ones."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.uniform(-0.5, 1.5, (n, pixels)), 0, 1)


@pytest.mark.parametrize(
    ("network", "x", "norm", "method", "expected"),
    [
        (LINEAR, [0.8, 0.3], "linf", "crown", 0.25),
        (LINEAR, [0.8, 0.3], "linf", "interval", 0.25),
        (LINEAR, [0.8, 0.3], "l2", "crown", 0.5 / np.sqrt(2)),
        (LINEAR, [0.3, 0.8], "linf", "crown", 0),  # misread
        (LINEAR, [0.5, 0.5], "linf", "crown", 0),  # undecided
        # The intervals forget that one of the two units is 0.
        (DISTANCE, [0.5, 0.5], "linf", "crown", 0.25),
        (DISTANCE, [0.5, 0.5], "linf", "interval", 0.125),
        (DISTANCE, [0.5, 0.5], "l2", "crown", 0.5 / np.sqrt(2)),
        # A pixel ends at 1: 1.5 is never reached. A black one can't get blacker.
        (network_of(([[0, 1], [0, 0]], [1.5, 0])), [0.4, 0], "linf", "crown", 1),
        (network_of(([[-1, 0], [1, 0]], [0.3, 0])), [0.2, 0], "l2", "crown", 0.1),
        (network_of(([[-1, 0], [1, 0]], [0.3, 0])), [0.2, 0.5], "l2", "crown", 0.6 / np.sqrt(2)),
        (network_of(([[-1, 0], [-1, 0]], [1.9, 0])), [0.8, 1], "l2", "crown", 0.1),
    ],
)
def test_known_answers(
    network: MLP, x: list[float], norm: str, method: str, expected: float
) -> None:
    found = certified_epsilon(network, np.array([x]), 0, norm=norm, method=method, resolution=1e-5)
    assert found == pytest.approx(expected, abs=2.5e-5)
    assert found <= expected


@pytest.mark.parametrize("epsilon", [0.0, 0.01, 0.1, 0.6])
@pytest.mark.parametrize("sizes", [(12, 10), (12, 9, 10), (12, 9, 7, 10), (12, 9, 7, 8, 10)])
def test_crown_is_a_plain_loop_s(sizes: tuple[int, ...], epsilon: float) -> None:
    network, x = random_mlp(sizes, seed=len(sizes)), some_images()
    y = np.arange(len(x))
    found = margins(network, x, y, epsilon)
    for image, bounds in enumerate(found):
        expected = oracles.crown(network, x[image], epsilon, image)
        np.testing.assert_allclose(np.delete(bounds, image), np.delete(expected, image), atol=1e-6)
        assert bounds[image] == np.inf


def test_crown_of_the_shipped_network_is_a_plain_loop_s(
    report_network: MLP, test_digits: Digits
) -> None:
    network, y = in_float64(report_network), int(test_digits.y[0])
    for epsilon in (0.01, 0.05):
        expected = oracles.crown(network, test_digits.x[0], epsilon, y)
        found = margins(network, test_digits.x[:1], y, epsilon)[0]
        np.testing.assert_allclose(np.delete(found, y), np.delete(expected, y), atol=1e-6)
        rounded = margins(report_network, test_digits.x[:1], y, epsilon)[0]
        allowed = np.delete(found, y) - np.delete(rounded, y)  # for float32's rounding
        assert 0 < allowed.min() < allowed.max() < 0.1


@pytest.mark.parametrize("epsilon", [0.0, 0.05, 0.4])
def test_intervals_are_a_loop_s(epsilon: float) -> None:
    x = some_images()
    found = margins(DEEP, x, 3, epsilon, method="interval")
    for image, bounds in zip(x, found, strict=True):
        *hidden, logits = oracles.interval_units(DEEP, image, epsilon)
        inputs = [[max(low, 0.0), max(high, 0.0)] for low, high in hidden[-1]]
        assert len(logits) == 10
        for j in set(range(10)) - {3}:
            least = float(DEEP.biases[-1][3] - DEEP.biases[-1][j])
            for (low, high), w in zip(inputs, DEEP.weights[-1], strict=True):
                difference = float(w[3] - w[j])
                least += min(difference * low, difference * high)
            assert bounds[j] == pytest.approx(least, abs=1e-6)


def ranges_of(network: MLP, x: FloatArray, epsilon: float) -> list[tuple[FloatArray, FloatArray]]:
    ball = Box.around(x[None].astype(np.float64), np.array([epsilon]))
    units = crown.bounded(Layers.of(network), ball).units
    return [(each.lower[0], each.upper[0]) for each in units]


def nearest_found(network: MLP, x: FloatArray, epsilon: float, y: int) -> FloatArray:
    """Return the least z_y − z_j, `(10,)`, that descent along the gradient finds in the ball."""
    low, high = (end.astype(network.dtype) for end in oracles.box(x, epsilon))
    least = np.full(10, np.inf)
    for j in range(10):
        here = np.clip(np.stack([x, low, high]).astype(network.dtype), low, high)
        for step in np.linspace(1, 0.01, 25):
            logits, pull = network.vjp(here)
            least = np.minimum(least, (logits[:, [y]] - logits).min(axis=0))
            cotangent = np.zeros_like(logits)
            cotangent[:, y], cotangent[:, j] = 1, -1
            here = np.clip(here - step * epsilon * np.sign(pull(cotangent)), low, high)
    return least


@pytest.mark.parametrize("epsilon", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("sizes", [(12, 9, 10), (12, 9, 7, 10), (12, 9, 7, 8, 10)])
def test_crown_is_below_the_linear_programme_and_that_below_the_truth(
    sizes: tuple[int, ...], epsilon: float
) -> None:
    network = random_mlp(sizes, seed=1)
    for y, x in enumerate(some_images(3, seed=2)):
        bound = margins(network, x[None], y, epsilon)[0]
        ranges, found = ranges_of(network, x, epsilon), nearest_found(network, x, epsilon, y)
        for j in set(range(10)) - {y}:
            optimum = oracles.linear_programme(network, x, epsilon, y, j, ranges)
            assert bound[j] <= optimum + 1e-6
            assert optimum <= found[j] + 1e-6


@pytest.mark.thorough
@pytest.mark.parametrize("epsilon", [0.01, 0.02, 0.05, 0.1])
def test_so_it_is_for_the_shipped_network(
    report_network: MLP, test_digits: Digits, epsilon: float
) -> None:
    x, y = test_digits.x[0], int(test_digits.y[0])
    bound = margins(report_network, x[None], y, epsilon)[0]
    ranges, found = (
        ranges_of(report_network, x, epsilon),
        nearest_found(report_network, x, epsilon, y),
    )
    for j in np.argsort(bound)[:2]:
        optimum = oracles.linear_programme(report_network, x, epsilon, y, int(j), ranges)
        assert bound[j] <= optimum + 1e-4
        assert optimum <= found[j] + 1e-4


@both_norms
@both_methods
def test_bounds_rise_as_the_ball_shrinks_to_the_image(norm: str, method: str) -> None:
    x, y = some_images(), np.arange(6)
    epsilons = np.linspace(0, 1, 21)
    found = np.array([margins(DEEP, x, y, each, norm=norm, method=method) for each in epsilons])
    others = found[np.isfinite(found)].reshape(len(epsilons), -1)
    if method == "interval":  # CROWN's slopes jump, so its bounds may rise with ε by a little
        assert (np.diff(others, axis=0) < 0).all()
    assert (others[0] > others[-1]).all()
    logits = DEEP.logits(x)
    exact = (logits[np.arange(6), y][:, None] - logits)[np.isfinite(found[0])]
    np.testing.assert_allclose(others[0], exact, atol=1e-4)
    assert (others[0] < exact).all()


def test_intervals_are_never_above_crown(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:50], test_digits.y[:50]
    for epsilon in (0.005, 0.05):
        assert (
            margins(report_network, x, y, epsilon, method="interval")
            <= margins(report_network, x, y, epsilon) + 1e-9
        ).all()


@both_norms
def test_one_image_has_one_result(report_network: MLP, test_digits: Digits, norm: str) -> None:
    x, y = test_digits.x[:70], test_digits.y[:70]
    order = np.random.default_rng(0).permutation(70)
    together = margins(report_network, x, y, 0.03, norm=norm)
    shuffled = margins(report_network, x[order], y[order], 0.03, norm=norm)
    alone = np.concatenate(
        [margins(report_network, x[i : i + 1], y[i : i + 1], 0.03, norm=norm) for i in range(9)]
    )
    np.testing.assert_allclose(shuffled, together[order], rtol=0, atol=1e-9)
    np.testing.assert_allclose(alone, together[:9], rtol=0, atol=1e-9)
    proved = certified_epsilon(report_network, x[:20], y[:20], norm=norm)
    shuffled = certified_epsilon(report_network, x[:20][::-1], y[:20][::-1], norm=norm)
    np.testing.assert_array_equal(shuffled, proved[::-1])


def test_each_image_may_have_its_own_epsilon() -> None:
    x, y = some_images(), np.arange(6)
    epsilons = np.array([0, 0.01, 0.02, 0.05, 0.1, 1])
    each = np.concatenate(
        [margins(DEEP, x[i : i + 1], y[i : i + 1], epsilons[i]) for i in range(6)]
    )
    np.testing.assert_allclose(margins(DEEP, x, y, epsilons), each, rtol=0, atol=1e-9)


@both_norms
def test_what_is_certified_follows_from_the_largest_epsilon(
    report_network: MLP, test_digits: Digits, norm: str
) -> None:
    x, y = test_digits.x[:30], test_digits.y[:30]
    largest = certified_epsilon(report_network, x, y, norm=norm)
    assert (margins(report_network, x, y, largest, norm=norm).min(axis=1)[largest > 0] > 0).all()
    epsilons = np.array([0.3, 0.0, 0.02, 0.01, 0.05, 0.02]) * (10 if norm == "l2" else 1)
    found = certified(report_network, x, y, epsilons, norm=norm)
    assert found.shape == (6, 30)
    np.testing.assert_array_equal(found[1], report_network.logits(x).argmax(axis=1) == y)
    for row, epsilon in zip(found[2:], epsilons[2:], strict=True):
        np.testing.assert_array_equal(row, largest >= epsilon)
        np.testing.assert_array_equal(row, certified(report_network, x, y, epsilon, norm=norm))
        lead = margins(report_network, x, y, epsilon, norm=norm).min(axis=1)
        np.testing.assert_array_equal(row, lead > 0)
    assert found[0].sum() == 0 < found[2].sum()


def test_no_bound_is_computed_where_a_step_of_an_attack_succeeds(
    report_network: MLP, test_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = test_digits.x[:60], test_digits.y[:60]
    bounded = []

    def counted(layers: Layers, ball: Box, rows: FloatArray) -> FloatArray:
        bounded.append(len(rows))
        return crown.lower_bounds(layers, ball, rows)

    monkeypatch.setitem(METHODS, "crown", counted)
    assert not certified(report_network, x, y, 0.2).any()
    misled = report_network.logits(fgsm(report_network, x, y, 0.2)).argmax(axis=1) != y
    assert misled.sum() > 40
    assert sum(bounded) == (~misled).sum()


@both_methods
def test_a_network_twice_is_as_safe_as_once(method: str) -> None:
    x, y = some_images(), DEEP.logits(some_images()).argmax(axis=1)
    once = certified_epsilon(DEEP, x, y, method=method)
    twice = certified_epsilon(Ensemble((DEEP, DEEP)), x, y, method=method)
    assert once.max() > 0.01
    np.testing.assert_allclose(twice, once, atol=1e-4)


def test_an_ensemble_is_bounded_as_it_averages() -> None:
    sure = network_of(([[8, 0], [0, 8]], [0, 0]))
    mistaken = network_of(([[-1, 0], [0, -1]], [0, 0]))
    ensemble, x = Ensemble((sure, mistaken)), np.array([[0.9, 0.2]])
    assert ensemble.logits(x).argmax() == 0
    epsilon = certified_epsilon(ensemble, x, 0)
    # The worst of each: tanh(4 (0.7 − 2 ε)) = tanh(0.5), as (1, 0) is the mistaken one's worst.
    assert epsilon == pytest.approx(0.2875, abs=2e-4)
    logits = ensemble.logits(x)[0]
    p = np.exp(logits) / np.exp(logits).sum()
    assert margins(ensemble, x, 0, 0)[0, 1] == pytest.approx(p[0] - p[1], abs=1e-4)


def test_an_ensemble_s_bounds_are_below_what_is_found() -> None:
    members = tuple(random_mlp((12, 9, 7, 10), seed=seed) for seed in range(3))
    ensemble, x = Ensemble(members), some_images()
    y = ensemble.logits(x).argmax(axis=1)
    rng = np.random.default_rng(0)
    for epsilon in (0.0, 0.02, 0.1, 0.5):
        bounds = margins(ensemble, x, y, epsilon)
        for _ in range(200):
            near = np.clip(x + epsilon * rng.choice([-1.0, 1.0], x.shape), 0, 1)
            p = np.exp(ensemble.logits(near))
            found = p[np.arange(6), y][:, None] - p
            found[np.arange(6), y] = np.inf
            assert (bounds <= found).all()
        if epsilon == 0:
            np.testing.assert_allclose(bounds, found, atol=2e-5)


class Wide:
    """A classifier that is no perceptron."""

    def logits(self, x: FloatArray) -> FloatArray:
        """Return the same for all."""
        return np.zeros((len(x), 10))


BAD: list[tuple[dict[str, Any], str]] = [
    ({"epsilon": -0.1}, "epsilon"),
    ({"epsilon": 1.5}, "at most 1"),
    ({"epsilon": np.nan}, "epsilon"),
    ({"epsilon": [0.1, 0.2, 0.3]}, "one an image"),
    ({"x": np.full((2, 12), np.nan)}, "pixels"),
    ({"x": np.full((2, 12), 1.5)}, "pixels"),
    ({"x": np.zeros((2, 13))}, "12"),
    ({"x": np.zeros(12)}, "shape"),
    ({"y": [1, 10]}, "y must be"),
    ({"y": [1, 2, 3]}, "2 labels"),
    ({"norm": "l1"}, "norm"),
    ({"method": "exact"}, "method"),
    ({"network": Wide()}, "Wide"),
    ({"network": random_mlp((12, 4), seed=0), "y": 4}, "0 to 3"),
    ({"network": network_of(([[1e30] * 10] * 12, [0] * 10))}, "too large"),
]


@pytest.mark.parametrize(("wrong", "said"), BAD)
def test_bad_input_is_refused_with_a_sentence(wrong: dict[str, Any], said: str) -> None:
    good: dict[str, Any] = {"network": DEEP, "x": np.zeros((2, 12)), "y": 1, "epsilon": 0.1}
    with pytest.raises(ValueError, match=said):
        margins(**(good | wrong))


def test_weights_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        margins(network_of(([[np.nan, 0]], [0, 0])), np.zeros((1, 1)), 0, 0.1)


@pytest.mark.parametrize("resolution", [0, -1, 2, np.nan])
def test_a_bad_resolution_is_refused(resolution: float) -> None:
    with pytest.raises(ValueError, match="resolution"):
        certified_epsilon(DEEP, np.zeros((1, 12)), 0, resolution=resolution)


def test_no_image_has_no_result() -> None:
    x, y = np.zeros((0, 12)), np.zeros(0, np.int64)
    assert margins(DEEP, x, y, 0.1).shape == (0, 10)
    assert certified(DEEP, x, y, [0.1, 0.2]).shape == (2, 0)
    assert certified_epsilon(DEEP, x, y).shape == (0,)
