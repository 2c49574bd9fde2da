"""What is proved of many images, against plain loops and against attacks."""

import numpy as np
import pytest

from core.attacks import ALREADY, WITHSTOOD, worst_case
from core.bounds import certified
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.evaluation.certainty import RESOLUTIONS, Certainty, certainty, multiply_adds
from core.networks import Ensemble, Sequential
from core.networks.layers import Activation, Affine, Convolution
from core.networks.mlp import MLP
from tests.conftest import random_mlp
from tests.core.networks.lenet import lenet

KNOWN = Certainty(
    np.array([3, 3, 3, 8, 8]),
    np.array([True, True, False, True, True]),
    np.array([0.03, 0.1, 0, 0.05, 0.3]),
)


def test_shares_and_medians_by_a_plain_count() -> None:
    budgets = [0, 0.03, 0.031, 0.1, 0.31]
    expected = []
    for budget in budgets:
        safe = 0
        for right, proved in zip(KNOWN.correct, KNOWN.epsilon, strict=True):
            safe += bool(right and proved >= budget)
        expected.append(safe / 5)
    assert expected == [0.8, 0.8, 0.6, 0.4, 0]
    assert KNOWN.proved_share(budgets).tolist() == expected
    assert KNOWN.proved_share(3 * 0.1).tolist() == [0.2]  # 0.30000000000000004
    medians = KNOWN.median_by_digit()
    assert (medians[3], medians[8]) == (0.03, pytest.approx(0.175))
    assert np.isnan(np.delete(medians, [3, 8])).all()
    assert KNOWN.only(KNOWN.y == 8).proved_share(0.1).tolist() == [0.5]
    with pytest.raises(ValueError, match="budgets"):
        KNOWN.proved_share(-0.1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_shares_are_those_of_the_bounds_at_each_budget(
    norm: str, report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:60], test_digits.y[:60]
    done: list[int] = []
    found = certainty(report_network, x, y, norm=norm, on_progress=done.append)
    assert sum(done) == found.images == 60
    budgets = RESOLUTIONS[norm] * np.array([0, 10, 20, 30, 40, 60, 100])
    at_each = [certified(report_network, x, y, budget, norm=norm).mean() for budget in budgets]
    assert found.proved_share(budgets).tolist() == at_each
    assert at_each[1] > at_each[3] > at_each[6]


@pytest.mark.thorough
def test_no_attack_fools_an_image_that_is_proved(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:60], test_digits.y[:60]
    proved = certainty(report_network, x, y)
    budgets = np.array([0.02, 0.04, 0.06])
    found = worst_case(report_network, x, y, budgets).found_by
    for budget, by in zip(budgets, found, strict=True):
        safe = proved.correct & (proved.epsilon >= budget)
        assert (by[safe] == WITHSTOOD).all()
        assert (by[~proved.correct] == ALREADY).all()
        assert safe.any() and (by > ALREADY).any()


def test_work_that_is_stopped_ends(report_network: MLP, test_digits: Digits) -> None:
    def stop(images: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        certainty(report_network, test_digits.x[:600], test_digits.y[:600], on_progress=stop)
    with pytest.raises(ValueError, match="at least one image"):
        certainty(report_network, test_digits.x[:0], test_digits.y[:0])


def operations(weights: list[FloatArray]) -> int:
    """Count the multiplications of pulling two rows for each unit back to the pixels."""
    count = 0
    for layer, weight in enumerate(weights):
        count += weight.size  # the intervals
        if layer:
            count += 2 * weight.shape[1] * sum(each.size for each in weights[: layer + 1])
    return count


@pytest.mark.parametrize("sizes", [(784, 10), (784, 128, 64, 10), (12, 9, 7, 5, 10)])
def test_the_cost_of_a_network(sizes: tuple[int, ...]) -> None:
    networks = [random_mlp(sizes, seed=seed) for seed in range(3)]
    one = operations(list(networks[0].weights))
    assert multiply_adds(networks[0]) == one > 0
    assert multiply_adds(Ensemble(tuple(networks))) == 3 * one


def test_convolutions_cost_what_their_rows_take() -> None:
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> FloatArray:
        values: FloatArray = rng.normal(size=shape).astype(np.float32)
        return values

    affine = Affine(weights(784, 10), weights(10))
    one = multiply_adds(Sequential((affine,)))
    assert 13 * 7840 <= one <= 20 * 13 * 7840  # a row a label, and the intervals' three products
    small = lenet()
    hidden = 2 * 120 * (48_000 + 240_000 + 117_600) + 2 * 84 * (10_080 + 48_000 + 240_000 + 117_600)
    assert hidden < multiply_adds(small) < 5 * hidden
    assert multiply_adds(Ensemble((small, small))) == 2 * multiply_adds(small)
    wide = Sequential((
        Convolution(weights(64, 1, 3, 3), weights(64), padding=1),
        Activation(),
        Convolution(weights(64, 64, 3, 3), weights(64), padding=1),
        Activation(),
        Affine(weights(64 * 784, 10), weights(10)),
    ))  # fmt: skip
    # CROWN would need 100,352 rows for the second convolution: it keeps its intervals.
    assert multiply_adds(wide) < 100 * wide.work
