"""Files that other programs write, made by these programs."""

import io
import zipfile
from typing import Any, TypeAlias

import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn

from core.classifier import FloatArray, IntArray
from core.networks import MLP


def saved(thing: object, **settings: Any) -> bytes:
    """Return what torch.save writes."""
    buffer = io.BytesIO()
    torch.save(thing, buffer, **settings)
    return buffer.getvalue()


def sequential(network: MLP) -> nn.Sequential:
    """Return a network as a PyTorch module."""
    layers: list[nn.Module] = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        inputs, outputs = weight.shape
        linear = nn.Linear(inputs, outputs)
        linear.load_state_dict(
            {"weight": torch.from_numpy(weight.T.copy()), "bias": torch.from_numpy(bias.copy())}
        )
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval()


Node: TypeAlias = tuple[str, list[str], str, dict[str, Any]]


def graph(
    *nodes: Node,
    shape: tuple[str | int, ...] = ("N", 784),
    **constants: FloatArray | IntArray,
) -> bytes:
    """Return an ONNX file of operators from "x" to "logits": kind, inputs, output, settings."""
    made = [
        helper.make_node(kind, inputs, [output], **settings)
        for kind, inputs, output, settings in nodes
    ]
    pixels = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, list(shape))
    logits = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, None)
    arrays = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    ml = helper.make_opsetid("ai.onnx.ml", 1)
    model = helper.make_model_gen_version(
        helper.make_graph(made, "g", [pixels], [logits], arrays),
        opset_imports=[helper.make_opsetid("", 20), ml],
    )
    content: bytes = model.SerializeToString()
    return content


def archive(**files: bytes) -> bytes:
    """Return a zip archive; a double underscore in a name stands for a dot."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name.replace("__", "."), content)
    return buffer.getvalue()
