"""What a network's hidden units do under an attack, and what carries their change further."""

from dataclasses import dataclass

import numpy as np

from core.classifier import FloatArray, IntArray
from core.networks import MLP, Sequential, Single
from core.networks.layers import Affine, Convolution, Scaling
from core.networks.windows import Shape


@dataclass(frozen=True, eq=False)
class Units:
    """The hidden units of a network on one image, under every budget of an attack.

    Attributes:
        activations: one `(B, units)` array a hidden layer, after its activation.
        logits: `(B, 10)`.
        weights: `(units, 10)`, from the last hidden layer to the logits.
        maps: one `(B, channels, height, width)` array a convolution: what the next layer gets of
            it, after activation and pooling.
    """

    activations: tuple[FloatArray, ...]
    logits: FloatArray
    weights: FloatArray
    maps: tuple[FloatArray, ...] = ()

    def contributions(self, budget: int) -> FloatArray:
        """Return what each weight of the last layer adds to the change of its logit.

        A contribution is the weight times the change of its unit's activation since the first
        budget. Those of all units add up to the change of the logit: the biases stay.

        Args:
            budget: its place among the B budgets.

        Returns:
            `(units, 10)`, in float64.
        """
        last = self.activations[-1].astype(np.float64)
        contributions: FloatArray = (last[budget] - last[0])[:, None] * self.weights
        return contributions

    def carriers(self, budget: int, count: int = 10) -> tuple[IntArray, IntArray]:
        """Return the weights with the largest contributions, the largest absolute value first.

        Args:
            budget: its place among the B budgets.
            count: how many; fewer if the last layer has fewer weights.

        Returns:
            The units and the digits that they connect, `(count,)` each.
        """
        sizes = np.abs(self.contributions(budget)).ravel()
        largest = np.argsort(-sizes, kind="stable")[:count]
        units, digits = np.divmod(largest, self.weights.shape[1])
        return units, digits


def hidden_shapes(network: Single) -> list[Shape]:
    """Return the shape of what each layer with weights, but the last, gives the next one.

    A convolution's is `(channels, height, width)`, another layer's `(units,)`.

    Raises:
        ValueError: the last layer of the network is not an affine one.
    """
    if isinstance(network, MLP):
        return [(units,) for units in network.sizes[1:-1]]
    if not isinstance(network.layers[-1], Affine):
        raise ValueError("the network's last layer is not an affine one")
    return [network.shapes[place] for place in _inputs(network)[1:]]


def watch(network: Single, x_adv: FloatArray, *, maps: bool = True) -> Units:
    """Return what a network's units do.

    Args:
        network: the network.
        x_adv: `(B, 784)`, an image under each budget; the first one is the clean image.
        maps: whether to return what convolutions give, too.

    Raises:
        ValueError: no hidden layer of units leads to the logits, or `x_adv` is not of that shape.
    """
    shapes = hidden_shapes(network)
    if not shapes or len(shapes[-1]) > 1:
        raise ValueError("the network has no hidden units before its logits")
    if isinstance(network, MLP):
        *hidden, logits = network.activations(x_adv)
        return Units(tuple(hidden), logits, network.weights[-1])
    last = network.layers[-1]
    assert isinstance(last, Affine)
    wanted = [
        place - 1
        for place, shape in zip(_inputs(network)[1:], shapes, strict=True)
        if maps or len(shape) == 1
    ]
    *found, logits = network.outputs(x_adv, [*wanted, len(network.layers) - 1])
    return Units(
        activations=tuple(each for each in found if each.ndim == 2),
        logits=logits,
        weights=last.weight,
        maps=tuple(each for each in found if each.ndim == 4),
    )


def pixel_weights(network: Single) -> FloatArray | None:
    """Return the weights from the pixels to the first layer's units, `(784, units)`.

    None if the first layer with weights is a convolution.
    """
    if isinstance(network, MLP):
        return network.weights[0]
    scale: FloatArray = np.ones(1, network.dtype)
    for layer in network.layers:
        if isinstance(layer, Affine):
            return layer.weight * scale
        if not isinstance(layer, Scaling) or len(layer.scale) > 1:
            break
        scale = scale * layer.scale
    return None


def _inputs(network: Sequential) -> list[int]:
    """Return the places of the layers with weights."""
    return [
        place
        for place, layer in enumerate(network.layers)
        if isinstance(layer, Affine | Convolution)
    ]
