"""Branch and bound against a mixed-integer solver, attacks and exact known answers."""

from dataclasses import replace
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from core.attacks import pgd, pgd_l2
from core.bounds import Proof, certified_epsilon, refine
from core.bounds.balls import BALLS
from core.bounds.branch import _Parts, _Region
from core.bounds.layers import Layers
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks import MLP, Ensemble
from tests.conftest import SHIPPED, random_mlp
from tests.core.bounds import oracles
from tests.core.bounds.test_bounds import DISTANCE, network_of, some_images

both_norms = pytest.mark.parametrize("norm", ["linf", "l2"])
SMALL = random_mlp((12, 9, 7, 10), seed=11)


def exact_least(network: MLP, x: FloatArray, epsilon: float, y: int) -> float:
    """Return the least z_y − z_j over the L∞ ball and all j, by HiGHS with one integer a unit."""
    weights = [weight.astype(np.float64).T for weight in network.weights]
    low, high = oracles.box(x, epsilon)
    units = oracles.interval_units(network, x, epsilon)[:-1]
    sizes = [len(x), *(len(layer) for layer in units)]
    starts = np.cumsum([0, *sizes])
    count, hidden = int(starts[-1]), int(starts[-1]) - len(x)
    rows, least, most = [], [], []
    for layer, limits in enumerate(units):
        for k, (l, u) in enumerate(limits):  # noqa: E741
            z = np.zeros(count + hidden)
            z[starts[layer] : starts[layer + 1]] = weights[layer][k]
            h, on, b = np.zeros_like(z), np.zeros_like(z), float(network.biases[layer][k])
            h[starts[layer + 1] + k] = 1
            on[count + starts[layer + 1] + k - len(x)] = 1
            l, u = min(l, 0.0), max(u, 0.0)  # noqa: E741
            rows += [h - z, h - z - l * on, h - u * on]  # h ≥ z, h ≤ z − l (1 − on), h ≤ u on
            least += [b, -np.inf, -np.inf]
            most += [np.inf, b - l, 0.0]
    limits_low = np.concatenate([low, np.zeros(2 * hidden)])
    limits_high = np.concatenate([high, np.full(hidden, np.inf), np.ones(hidden)])
    found = []
    for j in set(range(len(network.biases[-1]))) - {y}:
        cost = np.zeros(count + hidden)
        cost[starts[-2] : starts[-1]] = weights[-1][y] - weights[-1][j]
        result = milp(
            cost,
            constraints=LinearConstraint(np.array(rows), least, most),
            bounds=Bounds(limits_low, limits_high),
            integrality=np.concatenate([np.zeros(count), np.ones(hidden)]),
            options={"mip_rel_gap": 0},
        )
        assert result.status == 0, result.message
        found.append(float(result.fun + network.biases[-1][y] - network.biases[-1][j]))
    return min(found)


def all_proofs(*args: Any, **settings: Any) -> list[Proof]:
    """Return every proof, checked: the two ends only ever come closer."""
    proofs = list(refine(*args, **settings))
    for before, after in pairwise(proofs):
        assert before.proved <= after.proved < after.found <= before.found
        assert before.nodes < after.nodes
    return proofs


@pytest.mark.parametrize("seed", range(4))
def test_it_ends_where_a_mixed_integer_solver_does(seed: int) -> None:
    x = some_images(1, seed=seed)[0]
    y = int(SMALL.logits(x[None]).argmax())
    *_, last = all_proofs(SMALL, x, y)
    crown = certified_epsilon(SMALL, x[None], y)[0]
    assert crown <= last.proved
    assert exact_least(SMALL, x, last.proved, y) > -1e-6
    assert exact_least(SMALL, x, last.proved + 3e-3, y) < 0
    if (
        last.nearest is not None
    ):  # the image where a bound is least is a corner; the nearest may not
        assert exact_least(SMALL, x, last.found, y) < 1e-6
        assert SMALL.logits(last.nearest[None]).argmax() != y
        assert np.abs(last.nearest - x).max() == pytest.approx(last.found, abs=1e-12)


def test_cutting_proves_what_crown_can_t() -> None:
    crown, last = [], []
    for seed in range(4):
        x = some_images(1, seed=seed)[0]
        y = int(SMALL.logits(x[None]).argmax())
        first, *_, end = all_proofs(SMALL, x, y)
        assert first.proved == certified_epsilon(SMALL, x[None], y)[0]
        crown.append(first.proved)
        last.append(end.proved)
    assert np.mean(last) > 1.1 * np.mean(crown)


@both_norms
def test_known_answers(norm: str) -> None:
    *_, last = all_proofs(DISTANCE, np.array([0.5, 0.5]), 0, norm=norm)
    exact = 0.25 if norm == "linf" else 0.5 / np.sqrt(2)
    assert last.proved <= exact <= last.found
    assert last.found - last.proved < 0.01
    linear = network_of(([[1, 0], [0, 1]], [0, 0]))
    *_, last = all_proofs(linear, np.array([0.8, 0.3]), 0, norm=norm)
    assert last.proved == pytest.approx(0.25 if norm == "linf" else 0.5 / np.sqrt(2), abs=2e-3)
    (only,) = refine(linear, np.array([0.3, 0.8]), 0, norm=norm)
    assert (only.proved, only.found) == (0, 0)
    safe = network_of(([[0, 1], [0, 0]], [1.5, 0]))
    *_, last = all_proofs(safe, np.array([0.4, 0.0]), 0, norm=norm)
    assert last.proved == pytest.approx(1 if norm == "linf" else 1.1, abs=2e-3)
    assert last.found == np.inf


