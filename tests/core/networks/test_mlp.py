import numpy as np
import pytest
import torch

from core.networks.mlp import MLP
from tests.conftest import random_mlp
from tests.core.torch_twin import torch_twin


@pytest.mark.parametrize("sizes", [(784, 10), (784, 128, 64, 10), (5, 4, 3, 2)])
def test_logits_are_torch_s(sizes: tuple[int, ...]) -> None:
    network = random_mlp(sizes, seed=0)
    x = np.random.default_rng(1).random((17, sizes[0]))
    expected = torch_twin(network)(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(network.logits(x), expected, rtol=1e-12, atol=1e-12)
    assert network.sizes == sizes


def test_pull_back_agrees_with_finite_differences(small_network: MLP) -> None:
    rng = np.random.default_rng(2)
    x, cotangent = rng.random((3, 12)), rng.normal(size=(3, 10))
    logits, pull_back = small_network.vjp(x)
    gradient = pull_back(cotangent)
    np.testing.assert_array_equal(logits, small_network.logits(x))
    step = 1e-6
    for pixel in range(12):
        nudge = np.zeros(12)
        nudge[pixel] = step
        difference = small_network.logits(x + nudge) - small_network.logits(x - nudge)
        slope = (difference * cotangent).sum(axis=1) / (2 * step)
        np.testing.assert_allclose(gradient[:, pixel], slope, rtol=1e-6, atol=1e-8)


def test_pull_back_can_be_called_again(small_network: MLP) -> None:
    _, pull_back = small_network.vjp(np.full((2, 12), 0.5))
    first = pull_back(np.eye(10)[:2])
    first_copy = first.copy()
    first *= 0  # the gradient is the caller's to overwrite
    np.testing.assert_array_equal(pull_back(np.eye(10)[:2]), first_copy)


def test_arrays_can_t_be_written_to_and_are_copies() -> None:
    weight, bias = np.ones((3, 2)), np.ones(2)
    network = MLP((weight,), (bias,))
    weight[:] = 7
    assert network.weights[0].max() == 1
    with pytest.raises(ValueError, match="read-only"):
        network.weights[0][0, 0] = 2
    with pytest.raises(AttributeError):
        network.weights = ()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("weights", "biases", "said"),
    [
        ([], [], "at least one"),
        ([np.ones((3, 2))], [], "same number"),
        ([np.ones((3, 2))], [np.ones(3)], r"weights\[0\]"),
        ([np.ones((3, 2)), np.ones((3, 2))], [np.ones(2), np.ones(2)], r"weights\[1\]"),
        ([np.ones(3)], [np.ones(2)], r"weights\[0\]"),
        ([np.full((3, 2), np.nan)], [np.ones(2)], "not finite"),
        ([np.ones((3, 2))], [np.array([1, np.inf])], "not finite"),
        ([np.ones((3, 2), np.float32)], [np.ones(2)], "float32 or all float64"),
        ([np.ones((3, 2), int)], [np.ones(2, int)], "float32 or all float64"),
    ],
)
def test_what_is_no_network_is_refused(
    weights: list[np.ndarray], biases: list[np.ndarray], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        MLP(tuple(weights), tuple(biases))


@pytest.mark.parametrize("shape", [(12,), (2, 11), (2, 3, 4)])
def test_images_of_another_shape_are_refused(small_network: MLP, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="x must be"):
        small_network.logits(np.zeros(shape))
