"""A perceptron's affine layers in float64, and what rounding can do to each of its units."""

import math
from dataclasses import dataclass

import numpy as np

from core.classifier import FloatArray
from core.networks import MLP

OWN_UNIT = float(np.finfo(np.float64).eps) / 2  # u of the arithmetic that computes the bounds
MOST_OUTPUT = 1e30  # float32 holds it, and float64 any product of a few such numbers


@dataclass(frozen=True, eq=False)
class Layers:
    """The layers zᵢ = hᵢ₋₁ Wᵢ + bᵢ, with hᵢ = max(zᵢ, 0), and the rounding of each.

    **What is proved is about the network as it is computed.** An attack, and a page, see logits
    that float32 arithmetic has rounded. Let u be half the distance from 1 to the next number of the
    network's dtype, and γₙ = n u / (1 − n u). A sum of n products, added in any order, with or
    without fused multiply-adds, is wrong by at most γₙ times the sum of the products' absolute
    values (Higham 2002, "Accuracy and Stability of Numerical Algorithms", section 3.1). So the
    computed units are zᵢ = hᵢ₋₁ Wᵢ + bᵢ + eᵢ, with

        |eᵢ| ≤ γₙ₊₁ (|hᵢ₋₁| |Wᵢ| + |bᵢ|) + n · (the smallest normal number),  n inputs.

    ReLU rounds nothing. Each bound holds for every e within these limits.

    **The bounds themselves are computed in float64** and have their own errors. Every one is of the
    same form. Coefficients c of the units are multiplied by numbers of at most
    Mᵢ = |hᵢ₋₁| |Wᵢ| + |bᵢ| and added up: the error is at most γ · |c| Mᵢ, with γ = γₖ of float64
    and k the number of operations. One layer takes no more than 2 (inputs + outputs) + 50. Here k
    is twice that, and γ is multiplied by √inputs for the L2 ball, whose radius may exceed 1. Both
    errors are one number a unit, `rounding` times Mᵢ: about 5e-5 and 2e-11 for 784 pixels.

    Attributes:
        weights: one `(inputs, outputs)` float64 array a layer.
        magnitudes: their absolute values.
        biases: one `(outputs,)` float64 array a layer.
        rounding: one factor of M a layer, both errors together.
        underflow: one number a layer, what results too small for the dtype add.
    """

    weights: tuple[FloatArray, ...]
    magnitudes: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]
    rounding: tuple[float, ...]
    underflow: tuple[float, ...]

    @classmethod
    def of(cls, network: MLP) -> "Layers":
        """Take the layers of a network.

        Raises:
            ValueError: its numbers are so large that the network may overflow.
        """
        weights = tuple(weight.astype(np.float64) for weight in network.weights)
        biases = tuple(bias.astype(np.float64) for bias in network.biases)
        magnitudes = tuple(map(np.abs, weights))
        limits = np.finfo(network.dtype)
        layers = cls(
            weights,
            magnitudes,
            biases,
            tuple(_rounding(*weight.shape, unit=float(limits.eps) / 2) for weight in weights),
            tuple(len(weight) * float(limits.tiny) for weight in weights),
        )
        largest = np.ones(len(weights[0]))
        for layer in range(layers.depth):
            largest = largest @ magnitudes[layer] + np.abs(biases[layer])
            if not (largest < MOST_OUTPUT).all():
                raise ValueError("the network's weights are too large: its logits may overflow")
        return layers

    @property
    def depth(self) -> int:
        """The number of affine layers."""
        return len(self.weights)

    @property
    def outputs(self) -> int:
        """The number of labels."""
        return len(self.biases[-1])

    @property
    def coefficients(self) -> int:
        """How many numbers CROWN holds for an image: two rows a unit, one number an input."""
        return max(2 * weight.size for weight in self.weights[1:] or self.weights)

    def errors(self, layer: int, highest: FloatArray) -> FloatArray:
        """Return how far rounding can move each unit of a layer, `(N, outputs)`.

        Args:
            layer: counted from 0.
            highest: `(N, inputs)`, the largest value of each input; none is negative.
        """
        largest: FloatArray = highest @ self.magnitudes[layer] + np.abs(self.biases[layer])
        return self.rounding[layer] * largest + self.underflow[layer]


def _rounding(inputs: int, outputs: int, *, unit: float) -> float:
    """Return the factor of M for a layer of a network that computes with the unit u."""
    own = gamma(4 * (inputs + outputs) + 100, OWN_UNIT) * math.sqrt(inputs)
    return gamma(inputs + 1, unit) + own


def gamma(n: int, unit: float) -> float:
    """Return γₙ = n u / (1 − n u), the relative error of n roundings (Higham 2002, section 3.1)."""
    return n * unit / (1 - n * unit)
