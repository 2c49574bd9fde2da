"""Affine layers while a file is read, in float64."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.classifier import FloatArray
from core.networks.limits import fault
from core.networks.mlp import MLP


@dataclass(frozen=True, eq=False)
class Layer:
    """x ↦ x · weight + bias, with `(inputs, outputs)` and `(outputs,)`."""

    weight: FloatArray
    bias: FloatArray

    def then(self, scale: FloatArray, shift: FloatArray) -> "Layer":
        """Return this layer, then y ↦ y · scale + shift."""
        with np.errstate(all="ignore"):  # what is not finite is refused later
            return Layer(self.weight * scale, self.bias * scale + shift)

    def of(self, scale: FloatArray, shift: FloatArray) -> "Layer":
        """Return x ↦ x · scale + shift, then this layer."""
        with np.errstate(all="ignore"):
            return Layer(scale[:, None] * self.weight, self.bias + shift @ self.weight)


def perceptron(layers: Sequence[Layer]) -> MLP:
    """Return the layers as a network in float32, with ReLU between them.

    Raises:
        ValueError: a network of this program can't have such layers; the message says why.
    """
    with np.errstate(over="ignore"):  # what becomes infinite is refused
        network = MLP(
            tuple(layer.weight.astype(np.float32) for layer in layers),
            tuple(layer.bias.astype(np.float32) for layer in layers),
        )
    if reason := fault(network):
        raise ValueError(reason)
    return network
