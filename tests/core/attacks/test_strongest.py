import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import batches
from core.attacks import ALREADY, SEQUENCE, WITHSTOOD, apgd, pgd, strongest, worst_case
from core.attacks.problem import Problem
from core.attacks.strongest import Some, by_apgd_again, lead_over_each
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks.mlp import MLP
from core.networks.torch_module import TorchClassifier
from tests.conftest import SHIPPED, perceptrons
from tests.core.attacks.referee import check, in_float64, predictions
from tests.core.torch_twin import torch_twin

NAMES = list(SEQUENCE)


def test_what_it_finds_is_in_the_budget_and_misleads_as_it_says(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[200:300].copy(), test_digits.y[200:300]
    epsilons = [0.0, 0.03, 0.1, 0.2]
    worst = worst_case(report_network, x, y, epsilons)
    np.testing.assert_array_equal(x, test_digits.x[200:300])
    assert worst.x_adv.shape == (4, 100, 784)
    assert worst.found_by.shape == (4, 100)
    before = predictions(report_network, x) != y
    assert before.any()
    np.testing.assert_array_equal(worst.x_adv[0], x)
    rates = []
    for epsilon, x_adv, found_by in zip(epsilons, worst.x_adv, worst.found_by, strict=True):
        check(x, x_adv, linf=epsilon)
        np.testing.assert_array_equal(found_by == ALREADY, before)
        np.testing.assert_array_equal(x_adv[before], x[before])
        wrong = predictions(report_network, x_adv) != y
        np.testing.assert_array_equal(wrong, found_by != WITHSTOOD)
        rates.append(wrong.mean())
    assert rates == sorted(rates)
    assert set(worst.found_by[2]) >= {ALREADY, WITHSTOOD, NAMES.index("FGSM"), NAMES.index("APGD")}


def test_it_is_stronger_than_each_attack_alone(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:300], test_digits.y[:300]

    def wrong(x_adv: FloatArray) -> np.ndarray:
        return np.asarray(predictions(report_network, x_adv) != y)

    worst = wrong(strongest(report_network, x, y, 0.1))
    for x_adv in (pgd(report_network, x, y, 0.1), apgd(report_network, x, y, 0.1)):
        assert worst.mean() > wrong(x_adv).mean() + 0.01
        assert (wrong(x_adv) & ~worst).mean() < 0.01


def test_a_longer_search_finds_what_gradients_hide(
    test_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most units of a network that was trained for a proof are off, and have no gradient."""
    (network,) = perceptrons(SHIPPED.load("certified")[0])
    x, y = test_digits.x[:1000], test_digits.y[:1000]
    wrong = predictions(network, strongest(network, x, y, 0.2)) != y
    module = sys.modules[worst_case.__module__]  # its name in the package is the function's
    monkeypatch.setattr(module, "MOST_LEFT", -1)
    before = predictions(network, strongest(network, x, y, 0.2)) != y
    assert wrong[before].all() and wrong.sum() > before.sum()


def test_many_steps_go_towards_the_labels_that_are_near(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:4], test_digits.y[:4]
    goal = Problem.with_budgets(report_network, x, y, 0.1, None).only(np.arange(4))
    leads = np.full((4, 10), 9.0, np.float32)
    leads[np.arange(4), y] = np.inf
    nearest, second = (y + 3) % 10, (y + 1) % 10
    leads[np.arange(4), nearest] = [0.1, 0.1, 3, 8]
    leads[np.arange(4), second] = [0.15, 4, 4, 8.5]
    some = Some(goal, np.full((4, 1), 0.1, np.float32), np.full(4, 10, np.float32), leads)

    def changed(rank: int, start: int) -> list[bool]:
        x_adv = by_apgd_again(some, seed=0, rank=rank, start=start)
        before, after = (lead_over_each(goal, report_network.logits(z)) for z in (x, x_adv))
        aims = [nearest, second][rank]
        row = np.flatnonzero((x_adv != x).any(axis=1))
        assert (after[row, aims[row]] < before[row, aims[row]]).all()
        return [bool(each) for each in (x_adv != x).any(axis=1)]

    assert changed(rank=0, start=0) == [True] * 4  # the nearest, however far
    assert changed(rank=1, start=0) == [True, True, True, False]
    assert changed(rank=0, start=1) == [True, True, False, False]
    assert changed(rank=1, start=2) == [True, False, False, False]


def test_a_target_is_reached(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:60], test_digits.y[:60]
    target = (y + 1) % 10
    worst = worst_case(report_network, x, y, [0.05, 0.15], target=target)
    for x_adv, found_by in zip(worst.x_adv, worst.found_by, strict=True):
        arrived = predictions(report_network, x_adv) == target
        np.testing.assert_array_equal(arrived, found_by != WITHSTOOD)
    few, many = (worst.found_by != WITHSTOOD).mean(axis=1)
    alone = pgd(report_network, x, y, 0.15, target=target)
    assert few < (predictions(report_network, alone) == target).mean() < many


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_image_has_one_verdict_whatever_it_comes_with(
    dtype: type, report_network: MLP, test_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = report_network if dtype is np.float32 else in_float64(report_network)
    x: FloatArray = test_digits.x[:60].astype(dtype)
    y = test_digits.y[:60]

    def verdicts(rows: np.ndarray) -> np.ndarray:
        out = np.zeros(60, bool)
        out[rows] = worst_case(network, x[rows], y[rows], 0.1).found_by != WITHSTOOD
        return out

    together = verdicts(np.arange(60))
    assert 0.4 < together.mean() < 0.95
    np.testing.assert_array_equal(verdicts(np.random.default_rng(0).permutation(60)), together)
    np.testing.assert_array_equal(
        worst_case(network, x, y, [0.05, 0.1]).found_by[1] != WITHSTOOD, together
    )
    monkeypatch.setattr(batches, "BATCH", 7)
    np.testing.assert_array_equal(verdicts(np.arange(60)), together)
    for row in range(5):
        assert verdicts(np.array([row]))[row] == together[row]


@dataclass(frozen=True)
class Masked:
    """A network whose gradient leads nowhere, as that of one that rounds its pixels."""

    network: MLP

    def logits(self, x: FloatArray) -> FloatArray:
        """Return the network's."""
        return self.network.logits(x)

    def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """Return the network's logits, and no gradient."""
        logits, pull_back = self.network.vjp(x)
        return logits, lambda cotangent: 0 * pull_back(cotangent)


def test_where_the_gradient_leads_nowhere_the_last_attack_finds_them(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:40], test_digits.y[:40]
    worst = worst_case(Masked(report_network), x, y, 0.2)
    by_square = worst.found_by == NAMES.index("square attack")
    assert by_square.mean() > 0.3
    assert (predictions(report_network, worst.x_adv[by_square]) != y[by_square]).all()


def test_any_classifier_can_be_attacked(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:6], test_digits.y[:6]
    ours = worst_case(in_float64(report_network), x, y, 0.1)
    theirs = worst_case(TorchClassifier(torch_twin(report_network)), x, y, 0.1)
    np.testing.assert_array_equal(ours.found_by == WITHSTOOD, theirs.found_by == WITHSTOOD)


def test_images_that_withstand_are_those_of_the_smallest_margin(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:20], test_digits.y[:20]
    worst = worst_case(report_network, x, y, 0.03)
    held = worst.found_by == WITHSTOOD
    assert held.any()

    def margins(images: FloatArray) -> FloatArray:
        logits = report_network.logits(images).astype(np.float64)
        own = logits[np.arange(20), y]
        logits[np.arange(20), y] = -np.inf
        lead: FloatArray = own - logits.max(axis=1)
        return lead

    assert (margins(worst.x_adv) < margins(x))[held].all()
    behind = margins(worst.x_adv) - margins(pgd(report_network, x, y, 0.03))
    assert np.median(behind[held]) < 0.1


@given(
    seed=st.integers(0, 1000),
    label=st.integers(0, 9),
    ahead=st.none() | st.integers(1, 9),
    epsilon=st.floats(0, 1),
)
def test_any_image_any_budget(
    small_network: MLP, seed: int, label: int, ahead: int | None, epsilon: float
) -> None:
    x = np.random.default_rng(seed).random((1, 12)).astype(np.float32)
    target = None if ahead is None else (label + ahead) % 10
    worst = worst_case(small_network, x, [label], epsilon, target=target)
    check(x, worst.x_adv, linf=epsilon)
    after = int(predictions(small_network, worst.x_adv)[0])
    reached = after != label if target is None else after == target
    if worst.found_by[0] != WITHSTOOD:
        assert reached
    if epsilon == 0:
        np.testing.assert_array_equal(worst.x_adv, x)


def test_no_images_are_no_trouble(report_network: MLP) -> None:
    worst = worst_case(report_network, np.zeros((0, 784)), np.zeros(0, int), [0.1, 0.2])
    assert worst.x_adv.shape == (2, 0, 784)
    assert worst.found_by.shape == (2, 0)


def test_a_bad_seed_is_named(report_network: MLP) -> None:
    with pytest.raises(ValueError, match="^seed must"):
        strongest(report_network, np.zeros((2, 784)), [1, 2], 0.1, seed=-1)
