"""How a network that another program trained reads pixels, which becomes part of the network."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from core.classifier import FloatArray
from core.networks.ensemble import Single
from core.networks.foreign.parts import as_one
from core.networks.layers import Affine, Scaling
from core.networks.mlp import MLP
from core.networks.sequential import Sequential

MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's training pixels, as most tutorials write them
_SIDE = 28
_TRANSPOSED = np.arange(_SIDE * _SIDE).reshape(_SIDE, _SIDE).T.ravel()


@dataclass(frozen=True)
class Pixels:
    """A map of pixels in [0, 1], white on black, to what a network was trained on.

    Attributes:
        words: what it is, to follow "pixels as".
        scale, shift: the network's input is scale · pixel + shift.
        transposed: whether the network reads the image column by column.
    """

    words: str
    scale: float = 1.0
    shift: float = 0.0
    transposed: bool = False

    def prepared(self, x: FloatArray) -> FloatArray:
        """Return what the network was trained on, for `(N, 784)` pixels in [0, 1]."""
        if self.transposed:
            x = x[:, _TRANSPOSED]  # the transpose is its own inverse
        found: FloatArray = self.scale * x + x.dtype.type(self.shift)
        return found

    def folded(self, network: Single) -> Single:
        """Return the network of pixels in [0, 1] whose logits are the network's of its own input.

        With the input a·x + c, the first layer's weights W and biases b become a·W and b + c·ΣW,
        the sum over the inputs. Its rows are reordered where images are transposed. Before a
        convolution the input becomes a layer of its own: padding surrounds what it gives with 0.
        """
        if isinstance(network, Sequential):
            return self._before(network.transposed() if self.transposed else network)
        first = network.weights[0]
        if self.transposed:
            first = first[_TRANSPOSED]
        weight, bias = self._into(first, network.biases[0])
        return MLP((weight, *network.weights[1:]), (bias, *network.biases[1:]))

    def _before(self, network: Sequential) -> Sequential:
        """Return a network of layers after the scale and the shift."""
        if (self.scale, self.shift) == (1, 0):
            return network
        first, *rest = network.layers
        if isinstance(first, Affine):
            return Sequential((Affine(*self._into(first.weight, first.bias)), *rest))
        scale, shift = (np.array([each], network.dtype) for each in (self.scale, self.shift))
        scaling = Scaling(scale, shift)
        both = as_one(scaling, first)
        return Sequential((both, *rest) if both else (scaling, *network.layers))

    def _into(self, weight: FloatArray, bias: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return an affine layer's weight and bias with the scale and the shift before it."""
        wide = weight.astype(np.float64)
        shifted = bias + self.shift * wide.sum(axis=0)
        return (self.scale * wide).astype(weight.dtype), shifted.astype(bias.dtype)


def _all() -> dict[str, Pixels]:
    """Return all maps by their keys, the simplest first."""
    ranges = {
        "raw": ("numbers from 0 to 1", 1.0, 0.0),
        "mnist": (f"(pixel − {MEAN}) / {DEVIATION}", 1 / DEVIATION, -MEAN / DEVIATION),
        "centred": ("numbers from −1 to 1", 2.0, -1.0),
        "255": ("numbers from 0 to 255", 255.0, 0.0),
    }
    found = {}
    for transposed in (False, True):
        for inverted in (False, True):
            for key, (words, scale, shift) in ranges.items():
                name, said = key, words
                if inverted:  # a · (1 − x) + c
                    name, said = f"inverted-{name}", f"{said}, black on white"
                    scale, shift = -scale, scale + shift
                if transposed:
                    name, said = f"transposed-{name}", f"{said}, column by column"
                found[name] = Pixels(said, scale, shift, transposed)
    return found


PIXELS: Mapping[str, Pixels] = MappingProxyType(_all())
