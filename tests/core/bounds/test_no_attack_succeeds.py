"""No attack of any kind ever succeeds within what is proved, on any network that is shipped."""

import numpy as np
import pytest

from core.data.mnist import Digits
from core.networks import MLP
from tests.conftest import SHIPPED
from tests.core.bounds.assault import Proved, assault

IMAGES, SEEDS = 1000, 20  # with --thorough; otherwise
FEW, FEW_SEEDS = 4, 1
LARGE = 300_000  # numbers; a larger network is attacked on fewer images


def images_for(size: int, most: int) -> int:
    """Return on how many images of `most` a network of so many numbers is attacked."""
    return most if size <= LARGE else max(2, most * LARGE // (2 * size))


@pytest.mark.parametrize("name", SHIPPED.names())
def test_no_attack_succeeds_within_what_is_proved(
    name: str, test_digits: Digits, request: pytest.FixtureRequest
) -> None:
    network, _ = SHIPPED.load(name)
    right = np.flatnonzero(network.logits(test_digits.x).argmax(axis=1) == test_digits.y)
    if request.config.getoption("--thorough"):
        rows, seeds = right[right < images_for(network.parameter_count, IMAGES)], SEEDS
    else:
        random = np.random.default_rng(list(name.encode()))
        rows = random.choice(right, images_for(network.parameter_count, FEW), replace=False)
        seeds = FEW_SEEDS
    proved = Proved.of(network, test_digits.x[rows], test_digits.y[rows])
    assert len(proved.x) > 0.9 * len(rows)
    for attack, x_adv in assault(proved, seeds=seeds):
        assert not proved.refuted(x_adv).any(), attack


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_attacks_refute_what_is_not_true(
    report_network: MLP, test_digits: Digits, norm: str
) -> None:
    """The test above could fail: a proof of ten times as much is refuted, in either norm."""
    proved = Proved.of(report_network, test_digits.x[:6], test_digits.y[:6])
    claimed = proved.times(10)
    other = {"linf": "l2", "l2": "linf"}[norm]
    claimed.epsilon[other][:] = 0
    refuted = {name for name, x_adv in assault(claimed, seeds=1) if claimed.refuted(x_adv).any()}
    assert {"linf": "PGD", "l2": "PGD (L2)"}[norm] in refuted
