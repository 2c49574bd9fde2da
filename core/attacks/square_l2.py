"""The square attack in L2: random search that needs no gradient."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from core import validate
from core.attacks import draws
from core.attacks.iterated import l2_norms
from core.attacks.random_search import (
    Candidates,
    Searched,
    TakeBack,
    first_pixel,
    put,
    search_each,
    square_at,
    square_sides,
    width,
)
from core.classifier import FloatArray, Scorer

TILES = 5  # of the start, in each direction
# The paper's schedule is for images of 224 × 224. With it, all windows of an image of 28 × 28 have
# the smallest side after a fifth of the queries. Kept four times as long, they mislead 4 to 8
# points more.
SLOWER = 4
LEAST_SIDE = 3


def square_l2(
    classifier: Scorer,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    target: ArrayLike | None = None,
    queries: int = 1000,
    share: float = 0.8,
    seed: int = 0,
) -> FloatArray:
    """Move the perturbation from one random window to another; keep what lowers the margin.

    It starts from bumps that cover the image, with an L2 norm of ε. Then each query takes the
    perturbation out of one window, adds a bump to another one, and gives that window all of the
    budget that the rest leaves. Andriushchenko, Croce, Flammarion and Hein 2020, "Square Attack: a
    query-efficient black-box adversarial attack via random search", algorithms 1 and 3. It looks at
    the logits alone. The windows become smaller more slowly than in the paper; see `SLOWER`.

    Arguments, return value and errors are those of `core.attacks.square`, except for:
        epsilon: the L2 budget of the whole perturbation, or `(E,)` of them, in pixel units. It may
            exceed 1.
        share: p, the share of the pixels in the first windows. Their sides are odd, and 3 at least.
    """
    return square_l2_search(
        classifier, x, y, epsilon, target=target, queries=queries, share=share, seed=seed
    ).x_adv


def square_l2_search(
    classifier: Scorer,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    target: ArrayLike | None = None,
    queries: int = 1000,
    share: float = 0.8,
    seed: int = 0,
) -> Searched:
    """Do what `square_l2` does, and count the queries. Arguments and errors are the same."""
    seed = validate.whole_number(seed, name="seed", least=0)
    pixels = width(validate.image_array(x))
    sides = [_odd(side, pixels) for side in square_sides(queries, share, pixels, slower=SLOWER)]

    def candidates(x: FloatArray, epsilon: FloatArray) -> Windows:
        return Windows(x, epsilon, sides=sides, seed=seed)

    return search_each(classifier, x, y, epsilon, target, candidates, most=np.inf)


class Windows(Candidates):
    """The images of algorithm 3; see `core.attacks.random_search.Candidates`."""

    def __init__(
        self, x: FloatArray, epsilon: FloatArray, *, sides: Sequence[int], seed: int
    ) -> None:
        """Draw the start and all windows; `seed` decides them, together with each image."""
        super().__init__(x, epsilon, sides)
        self._tile = max(1, self._width // TILES)
        tiles = self._width // self._tile
        self._start = np.empty((2, len(x), tiles, tiles), np.float32)  # sign, turn
        self._windows = np.empty((len(sides), len(x), 6), np.float32)  # two places, sign, turn
        for row, image in enumerate(x):
            generator = draws.generator(seed, "square in l2", image)
            self._start[:, row] = generator.random((2, tiles, tiles), np.float32)
            self._windows[:, row] = generator.random((len(sides), 6), np.float32)

    def start(self) -> FloatArray:
        """Return tiles of bumps, with an L2 norm of ε before they are clipped to [0, 1]."""
        sign, turn = self._start
        images, tiles, _ = sign.shape
        bumps = _bumps(self._tile, sign.ravel(), turn.ravel(), self._x.dtype)
        bumps = bumps.reshape(images, tiles, tiles, self._tile, self._tile).swapaxes(2, 3)
        covered = tiles * self._tile
        first = (self._width - covered) // 2
        start = np.zeros((images, self._width, self._width), self._x.dtype)
        inside = slice(first, first + covered)
        start[:, inside, inside] = bumps.reshape(images, covered, covered)
        x_adv = start.reshape(images, -1)
        x_adv *= self._epsilon / l2_norms(x_adv)
        x_adv += self._x
        return np.clip(x_adv, 0, 1, out=x_adv)

    def change(self, here: FloatArray, query: int) -> TakeBack:
        """Add a bump to a window, and take the perturbation out of another."""
        left, side = len(here), self.sides[query]
        row, column, other_row, other_column, sign, turn = self._windows[query, self._rows[:left]].T
        window, other = (
            square_at(first_pixel(*corner, side, self._width), side, self._width)
            for corner in ((row, column), (other_row, other_column))
        )
        x, epsilon = self._x[:left], self._epsilon[:left]
        rest = here - x
        old = rest.take(window)
        step = _bumps(side, sign, turn, rest.dtype) + old / _or_one(l2_norms(old))
        rest.put(window, 0)
        rest.put(other, 0)
        budget = np.sqrt(np.maximum(epsilon**2 - l2_norms(rest) ** 2, 0))
        step *= budget / _or_one(l2_norms(step))
        step += x.take(window)
        np.clip(step, 0, 1, out=step)
        places = np.concatenate([other, window], axis=1)  # where both are, the bump counts
        return put(here, places, np.concatenate([x.take(other), step], axis=1))


def _odd(side: int, width: int) -> int:
    """Return an odd side from `LEAST_SIDE` on, or the largest for which the image has room."""
    largest = width if width % 2 else width - 1
    return min(max(side, LEAST_SIDE) | 1, max(largest, 1))


def _bumps(side: int, sign: FloatArray, turn: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    """Return η of norm 1, upright or turned, times 1 or −1: `(n,)` draws to `(n, side²)`."""
    upright = _bump(side).astype(dtype)
    both = np.stack([upright, upright.T]).reshape(2, -1)
    bumps: FloatArray = both[(turn >= 0.5).astype(np.int64)]
    bumps *= np.where(sign < 0.5, dtype.type(-1), dtype.type(1))[:, None]
    return bumps


@cache
def _bump(side: int) -> FloatArray:
    """Return η, `(side, side)`: a half that is positive, a half that is negative (equation 2)."""
    half = side // 2
    eta = np.concatenate([_rectangle(half, side), -_rectangle(side - half, side)])
    bump: FloatArray = eta / np.linalg.norm(eta)
    return bump


def _rectangle(height: int, width: int) -> FloatArray:
    """Return rings around the middle, the inner ones higher, of norm 1 (equation 1)."""
    rings = max(height, width) // 2 + 1
    heights = np.cumsum(1 / np.arange(rings, 0, -1) ** 2.0)[::-1]
    rows, columns = np.arange(height) - height // 2, np.arange(width) - width // 2
    rectangle: FloatArray = heights[np.maximum(abs(rows)[:, None], abs(columns))]
    return rectangle / (np.linalg.norm(rectangle) or 1)


def _or_one(norms: FloatArray) -> FloatArray:
    """Return `norms` with 1 in place of each 0."""
    return np.where(norms > 0, norms, norms.dtype.type(1))
