from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.attacks import deepfool, fab, pgd
from core.attacks.fab import to_hyperplane
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks.mlp import MLP
from tests.core.attacks.referee import check, norms, predictions

each_norm = pytest.mark.parametrize("norm", ["linf", "l2"])


def sizes(x: FloatArray, x_adv: FloatArray, norm: str) -> FloatArray:
    if norm == "l2":
        return norms(x, x_adv)
    largest: FloatArray = np.abs(x_adv.astype(np.float64) - x).max(axis=1)
    return largest


def slow_linf(x: FloatArray, w: FloatArray, gap: float) -> float:
    """Return the L∞ norm of the smallest δ with w · δ = gap in the box, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        farthest = np.clip(middle * np.sign(w) * np.sign(gap), -x, 1 - x)
        if abs(w @ farthest) < abs(gap):
            low = middle
        else:
            high = middle
    return high


def slow_l2(x: FloatArray, w: FloatArray, gap: float) -> FloatArray:
    """Return the shortest δ with w · δ = gap in the box, by bisection of its multiplier."""
    low, high = -1e6, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        if w @ np.clip(middle * w, -x, 1 - x) < gap:
            low = middle
        else:
            high = middle
    shortest: FloatArray = np.clip(high * w, -x, 1 - x)
    return shortest


@given(seed=st.integers(0, 10_000), share=st.floats(0.001, 0.98), down=st.booleans())
def test_the_way_to_a_hyperplane_is_the_shortest_in_the_box(
    seed: int, share: float, down: bool
) -> None:
    rng = np.random.default_rng(seed)
    x, w = rng.random((1, 8)), rng.normal(size=(1, 8)) * (rng.random((1, 8)) > 0.2)
    x[0, :2] = rng.integers(0, 2, 2)
    ways = np.where(w > 0, 1 - x, -x) if not down else np.where(w > 0, -x, 1 - x)
    gap = share * np.vecdot(w, ways)  # what can be reached
    for norm in ("linf", "l2"):
        delta = to_hyperplane(x, w, gap, norm)
        check(x, x + delta)
        np.testing.assert_allclose(np.vecdot(w, delta), gap, rtol=1e-9, atol=1e-12)
        if norm == "linf":
            expected = slow_linf(x[0], w[0], float(gap[0]))
            assert np.abs(delta).max() == pytest.approx(expected, rel=1e-6, abs=1e-9)
        else:
            shortest = slow_l2(x[0], w[0], float(gap[0]))
            np.testing.assert_allclose(delta[0], shortest, atol=1e-7)


@each_norm
def test_a_hyperplane_out_of_reach_is_approached_as_far_as_possible(norm: str) -> None:
    x, w = np.array([[0.25, 0.5, 1.0]]), np.array([[1.0, -2.0, 3.0]])
    np.testing.assert_allclose(
        to_hyperplane(x, w, np.array([9.0]), norm) + x, [[1, 0, 1]], atol=1e-12
    )
    np.testing.assert_array_equal(to_hyperplane(x, 0 * w, np.array([9.0]), norm), 0 * x)


@each_norm
def test_nearly_every_image_is_misclassified_by_little(
    norm: str, report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[200:300].copy(), test_digits.y[200:300]
    x_adv = fab(report_network, x, y, norm=norm, steps=20)
    np.testing.assert_array_equal(x, test_digits.x[200:300])
    check(x, x_adv)
    before, after = predictions(report_network, x), predictions(report_network, x_adv)
    np.testing.assert_array_equal(x_adv[before != y], x[before != y])
    assert (after != y).mean() >= 0.98
    np.testing.assert_array_equal(x_adv[after == y], x[after == y])
    found = sizes(x, x_adv, norm)
    assert (found[(before == y) & (after != y)] > 0).all()
    if norm == "l2":
        assert np.median(found) < np.median(norms(x, deepfool(report_network, x, y)))
    else:
        # PGD with the median as its budget misleads about half of the images, too.
        budget = float(np.median(found))
        wrong = predictions(report_network, pgd(report_network, x, y, budget)) != y
        assert 0.4 < wrong.mean() < 0.6


@each_norm
def test_targets_are_arrived_at(norm: str, report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:60], test_digits.y[:60]
    target = (y + 1) % 10
    x_adv = fab(report_network, x, y, target=target, norm=norm, steps=40)
    check(x, x_adv)
    arrived = predictions(report_network, x_adv) == target
    assert arrived.mean() > 0.7
    np.testing.assert_array_equal(x_adv[~arrived], x[~arrived])
    free = fab(report_network, x, y, norm=norm, steps=40)
    assert np.median(sizes(x, free, norm)) < np.median(sizes(x, x_adv, norm)[arrived])


@each_norm
def test_more_steps_find_nothing_larger(
    norm: str, report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:40], test_digits.y[:40]
    few, many = (fab(report_network, x, y, norm=norm, steps=steps) for steps in (5, 25))
    found = predictions(report_network, few) != y
    smaller = sizes(x, many, norm)[found] <= sizes(x, few, norm)[found] + 1e-3
    assert smaller.mean() > 0.95
    assert np.median(sizes(x, many, norm)) < np.median(sizes(x, few, norm)[found])


@each_norm
def test_on_a_linear_network_it_is_the_projection(norm: str) -> None:
    rng = np.random.default_rng(1)
    network = MLP((rng.normal(size=(16, 10)),), (0.1 * rng.normal(size=10),))
    x = rng.uniform(0.3, 0.7, (30, 16))
    y = predictions(network, x)
    logits = network.logits(x)
    nearest = np.full(30, np.inf)
    for row in range(30):
        for other in set(range(10)) - {int(y[row])}:
            w = network.weights[0][:, other] - network.weights[0][:, y[row]]
            gap = np.array([logits[row, y[row]] - logits[row, other]])
            delta = to_hyperplane(x[row : row + 1], w[None], gap, norm)
            if w @ delta[0] == pytest.approx(gap[0]):
                nearest[row] = min(nearest[row], sizes(0 * delta, delta, norm)[0])
    found = sizes(x, fab(network, x, y, norm=norm, steps=30), norm)
    assert (found >= nearest - 1e-9).all()
    np.testing.assert_allclose(found, nearest, rtol=0.01)


def test_no_images_are_no_trouble(report_network: MLP) -> None:
    assert fab(report_network, np.zeros((0, 784)), np.zeros(0, int)).shape == (0, 784)


@each_norm
def test_where_no_gradient_leads_anywhere_the_image_stays(norm: str) -> None:
    network = MLP((np.zeros((16, 10)),), (np.arange(10.0),))
    x = np.random.default_rng(0).random((3, 16))
    np.testing.assert_array_equal(fab(network, x, 9, norm=norm, steps=5), x)


@pytest.mark.parametrize(("name", "bad"), [("norm", "l1"), ("steps", 0), ("steps", 1.5)])
def test_a_bad_setting_is_named(name: str, bad: Any, report_network: MLP) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must"):
        fab(report_network, np.zeros((2, 784)), [1, 2], **{name: bad})
