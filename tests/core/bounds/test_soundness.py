"""No image of the ball gives less than the bound: not in exact numbers, not as it is rounded."""

from fractions import Fraction
from functools import partial

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.bounds import certified_epsilon, crown, margins
from core.bounds.interval import Units
from core.bounds.lines import Lines
from core.classifier import FloatArray
from core.networks import MLP, Sequential
from core.networks.layers import (
    Activation,
    Affine,
    AveragePooling,
    Convolution,
    Layer,
    MaxPooling,
    Scaling,
)
from tests.core.bounds import convolutional_oracles, oracles

both_methods = pytest.mark.parametrize("method", ["crown", "interval"])


def awkward_numbers(rng: np.random.Generator, dtype: type, *shape: int) -> FloatArray:
    """Return weights whose sums cancel: they differ by many orders of magnitude."""
    values: FloatArray = rng.normal(size=shape) * 2.0 ** rng.integers(-9, 10, shape)
    values[rng.random(shape) < 0.1] = 0
    if len(shape) > 1 and shape[0] > 1:
        values[1] = -values[0] * (1 + rng.normal(size=shape[1:]) * 2.0**-20)
    return values.astype(dtype)


def awkward_network(sizes: tuple[int, ...], seed: int, dtype: type) -> MLP:
    """Return a perceptron of such weights."""
    numbers = partial(awkward_numbers, np.random.default_rng(seed), dtype)
    pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
    return MLP(tuple(numbers(*pair) for pair in pairs), tuple(numbers(pair[1]) for pair in pairs))


def awkward_layers(pooling: Layer, seed: int, dtype: type) -> Sequential:
    """Return a network of layers of such weights, for images of four pixels."""
    numbers = partial(awkward_numbers, np.random.default_rng(seed), dtype)
    layers = (
        Scaling(numbers(1), numbers(1)),
        Convolution(numbers(4, 2).T.reshape(2, 1, 2, 2), numbers(2), padding=1),
        Activation(),
        pooling,
        Convolution(numbers(8, 3).T.reshape(3, 2, 2, 2), numbers(3)),
        Activation(),
        Affine(numbers(3, 3), numbers(3)),
    )
    return Sequential(layers, (1, 2, 2))


def exact_margins(logits: list[Fraction], y: int) -> list[Fraction]:
    return [logits[y] - logit for j, logit in enumerate(logits) if j != y]


