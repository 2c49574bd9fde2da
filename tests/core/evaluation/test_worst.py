"""The worst case of many images, against every attack on every image and every bound."""

from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from core.attacks import Attack, fgsm, pgd, strongest
from core.batches import at_most
from core.bounds import certified
from core.classifier import Classifier, FloatArray
from core.data.mnist import Digits
from core.evaluation import worst as module
from core.evaluation.worst import can_be_bounded, worst
from core.networks import MLP, Ensemble
from tests.conftest import random_mlp

BUDGETS = np.array([0.03, 0.08])


class Opaque:
    """A classifier whose layers nobody sees."""

    def __init__(self, network: MLP) -> None:
        self.logits, self.vjp = network.logits, network.vjp


def misled_by(
    attack: Attack, network: Classifier, digits: Digits, budgets: FloatArray
) -> NDArray[np.bool_]:
    """Attack every image under every budget."""
    x_adv = attack(network, digits.x, digits.y, budgets)
    return np.array([network.logits(each).argmax(axis=1) != digits.y for each in x_adv])


@pytest.fixture(scope="module")
def few(test_digits: Digits) -> Digits:
    """Images of which the network misreads at least one."""
    return Digits(test_digits.x[240:260], test_digits.y[240:260])


@pytest.mark.parametrize("count", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_what_is_left_out_changes_nothing(
    count: int, report_network: MLP, few: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = (report_network, random_mlp((784, 20, 10), seed=1, dtype=np.float32))[:count]
    network = report_network if count == 1 else Ensemble(members)
    quick = misled_by(fgsm, network, few, BUDGETS)
    quick |= misled_by(partial(pgd, steps=2), network, few, BUDGETS)
    union = quick | misled_by(strongest, network, few, BUDGETS)
    safe = certified(network, few.x, few.y, BUDGETS)
    monkeypatch.setattr(module, "_AT_ONCE", 10)
    told: list[int] = []
    found = worst(network, few.x, few.y, BUDGETS, quick, on_progress=told.append)
    np.testing.assert_array_equal(found.misled, np.logical_or.accumulate(union))
    np.testing.assert_array_equal(found.certified, safe)
    assert found.certified is not None and not (found.misled & found.certified).any()
    assert found.misled.sum() > quick.sum() and safe.any()
    assert sum(told) == len(few)
    with at_most(1):
        alone = worst(network, few.x, few.y, BUDGETS[0], quick[:1])
    np.testing.assert_array_equal(alone.misled, union[:1])


def test_a_network_without_layers_is_attacked_but_not_proved(
    report_network: MLP, few: Digits
) -> None:
    nothing = np.zeros((1, len(few)), bool)
    found = worst(Opaque(report_network), few.x, few.y, 0.05, nothing)
    assert found.certified is None
    same = worst(report_network, few.x, few.y, 0.05, nothing)
    np.testing.assert_array_equal(found.misled, same.misled)
    wrong = report_network.logits(few.x).argmax(axis=1) != few.y
    assert wrong.any() and found.misled[0, wrong].all()


def test_what_would_take_too_long_or_overflow_is_not_bounded(few: Digits) -> None:
    assert can_be_bounded(random_mlp((784, 20, 10), seed=1), few.x)
    assert not can_be_bounded(random_mlp((784, 2000, 2000, 10), seed=1), few.x.repeat(3, axis=0))
    huge = np.full((784, 10), 1e30, np.float32)
    assert not can_be_bounded(MLP((huge,), (np.zeros(10, np.float32),)), few.x)


def test_work_that_is_stopped_ends(report_network: MLP, few: Digits) -> None:
    def stop(images: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worst(report_network, few.x, few.y, 0.1, np.zeros((1, 20), bool), on_progress=stop)


def test_arguments_that_are_a_mistake_are_refused(report_network: MLP, few: Digits) -> None:
    with pytest.raises(ValueError, match="rise"):
        worst(report_network, few.x, few.y, [0.1, 0.1], np.zeros((2, 20), bool))
    with pytest.raises(ValueError, match="misled"):
        worst(report_network, few.x, few.y, [0.1, 0.2], np.zeros((1, 20), bool))
