"""What the square attacks in both norms share: a random search on the logits alone.

Andriushchenko, Croce, Flammarion and Hein 2020, "Square Attack: a query-efficient black-box
adversarial attack via random search", algorithm 1.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import validate
from core.attacks.problem import ROUNDING, Goal, Problem
from core.batches import in_batches
from core.classifier import Classifier, FloatArray, IntArray, Scorer

# Searches that go on together: the fewer calls of the network, the less time beside its own.
AT_ONCE = 1024
GIVE_UP_AFTER = 0.2, 0.4, 0.6, 0.8  # shares of the queries; see `search`
# Of 10,000 queries, those after which the share of the pixels in a square is halved.
HALVINGS = np.array([10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000]) / 10_000


@dataclass(frozen=True, eq=False)
class Searched:
    """What a random search found, and how often it asked.

    Attributes:
        x_adv: `(N, 784)` for one budget, `(E, N, 784)` for several, as an `Attack` returns them. An
            image that withstood is the one with the smallest margin that was found.
        queries: `(N,)` or `(E, N)`: for how many changed images it asked for the logits. 0 where
            the clean image has reached the goal already, and where the budget is 0.
    """

    x_adv: FloatArray
    queries: IntArray


class CountedAttack(Protocol):
    """The signature of an attack that also tells its queries; see `core.attacks.Attack`."""

    def __call__(
        self,
        classifier: Scorer,
        x: ArrayLike,
        y: ArrayLike,
        epsilon: ArrayLike,
        *,
        target: ArrayLike | None = None,
    ) -> Searched:
        """Perturb each image, and count the queries for it."""
        ...


TakeBack = Callable[[NDArray[np.bool_]], None]


class Candidates(ABC):
    """The images that n searches ask about.

    Attributes:
        sides: of the square that each query changes, in pixels.
    """

    def __init__(self, x: FloatArray, epsilon: FloatArray, sides: Sequence[int]) -> None:
        """Hold what each candidate depends on.

        Args:
            x: `(n, 784)` clean images, which must be square.
            epsilon: `(n, 1)` budgets.
            sides: as above.
        """
        self.sides = sides
        self._x, self._epsilon = x.copy(), epsilon.copy()  # their rows change places
        self._rows, self._width = np.arange(len(x)), width(x)

    @property
    def by_row(self) -> tuple[NDArray[Any], ...]:
        """All that has a row for each search."""
        return self._x, self._epsilon, self._rows

    @abstractmethod
    def start(self) -> FloatArray:
        """Return the first image of each search, `(n, 784)`."""

    @abstractmethod
    def change(self, here: FloatArray, query: int) -> TakeBack:
        """Change the images of the first searches as a query asks, in place.

        Args:
            here: `(k, 784)`, the best images so far.
            query: its place in `sides`.

        Returns:
            A function of `(k,)` bool that takes the change back where it is true.
        """


def search_each(
    classifier: Scorer,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    target: ArrayLike | None,
    candidates: Callable[[FloatArray, FloatArray], Candidates],
    *,
    most: float = 1.0,
) -> Searched:
    """Search for each image within each budget.

    Args:
        classifier: the network under attack; it needs no `vjp`.
        x: `(N, 784)` clean images, which must be square.
        y: `(N,)` true labels.
        epsilon: the budget, or `(E,)` of them.
        target: as in an `Attack`.
        candidates: returns those for clean images, `(n, 784)`, and their budgets, `(n, 1)`.
        most: the largest budget that makes sense.

    Raises:
        ValueError: as an `Attack` does; or a logit is not a number.
    """
    # Nothing below asks for more than the logits.
    problem = Problem.with_budgets(cast(Classifier, classifier), x, y, epsilon, target, most=most)
    width(problem.x)
    x_adv = problem.empty()
    x_adv[:] = problem.x
    queries = np.zeros(x_adv.shape[:2], np.int64)
    withstands = np.empty(len(problem.x), np.bool_)

    def look(rows: slice) -> None:
        some = problem.only(np.arange(rows.start, rows.stop))
        withstands[rows] = margins(some, some.labels, some.x) >= 0

    in_batches(look, len(problem.x))
    budget, image = np.nonzero((problem.epsilons > 0)[:, None] & withstands)

    def attack(rows: slice) -> None:
        which = budget[rows], image[rows]
        goal = problem.only(which[1])
        some = candidates(goal.x, problem.epsilons[which[0], None])
        x_adv[which], queries[which] = search(goal, some)

    in_batches(attack, len(image), most=AT_ONCE)
    return Searched(problem.answer(x_adv), queries[0] if problem.single else queries)


def search(
    goal: Goal, candidates: Candidates, *, most: Callable[[float], FloatArray] | None = None
) -> tuple[FloatArray, IntArray]:
    """Keep each change that lowers the margin to the goal, until the image reaches it.

    Args:
        goal: n images.
        candidates: the images to ask about.
        most: a function of the share of the queries made; it returns the largest margin that each
            search may have then, `(n,)`. The others are given up. It is called for each share in
            `GIVE_UP_AFTER`. None to give none up.

    Returns:
        `(n, 784)`, the images with the smallest margins, and `(n,)`, for how many images each
        search asked for the logits.
    """
    here = candidates.start()
    rows, queries = np.arange(len(here)), np.ones(len(here), np.int64)
    labels = goal.labels.copy()
    margin = margins(goal, labels, here)
    every = here, rows, queries, labels, margin, *candidates.by_row
    left = len(here)
    shares = {int(share * len(candidates.sides)): share for share in GIVE_UP_AFTER if most}
    for query in range(len(candidates.sides)):
        held = margin[:left] >= 0
        if most and query in shares:
            held &= margin[:left] <= most(shares[query])[rows[:left]]
        if not held.all():
            left = bring_forward(held, every)
        if not left:
            break
        some, least = here[:left], margin[:left]
        take_back = candidates.change(some, query)
        queries[:left] += 1
        new = margins(goal, labels[:left], some)
        take_back(new >= least)
        np.minimum(least, new, out=least)
    order = rows.argsort()
    return here[order], queries[order]


def bring_forward(held: NDArray[np.bool_], arrays: Iterable[NDArray[Any]]) -> int:
    """Exchange rows of each array so that those that are held come first; return their number.

    Only the few rows that change places are copied. The order is no longer the one of before.

    Args:
        held: `(k,)`, for the first k rows.
        arrays: each of at least k rows.
    """
    left = int(held.sum())
    gaps, fillers = np.flatnonzero(~held[:left]), left + np.flatnonzero(held[left:])
    for array in arrays:
        array[gaps], array[fillers] = array[fillers], array[gaps]
    return left


def margins(goal: Goal, labels: IntArray, x_adv: FloatArray) -> FloatArray:
    """Return each image's margin to the goal, `(n,)`, below 0 only where rounding can't undo it.

    Raises:
        ValueError: a logit is not a number.
    """
    logits = goal.classifier.logits(x_adv)
    if not np.isfinite(logits).all():
        raise ValueError("the network's logits are not numbers for some image, but NaN or infinite")
    margin, _ = goal.margin(logits, labels)
    close = (margin < 0) & (margin >= -ROUNDING * np.abs(logits).max(axis=1))
    margin[close] = 0
    return margin


def width(x: FloatArray) -> int:
    """Return the width of square images, `(N, width · width)`.

    Raises:
        ValueError: the images are not square.
    """
    side = math.isqrt(x.shape[1])
    if side**2 != x.shape[1]:
        raise ValueError(f"x must be square images, not of {x.shape[1]} pixels")
    return side


def square_sides(queries: int, share: float, width: int, *, slower: int = 1) -> list[int]:
    """Return the side of the square of each query, in pixels, from 1 to `width`.

    Args:
        queries: their number, at least 1.
        share: p, the share of the pixels in the first squares, above 0 and at most 1.
        width: of the images, in pixels.
        slower: how many times as long as in the paper each side is kept.

    Raises:
        ValueError: an argument is out of range; the message names it.
    """
    queries = validate.whole_number(queries, name="queries", least=1)
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, not {share!r}")
    halvings = np.searchsorted(slower * HALVINGS, np.arange(queries) / queries)
    sides = np.sqrt(share / 2.0**halvings) * width
    return [max(1, int(side)) for side in np.round(sides)]


def put(here: FloatArray, places: IntArray, values: FloatArray) -> TakeBack:
    """Set k pixels of each image, `(n, k)` places in `here.ravel()`; return how to take it back.

    Of a place that comes twice, the last value counts.
    """
    before = here.take(places)
    here.put(places, values)
    return lambda worse: here.put(places[worse], before[worse])


def first_pixel(row: FloatArray, column: FloatArray, side: int, width: int) -> IntArray:
    """Return the place of a square's first pixel in its image, for n images, `(n,)`.

    Args:
        row: `(n,)` draws from [0, 1), which decide in which row the square begins.
        column: the same for its column.
        side: of the squares.
        width: of the images.
    """
    room = width - side + 1
    first: IntArray = (row * room).astype(np.int64) * width + (column * room).astype(np.int64)
    return first


def square_at(first: IntArray, side: int, width: int) -> IntArray:
    """Return the places of the pixels of one square in each of n images, `(n, side²)`."""
    line = np.arange(side)
    corner = first + np.arange(len(first)) * width**2
    places: IntArray = corner[:, None] + (line[:, None] * width + line).ravel()
    return places
