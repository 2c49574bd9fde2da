"""How a network that another program trained reads pixels, and the fold into its first layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from core.networks.mlp import MLP

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

    def folded(self, network: MLP) -> MLP:
        """Return the network of pixels in [0, 1] whose logits are the network's of its own input.

        With the input a·x + c, the first layer's weights W and biases b become a·W and b + c·ΣW,
        the sum over the inputs. Its rows are reordered where images are transposed.
        """
        first = network.weights[0]
        if self.transposed:
            first = first[_TRANSPOSED]  # the transpose is its own inverse
        wide = first.astype(np.float64)
        bias = network.biases[0] + self.shift * wide.sum(axis=0)
        return MLP(
            ((self.scale * wide).astype(network.dtype), *network.weights[1:]),
            (bias.astype(network.dtype), *network.biases[1:]),
        )


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
