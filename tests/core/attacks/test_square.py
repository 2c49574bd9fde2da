from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from core.attacks import noise, square, square_l2, square_l2_search, square_search
from core.attacks.draws import generator
from core.attacks.problem import Problem
from core.attacks.random_search import GIVE_UP_AFTER, Searched, search, square_sides
from core.attacks.square import Squares
from core.classifier import FloatArray, IntArray
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
    always_changes: bool,
) -> tuple[FloatArray, int]:
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
    best, queries = margin(here), 1
    for side, (row, column, sign) in zip(sides, places, strict=True):
        if best < 0:
            break
        top, left = int(row * (width - side + 1)), int(column * (width - side + 1))

        square = [i * width + j for i in range(top, top + side) for j in range(left, left + side)]
        there = here.copy()
        there[square] = [moved(pixel, sign) for pixel in square]
        if always_changes and (there == here).all():
            there[square] = [moved(pixel, 1 - sign) for pixel in square]
        queries += 1
        if margin(there) < best:
            here, best = there, margin(there)
    return here, queries


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("always_changes", [False, True])
def test_it_is_the_search_that_a_plain_loop_makes(targeted: bool, always_changes: bool) -> None:
    random = random_mlp((16, 24, 10), seed=7)
    network = MLP(random.weights, tuple(0.1 * bias for bias in random.biases))
    x = np.random.default_rng(4).random((20, 16))
    y = predictions(network, x)
    target = network.logits(x).argsort(axis=1)[:, -2] if targeted else None
    sides = square_sides(60, 0.8, 4)
    if always_changes:
        found = square_search(network, x, y, 0.05, target=target, queries=60, seed=5)
    else:  # as a part of `strongest`
        goal = Problem.with_budgets(network, x, y, 0.05, target)
        candidates = Squares(x, np.full((20, 1), 0.05), sides=sides, seed=5)
        found = Searched(*search(goal, candidates))
    for row in range(20):
        label = int(y[row] if target is None else target[row])
        expected, queries = slow_square(
            network,
            x[row],
            label,
            0.05,
            sides,
            5,
            targeted=targeted,
            always_changes=always_changes,
        )
        np.testing.assert_allclose(found.x_adv[row], expected, atol=1e-12)
        assert found.queries[row] == queries
    after = predictions(network, found.x_adv)
    assert 0 < (after != y if target is None else after == target).sum() < 20


