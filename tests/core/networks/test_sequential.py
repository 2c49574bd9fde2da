import tracemalloc

import numpy as np
import pytest
import torch

from core.classifier import FloatArray
from core.networks.layers import (
    Activation,
    Affine,
    AveragePooling,
    Convolution,
    MaxPooling,
    Scaling,
)
from core.networks.sequential import Sequential
from tests.core.networks.lenet import lenet, torch_lenet


def images(n: int) -> FloatArray:
    """Images of which four fifths are background, as MNIST's are."""
    rng = np.random.default_rng(1)
    return rng.random((n, 784)) * (rng.random((n, 784)) < 0.2)


@pytest.mark.parametrize("n", [1, 65])
@pytest.mark.parametrize("pooling", [MaxPooling, AveragePooling])
@pytest.mark.parametrize("function", ["relu", "tanh"])
def test_logits_and_pull_back_are_torch_s(n: int, pooling: type, function: str) -> None:
    network = lenet(pooling=pooling, function=function, dtype=np.float64)
    x, cotangent = images(n), np.random.default_rng(2).normal(size=(n, 10))
    leaf = torch.tensor(x, requires_grad=True)
    expected = torch_lenet(network)(leaf)
    (slope,) = torch.autograd.grad(expected, leaf, torch.tensor(cotangent))
    logits, pull_back = network.vjp(x)
    np.testing.assert_array_equal(logits, network.logits(x))
    np.testing.assert_allclose(logits, expected.detach().numpy(), rtol=1e-9, atol=1e-9)
    for _ in range(2):
        gradient = pull_back(cotangent)
        np.testing.assert_allclose(gradient, slope.numpy(), rtol=1e-9, atol=1e-9)
        gradient *= 0  # it is the caller's to overwrite


def test_it_computes_in_its_own_dtype() -> None:
    network = lenet()
    logits, pull_back = network.vjp(images(3))
    assert logits.dtype == pull_back(np.ones((3, 10))).dtype == network.dtype == np.float32


def test_no_image_at_all_has_no_logits() -> None:
    logits, pull_back = lenet().vjp(np.zeros((0, 784)))
    assert logits.shape == (0, 10) and pull_back(logits).shape == (0, 784)


def test_its_sizes_and_its_work() -> None:
    network = lenet()
    assert network.sizes == (784, 4704, 1600, 120, 84, 10)
    assert network.parameter_count == 61_706  # as the paper has it, but for the third layer's gaps
    # 25 products for each of 784 × 6 units, 150 for each of 100 × 16, and the affine layers'.
    assert network.work == 117_600 + 240_000 + 48_000 + 10_080 + 840


def test_the_transposed_network_reads_columns() -> None:
    network, x = lenet(dtype=np.float64), images(4)
    columns = x.reshape(-1, 28, 28).swapaxes(1, 2).reshape(-1, 784)
    np.testing.assert_allclose(network.transposed().logits(x), network.logits(columns), atol=1e-12)


def test_the_pull_back_keeps_no_large_array() -> None:
    """What is kept for the pull-back is a few layers' outputs, not the matrix of all windows."""
    network, x = lenet(), images(64).astype(np.float32)
    tracemalloc.start()
    _, pull_back = network.vjp(x)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    outputs = 64 * 4 * sum(int(np.prod(shape)) for shape in network.shapes)
    assert kept < 1.5 * outputs
    assert pull_back(np.ones((64, 10), np.float32)).shape == x.shape


ZERO = np.zeros(10)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([], "at least one with weights"),
        ([Activation()], "at least one with weights"),
        ([Affine(np.zeros((7, 10)), ZERO)], r"layers\[0\] does not fit: .* 7 inputs"),
        ([Convolution(np.zeros((10, 1, 3, 3)), ZERO)], "must give logits"),
        ([Affine(np.zeros((784, 10)), ZERO), MaxPooling(2, 2)], r"layers\[1\]"),
        (
            [
                Scaling(np.ones(1, np.float32), np.ones(1, np.float32)),
                Affine(np.zeros((784, 10)), ZERO),
            ],
            "all float32",
        ),
    ],
)
def test_what_is_no_network_is_refused(layers: list[Affine], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Sequential(tuple(layers))


@pytest.mark.parametrize("shape", [(784,), (2, 783), (2, 28, 28)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="x must be"):
        lenet().logits(np.zeros(shape))