@both_norms
@given(seed=st.integers(0, 10**6))
def test_a_part_s_bound_is_below_all_its_images(norm: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y, epsilon = some_images(1, seed=seed), 4, float(rng.choice([0.05, 0.3]))
    ball = BALLS[norm].around(x, np.array([epsilon * (3 if norm == "l2" else 1)]))
    region = _Region(Layers.of(SMALL), ball, y)
    if norm == "linf":
        images = rng.uniform(ball.centre - ball.radius, ball.centre + ball.radius, (400, 12))
    else:
        moves = rng.normal(size=(400, 12))
        images = x + ball.radius * moves / np.linalg.norm(moves, axis=1)[:, None] * rng.random()
    images = np.clip(images, 0, 1)
    signs, out = [], images
    for weight, bias in zip(SMALL.weights[:-1], SMALL.biases[:-1], strict=True):
        signs.append(np.where(out @ weight + bias > 0, 1, -1))
        out = np.maximum(out @ weight + bias, 0)
    logits = out @ SMALL.weights[-1] + SMALL.biases[-1]
    chosen = np.concatenate(signs, axis=1)[:60]  # parts that hold these images at least
    rivals = rng.choice([j for j in range(10) if j != y], 60)
    parts = _Parts(
        rivals,
        np.where(rng.random(chosen.shape) < rng.random((60, 1)), chosen, 0).astype(np.int8),
        rng.random(chosen.shape).astype(np.float16),
        (rng.exponential(size=chosen.shape) * rng.choice([0, 0.1, 1])).astype(np.float16),
    )
    bounds = region.bounds(parts)
    for part, (bound, rival) in enumerate(zip(bounds, rivals, strict=True)):
        known = parts.signs[part] != 0
        inside = (np.concatenate(signs, axis=1) == parts.signs[part])[:, known].all(axis=1)
        assert inside[part]
        assert (logits[inside, y] - logits[inside, rival] >= bound).all()
    np.testing.assert_allclose(region.sweep(parts).bound, bounds, atol=2e-4, rtol=2e-4)


def test_the_derivatives_are_those_of_a_concave_function() -> None:
    """In one layer's slopes, or multipliers, a tangent lies nowhere below the bound."""
    rng, x = np.random.default_rng(0), some_images(1, seed=3)
    region = _Region(Layers.of(SMALL), BALLS["linf"].around(x, np.array([0.3])), 2)
    shape = (200, 16)
    parts = _Parts(
        np.full(200, 5),
        rng.choice(np.array([-1, 0, 0, 0, 1], np.int8), shape),
        rng.random(shape).astype(np.float16),
        rng.random(shape).astype(np.float16),
    )
    here, moved = region.sweep(parts), 0
    for columns in (slice(0, 9), slice(9, 16)):
        for name, slope in (("slopes", here.of_slopes), ("multipliers", here.of_multipliers)):
            values = getattr(parts, name).copy()
            values[:, columns] = rng.random(shape)[:, columns]
            step = values.astype(float) - getattr(parts, name)
            there = region.sweep(replace(parts, **{name: values}))
            tangent = here.bound + (slope * step).sum(axis=1)
            assert (there.bound <= tangent + 1e-3).all()
            moved += int((np.abs(there.bound - here.bound) > 1e-2).sum())
    assert moved > 100


@pytest.mark.parametrize("name", ["report", "adversarial-pgd"])
@both_norms
def test_it_proves_more_of_a_digit_and_no_attack_says_otherwise(
    name: str, norm: str, test_digits: Digits
) -> None:
    network, _ = SHIPPED.load(name)
    x, y = test_digits.x[1], int(test_digits.y[1])
    first, *_, last = islice(refine(network, x, y, norm=norm), 40)
    assert last.proved > 1.15 * first.proved
    assert last.proved < last.found
    attack = pgd if norm == "linf" else pgd_l2
    restarts = np.tile(x, (50, 1))
    x_adv = attack(network, restarts, y, last.proved, keep_best=True)
    assert (network.logits(x_adv).argmax(axis=1) == y).all()


def test_a_known_attack_is_the_ceiling(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[0], int(test_digits.y[0])
    proofs = all_proofs(report_network, x, y, found=0.04)
    assert proofs[-1].proved == pytest.approx(0.04, abs=1.1e-4)
    assert {proof.found for proof in proofs} == {0.04}


def test_little_memory_ends_it(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[0], int(test_digits.y[0])
    proofs = all_proofs(report_network, x, y, most_bytes=100_000)
    assert proofs[0].proved < proofs[-1].proved < 0.06


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"network": Ensemble((SMALL, SMALL))}, "Ensemble"),
        ({"x": np.zeros(13)}, "12"),
        ({"x": np.full(12, 2.0)}, "pixels"),
        ({"y": 10}, "y must be"),
        ({"norm": "l1"}, "norm"),
        ({"found": 0.0}, "found"),
        ({"found": np.nan}, "found"),
        ({"resolution": 0.0}, "resolution"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(wrong: dict[str, Any], said: str) -> None:
    good: dict[str, Any] = {"network": SMALL, "x": np.zeros(12), "y": 1}
    with pytest.raises(ValueError, match=said):
        next(refine(**(good | wrong)))
