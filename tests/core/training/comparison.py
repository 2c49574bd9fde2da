"""References and measures that the tests of training share."""

import numpy as np
import pytest
import torch

from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks import MLP, Single
from core.recipe import PRESETS, Recipe
from core.training import ENGINES, initial_network

REPORT = PRESETS["report"]
every_engine = pytest.mark.parametrize("engine", ENGINES)


def first(digits: Digits, count: int) -> Digits:
    """Return the first `count` images."""
    return Digits(digits.x[:count], digits.y[:count])


def initial_mlp(recipe: Recipe) -> MLP:
    """Return the untrained network of a recipe without convolutions."""
    return mlp(initial_network(recipe))


def mlp(network: object) -> MLP:
    """Return a network that is a perceptron."""
    assert isinstance(network, MLP)
    return network


def largest_difference(one: Single, other: Single) -> float:
    """Return the largest difference of any weight or bias."""
    pairs = zip(one.arrays, other.arrays, strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def gradients(
    weights: list[FloatArray],
    biases: list[FloatArray],
    digits: Digits,
    gates: FloatArray | None = None,
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Return autograd's float64 gradients of the mean cross-entropy, by weights and by biases.

    Args:
        weights: of each layer, `(inputs, outputs)`.
        biases: of each layer, `(outputs,)`.
        digits: the images and labels.
        gates: `(N, hidden units)`, multiply the hidden outputs; None for none.
    """
    w = [torch.tensor(weight, dtype=torch.float64, requires_grad=True) for weight in weights]
    b = [torch.tensor(bias, dtype=torch.float64, requires_grad=True) for bias in biases]
    ends = np.cumsum([0, *(len(bias) for bias in biases[:-1])])
    out = torch.tensor(digits.x).double()
    for layer in range(len(w)):
        if layer:
            out = out.relu()
            if gates is not None:
                out = out * torch.tensor(gates[:, ends[layer - 1] : ends[layer]])
        out = out @ w[layer] + b[layer]
    torch.nn.functional.cross_entropy(out, torch.tensor(digits.y)).backward()
    found = [tensor.grad for tensor in w + b]
    arrays: list[FloatArray] = [gradient.numpy() for gradient in found if gradient is not None]
    return arrays[: len(w)], arrays[len(w) :]
