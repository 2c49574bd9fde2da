"""Networks as files for other programs: a PyTorch state dict, and ONNX.

torch and onnx are imported only where they are used: the page that lists networks starts without.
"""

import io
import itertools
import json
import math
from collections import OrderedDict
from typing import Any

import numpy as np

from core.networks.ensemble import Ensemble, Network
from core.networks.mlp import MLP

INPUT, OUTPUT = "pixels", "logits"  # the names in an ONNX file
# That of ONNX 1.19, so that older runtimes read it, too. Nothing newer is needed.
OPSET = 24


def to_state_dict(network: Network) -> bytes:
    """Return a `.pt` file with the weights of the PyTorch module that `loading_lines` builds.

    It is read with `torch.load(…, weights_only=True)`. A weight is `(outputs, inputs)`, as
    `torch.nn.Linear` has it.
    """
    import torch

    tensors = OrderedDict()
    for number, member in enumerate(network.members):
        prefix = f"members.{number}." if isinstance(network, Ensemble) else ""
        for layer, (weight, bias) in enumerate(zip(member.weights, member.biases, strict=True)):
            place = 2 * layer  # a ReLU stands between two layers
            tensors[f"{prefix}{place}.weight"] = torch.from_numpy(weight.T.copy())
            tensors[f"{prefix}{place}.bias"] = torch.from_numpy(bias.copy())
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    return buffer.getvalue()


def loading_lines(network: Network, file: str) -> str:
    """Return lines of Python that build the network in PyTorch and load its weights from a file.

    Args:
        network: the network.
        file: the name of the file that `to_state_dict` was written to.
    """
    shapes = [_sequential(member) for member in network.members]
    if isinstance(network, MLP):
        build = [f"model = {shapes[0]}"]
    else:
        same = len(set(shapes)) == 1
        members = f"{shapes[0]} for _ in range({len(shapes)})" if same else ", ".join(shapes)
        build = [
            "class Ensemble(nn.Module):",
            "    def forward(self, x):",
            "        log_p = torch.stack([member(x).log_softmax(1) for member in self.members])",
            f"        return log_p.logsumexp(0) - log_p.new_tensor({len(shapes)}).log()",
            "model = Ensemble()",
            f"model.members = nn.ModuleList([{members}])",
        ]
    return "\n".join(
        [
            "import torch",
            "from torch import nn",
            *build,
            f"model.load_state_dict(torch.load({json.dumps(file)}, weights_only=True))",
            "model.eval()  # from (N, 784) pixels in [0, 1], white ink on black, to (N, 10) logits",
        ]
    )


def _sequential(member: MLP) -> str:
    """Return an expression for a perceptron's PyTorch module, with random weights."""
    dtype = ", dtype=torch.float64" if member.dtype == np.float64 else ""
    layers = [f"nn.Linear({i}, {o}{dtype})" for i, o in itertools.pairwise(member.sizes)]
    return f"nn.Sequential({', nn.ReLU(), '.join(layers)})"


def to_onnx(network: Network) -> bytes:
    """Return an ONNX file of the network: from `pixels`, `(N, 784)` in [0, 1], to `logits`.

    The logits are `(N, 10)` in the network's dtype. The operator set is the one of `OPSET`:
    https://onnx.ai/onnx/operators.
    """
    from onnx import checker, helper, numpy_helper

    nodes, constants = [], []

    def constant(name: str, array: object) -> str:
        constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(kind: str, inputs: list[str], output: str, **settings: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **settings))
        return output

    def member_logits(member: MLP, prefix: str, output: str) -> str:
        here = INPUT
        last = len(member.weights) - 1
        for layer, (weight, bias) in enumerate(zip(member.weights, member.biases, strict=True)):
            arrays = [
                constant(f"{prefix}layers.{layer}.{part}", array)
                for part, array in (("weight", weight), ("bias", bias))
            ]
            name = output if layer == last else f"{prefix}sums.{layer}"
            here = node("Gemm", [here, *arrays], name)
            if layer < last:
                here = node("Relu", [here], f"{prefix}hidden.{layer}")
        return here

    if isinstance(network, MLP):
        member_logits(network, "", OUTPUT)
    else:
        members = constant("first axis", np.array([0]))
        log_p = []
        for number, member in enumerate(network.members):
            logits = member_logits(member, f"members.{number}.", f"members.{number}.logits")
            own = node("LogSoftmax", [logits], f"members.{number}.log p", axis=1)
            log_p.append(node("Unsqueeze", [own, members], f"members.{number}.of all"))
        stacked = node("Concat", log_p, "log p", axis=0)
        total = node("ReduceLogSumExp", [stacked, members], "log sum", keepdims=0)
        count = constant("log count", np.array(math.log(len(log_p)), network.members[0].dtype))
        node("Sub", [total, count], OUTPUT)

    first = network.members[0]
    kind = helper.np_dtype_to_tensor_dtype(first.dtype)
    ends = [(INPUT, first.sizes[0]), (OUTPUT, first.sizes[-1])]
    pixels, logits = (helper.make_tensor_value_info(name, kind, ["N", n]) for name, n in ends)
    graph = helper.make_graph(nodes, "network", [pixels], [logits], constants)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model_gen_version(
        graph, opset_imports=[opset], producer_name="Small Change"
    )
    checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content
