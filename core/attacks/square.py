"""The square attack in L∞: random search that needs no gradient."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from core import one_pass, validate
from core.attacks import draws
from core.attacks.iterated import LinfBall
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


def square(
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
    """Try random squares of pixels at x + ε or x − ε; keep those that lower the margin.

    It starts from vertical stripes, each at x + ε or x − ε, within [0, 1]. Then each query sets one
    square of pixels at a random place to x + ε or to x − ε and keeps it if the margin to the goal
    falls; where that would change nothing, to the other of the two, which the paper does not do.
    The squares become smaller on the paper's schedule. Andriushchenko, Croce, Flammarion and Hein
    2020, "Square Attack: a query-efficient black-box adversarial attack via random search",
    algorithms 1 and 2. It looks at the logits alone: a network whose gradient leads nowhere can't
    hide from it. The random draws follow from the seed and the image itself.

    Arguments, return value and errors are those of `Attack`, except that `classifier` needs no
    `vjp`, and that images must be square: N pixels of which N is the square of a whole number. In
    addition:
        queries: the number of squares to try for each image, at least 1. AutoAttack tries 5,000.
            An image that reaches the goal is left at that.
        share: p, the share of the pixels in the first squares, above 0 and at most 1.
        seed: decides the stripes and the squares.

    Raises:
        ValueError: a logit is not a number, too.
    """
    return square_search(
        classifier, x, y, epsilon, target=target, queries=queries, share=share, seed=seed
    ).x_adv


def square_search(
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
    """Do what `square` does, and count the queries. Arguments and errors are those of `square`."""
    seed = validate.whole_number(seed, name="seed", least=0)
    sides = square_sides(queries, share, width(validate.image_array(x)))

    def candidates(x: FloatArray, epsilon: FloatArray) -> Squares:
        return Squares(x, epsilon, sides=sides, seed=seed, always_changes=True)

    return search_each(classifier, x, y, epsilon, target, candidates)


class Squares(Candidates):
    """The images of algorithm 2; see `core.attacks.random_search.Candidates`."""

    def __init__(
        self,
        x: FloatArray,
        epsilon: FloatArray,
        *,
        sides: Sequence[int],
        seed: int,
        always_changes: bool = False,
    ) -> None:
        """Draw the stripes and all squares.

        Args:
            x: `(n, 784)` clean images, which must be square.
            epsilon: `(n, 1)` budgets.
            sides: of the square of each query.
            seed: decides all draws, together with each image.
            always_changes: whether a square whose pixels all have the drawn value already gets the
                other one. Otherwise the query is wasted.
        """
        super().__init__(x, epsilon, sides)
        self._always_changes = always_changes
        self._stripes = np.empty((len(x), self._width), np.float32)
        self._squares = np.empty((len(sides), len(x), 3), np.float32)  # row, column, sign
        for row, image in enumerate(x):
            generator = draws.generator(seed, "square", image)
            self._stripes[row] = generator.random(self._width, np.float32)
            self._squares[:, row] = generator.random((len(sides), 3), np.float32)

    def start(self) -> FloatArray:
        """Return the vertical stripes."""
        ball = LinfBall(self._x, self._epsilon)
        return np.where(np.tile(self._stripes, self._width) < 0.5, ball.low, ball.high)

    def change(self, here: FloatArray, query: int) -> TakeBack:
        """Set a square to x + ε or x − ε, within [0, 1]."""
        left, side = len(here), self.sides[query]
        row, column, sign = self._squares[query, self._rows[:left]].T
        first = first_pixel(row, column, side, self._width)
        x, epsilon = self._x[:left], self._epsilon[:left]
        steps = np.where(sign[:, None] < 0.5, -epsilon, epsilon)
        if loops := one_pass.loops(here, x, steps):
            before = np.empty((left, side, side), here.dtype)
            loops.set_squares(here, before, x, steps, first, self._always_changes)
            return lambda worse: loops.restore_squares(here, before, first, worse)
        places = square_at(first, side, self._width)
        x = x.take(places)
        values = np.minimum(np.maximum(x + steps, 0), 1)
        if self._always_changes:
            same = (values == here.take(places)).all(axis=1)
            values[same] = np.clip(x[same] - steps[same], 0, 1)
        return put(here, places, values)
