"""What every adversarial image must satisfy, computed without the attacks' own code."""

import numpy as np

from core.classifier import FloatArray, IntArray
from core.networks.mlp import MLP


def predictions(network: MLP, x: FloatArray) -> IntArray:
    """Return the labels that a plain forward pass gives, `(N,)`."""
    hidden = x
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        hidden = np.maximum(hidden @ weight + bias, 0)
    labels: IntArray = (hidden @ network.weights[-1] + network.biases[-1]).argmax(axis=1)
    return labels


def misclassified(network: MLP, x: FloatArray, y: IntArray) -> float:
    """Return the share of images whose label is another one."""
    return float((predictions(network, x) != y).mean())


def norms(x: FloatArray, x_adv: FloatArray) -> FloatArray:
    """Return the L2 norm of each perturbation, `(N,)`."""
    squares: FloatArray = ((x_adv.astype(np.float64) - x) ** 2).sum(axis=1)
    return np.sqrt(squares)


def check(
    x: FloatArray, x_adv: FloatArray, *, linf: float | None = None, l2: float | None = None
) -> None:
    """Check shape, dtype and range, and the budget if there is one."""
    assert (x_adv.shape, x_adv.dtype) == (x.shape, x.dtype)
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1
    if linf is not None:
        assert np.abs(x_adv.astype(np.float64) - x).max() <= linf + 1e-7
    if l2 is not None:
        assert norms(x, x_adv).max() <= l2 + 1e-6


def in_float64(network: MLP) -> MLP:
    """Return the same network in float64."""
    return MLP(
        tuple(weight.astype(np.float64) for weight in network.weights),
        tuple(bias.astype(np.float64) for bias in network.biases),
    )
