"""Every layer beside torch's: its output in float64, and its pull-back by torch's autograd."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional

from core.classifier import FloatArray
from core.networks.layers import (
    KINDS,
    Activation,
    Affine,
    AveragePooling,
    Convolution,
    Layer,
    MaxPooling,
    Scaling,
    arrays,
    magnitude,
    settings,
)

RNG = np.random.default_rng(0)
WEIGHT, BIAS = RNG.normal(size=(4, 3, 3, 2)), RNG.normal(size=4)
ROWS, OFFSETS = RNG.normal(size=(3 * 7 * 6, 5)), RNG.normal(size=5)
SCALE, SHIFT = RNG.normal(size=3), RNG.normal(size=3)
Torch = Callable[[torch.Tensor], torch.Tensor]


def tensor(array: FloatArray) -> torch.Tensor:
    return torch.tensor(np.array(array))


def convolution(stride: int, padding: int) -> tuple[Layer, Torch]:
    return Convolution(WEIGHT, BIAS, stride, padding), lambda x: functional.conv2d(
        x, tensor(WEIGHT), tensor(BIAS), stride=stride, padding=padding
    )


CASES: dict[str, tuple[Layer, Torch]] = {
    "affine": (
        Affine(ROWS, OFFSETS),
        lambda x: functional.linear(x.flatten(1), tensor(ROWS.T), tensor(OFFSETS)),
    ),
    "convolution": convolution(1, 0),
    "convolution with padding": convolution(1, 1),
    "convolution with a stride": convolution(2, 0),
    "convolution with both": convolution(3, 1),
    "max pooling": (MaxPooling(2, 2), lambda x: functional.max_pool2d(x, 2)),
    "max pooling that overlaps": (MaxPooling(3, 2), lambda x: functional.max_pool2d(x, 3, 2)),
    "average pooling": (AveragePooling(2, 2), lambda x: functional.avg_pool2d(x, 2)),
    "average pooling that overlaps": (
        AveragePooling(3, 1),
        lambda x: functional.avg_pool2d(x, 3, 1),
    ),
    "relu": (Activation("relu"), torch.relu),
    "tanh": (Activation("tanh"), torch.tanh),
    "sigmoid": (Activation("sigmoid"), torch.sigmoid),
    "scaling of channels": (
        Scaling(SCALE, SHIFT),
        lambda x: x * tensor(SCALE)[:, None, None] + tensor(SHIFT)[:, None, None],
    ),
    "scaling of all": (
        Scaling(SCALE[:1], SHIFT[:1]),
        lambda x: x * tensor(SCALE)[0] + tensor(SHIFT)[0],
    ),
}


def images(n: int = 5) -> FloatArray:
    """Images with many zeros, so that windows have equal values, as after ReLU."""
    values: FloatArray = np.random.default_rng(1).normal(size=(n, 3, 7, 6)).clip(-0.5, None)
    return np.where(values < 0, 0, values)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("n", [1, 5])
def test_output_and_pull_back_are_torch_s(name: str, n: int) -> None:
    layer, by_torch = CASES[name]
    x = images(n)
    leaf = tensor(x).requires_grad_()
    expected = by_torch(leaf)
    cotangent = np.random.default_rng(2).normal(size=tuple(expected.shape))
    (slope,) = torch.autograd.grad(expected, leaf, tensor(cotangent))
    out, pull_back = layer.forward(np.ascontiguousarray(np.moveaxis(x, 0, -1)))
    assert out.shape[:-1] == layer.output_shape((3, 7, 6))
    np.testing.assert_allclose(np.moveaxis(out, -1, 0), expected.detach().numpy(), atol=1e-12)
    for _ in range(2):  # it can be called again
        found = pull_back(np.ascontiguousarray(np.moveaxis(cotangent, 0, -1)))
        np.testing.assert_allclose(np.moveaxis(found, -1, 0), slope.numpy(), atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_a_layer_is_its_kind_its_settings_and_its_arrays(name: str) -> None:
    layer, _ = CASES[name]
    again = KINDS[layer.kind](**settings(layer), **arrays(layer))
    x = np.moveaxis(images(), 0, -1)
    np.testing.assert_array_equal(again.forward(x)[0], layer.forward(x)[0])
    for own in arrays(layer).values():
        with pytest.raises(ValueError, match="read-only"):
            own[...] = 0


@pytest.mark.parametrize("name", CASES)
def test_no_output_exceeds_what_its_magnitude_gives(name: str) -> None:
    layer, _ = CASES[name]
    x = np.moveaxis(images(50), 0, -1)
    most, _ = magnitude(layer).forward(np.abs(x).max(axis=-1, keepdims=True))
    assert (np.abs(layer.forward(x)[0]) <= most + 1e-12).all()


def test_no_number_is_too_large_for_the_sigmoid() -> None:
    with np.errstate(all="raise"):
        out, _ = Activation("sigmoid").forward(np.array([[-1000.0, 0.0, 1000.0]]))
    np.testing.assert_array_equal(out, [[0, 0.5, 1]])


@pytest.mark.parametrize(
    ("layer", "shape", "said"),
    [
        (Affine(ROWS, OFFSETS), (7,), "126 inputs can't follow 7 units"),
        (Convolution(WEIGHT, BIAS), (2, 7, 6), "3 channels can't follow 2 × 7 × 6"),
        (Convolution(WEIGHT, BIAS), (126,), "can't follow 126 units"),
        (Convolution(WEIGHT, BIAS), (3, 2, 6), "3 × 2 is larger"),
        (MaxPooling(3, 1), (3, 2, 2), "3 × 3 is larger"),
        (AveragePooling(2, 2), (8,), "can't follow 8 units"),
        (Scaling(SCALE, SHIFT), (2, 7, 6), "3 numbers can't follow"),
    ],
)
def test_a_layer_that_does_not_fit_says_why(
    layer: Layer, shape: tuple[int, ...], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        layer.output_shape(shape)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Affine(ROWS, OFFSETS[:4]), "no affine layer"),
        (lambda: Affine(ROWS, np.full(5, np.nan)), "bias has values that are not finite"),
        (lambda: Affine(ROWS.astype(np.float32), OFFSETS), "all float32 or all float64"),
        (lambda: Affine(ROWS.astype(np.float16), OFFSETS.astype(np.float16)), "all float32"),
        (lambda: Convolution(WEIGHT, BIAS[:2]), "no convolution"),
        (lambda: Convolution(WEIGHT, BIAS, stride=0), "stride"),
        (lambda: Convolution(WEIGHT, BIAS, padding=-1), "padding"),
        (lambda: Convolution(WEIGHT, BIAS, padding=2), "smaller than the kernel"),
        (lambda: MaxPooling(0, 1), "size"),
        (lambda: AveragePooling(2, 0), "stride"),
        (lambda: Activation("gelu"), "relu, tanh, sigmoid"),
        (lambda: Scaling(SCALE, SHIFT[:2]), "same length"),
    ],
)
def test_what_is_no_layer_is_refused(build: Callable[[], Layer], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build()
