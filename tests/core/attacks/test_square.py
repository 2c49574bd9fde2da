from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from core.attacks import noise, square
from core.attacks.draws import generator
from core.attacks.square import square_sides
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks.mlp import MLP
from tests.conftest import random_mlp
from tests.core.attacks.referee import check, predictions


@dataclass(frozen=True)
class LogitsOnly:
    """A network that can't be asked for a gradient."""

    network: MLP

    def logits(self, x: FloatArray) -> FloatArray:
        """Return the network's."""
        return self.network.logits(x)


def slow_square(
    network: MLP,
    x: FloatArray,
    label: int,
    epsilon: float,
    sides: list[int],
    seed: int,
    *,
    targeted: bool,
) -> FloatArray:
    """One image's random search, one pixel after the other."""
    width = int(np.sqrt(len(x)))
    draws = generator(seed, "square", x)
    stripes = draws.random(width, np.float32)
    places = draws.random((len(sides), 3), np.float32)

    def margin(z: FloatArray) -> float:
        logits = network.logits(z[None])[0]
        lead = logits[label] - max(np.delete(logits, label))
        return float(-lead if targeted else lead)

    def moved(pixel: int, draw: float) -> float:
        return float(min(max(x[pixel] + (-epsilon if draw < 0.5 else epsilon), 0), 1))

    here = np.array([moved(i, stripes[i % width]) for i in range(len(x))])
    best = margin(here)
    for side, (row, column, sign) in zip(sides, places, strict=True):
        if best < 0:
            break
        top, left = int(row * (width - side + 1)), int(column * (width - side + 1))
        there = here.copy()
        for i in range(top, top + side):
            for j in range(left, left + side):
                there[i * width + j] = moved(i * width + j, sign)
        if margin(there) < best:
            here, best = there, margin(there)
    return here


@pytest.mark.parametrize("targeted", [False, True])
def test_it_is_the_search_that_a_plain_loop_makes(targeted: bool) -> None:
    random = random_mlp((16, 24, 10), seed=7)
    network = MLP(random.weights, tuple(0.1 * bias for bias in random.biases))
    x = np.random.default_rng(4).random((20, 16))
    y = predictions(network, x)
    target = network.logits(x).argsort(axis=1)[:, -2] if targeted else None
    x_adv = square(network, x, y, 0.05, target=target, queries=60, seed=5)
    sides = square_sides(60, 0.8, 4)
    for row in range(20):
        label = int(y[row] if target is None else target[row])
        expected = slow_square(network, x[row], label, 0.05, sides, 5, targeted=targeted)
        np.testing.assert_allclose(x_adv[row], expected, atol=1e-12)
    after = predictions(network, x_adv)
    assert 0 < (after != y if target is None else after == target).sum() < 20


def test_the_squares_shrink_on_the_paper_s_schedule() -> None:
    sides = square_sides(10_000, 0.8, 28)
    assert len(sides) == 10_000
    for query, halvings in [(0, 0), (9, 0), (11, 1), (60, 2), (300, 3), (1500, 5), (9000, 9)]:
        assert sides[query] == max(1, round(np.sqrt(0.8 / 2**halvings) * 28))
    assert sides == sorted(sides, reverse=True)
    assert square_sides(3, 1, 28)[0] == 28


def test_it_needs_logits_only_and_misleads_where_noise_does_not(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:100].copy(), test_digits.y[:100]
    several = square(LogitsOnly(report_network), x, y, [0.0, 0.1, 0.2], queries=300)
    np.testing.assert_array_equal(x, test_digits.x[:100])
    np.testing.assert_array_equal(several[0], x)
    check(x, several[1], linf=0.1)
    check(x, several[2], linf=0.2)
    few, many = ((predictions(report_network, x_adv) != y).mean() for x_adv in several[1:])
    random = noise(report_network, x, y, 0.2)
    assert (predictions(report_network, random) != y).mean() < 0.2 < many
    assert few < many


def test_a_target_is_reached(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:50], test_digits.y[:50]
    target = (y + 1) % 10
    x_adv = square(report_network, x, y, 0.4, target=target, queries=300)
    assert (predictions(report_network, x_adv) == target).mean() > 0.4


def test_one_image_has_one_result_whatever_it_comes_with(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:20], test_digits.y[:20]
    together = square(report_network, x, y, 0.1, queries=50)
    order = np.random.default_rng(0).permutation(20)
    again = np.empty_like(together)
    again[order] = square(report_network, x[order], y[order], 0.1, queries=50)
    np.testing.assert_array_equal(again, together)
    assert (square(report_network, x, y, 0.1, queries=50, seed=1) != together).any()


def test_no_images_are_no_trouble(report_network: MLP) -> None:
    assert square(report_network, np.zeros((0, 784)), np.zeros(0, int), 0.1).shape == (0, 784)


def test_logits_that_are_not_numbers_are_named() -> None:
    class Broken:
        def logits(self, x: FloatArray) -> FloatArray:
            return np.full((len(x), 10), np.nan)

    with pytest.raises(ValueError, match="^the network's logits are not numbers"):
        square(Broken(), np.zeros((1, 16)), [1], 0.1)


@pytest.mark.parametrize(
    ("name", "bad"),
    [("queries", 0), ("share", 0), ("share", 1.1), ("share", np.nan), ("seed", -1)],
)
def test_a_bad_setting_is_named(name: str, bad: Any, report_network: MLP) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must"):
        square(report_network, np.zeros((2, 784)), [1, 2], 0.1, **{name: bad})


def test_images_that_are_not_square_are_refused(small_network: MLP) -> None:
    with pytest.raises(ValueError, match="^x must be square"):
        square(small_network, np.zeros((1, 12)), [1], 0.1)
