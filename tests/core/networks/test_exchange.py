"""Files for other programs, read by those programs."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx.reference
import onnxruntime
import pytest
import torch

from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks import LIBRARY, MLP, Ensemble, Network, Sequential, exchange, parse
from core.networks.file import to_bytes
from core.networks.layers import Activation, Affine, AveragePooling, Convolution, Scaling
from tests.conftest import random_mlp
from tests.core.networks.lenet import lenet
from tests.core.networks.samples import CARD, ENSEMBLE, NETWORK, assert_same

LENET = lenet()
ONE = np.ones(1, np.float32)
LAST = random_mlp((3 * 14 * 15, 10), seed=4, dtype=np.float32)
SCALED = Sequential(
    (
        Scaling(2 * ONE, -ONE),  # pixels from −1 to 1
        Convolution(np.full((3, 1, 4, 2), 0.1, np.float32), np.arange(3, dtype=np.float32), 2, 1),
        Scaling(np.array([1, -2, 3], np.float32), np.array([0.5, 0, -0.5], np.float32)),
        Activation("sigmoid"),
        Affine(LAST.weights[0], LAST.biases[0]),
    )
)
FLAT = Sequential((Scaling(2 * ONE, -ONE), Affine(NETWORK.weights[0], NETWORK.biases[0]),
                   Activation("tanh"), Affine(NETWORK.weights[1], NETWORK.biases[1])))  # fmt: skip
# Of other hidden layers, in float64, and of one layer.
NETWORKS: dict[str, Network] = {
    "perceptron": NETWORK,
    "members that differ": ENSEMBLE,
    "float64": random_mlp((784, 30, 20, 10), seed=2),
    "one layer": random_mlp((784, 10), seed=3, dtype=np.float32),
    "convolutions": LENET,
    "averages in float64": lenet(pooling=AveragePooling, function="tanh", dtype=np.float64),
    "all kinds of layers": SCALED,
    "tanh without convolutions": FLAT,
    "convolutions and a perceptron": Ensemble((LENET, NETWORK)),
}
IN_FLOAT32 = [name for name in NETWORKS if name != "averages in float64"]
SHIPPED = ["report", "ensemble", "any-hand"]


def network_of(name: str) -> Network:
    return NETWORKS[name] if name in NETWORKS else LIBRARY.load(name)[0]


def in_torch(network: Network, folder: Path) -> torch.nn.Module:
    """Write a state dict, and run the lines that load it."""
    path = folder / "it's.pt"
    path.write_bytes(exchange.to_state_dict(network))
    names: dict[str, Any] = {}
    exec(exchange.loading_lines(network, str(path)), names)
    module: torch.nn.Module = names["model"]
    return module


def in_onnx(network: Network) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(
        exchange.to_onnx(network), providers=["CPUExecutionProvider"]
    )


def check_agree(found: FloatArray, expected: FloatArray) -> None:
    """Fail unless logits agree to 1e-5 of the largest one."""
    assert found.dtype == expected.dtype and found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", [*NETWORKS, *SHIPPED])
def test_pytorch_computes_the_same_logits(name: str, tmp_path: Path, test_digits: Digits) -> None:
    network = network_of(name)
    x = test_digits.x[:1000].astype(network.members[0].dtype)
    module = in_torch(network, tmp_path)
    assert not module.training
    with torch.no_grad():
        check_agree(module(torch.from_numpy(x)).numpy(), network.logits(x))


@pytest.mark.parametrize("name", [*IN_FLOAT32, *SHIPPED])
def test_onnxruntime_computes_the_same_logits(name: str, test_digits: Digits) -> None:
    network = network_of(name)
    x = test_digits.x[:1000].astype(network.members[0].dtype)
    session = in_onnx(network)
    (logits,) = session.run([exchange.OUTPUT], {exchange.INPUT: x})
    check_agree(logits, network.logits(x))
    (one,) = session.run(None, {exchange.INPUT: x[:1]})
    assert one.shape == (1, 10)


def test_convolutions_in_float64_are_onnx_s_own() -> None:
    """Onnxruntime has none, so ONNX's reference computes them."""
    network, x = NETWORKS["averages in float64"], np.random.default_rng(0).random((5, 784))
    session = onnx.reference.ReferenceEvaluator(exchange.to_onnx(network))
    (logits,) = session.run(None, {exchange.INPUT: x})
    check_agree(np.asarray(logits), network.logits(x))


def test_the_lines_are_at_most_ten(tmp_path: Path) -> None:
    for name in [*NETWORKS, *SHIPPED]:
        lines = exchange.loading_lines(network_of(name), "a.pt").splitlines()
        assert len(lines) <= 10


def test_from_our_convolutions_to_torch_and_back_the_weights_are_the_same(tmp_path: Path) -> None:
    module = in_torch(LENET, tmp_path)
    found = [each.detach().numpy() for each in module.parameters()]
    for array, ours in zip(found, LENET.arrays, strict=True):
        np.testing.assert_array_equal(array.T if ours.ndim == 2 else array, ours)


@pytest.mark.parametrize("name", ["perceptron", "members that differ"])
def test_from_our_file_to_torch_and_back_the_weights_are_the_same(
    name: str, tmp_path: Path
) -> None:
    network = NETWORKS[name]
    module = in_torch(network, tmp_path)
    several = isinstance(network, Ensemble)
    parts = list(module.get_submodule("members").children()) if several else [module]
    members = []
    for part in parts:
        layers = [each for each in part.modules() if isinstance(each, torch.nn.Linear)]
        members.append(
            MLP(
                tuple(each.weight.detach().numpy().T for each in layers),
                tuple(each.bias.detach().numpy() for each in layers),
            )
        )
    back = Ensemble(tuple(members)) if several else members[0]
    again, card = parse(to_bytes(back, CARD), "again")
    assert_same(again, network)
    assert card == CARD


def test_an_onnx_file_says_what_it_is() -> None:
    model = onnx.load_from_string(exchange.to_onnx(NETWORK))
    assert [(each.domain, each.version) for each in model.opset_import] == [("", exchange.OPSET)]
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert (shape[0].dim_param, shape[1].dim_value) == ("N", 784)
    assert {node.op_type for node in model.graph.node} == {"Gemm", "Relu"}
