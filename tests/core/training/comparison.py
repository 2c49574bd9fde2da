"""What the tests of training compare with, and by."""

import numpy as np
import torch

from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks.mlp import MLP


def first(digits: Digits, count: int) -> Digits:
    """The first so many images."""
    return Digits(digits.x[:count], digits.y[:count])


def largest_difference(one: MLP, other: MLP) -> float:
    """Of any weight or bias."""
    pairs = zip(one.weights + one.biases, other.weights + other.biases, strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def gradients(
    weights: list[FloatArray],
    biases: list[FloatArray],
    digits: Digits,
    gates: FloatArray | None = None,
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Autograd's in float64, of the mean cross-entropy: of the weights, and of the biases.

    `gates`, `(N, hidden units)`, multiply the hidden outputs.
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
    slopes = [tensor.grad for tensor in w + b]
    arrays: list[FloatArray] = [slope.numpy() for slope in slopes if slope is not None]
    return arrays[: len(w)], arrays[len(w) :]
