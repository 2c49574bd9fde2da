"""The square attack: random search that needs no gradient."""

import math
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import validate
from core.attacks import draws
from core.attacks.iterated import LinfBall
from core.attacks.problem import ROUNDING, Goal, Problem
from core.batches import in_batches
from core.classifier import Classifier, FloatArray, Scorer

# Of 10,000 queries, those after which the share of the pixels in a square is halved.
HALVINGS = np.array([10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000]) / 10_000


def square(
    classifier: Scorer,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    target: ArrayLike | None = None,
    queries: int = 5000,
    share: float = 0.8,
    seed: int = 0,
) -> FloatArray:
    """Try random squares of pixels at x + ε or x − ε; keep those that lower the margin.

    It starts from vertical stripes, each at x + ε or x − ε, within [0, 1]. Then each query sets one
    square of pixels at a random place to x + ε or to x − ε and keeps it if the margin to the goal
    falls. The squares become smaller on the paper's schedule. Andriushchenko, Croce, Flammarion
    and Hein 2020, "Square Attack: a query-efficient black-box adversarial attack via random
    search", algorithms 1 and 2. It looks at the logits alone: a network whose gradient leads
    nowhere can't hide from it. The random draws follow from the seed and the image itself.

    Arguments, return value and errors are those of `Attack`, except that `classifier` needs no
    `vjp`, and that images must be square: N pixels of which N is the square of a whole number. In
    addition:
        queries: the number of squares to try for each image, at least 1 (5,000, as in AutoAttack).
            An image that reaches the goal is left at that.
        share: p, the share of the pixels in the first squares, above 0 and at most 1.
        seed: decides the stripes and the squares.

    Raises:
        ValueError: a logit is not a number, too.
    """
    # Nothing below asks for more than the logits.
    problem = Problem.with_budgets(cast(Classifier, classifier), x, y, epsilon, target)
    queries = validate.whole_number(queries, name="queries", least=1)
    seed = validate.whole_number(seed, name="seed", least=0)
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, not {share!r}")
    width = math.isqrt(problem.x.shape[1])
    if width**2 != problem.x.shape[1]:
        raise ValueError(f"x must be square images, not of {problem.x.shape[1]} pixels")
    x_adv = problem.empty()
    out = x_adv.reshape(-1, problem.x.shape[1])  # all images under the first budget, then the next

    def attack(rows: slice) -> None:
        budget, image = np.divmod(np.arange(rows.start, rows.stop), len(problem.x))
        epsilon = problem.epsilons[budget, None]
        sides = square_sides(queries, share, width)
        out[rows] = search(problem.only(image), epsilon, sides=sides, seed=seed)

    in_batches(attack, len(out))
    return problem.answer(x_adv)


def square_sides(queries: int, share: float, width: int) -> list[int]:
    """Return the side of the square of each query, in pixels, from 1 to `width`."""
    halvings = np.searchsorted(HALVINGS, np.arange(queries) / queries)
    sides = np.sqrt(share / 2.0**halvings) * width
    return [max(1, int(side)) for side in np.round(sides)]


def search(goal: Goal, epsilon: FloatArray, *, sides: list[int], seed: int) -> FloatArray:
    """Return the images with the smallest margins to the goal that a random search finds.

    Args:
        goal: n square images.
        epsilon: `(n, 1)` budgets.
        sides: of the square of each query.
        seed: decides all draws, together with each image.

    Returns:
        `(n, 784)`.
    """
    images, pixels = goal.x.shape
    width = math.isqrt(pixels)
    stripes = np.empty((images, width), np.float32)
    places = np.empty((images, len(sides), 3), np.float32)  # of a square: row, column, sign
    for number, image in enumerate(goal.x):
        generator = draws.generator(seed, "square", image)
        stripes[number] = generator.random(width, np.float32)
        places[number] = generator.random((len(sides), 3), np.float32)
    ball = LinfBall(goal.x, epsilon)
    ball = LinfBall(goal.x, epsilon)
    ends = np.stack([ball.low, ball.high])  # x − ε and x + ε, clipped
    here = np.where(np.tile(stripes, width) < 0.5, ball.low, ball.high)
    answer, left = here.copy(), np.arange(images)
    margin = _margin(goal, here)
    for query, side in enumerate([0, *sides]):
        if query:
            row, column, sign = places[left, query - 1].T
            inside = _between(row, side, width)[:, :, None] & _between(column, side, width)[:, None]
            there = ends[(sign >= 0.5).astype(np.int64), np.arange(len(left))]
            np.copyto(there, here, where=~inside.reshape(here.shape))
            new = _margin(goal, there)
            better = new < margin
            here[better], margin[better] = there[better], new[better]
            answer[left[better]] = there[better]
        if (margin < 0).any():
            held = margin >= 0
            goal, left = goal.only(held), left[held]
            ends, here, margin = ends[:, held], here[held], margin[held]
        if not len(left):
            break
    return answer


def _between(place: FloatArray, side: int, width: int) -> NDArray[np.bool_]:
    """Return which of `width` rows are in squares at places in [0, 1): `(n,)` to `(n, width)`."""
    first = (place * (width - side + 1)).astype(np.int64)[:, None]
    line = np.arange(width)
    inside: NDArray[np.bool_] = (line >= first) & (line < first + side)
    return inside


def _margin(goal: Goal, x_adv: FloatArray) -> FloatArray:
    """Return each image's margin to the goal, `(n,)`, below 0 only where rounding can't undo it."""
    logits = goal.classifier.logits(x_adv)
    if not np.isfinite(logits).all():
        raise ValueError("the network's logits are not numbers for some image, but NaN or infinite")
    margin, _ = goal.margin(logits, goal.labels)
    close = (margin < 0) & (margin >= -ROUNDING * np.abs(logits).max(axis=1))
    margin[close] = 0
    return margin
