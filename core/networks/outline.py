"""A network's layers in words."""

from core.networks.ensemble import Single
from core.networks.layers import Activation
from core.networks.mlp import MLP


def in_words(network: Single) -> str:
    """Return a network's layers, such as "784-128-10", or "convolution to 6 × 28 × 28, relu"."""
    if isinstance(network, MLP):
        return "-".join(map(str, network.sizes))
    return ", ".join(
        layer.function
        if isinstance(layer, Activation)
        else f"{layer.kind} to {' × '.join(map(str, shape))}"
        for layer, shape in zip(network.layers, network.shapes[1:], strict=True)
    )
