"""ONNX files of perceptrons give the logits that onnxruntime computes."""

import io
import warnings
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from core.classifier import FloatArray, IntArray
from core.networks import exchange
from core.networks.foreign import onnx_file
from core.networks.foreign.found import Found
from tests.conftest import random_mlp
from tests.core.networks.foreign.samples import Node, graph, sequential
from tests.core.networks.foreign.test_tensors import normalised
from tests.core.networks.samples import assert_same

NETWORK = random_mlp((784, 30, 20, 10), seed=0, dtype=np.float32)
X = np.random.default_rng(1).random((50, 784), np.float32)
RNG = np.random.default_rng(2)


def exported(module: nn.Module, shape: tuple[int, ...] = (784,)) -> bytes:
    """Return what `torch.onnx.export` writes."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the newer exporter is a package of its own
        torch.onnx.export(
            module.eval(),
            (torch.zeros(2, *shape),),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            input_names=["x"],
            dynamic_axes={"x": {0: "N"}},
        )
    return buffer.getvalue()


def by_onnxruntime(content: bytes, shape: tuple[int, ...] = (784,)) -> list[Any]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (pixels,) = session.get_inputs()
    outputs: list[Any] = session.run(None, {pixels.name: X.reshape(-1, *shape)})
    return outputs


def check(found: Found, outputs: FloatArray) -> None:
    """Fail unless the logits agree to 1e-5 of the largest, but for what was left out."""
    (reading,) = found.readings
    logits = reading.network.logits(X)
    assert found.sure and not found.others and logits.dtype == np.float32
    if found.left_out:
        logits = logits - logits.max(axis=1, keepdims=True)
        logits = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        if found.left_out == ("Softmax",):
            logits = np.exp(logits)
    np.testing.assert_allclose(logits, outputs, rtol=0, atol=1e-5 * max(1, np.abs(outputs).max()))


class Normalising(nn.Module):
    """A module that normalises its pixels itself."""

    def __init__(self, inside: nn.Module, flatten: str) -> None:
        super().__init__()
        self.inside, self.flatten = inside, flatten

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        x = (x - 0.1307) / 0.3081 * 2
        x = x.flatten(1) if self.flatten == "flatten" else x.view(x.size(0), -1)
        out: torch.Tensor = self.inside(x)
        return out


NO_BIAS = nn.Sequential(nn.Linear(784, 20, bias=False), nn.ReLU(), nn.Linear(20, 10))
MODULES: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "perceptron": (sequential(NETWORK), (784,)),
    "one layer": (sequential(random_mlp((784, 10), seed=4, dtype=np.float32)), (784,)),
    "Flatten": (nn.Sequential(nn.Flatten(), *sequential(NETWORK)), (1, 28, 28)),
    "dropout": (nn.Sequential(nn.Dropout(0.5), *sequential(NETWORK)), (784,)),
    "batch normalisation": (normalised(after=False), (784,)),
    "batch normalisation after ReLU": (normalised(after=True), (784,)),
    "softmax": (nn.Sequential(*sequential(NETWORK), nn.Softmax(dim=1)), (784,)),
    "log-softmax": (nn.Sequential(*sequential(NETWORK), nn.LogSoftmax(dim=1)), (784,)),
    "normalisation": (Normalising(sequential(NETWORK), "flatten"), (1, 28, 28)),
    "view": (Normalising(sequential(NETWORK), "view"), (28, 28)),
    "no bias": (NO_BIAS, (784,)),
    "two affine layers in a row": (nn.Sequential(nn.Linear(784, 20), nn.Linear(20, 10)), (784,)),
    "ReLU on the logits": (nn.Sequential(*sequential(NETWORK), nn.ReLU()), (784,)),
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_what_torch_exports(name: str) -> None:
    module, shape = MODULES[name]
    content = exported(module, shape)
    found = onnx_file.read(content)
    check(found, by_onnxruntime(content, shape)[0])
    ends = {"softmax": ("Softmax",), "log-softmax": ("LogSoftmax",)}
    assert found.left_out == ends.get(name, ())


def test_our_own_onnx_file_is_read_again() -> None:
    found = onnx_file.read(exchange.to_onnx(NETWORK))
    assert_same(found.readings[0].network, NETWORK)


def floats(*shape: int) -> FloatArray:
    return RNG.normal(size=shape).astype(np.float32)


W, B = floats(784, 10) / 28, floats(10)
HAND_MADE = {
    "MatMul and Add, turned": graph(
        ("MatMul", ["x", "w"], "a", {}), ("Add", ["b", "a"], "logits", {}), w=W, b=B
    ),
    "a normalisation pixel by pixel": graph(
        ("Sub", ["x", "m"], "a", {}), ("Div", ["a", "s"], "c", {}),
        ("Gemm", ["c", "w", "b"], "logits", {}),
        m=floats(784), s=np.abs(floats(1, 784)) + 1, w=W, b=B,
    ),
    "one minus the pixels": graph(
        ("Sub", ["one", "x"], "a", {}), ("Gemm", ["a", "w", "b"], "logits", {}),
        one=np.ones(1, np.float32), w=W, b=B,
    ),
    "Gemm with factors": graph(
        ("Gemm", ["x", "w", "b"], "logits", {"alpha": 0.5, "beta": 2.0, "transB": 1}),
        w=np.ascontiguousarray(W.T), b=B,
    ),
    "a constant that is computed": graph(
        ("Div", ["one", "s"], "f", {}), ("Mul", ["x", "f"], "a", {}),
        ("Transpose", ["w"], "t", {"perm": [1, 0]}), ("MatMul", ["a", "t"], "logits", {}),
        one=np.array(1, np.float32), s=np.array(0.3, np.float32), w=np.ascontiguousarray(W.T),
    ),
    "a reshape and back": graph(
        ("Reshape", ["x", "image"], "a", {}), ("Reshape", ["a", "flat"], "c", {}),
        ("MatMul", ["c", "w"], "logits", {}),
        image=np.array([-1, 1, 28, 28]), flat=np.array([0, -1]), w=W,
    ),
    "ReLU twice": graph(
        ("MatMul", ["x", "w"], "a", {}), ("Relu", ["a"], "c", {}), ("Relu", ["c"], "d", {}),
        ("MatMul", ["d", "v"], "logits", {}), w=W, v=floats(10, 10),
    ),
    "labels beside the logits": graph(
        ("MatMul", ["x", "w"], "logits", {}), ("ArgMax", ["logits"], "label", {"axis": 1}),
        w=W,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HAND_MADE)
def test_other_ways_to_write_a_perceptron(name: str) -> None:
    content = HAND_MADE[name]
    check(onnx_file.read(content), by_onnxruntime(content)[0])


def external() -> bytes:
    model = onnx.load_from_string(HAND_MADE["MatMul and Add, turned"])
    weight = model.graph.initializer[0]
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "/etc/passwd"), ("length", "100")):
        weight.external_data.add(key=key, value=value)
    weight.ClearField("raw_data")
    content: bytes = model.SerializeToString()
    return content


def huge() -> bytes:
    model = onnx.load_from_string(HAND_MADE["MatMul and Add, turned"])
    model.graph.initializer[0].dims[:] = [2**31, 2**31]
    content: bytes = model.SerializeToString()
    return content


def product(*nodes: Node, **constants: FloatArray | IntArray) -> bytes:
    """Return a graph that ends with a layer of ten units on "h"."""
    last: Node = ("MatMul", ["h", "w"], "logits", {})
    return graph(*nodes, last, shape=("N", 784), w=W, **constants)


REFUSED = {
    "no protobuf": (b"\x08" + bytes(range(200)), "no file of"),
    "an empty graph": (graph(), "no file of"),
    "Erf": (product(("Erf", ["x"], "h", {})), "'Erf'"),
    "GRU": (product(("GRU", ["x"], "h", {})), "'GRU'"),
    "a loop": (product(("Loop", ["x"], "h", {})), "'Loop'"),
    "other inputs": (
        graph(("MatMul", ["x", "w"], "logits", {}), shape=("N", 3, 32, 32), w=W), "28 × 28"
    ),
    "other classes": (
        graph(("MatMul", ["x", "w"], "logits", {}), w=floats(784, 26)), "26 outputs, not 10"
    ),
    "labels alone": (
        graph(("MatMul", ["x", "w"], "a", {}), ("ArgMax", ["a"], "logits", {}), w=W), "labels alone"
    ),
    "a sum of two layers": (
        product(("Relu", ["x"], "a", {}), ("Add", ["x", "a"], "h", {})), "depend on the pixels"
    ),
    "a softmax in between": (product(("Softmax", ["x"], "h", {})), "Softmax"),
    "a batch that normalises itself": (
        product(("BatchNormalization", ["x", "s", "s", "s", "s"], "h", {"training_mode": 1}),
                s=np.ones(784, np.float32)), "eval",
    ),
    "weights in another file": (external(), "external_data=False"),
    "enormous weights": (huge(), "more than"),
    "two inputs": (graph(("MatMul", ["x", "y"], "logits", {})), "'MatMul'|missing"),
    "an image that is not flattened": (
        graph(("MatMul", ["x", "w"], "logits", {}), shape=("N", 28, 28), w=floats(28, 10)),
        "not flattened",
    ),
    "images of a batch joined": (
        product(("Reshape", ["x", "s"], "h", {}), s=np.array([-1, 28])), "joins"
    ),
    "many operators": (
        graph(*(("Relu", ["x"], f"h{n}", {}) for n in range(500))), "more than 400"
    ),
    "many layers": (
        graph(("Gemm", ["x", "w"], "h0", {}),
              *(("Tanh", [f"h{n}"], f"h{n + 1}", {}) for n in range(45)),
              ("Identity", ["h45"], "logits", {}), w=W), "46 layers",
    ),
    "many hidden layers": (
        graph(("Gemm", ["x", "w"], "g0", {}),
              *(("Relu", [f"g{n}"], f"r{n}", {}) for n in range(9)),
              *(("Gemm", [f"r{n}", "v"], f"g{n + 1}", {}) for n in range(9)),
              ("Identity", ["g9"], "logits", {}), w=W, v=floats(10, 10)), "missing|hidden layers",
    ),
    "NaN": (
        graph(("MatMul", ["x", "w"], "logits", {}), w=np.full((784, 10), np.nan, np.float32)),
        "not finite",
    ),
    "a division by 0": (
        product(("Div", ["x", "z"], "h", {}), z=np.zeros(1, np.float32)), "not finite"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "said"), REFUSED.values(), ids=REFUSED)
def test_other_graphs_are_refused_in_a_sentence(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        onnx_file.read(content)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


def test_a_constant_in_a_node_may_not_be_external_either() -> None:
    tensor = numpy_helper.from_array(W)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    content = product(("Constant", [], "c", {"value": tensor}), ("Mul", ["x", "c"], "h", {}))
    with pytest.raises(ValueError, match="external_data=False"):
        onnx_file.read(content)
