"""Padding, pooling and activations of a state dict are found by the accuracies."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from core import measures
from core.data.mnist import Digits
from core.evaluation.imported import TRIED, Choice, choices
from core.networks import NetworkFileError, Sequential
from core.networks.foreign import PIXELS, pytorch_file
from core.networks.limits import fault
from tests.core.networks.foreign.fitted import convolutional, fitted
from tests.core.networks.foreign.samples import saved

Build = Callable[[Digits, str], nn.Sequential]


def lenet(digits: Digits, pixels: str) -> nn.Sequential:
    return convolutional(digits, pixels=pixels)


def lenet_of_1998(digits: Digits, pixels: str) -> nn.Sequential:
    return convolutional(digits, kind="average", pixels=pixels)


def strides(digits: Digits, pixels: str) -> nn.Sequential:
    torch.manual_seed(0)
    return fitted(
        nn.Conv2d(1, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 12, 4, 2, 1), nn.ReLU(), nn.Flatten(),
        digits=digits, pixels=pixels,
    )  # fmt: skip


def normalised(digits: Digits, pixels: str) -> nn.Sequential:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 6), (6, 10)):
        norm = nn.BatchNorm2d(outputs)
        norm.running_mean = torch.rand(outputs) / 2
        nn.init.uniform_(norm.weight, -1, 2)
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), norm]
    return fitted(*layers, nn.Flatten(), digits=digits, pixels=pixels)


def sigmoid(digits: Digits, pixels: str) -> nn.Sequential:
    torch.manual_seed(0)
    return fitted(nn.Flatten(), nn.Linear(784, 500), nn.Sigmoid(), digits=digits, pixels=pixels)


def tanh(digits: Digits, pixels: str) -> nn.Sequential:
    torch.manual_seed(0)
    first = nn.Linear(784, 500)
    nn.init.normal_(first.weight, std=0.1)
    return fitted(nn.Flatten(), first, nn.Tanh(), digits=digits, pixels=pixels)


CASES: dict[str, tuple[Build, str]] = {
    "LeNet-5": (lenet, "mnist"),
    "LeNet-5 of 1998": (lenet_of_1998, "centred"),
    "batch normalisation after pooling": (normalised, "inverted-raw"),
    "tanh": (tanh, "mnist"),
}
MORE: dict[str, tuple[Build, str]] = {
    "strides": (strides, "transposed-raw"),
    "sigmoid": (sigmoid, "mnist"),
    "LeNet-5, columns": (lenet, "transposed-inverted-mnist"),
    "LeNet-5 of 1998, raw": (lenet_of_1998, "raw"),
    "strides, 255": (strides, "255"),
}


def check(case: tuple[Build, str], train: Digits, test: Digits) -> tuple[Choice, ...]:
    """Fail unless a network's logits are those of the best reading and input."""
    build, pixels = case
    module = build(train, pixels)
    found = pytorch_file.read(saved(module.state_dict()))
    tried = choices(found, train, test, "mine.pt")
    x = test.x[:200]
    with torch.no_grad():
        prepared = torch.from_numpy(PIXELS[pixels].prepared(x)).view(-1, 1, 28, 28)
        expected = module(prepared).numpy()
    np.testing.assert_allclose(
        tried[0].network.logits(x), expected, rtol=0, atol=1e-4 * np.abs(expected).max()
    )
    return tried


@pytest.mark.parametrize("name", CASES)
def test_layers_and_pixels_are_found(
    name: str, training_digits: Digits, test_digits: Digits
) -> None:
    best, *others = check(CASES[name], training_digits, test_digits)
    x, y = training_digits.x[:TRIED], training_digits.y[:TRIED]
    assert best.accuracy == measures.accuracy(best.network, x, y) > 0.9
    assert all(0.9 <= other.accuracy <= best.accuracy for other in others)
    assert isinstance(best.network, Sequential) and fault(best.network) == ""


@pytest.mark.thorough
@pytest.mark.parametrize("name", MORE)
def test_more_layers_and_pixels_are_found(
    name: str, training_digits: Digits, test_digits: Digits
) -> None:
    check(MORE[name], training_digits, test_digits)


def test_a_convolutional_network_that_classifies_badly_is_refused(
    training_digits: Digits, test_digits: Digits
) -> None:
    """What was tried is bounded, and said."""
    torch.manual_seed(0)
    state = nn.Sequential(nn.Conv2d(1, 4, 5), nn.Conv2d(4, 6, 5), nn.Linear(96, 10)).state_dict()
    found = pytorch_file.read(saved(state))
    with pytest.raises(NetworkFileError, match=r"at best.*\d%.*readings.*ONNX") as caught:
        choices(found, training_digits, test_digits, "mine.pt")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
