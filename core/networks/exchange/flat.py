"""Any network as layers, for programs that start from `(N, 784)` pixels."""

import math

from core.networks.ensemble import Single
from core.networks.layers import Activation, Affine, Layer, Scaling
from core.networks.mlp import MLP
from core.networks.sequential import Sequential


def layered(network: Single) -> Sequential:
    """Return the network as layers. Its input is flat, `(784,)`, unless a layer needs images."""
    if isinstance(network, MLP):
        layers: list[Layer] = []
        for weight, bias in zip(network.weights, network.biases, strict=True):
            layers += [Affine(weight, bias), Activation()]
        return Sequential(tuple(layers[:-1]), network.sizes[:1])
    if all(isinstance(layer, Affine | Activation | Scaling) for layer in network.layers):
        return Sequential(network.layers, (math.prod(network.input_shape),))
    return network
