"""The limits of an evasion rate, against all attacks and all bounds over a grid."""

import numpy as np
import pytest

from core.attacks import fgsm, pgd, strongest
from core.batches import at_most
from core.bounds import certified
from core.data.mnist import Digits
from core.evaluation import limits, worst
from core.measures import predict
from core.networks import MLP
from tests.conftest import random_mlp

RATE, AT = 0.7, 0.14


@pytest.fixture(scope="module")
def few(test_digits: Digits) -> Digits:
    return Digits(test_digits.x[:40], test_digits.y[:40])


def test_the_limits_are_those_of_every_attack_and_every_bound(
    report_network: MLP, few: Digits
) -> None:
    told: list[int] = []
    quick = [
        predict(report_network, attack(report_network, few.x, few.y, AT)) != few.y
        for attack in (fgsm, pgd)
    ]
    found = limits.measure(
        report_network, few, AT, quick[0] | quick[1], RATE, on_progress=told.append
    )
    assert sum(told) == limits.PASSES * len(few)
    x_adv = strongest(report_network, few.x, few.y, AT)
    union = quick[0] | quick[1] | (predict(report_network, x_adv) != few.y)
    assert found.found == pytest.approx(union.mean())
    assert found.proved == certified(report_network, few.x, few.y, AT).mean()
    grid = np.linspace(0, AT, 129)
    unproved = 1 - certified(report_network, few.x, few.y, grid).mean(axis=1)
    assert found.excluded is not None
    assert found.excluded == pytest.approx(grid[unproved < RATE][-1], abs=limits.PRECISION)
    assert found.reached is not None
    grid = np.linspace(0.05, 0.09, 9)
    x_adv = pgd(report_network, few.x, few.y, grid)
    wrong = np.array([predict(report_network, each) != few.y for each in x_adv])
    # Who may change pixels by ε may change them by less.
    within = np.logical_or.accumulate(wrong).mean(axis=1)
    step = grid[1] - grid[0]
    assert grid[within >= RATE][0] - step <= found.reached
    assert found.reached <= grid[wrong.mean(axis=1) >= RATE][0] + limits.PRECISION
    assert 0 < found.excluded < found.reached < AT


def test_a_rate_that_is_never_reached_is_excluded_up_to_the_largest_epsilon(few: Digits) -> None:
    bias = np.eye(10, dtype=np.float32)[7]
    constant = MLP((np.zeros((784, 10), np.float32),), (bias,))
    sevens = few.y == 7
    images = Digits(few.x[sevens], few.y[sevens])
    nothing = np.zeros(len(images), bool)
    found = limits.measure(constant, images, 1.0, nothing, RATE)
    assert (found.found, found.proved, found.reached) == (0, 1, None)
    assert found.excluded == pytest.approx(1, abs=limits.PRECISION)


def test_a_rate_that_is_reached_without_an_attack_excludes_nothing(few: Digits) -> None:
    network = random_mlp((784, 20, 10), seed=1, dtype=np.float32)
    wrong = predict(network, few.x) != few.y
    found = limits.measure(network, few, 0.0, wrong, RATE)
    assert wrong.mean() >= RATE
    assert (found.reached, found.excluded) == (0, None)
    assert found.found == pytest.approx(wrong.mean())


def test_a_network_that_is_too_large_is_attacked_and_nothing_is_proved(
    few: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = random_mlp((784, 20, 10), seed=1, dtype=np.float32)
    nothing = np.zeros(len(few), bool)
    assert limits.measure(network, few, 0.01, nothing, 1.0).excluded is not None
    monkeypatch.setattr(worst, "MOST_MULTIPLY_ADDS", 1000)
    told: list[int] = []
    found = limits.measure(network, few, 0.01, nothing, 1.0, on_progress=told.append)
    assert (found.proved, found.excluded) == (None, None)
    assert found.found >= (predict(network, few.x) != few.y).mean() > 0
    assert sum(told) == limits.PASSES * len(few)


def test_work_that_is_stopped_ends_at_any_point(report_network: MLP, few: Digits) -> None:
    calls = 0

    def count(images: int) -> None:
        nonlocal calls
        calls += 1
        if calls == stop_at:
            raise KeyboardInterrupt

    nothing = np.zeros(len(few), bool)
    with at_most(1):
        for stop_at in (1, 3):
            calls = 0
            with pytest.raises(KeyboardInterrupt):
                limits.measure(report_network, few, AT, nothing, RATE, on_progress=count)
            assert calls == stop_at
