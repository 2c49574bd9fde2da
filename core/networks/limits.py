"""What a network may be, so that a small server can hold it and answer in time."""

import math

import numpy as np

from core.classifier import FloatArray
from core.networks.ensemble import Network, Single
from core.networks.layers import Affine, Convolution, magnitude
from core.networks.sequential import Sequential
from core.recipe import (
    MOST_CONVOLUTIONS,
    MOST_HIDDEN,
    MOST_MEMBERS,
    MOST_UNITS,
    MOST_WEIGHTS,
    MOST_WORK,
)

MOST_LAYERS = 40  # of a network with convolutions, all kinds of layers counted
MOST_ARRAYS = 2 * (MOST_CONVOLUTIONS + MOST_HIDDEN + 1) * MOST_MEMBERS
MOST_CHANNEL_UNITS = 100_000  # of a layer's output: 128 channels of 28 × 28
_MOST_OUTPUT = 1e18  # float32 holds its square


def fault(network: Network) -> str:
    """Return why a network can't be saved or can't classify MNIST; "" if it can."""
    if len(network.members) > MOST_MEMBERS:
        return f"it has {len(network.members)} members, more than {MOST_MEMBERS}"
    for member in network.members:
        if reason := _fault_of_sizes(member):
            return reason
    arrays = sum(len(member.arrays) for member in network.members)
    if arrays > MOST_ARRAYS:
        return f"it has {arrays} weights and biases of layers, more than {MOST_ARRAYS}"
    weights = sum(map(_weights, network.members))
    if weights > MOST_WEIGHTS:
        return f"it has {weights:,} weights, more than {MOST_WEIGHTS:,}"
    work = sum(member.work for member in network.members)
    if work > MOST_WORK:
        return f"it takes {work:,} multiplications for an image, more than {MOST_WORK:,}"
    if not max(map(_largest_output, network.members)) < _MOST_OUTPUT:
        return "its weights are so large that no image can be classified by them"
    sizes, dtype = network.members[0].sizes, network.members[0].dtype
    if (sizes[0], sizes[-1]) != (784, 10) or dtype != np.float32:
        maps = f"{sizes[0]} inputs to {sizes[-1]} outputs in {dtype}"
        return f"it maps {maps}, not 784 to 10 in float32"
    return ""


def _fault_of_sizes(member: Single) -> str:
    if isinstance(member, Sequential):
        if len(member.layers) > MOST_LAYERS:
            return f"it has {len(member.layers)} layers, more than {MOST_LAYERS}"
        units = max(map(math.prod, member.shapes))
        if units > MOST_CHANNEL_UNITS:
            return f"one of its layers has {units:,} units, more than {MOST_CHANNEL_UNITS:,}"
        if member.input_shape != (1, 28, 28):
            return "it does not read images of 28 × 28 pixels"
        return ""
    hidden = member.sizes[1:-1]
    if len(hidden) > MOST_HIDDEN:
        return f"it has {len(hidden)} hidden layers, more than {MOST_HIDDEN}"
    if hidden and not 1 <= min(hidden) <= max(hidden) <= MOST_UNITS:
        return f"its hidden layers must have 1 to {MOST_UNITS:,} units, not {max(hidden):,}"
    return ""


def _weights(member: Single) -> int:
    """Return the number of weights without the biases."""
    if isinstance(member, Sequential):
        return sum(
            layer.weight.size for layer in member.layers if isinstance(layer, Affine | Convolution)
        )
    return sum(weight.size for weight in member.weights)


def _largest_output(network: Single) -> float:
    """Return a bound on all hidden outputs and logits for images of pixels in [0, 1]."""
    found = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        if isinstance(network, Sequential):
            here: FloatArray = np.ones((*network.input_shape, 1), network.dtype)
            for layer in network.layers:
                here, _ = magnitude(layer).forward(here)
                found = max(found, float(here.max()))
            return found
        bound = np.ones(network.sizes[0], network.dtype)
        for weight, bias in zip(network.weights, network.biases, strict=True):
            bound = bound @ np.abs(weight) + np.abs(bias)
            found = max(found, float(bound.max()))
    return found
