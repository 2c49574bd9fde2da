"""Interval bounds: what each unit can be, layer by layer, as if its inputs were independent.

Gowal et al. 2018, "On the Effectiveness of Interval Bound Propagation for Training Verifiably
Robust Models", section 3.
"""

from dataclasses import dataclass

import numpy as np

from core.bounds.balls import Ball, Box
from core.bounds.layers import Layers
from core.classifier import FloatArray


@dataclass(frozen=True, eq=False)
class Units:
    """What a layer's units zᵢ can be before ReLU, over a ball; each array is `(N, units)`.

    Attributes:
        lower, upper: no image of the ball gives less or more.
        errors: how far rounding moves a unit, which `lower` and `upper` allow for.
    """

    lower: FloatArray
    upper: FloatArray
    errors: FloatArray

    def after_relu(self) -> Box:
        """Return the box of the next layer's inputs."""
        return Box.between(np.maximum(self.lower, 0), np.maximum(self.upper, 0))


def propagate(layers: Layers, layer: int, inputs: Ball) -> Units:
    """Return the bounds of one layer's units, given the ball or box of its inputs.

    μ' = μ W + b and r' = r |W|: the paper's equation 6, with the radius of rounding added.
    """
    weight = layers.weights[layer]
    errors = layers.errors(layer, inputs.highest)
    middle = inputs.centre @ weight + layers.biases[layer]
    fall, rise = inputs.unit_falls(weight)
    return Units(middle - fall - errors, middle + rise + errors, errors)


def lower_bounds(layers: Layers, ball: Ball, rows: FloatArray) -> FloatArray:
    """Return lower bounds of c · z, where z are the logits, over a ball: `(N, K)`.

    The last layer is multiplied by the coefficients first, so that what two logits have in common
    cancels in their difference ("elision of the last layer").

    Args:
        layers: the network.
        ball: of N images.
        rows: `(N, K, outputs)`, the coefficients c.
    """
    inputs: Ball = ball
    for layer in range(layers.depth - 1):
        inputs = propagate(layers, layer, inputs).after_relu()
    return last_lower_bounds(layers, inputs, rows)


def last_lower_bounds(layers: Layers, inputs: Ball, rows: FloatArray) -> FloatArray:
    """Return the same, given the ball or box of the last layer's inputs."""
    last = layers.depth - 1
    errors = layers.errors(last, inputs.highest)
    middle = inputs.centre @ layers.weights[last] + layers.biases[last]
    falls = inputs.falls(rows, layers.weights[last])
    return dot(rows, middle) - falls - dot(np.abs(rows), errors)


def dot(coefficients: FloatArray, values: FloatArray) -> FloatArray:
    """Return each row of coefficients, `(N, K, U)` or `(1, K, U)`, times its image's `(N, U)`."""
    products: FloatArray = np.matmul(coefficients, values[..., None])[..., 0]
    return products
