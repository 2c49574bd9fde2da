"""Interval bounds of a network of layers: what the outputs of each can be.

As for perceptrons (see `interval`), but no matrix of a convolution is ever made. Arrays have the
images last, as in `core.networks.layers`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from core.bounds.balls import Ball, Box
from core.bounds.lines import dot
from core.bounds.steps import Steps, multiplied
from core.classifier import FloatArray
from core.networks.layers import Affine, Convolution, Scaling
from core.networks.windows import Shape


@dataclass(frozen=True, eq=False)
class Reach:
    """What the inputs of a layer can be; each array is `(*shape, N)`.

    Attributes:
        lower, upper: no image of the ball gives less or more.
        centre, radius: the inputs are at most this far from the centre, plus what `squares` adds.
        squares: for an L2 ball how far each input by itself can fall and rise, squared: a linear
            function with coefficients c falls by at most the root of Σ c² times that.
    """

    lower: FloatArray
    upper: FloatArray
    centre: FloatArray
    radius: FloatArray
    squares: tuple[FloatArray, FloatArray] | None = None

    @classmethod
    def between(cls, lower: FloatArray, upper: FloatArray) -> "Reach":
        """Return all between two arrays."""
        return cls(lower, upper, (lower + upper) / 2, (upper - lower) / 2)

    @classmethod
    def of(cls, ball: Ball, shape: Shape) -> "Reach":
        """Return the pixels of the images in a ball."""

        def last(array: FloatArray) -> FloatArray:
            return np.ascontiguousarray(array.T).reshape(*shape, len(array))

        if isinstance(ball, Box):
            centre, radius = last(ball.centre), last(ball.radius)
            return cls(centre - radius, last(ball.highest), centre, radius)
        x, square = last(ball.centre), np.square(ball.radius[:, 0])
        return cls(
            np.maximum(x - ball.radius[:, 0], 0),
            last(ball.highest),
            x,
            np.zeros_like(x),
            (square * (x > 0), square * (x < 1)),
        )

    @property
    def largest(self) -> FloatArray:
        """The largest absolute value of each input."""
        return np.maximum(-self.lower, self.upper)

    def each(self, function: Callable[[FloatArray], FloatArray]) -> "Reach":
        """Return the reach whose arrays are a function of these."""
        squares = self.squares and (function(self.squares[0]), function(self.squares[1]))
        lower, upper, centre, radius = map(
            function, (self.lower, self.upper, self.centre, self.radius)
        )
        return Reach(lower, upper, centre, radius, squares)

    def least(self, coefficients: FloatArray) -> FloatArray:
        """Return the least c · h of these inputs h, `(K,)`.

        Args:
            coefficients: `(*shape, K)`, K rows c. The arrays may have one image for all rows, or K.
        """
        least = dot(self.centre, coefficients) - dot(self.radius, np.abs(coefficients))
        if self.squares is not None:
            down, up = self.squares
            square = dot(down, np.square(np.maximum(coefficients, 0)))
            square += dot(up, np.square(np.minimum(coefficients, 0)))
            least -= np.sqrt(square)
        return least


def through(steps: Steps, number: int, inputs: Reach) -> Reach:
    """Return what the outputs of a layer can be."""
    layer, errors = steps.layers[number], steps.errors(number, inputs.largest)
    if not steps.is_linear(number):  # all of them are monotone
        lower, upper = (layer.forward(each)[0] for each in (inputs.lower, inputs.upper))
        return Reach.between(lower - errors, upper + errors)
    spread = steps.spreads[number]
    if inputs.squares is None:
        middle = layer.forward(inputs.centre)[0]
        radius = spread.forward(inputs.radius)[0] + errors
        return Reach(middle - radius, middle + radius, middle, radius)
    box = through(steps, number, Reach.between(inputs.lower, inputs.upper))
    if not isinstance(layer, Affine | Convolution | Scaling):
        return box
    down, up = inputs.squares
    plus, minus = (multiplied(layer, partial(_square_of_part, sign=sign)) for sign in (1, -1))
    falls = plus.forward(down)[0] + minus.forward(up)[0]
    rises = plus.forward(up)[0] + minus.forward(down)[0]
    middle = layer.forward(inputs.centre)[0]
    radius = spread.forward(inputs.radius)[0] + errors
    if isinstance(layer, Scaling):  # each output depends on one pixel
        return Reach(box.lower, box.upper, middle, radius, (falls, rises))
    return Reach.between(
        np.maximum(box.lower, middle - radius - np.sqrt(falls)),
        np.minimum(box.upper, middle + radius + np.sqrt(rises)),
    )


def _square_of_part(weight: FloatArray, *, sign: int) -> FloatArray:
    """Return the squares of the weights of one sign, 0 for the others."""
    return np.square(np.maximum(sign * weight, 0))