@both_methods
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(seed=st.integers(0, 10**6), hidden=st.sampled_from([(), (4,), (4, 3), (3, 4, 3)]))
def test_no_corner_is_below_the_bound(
    method: str, dtype: type, seed: int, hidden: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(seed)
    network = awkward_network((4, *hidden, 3), seed, dtype)
    x: FloatArray = np.clip(rng.uniform(-0.3, 1.3, 4), 0, 1).astype(dtype)
    x[1] = x[0]  # where the first two rows cancel
    epsilon, y = float(rng.choice([0.0, 1e-6, 2.0**-10, 0.1, 0.7])), int(rng.integers(3))
    bounds = np.delete(margins(network, x[None], y, epsilon, method=method)[0], y)
    for corner in oracles.corners(x, epsilon):
        for exact, bound in zip(
            exact_margins(oracles.exact_logits(network, corner), y), bounds, strict=True
        ):
            assert exact >= Fraction(float(bound))
        image: FloatArray = np.array([float(pixel) for pixel in corner]).astype(dtype)
        for _ in range(3):
            logits = oracles.rounded_logits(network, image, rng)
            assert (np.delete(logits[y].astype(float) - logits, y) >= bounds).all()


@pytest.mark.thorough
@both_methods
@pytest.mark.parametrize("pooling", [MaxPooling(2, 1), AveragePooling(2, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(seed=st.integers(0, 10**6))
def test_no_corner_is_below_the_bound_of_layers(
    method: str, pooling: Layer, dtype: type, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    network = awkward_layers(pooling, seed, dtype)
    x: FloatArray = np.clip(rng.uniform(-0.3, 1.3, 4), 0, 1).astype(dtype)
    x[1] = x[0]  # where the first two weights cancel
    epsilon, y = float(rng.choice([0.0, 1e-6, 2.0**-10, 0.1, 0.7])), int(rng.integers(3))
    bounds = np.delete(margins(network, x[None], y, epsilon, method=method)[0], y)
    for corner in oracles.corners(x, epsilon):
        exact = exact_margins(convolutional_oracles.exact_logits(network, corner), y)
        for lead, bound in zip(exact, bounds, strict=True):
            assert lead >= Fraction(float(bound))
        image: FloatArray = np.array([float(pixel) for pixel in corner]).astype(dtype)
        logits = convolutional_oracles.rounded_logits(network, image, rng)
        assert (np.delete(logits[y].astype(float) - logits, y) >= bounds).all()
        logits = network.logits(image[None])[0]
        assert (np.delete(logits[y].astype(float) - logits, y) >= bounds).all()


def test_rounding_alone_can_mislead_and_is_not_certified() -> None:
    # In exact numbers the first label leads by 2⁻¹⁰ everywhere; float32 loses it beside 2¹⁷ x₀.
    large, small = 2.0**17, 2.0**-10
    weights = np.array([[large, large], [-large, -large]], np.float32)
    network = MLP((weights,), (np.array([small, 0], np.float32),))
    x = np.array([[0.7, 0.1]], np.float32)
    exact = oracles.exact_logits(network, [Fraction(float(pixel)) for pixel in x[0]])
    assert exact[0] - exact[1] == Fraction(small)
    rng = np.random.default_rng(0)
    rounded = [oracles.rounded_logits(network, x[0], rng) for _ in range(20)]
    assert any(logits[0] <= logits[1] for logits in rounded)
    assert certified_epsilon(network, x, 0) == 0
    in_float64 = MLP((weights.astype(float),), (network.biases[0].astype(float),))
    assert certified_epsilon(in_float64, x, 0) > 0.9


ends = st.floats(-1e9, 1e9, allow_nan=False)


@given(a=ends, b=ends, scale=st.integers(-60, 20))
def test_the_lines_enclose_relu_in_exact_numbers(a: float, b: float, scale: int) -> None:
    lower, upper = sorted([a, b * 2.0**scale])
    lines = crown.Relaxation.of(Units(np.array([[lower]]), np.array([[upper]]), np.zeros((1, 1))))
    alpha, s, t = (
        Fraction(line.item()) for line in (lines.lower_slope, lines.upper_slope, lines.intercept)
    )
    for end in (
        Fraction(lower),
        Fraction(upper),
        min(max(Fraction(0), Fraction(lower)), Fraction(upper)),
    ):
        relu = max(end, Fraction(0))
        assert alpha * end <= relu <= s * end + t
    if lower < 0 < upper:
        assert float(t) == pytest.approx(-upper * lower / (upper - lower), rel=1e-9)
        assert alpha == (upper >= -lower)


@given(seed=st.integers(0, 10**6), scale=st.integers(-60, 20), size=st.sampled_from([1, 2, 3]))
def test_the_lines_enclose_the_largest_in_exact_numbers(seed: int, scale: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    ends = np.sort(
        rng.normal(size=(2, size**2)) * 2.0 ** rng.integers(-9, 10, (2, size**2)), axis=0
    )
    ends *= 2.0**scale
    if rng.random() < 0.5:  # some inputs have equal bounds, or are known
        ends[:, -1] = ends[:, 0]
        ends[0, rng.integers(size**2)] = ends[1, rng.integers(size**2)] = 0
        ends.sort(axis=0)
    lower, upper = ends.reshape(2, 1, size, size, 1)
    lines = Lines.of(MaxPooling(size, size), lower, upper, np.zeros((1, 1, 1, 1)))
    for _ in range(30):
        inputs = [Fraction(float(rng.choice(pair))) for pair in ends.T]  # max(...) is convex
        sums = [
            sum((Fraction(float(w)) * h for w, h in zip(slopes.ravel(), inputs, strict=True)),
                Fraction(shift.item()))
            for slopes, shift in ((lines.lower, lines.below), (lines.upper, lines.above))
        ]  # fmt: skip
        assert sums[0] <= max(inputs) <= sums[1]
    assert lines.above.item() <= np.abs(ends).max() * (1 + 1e-9)


@pytest.mark.parametrize("function", ["tanh", "sigmoid"])
@given(a=st.floats(-40, 40), width=st.floats(0, 40), scale=st.integers(-60, 0))
def test_the_lines_enclose_tanh_and_the_sigmoid(
    function: str, a: float, width: float, scale: int
) -> None:
    ends = np.array([a, a + width * 2.0**scale])
    layer = Activation(function)
    lines = Lines.of(layer, ends[:1, None], ends[1:, None], np.zeros((1, 1)))
    h = np.linspace(ends[0], ends[1], 101).clip(ends[0], ends[1])
    exact = np.tanh(h) if function == "tanh" else np.exp(-np.logaddexp(0, -h))
    slope = lines.lower.item()
    assert slope == lines.upper.item() >= 0
    assert (slope * h + lines.below.item() <= exact).all()
    assert (exact <= slope * h + lines.above.item()).all()
    touched = [exact[0] - slope * h[0], exact[-1] - slope * h[-1]]
    np.testing.assert_allclose([lines.below.item(), lines.above.item()], touched, atol=1e-12)


@pytest.mark.parametrize("function", ["tanh", "sigmoid"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numpy_s_tanh_is_as_exact_as_is_assumed(function: str, dtype: type) -> None:
    h = np.random.default_rng(0).normal(size=10_000) * np.geomspace(1e-8, 30, 10_000)
    h = h.astype(dtype)
    found, _ = Activation(function).forward(h)
    exact = [
        mpmath.tanh(each) if function == "tanh" else 1 / (1 + mpmath.exp(-each))
        for each in map(float, h)
    ]
    errors = [abs(each - float(own)) for each, own in zip(exact, found, strict=True)]
    assert max(errors) <= 4 * np.finfo(dtype).eps


@both_methods
def test_the_bound_is_not_far_below_what_is_true(method: str) -> None:
    # Every hidden unit is positive in the whole ball, so CROWN is exact up to its errors.
    rng = np.random.default_rng(0)
    network = MLP(
        (rng.uniform(0, 1, (4, 5)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)),
        (np.ones(5, np.float32), rng.normal(size=3).astype(np.float32)),
    )
    x = np.array([0.2, 0.5, 0.9, 0.0], np.float32)
    bounds = np.delete(margins(network, x[None], 0, 0.1, method=method)[0], 0)
    least = np.min(
        [
            [float(each) for each in exact_margins(oracles.exact_logits(network, corner), 0)]
            for corner in oracles.corners(x, 0.1)
        ],
        axis=0,
    )
    assert (bounds < least).all()
    if method == "crown":
        np.testing.assert_allclose(bounds, least, atol=2e-5)
