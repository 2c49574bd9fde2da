"""What was found in a file of another program, and its form between two processes."""

import json
from dataclasses import dataclass

import numpy as np
import safetensors.numpy

from core.networks.mlp import MLP

MOST_READINGS = 8  # of one file


@dataclass(frozen=True, eq=False)
class Reading:
    """One network that a file may mean.

    Attributes:
        network: it maps 784 inputs to 10 logits, in float32.
        how: what was assumed, as a phrase; empty where there is no other reading.
    """

    network: MLP
    how: str = ""


@dataclass(frozen=True, eq=False)
class Found:
    """What a file holds.

    Attributes:
        program: what wrote it: "PyTorch", "safetensors" or "ONNX".
        readings: at least one, the likeliest first.
        left_out: operators at the end that turn logits into probabilities.
        sure: whether the file itself says where ReLU stands. Else it is assumed to stand after
            every layer but the last.
    """

    program: str
    readings: tuple[Reading, ...]
    left_out: tuple[str, ...] = ()
    sure: bool = False


def to_bytes(found: Found) -> bytes:
    """Return what `from_bytes` reads."""
    tensors = {}
    for number, reading in enumerate(found.readings):
        for part in ("weights", "biases"):
            for layer, array in enumerate(getattr(reading.network, part)):
                tensors[f"{number}.{part}.{layer}"] = array
    about = {
        "program": found.program,
        "left_out": found.left_out,
        "sure": found.sure,
        "how": [reading.how for reading in found.readings],
        "layers": [len(reading.network.weights) for reading in found.readings],
    }
    content: bytes = safetensors.numpy.save(tensors, {"found": json.dumps(about)})
    return content


def from_bytes(content: bytes) -> Found:
    """Return what was found; raise any of many exceptions if these are no such bytes."""
    size = int.from_bytes(content[:8], "little")
    about = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["found"])
    tensors = safetensors.numpy.load(content)
    readings = []
    for number, (how, layers) in enumerate(zip(about["how"], about["layers"], strict=True)):
        weights, biases = (
            tuple(np.asarray(tensors[f"{number}.{part}.{layer}"]) for layer in range(layers))
            for part in ("weights", "biases")
        )
        readings.append(Reading(MLP(weights, biases), how))
    return Found(about["program"], tuple(readings), tuple(about["left_out"]), about["sure"])
