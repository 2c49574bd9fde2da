"""What a state dict doesn't hold is tried: the network itself is among its readings."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from core.classifier import FloatArray
from core.networks import MLP, Sequential
from core.networks.foreign import Found, pytorch_file
from core.networks.foreign.found import MOST_READINGS
from core.networks.foreign.tensors import stack_of
from core.networks.foreign.ways import readings
from core.networks.layers import AveragePooling
from tests.core.networks.foreign.samples import saved
from tests.core.networks.foreign.test_onnx_convolutions import randomised
from tests.core.networks.lenet import lenet, torch_lenet

X = np.random.default_rng(0).random((20, 784), np.float32)
IMAGE = (1, 28, 28)


def block(
    inputs: int,
    outputs: int,
    order: str,
    *,
    kernel_size: int = 3,
    stride: int = 1,
    padding: int = 0,
) -> list[nn.Module]:
    """Return a convolution, then batch normalisation (b), an activation (a) and pooling (p)."""
    parts: dict[str, Callable[[], nn.Module]] = {
        "b": lambda: nn.BatchNorm2d(outputs),
        "a": nn.ReLU,
        "p": lambda: nn.MaxPool2d(2),
        "m": lambda: nn.AvgPool2d(2),
    }
    conv = nn.Conv2d(inputs, outputs, kernel_size, stride, padding)
    return [conv, *(parts[each]() for each in order)]


def module(*layers: list[nn.Module], last: list[nn.Module]) -> nn.Module:
    return randomised(nn.Sequential(nn.Unflatten(1, IMAGE), *sum(layers, []), nn.Flatten(), *last))


def linear(inputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, 20), nn.ReLU(), nn.Linear(20, 10)]


def mlp(*layers: nn.Module) -> nn.Module:
    return randomised(nn.Sequential(*layers))


MODULES = {
    "LeNet-5": torch_lenet(lenet()),
    "LeNet-5 of 1998": torch_lenet(lenet(pooling=AveragePooling, function="tanh")),
    "sigmoid": torch_lenet(lenet(function="sigmoid")),
    "PyTorch's own example": module(
        block(1, 6, "a"), block(6, 8, "ap"), last=linear(8 * 144)
    ),
    "pooling once": module(block(1, 6, "a", padding=1), block(6, 6, "ap", padding=1),
                           last=linear(6 * 196)),
    "batch normalisation before ReLU": module(
        block(1, 6, "bap", padding=1), block(6, 8, "bap", padding=1), last=linear(8 * 49)),
    "batch normalisation after ReLU": module(
        block(1, 6, "abp", padding=1), block(6, 8, "abp", padding=1), last=linear(8 * 49)),
    "batch normalisation after pooling": module(
        block(1, 6, "apb", padding=1), block(6, 8, "apb", padding=1), last=linear(8 * 49)),
    "batch normalisation of means": module(
        block(1, 6, "bam", padding=1), block(6, 8, "bam", padding=1), last=linear(8 * 49)),
    "batch normalisation here and there": module(
        block(1, 6, "abp", padding=1),
        block(6, 8, "abp", padding=1),
        last=[nn.Linear(392, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, 10)],
    ),
    "normalisation on all sides": module(
        [nn.BatchNorm2d(1)], block(1, 6, "bap"), block(6, 8, "bap"),
        last=[nn.BatchNorm1d(200), nn.Linear(200, 20), nn.BatchNorm1d(20), nn.ReLU(),
              nn.Linear(20, 10), nn.BatchNorm1d(10)]),
    "strides": module(block(1, 6, "a", kernel_size=4, stride=2, padding=1),
                      block(6, 8, "a", kernel_size=4, stride=2, padding=1), last=linear(8 * 49)),
    "VGG": module(*(block(inputs, outputs, end, padding=1) for inputs, outputs, end in
                    ((1, 4, "ba"), (4, 4, "bap"), (4, 8, "ba"), (8, 8, "bap"))),
                  last=linear(8 * 49)),
    "means of channels": module(
        block(1, 6, "ap", padding=1), block(6, 8, "a", padding=1), [nn.AdaptiveAvgPool2d(1)],
        last=[nn.Linear(8, 10)]),
    "convolutions alone": module(
        block(1, 6, "ap", padding=1), block(6, 10, "", padding=1), [nn.AdaptiveAvgPool2d(1)],
        last=[]),
    "one affine layer": module(block(1, 4, "ap", kernel_size=5), last=[nn.Linear(576, 10)]),
    "ReLU after convolutions alone": module(
        block(1, 6, "ap"), block(6, 8, "ap"),
        last=[nn.Linear(200, 20), nn.Linear(20, 10)]),
    "tanh in a perceptron": mlp(nn.Linear(784, 9), nn.Tanh(), nn.Linear(9, 10)),
    "sigmoid in a perceptron": mlp(nn.Linear(784, 9), nn.Sigmoid(), nn.Linear(9, 10)),
    "nothing in a perceptron": mlp(nn.Linear(784, 9), nn.Linear(9, 10)),
    "tanh after normalisation": mlp(
        nn.Linear(784, 9), nn.BatchNorm1d(9), nn.Tanh(), nn.Linear(9, 10)),
    "normalisation after tanh": mlp(
        nn.Linear(784, 9), nn.Tanh(), nn.BatchNorm1d(9), nn.Linear(9, 10)),
}  # fmt: skip


def logits_of(network: nn.Module, x: FloatArray) -> FloatArray:
    with torch.no_grad():
        found: FloatArray = network(torch.from_numpy(x)).numpy()
    return found


def place_of(network: nn.Module, found: Found) -> tuple[str, int]:
    """Return in which list of readings the network is, and at which place."""
    expected = logits_of(network, X)
    for name, listed in (("readings", found.readings), ("others", found.others)):
        for place, reading in enumerate(listed):
            difference = np.abs(reading.network.logits(X) - expected).max()
            if difference <= 1e-5 * np.abs(expected).max():
                return name, place
    raise AssertionError("no reading is the network")


@pytest.mark.parametrize("name", MODULES)
def test_the_network_is_among_the_likely_readings(name: str) -> None:
    found = pytorch_file.read(saved(MODULES[name].state_dict()))
    assert max(len(found.readings), len(found.others)) <= MOST_READINGS
    listed, place = place_of(MODULES[name], found)
    without = ("1998", "sigmoid", "tanh", "alone", "nothing")
    plain = name == "convolutions alone" or not any(each in name for each in without)
    assert listed == ("readings" if plain else "others")
    assert place < 8
    hows = [reading.how for reading in (*found.readings, *found.others)]
    assert len(set(hows)) == len(hows)


def test_how_a_network_is_read_is_said_in_words() -> None:
    found = pytorch_file.read(saved(MODULES["LeNet-5 of 1998"].state_dict()))
    listed, place = place_of(MODULES["LeNet-5 of 1998"], found)
    assert listed == "others"
    how = found.others[place].how
    assert how == "padding 2 and 0, average pooling 2 after each convolution, tanh"


def test_layers_may_be_in_another_order_than_in_the_file() -> None:
    torch.manual_seed(0)
    first, one, two, last = (nn.Linear(*each) for each in ((784, 9), (9, 9), (9, 9), (9, 10)))
    network = nn.Sequential(first, nn.ReLU(), one, nn.ReLU(), two, nn.ReLU(), last).eval()
    state = {
        f"{name}.{part}": value
        for name, layer in (("a", first), ("c", two), ("d", one), ("b", last))
        for part, value in layer.state_dict().items()
    }
    found = pytorch_file.read(saved(state))
    listed, place = place_of(network, found)
    assert (listed, found.others[place].how) == ("others", "ReLU, layers in the order 1-3-2-4")


def test_perceptrons_with_relu_stay_perceptrons() -> None:
    for name in ("tanh in a perceptron", "normalisation after tanh"):
        found = pytorch_file.read(saved(MODULES[name].state_dict()))
        assert all(isinstance(reading.network, MLP) for reading in found.readings)
        assert isinstance(found.others[0].network, Sequential)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(dtype: torch.dtype) -> None:
    state = {name: value.to(dtype) for name, value in torch_lenet(lenet()).state_dict().items()}
    arrays = {name: value.float().numpy() for name, value in state.items()}
    ours = readings(stack_of(arrays))[0][0].network
    found = pytorch_file.read(saved(state)).readings[0].network
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.logits(X), ours.logits(X))
