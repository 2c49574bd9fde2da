"""What was found in a file of another program, and its form between two processes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors.numpy

from core.classifier import FloatArray
from core.networks.ensemble import Single
from core.networks.layers import KINDS, arrays, read_only
from core.networks.mlp import MLP
from core.networks.sequential import Sequential

MOST_READINGS = 64  # of one file, and as many others


@dataclass(frozen=True, eq=False)
class Reading:
    """One network that a file may mean.

    Attributes:
        network: it maps 784 inputs to 10 logits, in float32.
        how: what was assumed, as a phrase; empty where there is no other reading.
    """

    network: Single
    how: str = ""


@dataclass(frozen=True, eq=False)
class Found:
    """What a file holds.

    Attributes:
        program: what wrote it: "PyTorch", "safetensors" or "ONNX".
        readings: at least one, the likeliest first. They share arrays.
        others: with other activations than ReLU, or with the layers in another order.
        left_out: operators at the end that turn logits into probabilities.
        sure: whether the file itself says all. Else activations are assumed, and whatever else a
            reading names.
    """

    program: str
    readings: tuple[Reading, ...]
    left_out: tuple[str, ...] = ()
    sure: bool = False
    others: tuple[Reading, ...] = ()


def to_bytes(found: Found) -> bytes:
    """Return what `from_bytes` reads. Each array is in it once."""
    tensors: dict[int, FloatArray] = {}  # by their identity

    def packed(readings: Sequence[Reading]) -> list[dict[str, Any]]:
        packs = []
        for reading in readings:
            network = reading.network
            pack: dict[str, Any] = {"how": reading.how, "outline": None}
            if isinstance(network, Sequential):
                pack["outline"] = network.outline
                own = [arrays(layer) for layer in network.layers]
            else:
                pairs = zip(network.weights, network.biases, strict=True)
                own = [{"weight": weight, "bias": bias} for weight, bias in pairs]
            tensors.update({id(array): array for each in own for array in each.values()})
            pack["arrays"] = [{name: id(array) for name, array in each.items()} for each in own]
            packs.append(pack)
        return packs

    about = {
        "program": found.program,
        "left_out": found.left_out,
        "sure": found.sure,
        "readings": packed(found.readings),
        "others": packed(found.others),
    }
    named = {str(number): array for number, array in tensors.items()}
    content: bytes = safetensors.numpy.save(named, {"found": json.dumps(about)})
    return content


def from_bytes(content: bytes) -> Found:
    """Return what was found; raise any of many exceptions if these are no such bytes."""
    size = int.from_bytes(content[:8], "little")
    about = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["found"])
    tensors = {
        name: read_only(np.asarray(array))
        for name, array in safetensors.numpy.load(content).items()
    }

    def unpacked(packs: list[dict[str, Any]]) -> tuple[Reading, ...]:
        return tuple(Reading(_network(pack, tensors), pack["how"]) for pack in packs)

    return Found(
        about["program"],
        unpacked(about["readings"]),
        tuple(about["left_out"]),
        about["sure"],
        unpacked(about["others"]),
    )


def _network(pack: dict[str, Any], tensors: dict[str, FloatArray]) -> Single:
    """Return one network of what `to_bytes` has packed."""
    own = [{name: tensors[str(each)] for name, each in layer.items()} for layer in pack["arrays"]]
    if pack["outline"] is None:
        return MLP(tuple(each["weight"] for each in own), tuple(each["bias"] for each in own))
    layers = zip(pack["outline"], own, strict=True)
    return Sequential(tuple(KINDS[kind](**settings, **each) for (kind, settings), each in layers))
