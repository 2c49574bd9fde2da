"""A network as an ONNX file. The operators are those of https://onnx.ai/onnx/operators."""

import math
from typing import Any

import numpy as np

from core.networks.ensemble import Ensemble, Network, Single
from core.networks.exchange.flat import layered
from core.networks.layers import (
    Activation,
    Affine,
    AveragePooling,
    Convolution,
    Layer,
    MaxPooling,
    Scaling,
    arrays,
)
from core.networks.windows import Shape

INPUT, OUTPUT = "pixels", "logits"  # the names in the file
# That of ONNX 1.19, so that older runtimes read it, too. Nothing newer is needed.
OPSET = 24
_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


def to_onnx(network: Network) -> bytes:
    """Return an ONNX file of the network: from `pixels`, `(N, 784)` in [0, 1], to `logits`.

    The logits are `(N, 10)` in the network's dtype. The operator set is the one of `OPSET`.
    """
    from onnx import checker, helper

    graph = _Graph()
    if isinstance(network, Ensemble):
        _add_ensemble(graph, network)
    else:
        graph.add_network(network, "", OUTPUT)
    first = network.members[0]
    kind = helper.np_dtype_to_tensor_dtype(first.dtype)
    ends = [(INPUT, first.sizes[0]), (OUTPUT, first.sizes[-1])]
    pixels, logits = (helper.make_tensor_value_info(name, kind, ["N", n]) for name, n in ends)
    parts = helper.make_graph(graph.nodes, "network", [pixels], [logits], graph.constants)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model_gen_version(
        parts, opset_imports=[opset], producer_name="Small Change"
    )
    checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


class _Graph:
    """The operators and the constants of a file, as they are added."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, array: object) -> str:
        """Add an array; return its name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **settings: Any) -> str:
        """Add an operator; return the name of its output."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], **settings))
        return output

    def add_network(self, member: Single, prefix: str, output: str) -> str:
        """Add a network from the pixels to its logits; return their name."""
        network = layered(member)
        here = INPUT
        if len(network.input_shape) == 3:
            shape = self.constant(f"{prefix}image", np.array([-1, *network.input_shape]))
            here = self.node("Reshape", [here, shape], f"{prefix}images")
        last = len(network.layers) - 1
        for number, layer in enumerate(network.layers):
            name = output if number == last else f"{prefix}layers.{number}"
            here = self.add_layer(layer, network.shapes[number], here, name)
        return here

    def add_layer(self, layer: Layer, shape: Shape, here: str, output: str) -> str:
        """Add a layer after the value `here` of that shape; return the name of its output."""
        if isinstance(layer, Scaling):
            each = (-1,) + (1,) * (len(shape) - 1)
            scale = self.constant(f"{output}.scale", layer.scale.reshape(each))
            shift = self.constant(f"{output}.shift", layer.shift.reshape(each))
            return self.node("Add", [self.node("Mul", [here, scale], f"{output}.scaled"), shift],
                             output)  # fmt: skip
        own = [self.constant(f"{output}.{name}", array) for name, array in arrays(layer).items()]
        if isinstance(layer, Affine):
            if len(shape) == 3:
                here = self.node("Flatten", [here], f"{output}.flat")
            return self.node("Gemm", [here, *own], output)
        if isinstance(layer, Convolution):
            return self.node(
                "Conv", [here, *own], output,
                strides=[layer.stride] * 2, pads=[layer.padding] * 4,
            )  # fmt: skip
        if isinstance(layer, MaxPooling | AveragePooling):
            kind = "MaxPool" if isinstance(layer, MaxPooling) else "AveragePool"
            window = {"kernel_shape": [layer.size] * 2, "strides": [layer.stride] * 2}
            return self.node(kind, [here], output, **window)
        assert isinstance(layer, Activation)
        return self.node(_ACTIVATIONS[layer.function], [here], output)


def _add_ensemble(graph: _Graph, network: Ensemble) -> None:
    """Add all members, and the log of their mean probabilities."""
    members = graph.constant("first axis", np.array([0]))
    log_p = []
    for number, member in enumerate(network.members):
        prefix = f"members.{number}."
        logits = graph.add_network(member, prefix, f"{prefix}logits")
        own = graph.node("LogSoftmax", [logits], f"{prefix}log p", axis=1)
        log_p.append(graph.node("Unsqueeze", [own, members], f"{prefix}of all"))
    stacked = graph.node("Concat", log_p, "log p", axis=0)
    total = graph.node("ReduceLogSumExp", [stacked, members], "log sum", keepdims=0)
    count = graph.constant("log count", np.array(math.log(len(log_p)), network.members[0].dtype))
    graph.node("Sub", [total, count], OUTPUT)