def ring_sums(height: int, width: int) -> FloatArray:
    """Equation 1 of the paper, one pixel after the other."""
    largest = max(height // 2, width // 2) + 1
    sums = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            away = max(abs(i - height // 2), abs(j - width // 2))
            sums[i, j] = sum(1 / k**2 for k in range(away + 1, largest + 1))
    return sums / np.linalg.norm(sums)


def slow_bump(side: int, sign: float, turn: float) -> FloatArray:
    """Equation 2: two halves of opposite sign, upright or turned."""
    bump = np.vstack([ring_sums(side // 2, side), -ring_sums(side - side // 2, side)])
    bump = bump.T if turn >= 0.5 else bump
    return bump / np.linalg.norm(bump) * (-1 if sign < 0.5 else 1)


def slow_square_l2(
    network: MLP, x: FloatArray, label: int, epsilon: float, sides: list[int], seed: int
) -> FloatArray:
    """One image's random search, step by step as in algorithm 3; the image is 10 × 10."""
    draws = generator(seed, "square in l2", x)
    signs, turns = draws.random((2, 5, 5), np.float32)
    windows = draws.random((len(sides), 6), np.float32)
    clean = x.reshape(10, 10)

    def margin(z: FloatArray) -> float:
        logits = network.logits(z.reshape(1, -1))[0]
        return float(logits[label] - max(np.delete(logits, label)))

    nu = np.zeros((10, 10))
    for i in range(5):
        for j in range(5):
            tile = slow_bump(2, signs[i, j], turns[i, j])
            nu[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = tile
    here = np.clip(clean + epsilon * nu / np.linalg.norm(nu), 0, 1)
    for side, (row, column, row_2, column_2, sign, turn) in zip(sides, windows, strict=True):
        if margin(here) < 0:
            break
        nu = here - clean
        r, s = int(row * (11 - side)), int(column * (11 - side))
        r_2, s_2 = int(row_2 * (11 - side)), int(column_2 * (11 - side))
        one, two = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
        one[r : r + side, s : s + side] = two[r_2 : r_2 + side, s_2 : s_2 + side] = True
        unused = max(epsilon**2 - (nu**2).sum(), 0)
        temporary = slow_bump(side, sign, turn).ravel() + nu[one] / (np.linalg.norm(nu[one]) or 1)
        available = np.sqrt((nu[one | two] ** 2).sum() + unused)
        nu[two] = 0
        nu[one] = temporary / np.linalg.norm(temporary) * available
        there = np.clip(clean + nu, 0, 1)
        if margin(there) < margin(here):
            here = there
    return here.ravel()


def test_in_l2_it_is_the_search_that_a_plain_loop_makes() -> None:
    random = random_mlp((100, 24, 10), seed=7)
    network = MLP(random.weights, tuple(0.1 * bias for bias in random.biases))
    x = np.random.default_rng(4).random((20, 100))
    y = predictions(network, x)
    x_adv = square_l2(network, x, y, 0.3, queries=60, seed=5)
    check(x, x_adv, l2=0.3)
    # Each size four times as long as in the paper, odd, and at least 3.
    sides = [max(side, 3) | 1 for side in square_sides(60, 0.8, 10, slower=4)]
    assert set(sides) == {9, 7, 5, 3}
    for row in range(20):
        expected = slow_square_l2(network, x[row], int(y[row]), 0.3, sides, 5)
        np.testing.assert_allclose(x_adv[row], expected, atol=1e-9)
    assert 0 < (predictions(network, x_adv) != y).sum() < 20


class Counting:
    """A network that counts the images that it is asked about, by which clean one is nearest."""

    def __init__(self, network: MLP, clean: FloatArray) -> None:
        self.network, self.clean = network, clean
        self.asked = np.zeros(len(clean), np.int64)

    def logits(self, x: FloatArray) -> FloatArray:
        """Return the network's."""
        nearest = (((x[:, None] - self.clean) ** 2).sum(axis=2)).argmin(axis=1)
        self.asked += np.bincount(nearest, minlength=len(self.clean))
        return self.network.logits(x)


@pytest.mark.parametrize(("search", "epsilon"), [(square_search, 0.12), (square_l2_search, 1.5)])
def test_the_queries_are_those_that_the_network_gets(
    search: Any, epsilon: float, report_network: MLP, test_digits: Digits
) -> None:
    right = predictions(report_network, test_digits.x) == test_digits.y
    rows = np.concatenate([np.flatnonzero(~right)[:2], np.flatnonzero(right)[:18]])
    x, y = test_digits.x[rows], test_digits.y[rows]
    network = Counting(report_network, x)
    found = search(network, x, y, epsilon, queries=40)
    np.testing.assert_array_equal(network.asked, found.queries + 1)  # and the clean image
    np.testing.assert_array_equal(found.queries[:2], 0)  # it is misread already
    np.testing.assert_array_equal(found.x_adv[:2], x[:2])
    misled = predictions(report_network, found.x_adv) != y
    assert (found.queries[~misled] == 41).all()  # the start and 40 changes
    assert 0 < (found.queries[misled] < 41).sum() < 20
    several = search(report_network, x, y, [0, epsilon], queries=40)
    np.testing.assert_array_equal(several.queries, [np.zeros(20), found.queries])


def test_a_search_that_stays_behind_is_given_up_and_the_others_go_on_as_before(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:60], test_digits.y[:60]
    goal = Problem.with_budgets(report_network, x, y, 0.05, None).only(np.arange(60))
    sides = square_sides(100, 0.8, 28)
    asked = []

    def searched(least: FloatArray | None) -> tuple[FloatArray, IntArray]:
        def most(share: float) -> FloatArray:
            assert least is not None
            asked.append(share)
            return least

        squares = Squares(x, np.full((60, 1), 0.05, np.float32), sides=sides, seed=0)
        return search(goal, squares, most=None if least is None else most)

    whole, queries = searched(None)
    never, too_many = searched(np.full(60, np.inf))
    np.testing.assert_array_equal(never, whole)
    np.testing.assert_array_equal(too_many, queries)
    hopeless = np.arange(60) % 3 == 0
    some, fewer = searched(np.where(hopeless, 0, np.inf).astype(np.float32))
    held = hopeless & (queries > 21)  # and so not found before anything is given up
    np.testing.assert_array_equal(fewer, np.where(held, 21, queries))
    np.testing.assert_array_equal(some[~held], whole[~held])
    assert held.sum() > 10 and (predictions(report_network, some[held]) == y[held]).all()
    assert asked == [*GIVE_UP_AFTER] * 2


def test_images_of_any_width(test_digits: Digits) -> None:
    for width in (1, 2, 3, 4, 5, 9):
        network = random_mlp((width**2, 9, 10), seed=3)
        x = np.random.default_rng(0).random((6, width**2))
        y: IntArray = predictions(network, x)
        check(x, square_l2(network, x, y, 0.5, queries=30, share=1), l2=0.5)
        check(x, square(network, x, y, 0.2, queries=30, share=1), linf=0.2)


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
