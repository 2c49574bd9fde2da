"""A convolutional network's layers in float64, and what rounding can do to each of their units."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from core.bounds import cost
from core.bounds.layers import MOST_OUTPUT, OWN_UNIT, gamma
from core.classifier import FloatArray
from core.networks import Sequential
from core.networks.layers import (
    LINEAR,
    Activation,
    Affine,
    AveragePooling,
    Convolution,
    Layer,
    Linear,
    Scaling,
    arrays,
    magnitude,
    settings,
)
from core.networks.windows import Shape

_TANH = 8  # units in the last place; NumPy's tanh is wrong by at most half of that


@dataclass(frozen=True, eq=False)
class Steps:
    """The layers h' = f(h), from the pixels to the logits, and the rounding of each.

    The argument is that of `Layers`: the network computes h' = f(h) + e from its rounded h, and
    each bound holds for every e within these limits.

    - **Linear layers**: |e| ≤ γₙ₊₁ M + n · (the smallest normal number), with M = |h| |W| + |b|. n
      is the number of products in a window of a convolution: those with the zeros around an image
      are exact. A mean of n numbers is a sum times a number that is rounded itself, so it counts
      as n + 1 products.
    - **ReLU, and the largest of a window**: e = 0.
    - **tanh**: |e| ≤ 8 units in the last place of 1. The sigmoid is (1 + tanh(h / 2)) / 2: its
      error is less than that.

    The bounds' own errors in float64 are again at most γₖ of float64 times |c| M, where c are the
    coefficients of h'. For all that is not linear, M is the largest |h| of a window, and 1 more for
    tanh and the sigmoid. k is four times the number of all units before and after the layer, and of
    all weights of a convolution, + 100; times √inputs as in `Layers`.

    Attributes:
        layers: in float64.
        shapes: of the image, and of each layer's output.
        spreads: the absolute values of each layer's factors; they add nothing.
        magnitudes: the absolute values of all arrays of each layer.
        rounding: one factor of M a layer, both errors together.
        underflow: one number a layer, what is added to that.
    """

    layers: tuple[Layer, ...]
    shapes: tuple[Shape, ...]
    spreads: tuple[Layer, ...]
    magnitudes: tuple[Layer, ...]
    rounding: tuple[float, ...]
    underflow: tuple[float, ...]

    @classmethod
    def of(cls, network: Sequential) -> "Steps":
        """Take the layers of a network.

        Raises:
            ValueError: its numbers are so large that the network may overflow.
        """
        layers = tuple(map(_in_float64, network.layers))
        operations = [
            4 * (math.prod(before) + math.prod(after) + getattr(layer, "weight", np.ones(1)).size)
            + 100
            for layer, before, after in zip(
                layers, network.shapes[:-1], network.shapes[1:], strict=True
            )
        ]
        limits = np.finfo(network.dtype)
        eps, root = float(limits.eps), math.sqrt(math.prod(network.input_shape))
        steps = cls(
            layers,
            network.shapes,
            tuple(multiplied(layer, np.abs) for layer in layers),
            tuple(map(magnitude, layers)),
            tuple(
                isinstance(layer, LINEAR) * gamma(_products(layer) + 1, eps / 2)
                + gamma(k, OWN_UNIT) * root
                for layer, k in zip(layers, operations, strict=True)
            ),
            tuple(
                _products(layer) * float(limits.tiny) + _is_smooth(layer) * _TANH * eps
                for layer in layers
            ),
        )
        largest: FloatArray = np.ones((*network.input_shape, 1))
        for number in range(len(layers)):
            if not (steps.largest(number, largest) < MOST_OUTPUT).all():
                raise ValueError("the network's weights are too large: its logits may overflow")
            largest = steps.magnitudes[number].forward(largest)[0]
        return steps

    @property
    def outputs(self) -> int:
        """The number of labels."""
        return self.shapes[-1][0]

    @property
    def coefficients(self) -> int:
        """How many numbers a layer works on for an image, at most."""
        return self.numbers[-1]

    @cached_property
    def added(self) -> tuple[FloatArray, ...]:
        """What each layer gives where all its inputs are 0, `(*shape, 1)`."""
        return tuple(
            layer.forward(np.zeros((*shape, 1)))[0]
            for layer, shape in zip(self.layers, self.shapes[:-1], strict=True)
        )

    @cached_property
    def tail(self) -> int:
        """The number of the first of the layers at the end that are all linear."""
        number = len(self.layers)
        while number and self.is_linear(number - 1):
            number -= 1
        return number

    def is_linear(self, number: int) -> bool:
        """Return whether a layer, counted from 0, is linear."""
        return isinstance(self.layers[number], LINEAR)

    def linear(self, number: int) -> Linear:
        """Return a layer that is linear."""
        layer = self.layers[number]
        assert isinstance(layer, LINEAR)
        return layer

    def largest(self, number: int, largest: FloatArray) -> FloatArray:
        """Return M of each unit of a layer, `(*shape, N)`.

        Args:
            number: of the layer.
            largest: the largest absolute value of each of its inputs, `(*shape, N)`.
        """
        if isinstance(self.layers[number], Activation):
            return largest + _is_smooth(self.layers[number])
        return self.magnitudes[number].forward(largest)[0]

    def errors(self, number: int, largest: FloatArray) -> FloatArray:
        """Return how far rounding can move each unit of a layer; arguments: see `largest`."""
        return self.rounding[number] * self.largest(number, largest) + self.underflow[number]

    @cached_property
    def by_crown(self) -> frozenset[int]:
        """The numbers of the layers whose inputs CROWN bounds; see `cost.by_crown`."""
        return frozenset(cost.by_crown(self.layers, self.shapes))

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """How many numbers a row of coefficients takes from each layer back, and from the logits.

        That is where a layer works on the most of them.
        """
        last = len(self.layers)
        return tuple(cost.row(self.layers, self.shapes, each)[0] for each in range(last + 1))


def multiplied(layer: Layer, function: Callable[[FloatArray], FloatArray]) -> Layer:
    """Return a layer whose factors are a function of what they are, and that adds nothing."""
    changed: dict[str, Any] = {
        name: function(each) if name in ("weight", "scale") else np.zeros_like(each)
        for name, each in arrays(layer).items()
    }
    return type(layer)(**settings(layer), **changed)


def _in_float64(layer: Layer) -> Layer:
    doubled: dict[str, Any] = {k: each.astype(np.float64) for k, each in arrays(layer).items()}
    return type(layer)(**settings(layer), **doubled)


def _products(layer: Layer) -> int:
    """Return the number of products that a unit of a layer is the sum of."""
    if isinstance(layer, Affine):
        return len(layer.weight)
    if isinstance(layer, Convolution):
        return int(layer.weight[0].size)
    if isinstance(layer, AveragePooling):
        return int(layer.size) ** 2 + 1
    return int(isinstance(layer, Scaling))


def _is_smooth(layer: Layer) -> bool:
    return isinstance(layer, Activation) and layer.function != "relu"
