"""The start of a training: random weights, or an existing network."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from core.classifier import FloatArray
from core.networks import LIBRARY, MLP, Ensemble, Sequential, Single
from core.networks.layers import Activation, Affine, AveragePooling, Convolution, Layer
from core.recipe import KERNEL, POOL, Recipe

PADDING = KERNEL // 2  # of the first convolution: its images stay as large as they are


def initial_network(recipe: Recipe) -> Single:
    """Return an untrained network with weights uniform in ±1/√inputs, as in torch's own layers.

    The inputs of a convolution are those of one of its windows.
    """
    rng = recipe.random_stream("initial weights")

    def uniform(inputs: int, shape: tuple[int, ...]) -> FloatArray:
        # Not rng.uniform, whose product and sum a compiler may fuse.
        bound = 1 / np.sqrt(inputs)
        drawn: FloatArray = (bound * (2 * rng.random(shape) - 1)).astype(np.float32)
        return drawn

    layers: list[Affine | Convolution] = []
    for place, (channels, outputs, _) in enumerate(recipe.maps):
        inputs = channels * KERNEL**2
        weight = uniform(inputs, (outputs, channels, KERNEL, KERNEL))
        bias = uniform(inputs, (outputs,))
        layers.append(Convolution(weight, bias, padding=0 if place else PADDING))
    for inputs, outputs in pairwise(recipe.sizes):
        layers.append(Affine(uniform(inputs, (inputs, outputs)), uniform(inputs, (outputs,))))
    return network_of(layers)


def network_of(layers: Iterable[Affine | Convolution]) -> Single:
    """Return the network of a recipe's layers, with ReLU and pooling where they belong."""
    layers = list(layers)
    affine = [layer for layer in layers if isinstance(layer, Affine)]
    if len(affine) == len(layers):
        return MLP(tuple(each.weight for each in affine), tuple(each.bias for each in affine))
    found: list[Layer] = []
    for layer in layers:
        found += [layer, Activation()]
        if isinstance(layer, Convolution):
            found.append(AveragePooling(POOL, POOL))
    return Sequential(tuple(found[:-1]))  # no ReLU after the logits


def layers_of(network: Single) -> list[Affine | Convolution]:
    """Return the layers of a network that have weights, from the pixels to the logits."""
    if isinstance(network, MLP):
        return [Affine(*each) for each in zip(network.weights, network.biases, strict=True)]
    return [layer for layer in network.layers if isinstance(layer, Affine | Convolution)]


def load_start(recipe: Recipe) -> Single | None:
    """Read the network that a recipe starts from; return None for random weights.

    Raises:
        ValueError: there is no such network, it is an ensemble, or it has other layers.
    """
    if not recipe.start:
        return None
    network, _ = LIBRARY.load(recipe.start)
    if isinstance(network, Ensemble):
        raise ValueError(f"start: {recipe.start} is an ensemble; start from a single network")
    check_start(network, recipe)
    return network


def check_start(network: Single, recipe: Recipe) -> None:
    """Check that a network has the recipe's layers.

    Raises:
        ValueError: it has other layers; the message names both.
    """
    if _shape(network) != _shape(initial_network(recipe)):
        raise ValueError(
            f"start: {recipe.start} has the layers {_layers(network)}, the recipe "
            f"{_layers(initial_network(recipe))}"
        )


def _shape(network: Single) -> tuple[object, ...]:
    """Return what two networks have in common that differ in their weights alone."""
    outline = network.outline if isinstance(network, Sequential) else ()
    return (*outline, *(array.shape for array in network.arrays))


def _layers(network: Single) -> str:
    """Return a network's layers, such as "784-128-10", or "convolution to 6 × 28 × 28, relu"."""
    if isinstance(network, MLP):
        return "-".join(map(str, network.sizes))
    return ", ".join(
        layer.function
        if isinstance(layer, Activation)
        else f"{layer.kind} to {' × '.join(map(str, shape))}"
        for layer, shape in zip(network.layers, network.shapes[1:], strict=True)
    )
