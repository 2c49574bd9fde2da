"""CROWN: a linear function below each margin, pulled back from the logits to the pixels.

Zhang, Weng, Chen, Hsieh and Daniel 2018, "Efficient Neural Network Robustness Certification with
General Activation Functions".
"""

from dataclasses import dataclass

import numpy as np

from core.bounds.balls import Ball
from core.bounds.interval import Units, dot, last_lower_bounds, propagate
from core.bounds.layers import Layers
from core.classifier import FloatArray

UNDERFLOW = 1e-200  # far above what float64 loses below its smallest number


@dataclass(frozen=True, eq=False)
class Relaxation:
    """Two lines around ReLU on [l, u]: α z ≤ max(z, 0) ≤ s z + t.

    Attributes:
        lower_slope: α, in [0, 1] where l < 0 < u. Each array is `(N, 1, units)`, the same lines for
            all rows of coefficients, or `(N, K, units)`.
        upper_slope: s = u / (u − l).
        intercept: t = −s l.
        constraint: c where c z ≥ 0 is known and is to be used, 0 elsewhere.
    """

    lower_slope: FloatArray
    upper_slope: FloatArray
    intercept: FloatArray
    constraint: FloatArray | float = 0.0

    @classmethod
    def of(cls, units: Units) -> "Relaxation":
        """Return the lines of the paper's table 2, with the slope α that leaves less room.

        α is 1 where u ≥ −l and 0 elsewhere ("CROWN-Ada"). Where l ≥ 0 all slopes are 1, where
        u ≤ 0 they are 0. s is rounded, so t is chosen for this s, and rounded upwards: the line is
        at least 0 at l and at least u at u.
        """
        below, above = np.minimum(units.lower, 0)[:, None], np.maximum(units.upper, 0)[:, None]
        s = above / np.maximum(above - below, np.finfo(np.float64).tiny)
        t = np.maximum(above * (1 - s), -s * below) * (1 + 2.0**-50)
        return cls((above >= -below).astype(np.float64), s, t)

    def pull_back(self, coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return B and d with A · max(z, 0) ≥ B · z + d, for coefficients A, `(N, K, units)`.

        A positive coefficient takes the lower line, a negative one the upper. c z ≥ 0 is taken off.
        """
        negative = np.minimum(coefficients, 0)
        constant: FloatArray = (negative * self.intercept).sum(axis=2)
        pulled = (coefficients - negative) * self.lower_slope
        pulled += negative * self.upper_slope
        pulled -= self.constraint
        return pulled, constant


@dataclass(frozen=True, eq=False)
class Bounded:
    """A network over a ball, with the bounds of its first layers.

    Attributes:
        layers: the network.
        ball: of the images.
        middle: `(N, units)`, the first layer's units at the ball's centre.
        units: the bounds of the hidden layers, as far as they are known.
        relaxations: ReLU's two lines for each of them.
    """

    layers: Layers
    ball: Ball
    middle: FloatArray
    units: list[Units]
    relaxations: list[Relaxation]

    def lower_bounds(self, coefficients: FloatArray, errors: FloatArray) -> FloatArray:
        """Return lower bounds of c · z, where z are the units after those that are known.

        Every inequality is exact for the coefficients as they were rounded; what rounding did on
        the way is in the errors (see `Layers`).

        Args:
            coefficients: `(N, K, units)`, or `(1, K, units)` if they are the same for all images.
            errors: `(N, units)`, how far rounding moves these units.

        Returns:
            `(N, K)`.
        """
        bound = -dot(np.abs(coefficients), errors) - UNDERFLOW
        for layer in reversed(range(1, len(self.units) + 1)):
            bound = bound + coefficients @ self.layers.biases[layer]
            before = coefficients @ self.layers.weights[layer].T
            coefficients, constant = self.relaxations[layer - 1].pull_back(before)
            bound += constant
            bound -= dot(np.abs(coefficients), self.units[layer - 1].errors)
        bound += dot(coefficients, self.middle)
        return bound - self.ball.falls(coefficients, self.layers.weights[0])


def bounded(layers: Layers, ball: Ball) -> Bounded:
    """Return bounds of every hidden unit, each layer's by CROWN through the layers before it."""
    middle = ball.centre @ layers.weights[0] + layers.biases[0]
    known = Bounded(layers, ball, middle, [], [])
    inputs: Ball = ball
    for layer in range(layers.depth - 1):
        units = propagate(layers, layer, inputs)
        if layer:
            units = _tightened(known, units)
        known.units.append(units)
        known.relaxations.append(Relaxation.of(units))
        inputs = units.after_relu()
    return known


def lower_bounds(layers: Layers, ball: Ball, rows: FloatArray) -> FloatArray:
    """Return lower bounds of c · z, where z are the logits, over a ball: `(N, K)`.

    Each is the better of CROWN's and of what the last hidden layer's bounds give by themselves.
    CROWN's slopes are chosen unit by unit, so it may be the lower one: above all where a network
    was trained by interval bounds.

    Args:
        layers: the network.
        ball: of N images.
        rows: `(N, K, outputs)`, the coefficients c.
    """
    known = bounded(layers, ball)
    last = layers.depth - 1
    inputs: Ball = known.units[-1].after_relu() if known.units else ball
    return np.maximum(
        known.lower_bounds(rows, layers.errors(last, inputs.highest)),
        last_lower_bounds(layers, inputs, rows),
    )


def _tightened(known: Bounded, units: Units) -> Units:
    """Return the better of a layer's interval bounds and CROWN's.

    Units that the intervals show to be of one sign keep their interval: ReLU is linear there. So
    CROWN is asked for those of two signs alone, of any image.
    """
    open_ = (units.lower < 0) & (units.upper > 0)
    which = np.flatnonzero(open_.any(axis=0))
    if not len(which):
        return units
    rows = np.eye(units.lower.shape[1])[which]
    found = known.lower_bounds(np.concatenate([rows, -rows])[None], units.errors)
    lower, upper = units.lower.copy(), units.upper.copy()
    lower[:, which] = np.maximum(lower[:, which], found[:, : len(which)])
    upper[:, which] = np.minimum(upper[:, which], -found[:, len(which) :])
    return Units(
        np.where(open_, lower, units.lower), np.where(open_, upper, units.upper), units.errors
    )
