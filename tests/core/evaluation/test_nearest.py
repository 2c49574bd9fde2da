"""The smallest change that the strongest attack finds, on the grey levels of a screen."""

import numpy as np
import pytest

from core.attacks import pgd
from core.data.mnist import Digits
from core.evaluation.nearest import nearest_misread
from core.networks import MLP
from tests.core.attacks.referee import predictions


def linear(slope: float, lead: float) -> MLP:
    """A network that sees a 3 by `lead` logits, and a 5 as soon as pixels have risen enough."""
    weights, biases = np.zeros((784, 10), np.float32), np.full(10, -50, np.float32)
    weights[:, 5], biases[[3, 5]] = slope, (lead, 0)
    return MLP((weights,), (biases,))


@pytest.mark.parametrize("levels", [1, 2, 17, 100, 127])
def test_of_a_linear_network_it_finds_the_first_level_that_does(levels: int) -> None:
    x = np.full((1, 784), 100 / 255, np.float32)
    slope = 0.01
    # All pixels have to rise by a third of a level less than that.
    lead = 784 * slope * (100 + levels - 1 / 3) / 255
    *_, nearest = nearest_misread(linear(slope, lead), x)
    assert nearest is not None and (nearest.levels, nearest.label) == (levels, 5)
    np.testing.assert_allclose(255 * nearest.image, 100 + levels, rtol=1e-6)
    assert list(nearest_misread(linear(slope, lead), x, most=levels - 1))[-1:] in ([], [None])


def test_what_it_finds_is_a_misread_picture_and_comes_closer_each_round(
    report_network: MLP, test_digits: Digits
) -> None:
    levels = []
    for x in test_digits.x[:3, None]:
        (before,) = predictions(report_network, x)
        rounds = list(nearest_misread(report_network, x))
        assert 2 <= len(rounds) <= 4
        found = [each for each in rounds if each is not None]
        for each in found:
            pixels = 255 * each.image.astype(np.float64)
            np.testing.assert_allclose(pixels, pixels.round(), atol=1e-4)
            assert round(np.abs(pixels - 255 * x).max()) == each.levels
            assert predictions(report_network, each.image) == each.label != before
        assert (np.diff([each.levels for each in found]) <= 0).all()
        levels.append(found[-1].levels)

        budgets = np.arange(1, 128) / 255
        x_adv = np.round(255 * pgd(report_network, x, [before], budgets)[:, 0]) / 255
        by_pgd = np.flatnonzero(predictions(report_network, x_adv.astype(np.float32)) != before)[0]
        assert levels[-1] <= by_pgd + 1 + 1  # rounding may undo a single level's success
    assert len(set(levels)) > 1


def test_what_can_t_be_flipped_ends(test_digits: Digits) -> None:
    still = linear(0.0, 1.0)
    assert list(nearest_misread(still, test_digits.x[:1])) == [None, None]
    assert list(nearest_misread(still, test_digits.x[:1], safe=127)) == []
    with pytest.raises(ValueError, match="most"):
        list(nearest_misread(still, test_digits.x[:1], most=300))
