"""ONNX files of convolutional networks give the logits that onnxruntime computes."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from core.networks import MLP, Sequential, exchange
from core.networks.foreign import PIXELS, onnx_file
from core.networks.layers import AveragePooling, Convolution
from tests.core.networks.foreign.samples import Node, graph
from tests.core.networks.foreign.test_onnx_file import (
    Normalising,
    by_onnxruntime,
    check,
    exported,
    floats,
)
from tests.core.networks.lenet import lenet, torch_lenet

IMAGE = (1, 28, 28)


def randomised(module: nn.Module) -> nn.Module:
    """Return a module whose batch normalisations do something."""
    torch.manual_seed(1)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean = torch.randn(layer.num_features) / 4
            layer.running_var = torch.rand(layer.num_features) + 0.5
            nn.init.uniform_(layer.weight, -1, 2)
            nn.init.normal_(layer.bias)
    return module.eval()


def normalised_lenet(after: bool) -> nn.Module:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs, outputs, padding in ((1, 6, 2), (6, 16, 0)):
        norm = nn.BatchNorm2d(outputs)
        inside = [nn.ReLU(), norm] if after else [norm, nn.ReLU()]
        layers += [nn.Conv2d(inputs, outputs, 5, padding=padding), *inside, nn.MaxPool2d(2)]
    return randomised(
        nn.Sequential(
            *layers, nn.Flatten(), nn.BatchNorm1d(400), nn.Linear(400, 84), nn.BatchNorm1d(84),
            nn.ReLU(), nn.Linear(84, 10),
        )
    )  # fmt: skip


class Functional(nn.Module):
    """A module as people write it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, stride=2)
        self.drop, self.last = nn.Dropout2d(), nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return log-probabilities."""
        x = x.view(-1, 1, 28, 28)
        x = torch.nn.functional.max_pool2d(torch.relu(self.one(x)), 2)
        x = self.drop(torch.tanh(self.two(x))).mean((2, 3))
        out: torch.Tensor = self.last(x).log_softmax(1)
        return out


def small(*layers: nn.Module, units: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 5), *layers, nn.Flatten(), nn.Linear(units, 10))


MODULES: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "LeNet-5": (torch_lenet(lenet()), (784,)),
    "LeNet-5 of 1998": (torch_lenet(lenet(pooling=AveragePooling, function="tanh")), (784,)),
    "batch normalisation": (normalised_lenet(after=False), IMAGE),
    "batch normalisation after ReLU": (normalised_lenet(after=True), IMAGE),
    "functions": (Functional(), (784,)),
    "normalisation": (Normalising(nn.Sequential(
        nn.Unflatten(1, IMAGE), torch_lenet(lenet(function="sigmoid"))[1:]), "flatten"), IMAGE),
    "means of channels": (small(nn.ReLU(), nn.AdaptiveAvgPool2d(1), units=4), IMAGE),
    "largest of channels": (small(nn.ReLU(), nn.AdaptiveMaxPool2d(1), units=4), IMAGE),
    "a window that is left out": (
        small(nn.MaxPool2d(3, 2, ceil_mode=False), units=4 * 121), IMAGE),
    "ceil_mode without effect": (small(nn.MaxPool2d(2, 2, ceil_mode=True), units=576), IMAGE),
    "padding on one side": (
        nn.Sequential(nn.Conv2d(1, 4, 2, padding="same"), nn.ReLU(), nn.Flatten(),
                      nn.Linear(4 * 784, 10)), IMAGE),
    "a high window": (nn.Sequential(nn.Conv2d(1, 2, (5, 3), padding=(2, 0)), nn.ReLU(),
                                    nn.Flatten(), nn.Linear(2 * 28 * 26, 10)), IMAGE),
    "convolutions alone": (
        nn.Sequential(nn.Conv2d(1, 10, 7, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        IMAGE),
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_what_torch_exports(name: str) -> None:
    module, shape = MODULES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an even kernel that keeps the size
        content = exported(module, shape)
    found = onnx_file.read(content)
    assert isinstance(found.readings[0].network, Sequential)
    check(found, by_onnxruntime(content, shape)[0])


def test_batch_normalisation_goes_into_the_convolution_before_it() -> None:
    before = onnx_file.read(exported(normalised_lenet(after=False), IMAGE)).readings[0].network
    after = onnx_file.read(exported(normalised_lenet(after=True), IMAGE)).readings[0].network
    kinds = [[kind for kind, _ in net.outline] for net in (before, after)
             if isinstance(net, Sequential)]  # fmt: skip
    assert [each.count("scaling") for each in kinds] == [0, 2]


@pytest.mark.parametrize("activation", ["tanh", "logistic", "identity"])
def test_perceptrons_of_scikit_learn(activation: str) -> None:
    import skl2onnx  # type: ignore[import-untyped]
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(0)
    x, y = rng.random((60, 784), np.float32), np.arange(60) % 10
    model = MLPClassifier((12, 11), activation=activation, max_iter=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few epochs don't converge
        model.fit(x, y)
    content = skl2onnx.to_onnx(model, x[:1], options={"zipmap": False}).SerializeToString()
    found = onnx_file.read(content)
    network = found.readings[0].network
    assert isinstance(network, MLP if activation == "identity" else Sequential)
    check(found, by_onnxruntime(content)[1])


def channels_last() -> bytes:
    """Return a graph as tf2onnx writes it: images and features have their channels last."""
    return graph(
        ("Transpose", ["x"], "a", {"perm": [0, 3, 1, 2]}),
        ("Conv", ["a", "k", "c"], "b", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ("Relu", ["b"], "d", {}),
        ("Transpose", ["d"], "e", {"perm": [0, 2, 3, 1]}),
        ("Mul", ["e", "f"], "g", {}),
        ("Reshape", ["g", "flat"], "h", {}),
        ("MatMul", ["h", "w"], "logits", {}),
        shape=("N", 28, 28, 1), k=floats(3, 1, 4, 4), c=floats(3), f=floats(3),
        flat=np.array([-1, 588]), w=floats(588, 10),
    )  # fmt: skip


def test_channels_may_come_last() -> None:
    content = channels_last()
    check(onnx_file.read(content), by_onnxruntime(content, (28, 28, 1))[0])


def with_convolution(kernel: tuple[int, ...] = (4, 1, 5, 5), **settings: object) -> bytes:
    return graph(
        ("Conv", ["x", "k"], "a", settings),
        ("GlobalAveragePool", ["a"], "b", {}),
        ("Flatten", ["b"], "c", {}),
        ("MatMul", ["c", "w"], "logits", {}),
        shape=("N", 1, 28, 28),
        k=floats(*kernel),
        w=floats(4, 10),
    )


def with_pooling(kind: str, **settings: object) -> bytes:
    pool: Node = (kind, ["a"], "b", settings)
    return graph(
        ("Conv", ["x", "k"], "a", {}),
        pool,
        ("GlobalMaxPool", ["b"], "c", {}),
        ("Flatten", ["c"], "d", {}),
        ("MatMul", ["d", "w"], "logits", {}),
        shape=("N", 1, 28, 28),
        k=floats(4, 1, 4, 4),
        w=floats(4, 10),
    )


@pytest.mark.parametrize("pads", [[1, 2, 3, 0], [0, 0, 1, 1], [4, 4, 4, 4], [0, 3, 0, 3]])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_padding_may_differ_from_side_to_side(pads: list[int], stride: int) -> None:
    """The mean of all windows would need a square; each number counts here."""
    sides = [(28 + pads[0] + pads[2] - 5) // stride + 1, (28 + pads[1] + pads[3] - 5) // stride + 1]
    units = 4 * sides[0] * sides[1]
    content = graph(
        ("Conv", ["x", "k", "c"], "a", {"pads": pads, "strides": [stride, stride]}),
        ("Flatten", ["a"], "b", {}),
        ("MatMul", ["b", "w"], "logits", {}),
        shape=("N", 1, 28, 28), k=floats(4, 1, 5, 5), c=floats(4), w=floats(units, 10),
    )  # fmt: skip
    found = onnx_file.read(content)
    check(found, by_onnxruntime(content, IMAGE)[0])


REFUSED = {
    "dilation": (with_convolution(dilations=[2, 2]), "'Conv'.*dilations"),
    "groups": (with_convolution((4, 1, 5, 5), group=2), "'Conv'.*group"),
    "strides": (with_convolution(strides=[1, 2]), "'Conv'.*strides"),
    "negative pads": (with_convolution(pads=[-1, 0, 0, 0]), "'Conv'.*pads"),
    "enormous pads": (with_convolution(pads=[2**40] * 4), "'Conv'.*pads"),
    "no image": (
        graph(("Flatten", ["x"], "a", {}), ("Reshape", ["a", "s"], "b", {}),
              ("Conv", ["b", "k"], "logits", {}), shape=("N", 1, 28, 28),
              s=np.array([-1, 4, 14, 14]), k=floats(4, 4, 3, 3)), "'Conv'.*no image",
    ),
    "transposed images": (
        graph(("Transpose", ["x"], "a", {"perm": [0, 1, 3, 2]}),
              ("Conv", ["a", "k"], "logits", {}), shape=("N", 1, 28, 28),
              k=floats(4, 1, 3, 3)), "'Conv'.*order",
    ),
    "a mean image": (
        graph(("Sub", ["x", "m"], "a", {}), ("Conv", ["a", "k"], "logits", {}),
              shape=("N", 1, 28, 28), m=floats(1, 28, 28), k=floats(4, 1, 3, 3)),
        "'Conv'.*pixel to pixel",
    ),
    "a kernel beyond the image": (with_convolution((4, 1, 30, 30)), "'Conv'.*larger"),
    "other channels": (with_convolution((4, 3, 5, 5)), "'Conv'.*channels"),
    "ceil_mode": (
        with_pooling("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), "ceil_mode"
    ),
    "pads of a pooling": (
        with_pooling("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4), "pads"
    ),
    "dilated pooling": (
        with_pooling("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]), "'MaxPool'.*dilations"
    ),
    "oblong windows": (with_pooling("MaxPool", kernel_shape=[2, 3]), "'MaxPool'.*square"),
    "a branch": (
        graph(("Conv", ["x", "k"], "a", {"pads": [1] * 4}), ("Add", ["a", "x"], "b", {}),
              ("Flatten", ["b"], "c", {}), ("MatMul", ["c", "w"], "logits", {}),
              shape=("N", 1, 28, 28), k=floats(1, 1, 3, 3), w=floats(784, 10)),
        "'Add'.*depend on the pixels",
    ),
    "much work": (
        graph(("Conv", ["x", "k"], "a", {}), ("Conv", ["a", "l"], "b", {}),
              ("GlobalAveragePool", ["b"], "c", {}), ("Flatten", ["c"], "d", {}),
              ("MatMul", ["d", "w"], "logits", {}), shape=("N", 1, 28, 28),
              k=floats(120, 1, 3, 3), l=floats(120, 120, 3, 3), w=floats(120, 10)),
        "multiplications",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "said"), REFUSED.values(), ids=REFUSED)
def test_what_this_program_has_not_is_named_in_a_sentence(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        onnx_file.read(content)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


def test_padding_without_effect_is_read() -> None:
    for settings in ({"ceil_mode": 1}, {"pads": [0, 0, 1, 1]}):
        content = with_pooling("AveragePool", kernel_shape=[5, 5], strides=[5, 5], **settings)
        check(onnx_file.read(content), by_onnxruntime(content, IMAGE)[0])
    assert isinstance(_first(with_convolution()), Convolution)


def _first(content: bytes) -> object:
    network = onnx_file.read(content).readings[0].network
    return network.layers[0] if isinstance(network, Sequential) else None


@pytest.mark.parametrize("key", ["raw", "inverted-mnist"])
def test_our_own_onnx_file_is_read_again(key: str) -> None:
    network = PIXELS[key].folded(lenet(pooling=AveragePooling, function="sigmoid"))
    again = onnx_file.read(exchange.to_onnx(network)).readings[0].network
    assert isinstance(network, Sequential) and isinstance(again, Sequential)
    assert again.outline == network.outline
    for ours, theirs in zip(again.arrays, network.arrays, strict=True):
        np.testing.assert_array_equal(ours, theirs)
