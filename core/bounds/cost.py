"""What bounds of a network of layers cost, and which of its layers CROWN can afford to bound."""

import math

import numpy as np

from core.bounds.windows import Window
from core.networks import Sequential
from core.networks.layers import LINEAR, Affine, AveragePooling, Convolution, Layer, MaxPooling
from core.networks.windows import Shape

MOST_PRODUCTS = 1e9  # for CROWN's bounds of one layer: a tenth of a second or so
_PASSES = 10  # multiply-adds in the time that the passes over a number take


def row(layers: tuple[Layer, ...], shapes: tuple[Shape, ...], number: int) -> tuple[int, int]:
    """Return what it takes to pull a row of coefficients back from a layer's inputs.

    Rows of channels begin at one unit, and go back through what it sees alone.

    Args:
        layers: those of the network.
        shapes: of the image, and of each layer's output.
        number: of the layer, counted from 0; that of all layers for the logits.

    Returns:
        The numbers that a layer works on, at most; and how many multiply-adds take as long.
    """
    nowhere = np.zeros(0, np.int64)
    window = Window(nowhere, nowhere) if len(shapes[number]) == 3 else None
    most = products = 0
    for back in reversed(range(number)):
        layer, shape = layers[back], shapes[back + 1]
        numbers = units = math.prod(window.shape(shape) if window else shape)
        if isinstance(layer, Convolution):
            each = layer.weight[0].size
            numbers, products = units // shape[0] * each, products + units * each
        elif isinstance(layer, MaxPooling | AveragePooling):
            numbers *= layer.size**2
        elif isinstance(layer, Affine):
            numbers, products = max(layer.weight.shape), products + layer.weight.size
        most, products = max(most, numbers), products + _PASSES * numbers
        window = window and window.before(layer)
    return most, products


def by_crown(layers: tuple[Layer, ...], shapes: tuple[Shape, ...]) -> dict[int, int]:
    """Return the numbers of the layers whose inputs CROWN bounds, and what that costs at most.

    They are those that are not linear and follow one that is, if there are two layers with weights
    before: of the first the intervals are exact. Where two rows for each input cost too much, the
    layer is left to its intervals, too.
    """
    chosen = {}
    for number in range(1, len(layers)):
        weights = sum(isinstance(layer, Affine | Convolution) for layer in layers[:number])
        bends = not isinstance(layers[number], LINEAR) and isinstance(layers[number - 1], LINEAR)
        if bends and weights > 1:
            cost = 2 * math.prod(shapes[number]) * row(layers, shapes, number)[1]
            if cost <= MOST_PRODUCTS:
                chosen[number] = cost
    return chosen


def multiply_adds(network: Sequential) -> int:
    """Return how many multiply-adds take as long as CROWN for one image and one ε, at most."""
    layers, shapes = network.layers, network.shapes
    logits = network.sizes[-1] * row(layers, shapes, len(layers))[1]
    return sum(by_crown(layers, shapes).values()) + logits + 3 * network.work
