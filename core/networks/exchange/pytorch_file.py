"""A network as a PyTorch state dict, and the lines that load it."""

import io
import json
from collections import OrderedDict
from typing import TypeAlias

import numpy as np

from core.classifier import FloatArray
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
)
from core.networks.windows import Shape

# A module's expression without "nn.", and what its state dict holds.
_Module: TypeAlias = tuple[str, dict[str, FloatArray]]
_ACTIVATIONS = {"relu": "ReLU()", "tanh": "Tanh()", "sigmoid": "Sigmoid()"}


def to_state_dict(network: Network) -> bytes:
    """Return a `.pt` file with the weights of the PyTorch module that `loading_lines` builds.

    It is read with `torch.load(…, weights_only=True)`. A weight is `(outputs, inputs)`, as
    `torch.nn.Linear` has it.
    """
    import torch

    tensors = OrderedDict()
    for number, member in enumerate(network.members):
        prefix = f"members.{number}." if isinstance(network, Ensemble) else ""
        for place, (_, arrays) in enumerate(_modules(member)):
            for name, array in arrays.items():
                tensors[f"{prefix}{place}.{name}"] = torch.from_numpy(np.array(array, order="C"))
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    return buffer.getvalue()


def loading_lines(network: Network, file: str) -> str:
    """Return lines of Python that build the network in PyTorch and load its weights from a file.

    Args:
        network: the network.
        file: the name of the file that `to_state_dict` was written to.
    """
    shapes = [_expression(member) for member in network.members]
    if isinstance(network, Ensemble):
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
    else:
        build = [f"model = {shapes[0]}"]
    return "\n".join(
        [
            "import torch",
            "from torch import nn",
            *build,
            f"model.load_state_dict(torch.load({json.dumps(file)}, weights_only=True))",
            "model.eval()  # from (N, 784) pixels in [0, 1], white ink on black, to (N, 10) logits",
        ]
    )


def _expression(member: Single) -> str:
    """Return an expression for a network's PyTorch module, with random weights."""
    modules = ", ".join(f"nn.{module}" for module, _ in _modules(member))
    return f"nn.Sequential({modules}){'.double()' if member.dtype == np.float64 else ''}"


def _modules(member: Single) -> list[_Module]:
    """Return a network's modules, in their order."""
    network = layered(member)
    found: list[_Module] = []
    if len(network.input_shape) == 3:
        found.append((f"Unflatten(1, {network.input_shape})", {}))
    for layer, shape in zip(network.layers, network.shapes[:-1], strict=True):
        if isinstance(layer, Affine) and len(shape) == 3:
            found.append(("Flatten()", {}))
        found.append(_module(layer, shape))
    return found


def _module(layer: Layer, shape: Shape) -> _Module:
    """Return one layer's module, given the shape of its input."""
    if isinstance(layer, Affine):
        inputs, outputs = layer.weight.shape
        return f"Linear({inputs}, {outputs})", {"weight": layer.weight.T, "bias": layer.bias}
    if isinstance(layer, Convolution):
        outputs, channels, *kernel = layer.weight.shape
        size = str(kernel[0]) if len(set(kernel)) == 1 else str(tuple(kernel))
        given = {"stride": (layer.stride, 1), "padding": (layer.padding, 0)}
        more = "".join(f", {k}={v}" for k, (v, default) in given.items() if v != default)
        arrays = {"weight": layer.weight, "bias": layer.bias}
        return f"Conv2d({channels}, {outputs}, {size}{more})", arrays
    if isinstance(layer, Scaling):
        # Batch normalisation with statistics that change nothing.
        scale, shift = (np.broadcast_to(each, shape[:1]) for each in (layer.scale, layer.shift))
        still = {"running_mean": np.zeros_like(scale), "running_var": np.ones_like(scale)}
        kind = "BatchNorm2d" if len(shape) == 3 else "BatchNorm1d"
        return f"{kind}({shape[0]}, eps=0)", {"weight": scale, "bias": shift, **still}
    if isinstance(layer, MaxPooling | AveragePooling):
        kind = "MaxPool2d" if isinstance(layer, MaxPooling) else "AvgPool2d"
        return f"{kind}({layer.size}, {layer.stride})", {}
    assert isinstance(layer, Activation)
    return _ACTIVATIONS[layer.function], {}
