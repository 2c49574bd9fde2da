"""No image of the ball gives less than the bound: not in exact numbers, not as it is rounded."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.bounds import certified_epsilon, crown, margins
from core.bounds.interval import Units
from core.classifier import FloatArray
from core.networks import MLP
from tests.core.bounds import oracles

both_methods = pytest.mark.parametrize("method", ["crown", "interval"])


def awkward_network(sizes: tuple[int, ...], seed: int, dtype: type) -> MLP:
    """Return a network whose sums cancel: its weights differ by many orders of magnitude."""
    rng = np.random.default_rng(seed)

    def numbers(*shape: int) -> FloatArray:
        values: FloatArray = rng.normal(size=shape) * 2.0 ** rng.integers(-9, 10, shape)
        values[rng.random(shape) < 0.1] = 0
        if len(shape) > 1 and shape[0] > 1:
            values[1] = -values[0] * (1 + rng.normal(size=shape[1]) * 2.0**-20)
        return values.astype(dtype)

    pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
    return MLP(tuple(numbers(*pair) for pair in pairs), tuple(numbers(pair[1]) for pair in pairs))


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
