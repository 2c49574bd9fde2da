"""Hostile input, each a function of a generator of random numbers."""

import base64
import io
import json
from dataclasses import asdict, replace
from functools import cache
from random import Random
from typing import Any

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from PIL import Image

from core.data import pictures
from core.networks import LoggedEpoch, exchange
from core.networks.file import to_bytes
from core.recipe import Recipe
from pages.parts import state
from pages.parts.canvas import SIDE
from tests.core.networks.foreign.samples import Node, graph, saved, sequential
from tests.core.networks.lenet import lenet
from tests.core.networks.samples import CARD, ENSEMBLE, NETWORK

MARKUP = "![p](http://stranger.example/p.png) :red[x] :material/add: $x$ <b>\n\n# `x`"
TEXTS = (
    "",
    "0",
    "7",
    "-1",
    "1e999",
    "nan",
    "x",
    MARKUP,
    "x" * 10_000,
    "../../etc/passwd",
    "report",
    "www.stranger.example",
    "\0",
    "\u202e\u2028",
    "٧",
    "on",
    "~",
    "PGD",
    "Picture",
)


def value(rng: Random, depth: int = 0) -> Any:
    """Return a value that JSON can hold."""
    kind = rng.randrange(9 if depth < 3 else 6)
    if kind < 2:
        return rng.choice(TEXTS)
    if kind < 4:
        return rng.choice([0, 1, -1, 7, 2**31, 2**63, -(2**63), 10**300, 0.5, 1e308, -1e-320])
    if kind == 4:
        return rng.choice([None, True, False])
    if kind == 5:
        return rng.choice([float("nan"), float("inf"), -float("inf")])
    if kind == 6:
        return {rng.choice(TEXTS): value(rng, depth + 1) for _ in range(rng.randrange(4))}
    if kind == 7:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    deep: Any = []
    for _ in range(rng.choice([10, 500])):
        deep = [deep]
    return deep


def damaged(rng: Random, content: bytes) -> bytes:
    """Return a file that has been cut, lengthened, or changed in some bytes."""
    kind = rng.randrange(4)
    if kind == 0:
        return content[: rng.randrange(len(content) + 1)]
    if kind == 1:
        return content + rng.randbytes(rng.randrange(1, 500))
    changed = bytearray(content)
    end = min(len(content), 4000) if kind == 2 else len(content)  # headers come first
    for _ in range(rng.choice([1, 3, 30])):
        changed[rng.randrange(end)] = rng.randrange(256)
    return bytes(changed)


@cache
def _networks() -> tuple[bytes, ...]:
    log = (LoggedEpoch(1, 1, 2.5, 0.125, 0.1, 0.97), LoggedEpoch(1, 2, 0.25, 0.9, 0.05, 1.0))
    return (
        to_bytes(NETWORK, CARD),
        to_bytes(ENSEMBLE, CARD),
        to_bytes(lenet(), CARD),
        to_bytes(NETWORK, replace(CARD, log=log, measured_on=7)),
    )


def network_file(rng: Random) -> bytes:
    """Return a file that claims to be a network."""
    content = rng.choice(_networks())
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randbytes(rng.randrange(3000))
    if kind == 1:
        return damaged(rng, content)
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    if kind == 2:  # any part of the header
        place = rng.choice([header, *(each for each in header.values() if isinstance(each, dict))])
        place[rng.choice([*place, "x"])] = value(rng)
    elif kind == 3:  # the card, its recipe, the log, the layers
        card = json.loads(header["__metadata__"]["card"])
        place = rng.choice([card, card["recipe"]])
        place[rng.choice([*place, "x"])] = value(rng)
        header["__metadata__"]["card"] = json.dumps(card)
        if rng.random() < 0.3:
            rows = [[value(rng) for _ in range(6)] for _ in range(rng.randrange(3))]
            header["__metadata__"]["log"] = json.dumps(rows)
        if outlines := json.loads(header["__metadata__"].get("layers", "null")):
            layer = rng.choice(outlines[0])
            layer[1][rng.choice([*layer[1], "x"])] = value(rng)
            rng.choice([outlines, outlines[0], layer])[0] = value(rng)
            header["__metadata__"]["layers"] = json.dumps(outlines)
    elif kind == 4:
        return _other_arrays(rng, header["__metadata__"])
    else:
        size = rng.choice([0, size + 1, size - 1, 2**31, 2**63, 2**64 - 1])
        return size.to_bytes(8, "little") + content[8:]
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def _other_arrays(rng: Random, about: dict[str, str]) -> bytes:
    """Return a file with the card of a network and other arrays."""
    arrays = {}
    for layer in range(rng.choice([1, 2, 12, 400])):
        prefix = rng.choice(["layers", "layers", "members.0.layers", MARKUP])
        shape = rng.choice(
            [(), (0,), (10,), (20,), (784, 10), (784, 20), (20, 10), (0, 0), (2, 1, 2)]
        )
        kind = rng.choice([np.float32, np.float32, np.float16, np.int8, np.float64])
        part = rng.choice(["weight", "bias"])
        number = rng.choice([0.0, 1.0, 1e30, np.nan, np.inf])
        with np.errstate(all="ignore"):
            arrays[f"{prefix}.{layer}.{part}"] = np.full(shape, number).astype(kind)
    content: bytes = safetensors.numpy.save(arrays, about)
    return content


@cache
def _foreign() -> tuple[bytes, ...]:
    """Return files of other programs."""
    module = sequential(NETWORK)
    state = module.state_dict()
    norm = torch.nn.BatchNorm1d(20).state_dict(prefix="norm.")
    softmax: Node = ("Softmax", ["logits"], "end", {})
    settings: tuple[Node, ...] = (
        ("Sub", ["x", "mean"], "a", {}),
        ("Reshape", ["a", "flat"], "b", {}),
        ("Gemm", ["b", "w", "v"], "c", {"alpha": 0.5, "transB": 1}),
        ("BatchNormalization", ["c", "v", "v", "v", "v"], "d", {"epsilon": 1e-3}),
        ("Relu", ["d"], "e", {}),
        ("MatMul", ["e", "u"], "logits", {}),
    )
    arrays = {"w": np.ones((20, 784), "f4"), "v": np.ones(20, "f4"), "u": np.ones((20, 10), "f4")}
    made = graph(
        *settings,
        softmax,
        shape=("N", 28, 28),
        mean=np.ones((28, 28), "f4"),
        **{**arrays, "flat": np.array([0, -1])},
    )
    return (
        saved({"model": state, "epoch": 3, "optimizer": {"state": {0: {"step": 7}}}}),
        saved({**state, **norm}, _use_new_zipfile_serialization=False),
        safetensors.torch.save({**state, **norm}),
        exchange.to_onnx(NETWORK),
        made,
        saved(_small_images().state_dict()),
        graph(
            ("Conv", ["x", "k", "c"], "a", {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
            ("MaxPool", ["a"], "b", {"kernel_shape": [2, 2], "strides": [2, 2]}),
            ("Tanh", ["b"], "d", {}),
            ("Flatten", ["d"], "e", {}),
            ("Gemm", ["e", "w"], "logits", {}),
            shape=("N", 1, 28, 28),
            k=np.ones((4, 1, 4, 4), "f4"),
            c=np.ones(4, "f4"),
            w=np.ones((196, 10), "f4"),
        ),
    )


def _small_images() -> torch.nn.Module:
    """Return a small convolutional network."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3, padding=1),
        torch.nn.BatchNorm2d(3),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.MaxPool2d(2),
        torch.nn.Linear(144, 10),
    )


def foreign_file(rng: Random) -> bytes:
    """Return a file that claims to be another program's network."""
    content = rng.choice(_foreign())
    kind = rng.randrange(6)
    if kind == 0:  # most of what counts is in the first and the last bytes
        at = rng.choice([0, len(content) - 400]) + rng.randrange(400)
        return content[:at] + rng.randbytes(rng.randrange(1, 9)) + content[at:]
    if kind == 1:
        shapes = [(), (0,), (1,), (10,), (20,), (784, 20), (20, 784), (10, 20), (10, 784), (1, 20)]
        shapes += [(10, 1, 3, 3), (20, 10, 3, 3), (10, 1, 0, 3), (20, 1, 28, 28), (10, 10, 1, 9)]
        names = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked", MARKUP]
        tensors = {
            f"{rng.randrange(4)}.{rng.choice(names)}": np.full(
                rng.choice(shapes),
                rng.choice([0.0, 1.0, 1e15, 1e30, np.nan]),
                rng.choice(["f4", "f8"]),
            )
            for _ in range(rng.randrange(1, 8))
        }
        return bytes(safetensors.numpy.save(tensors))
    return damaged(rng, content)


@cache
def _pictures() -> tuple[bytes, ...]:
    image = Image.fromarray(np.arange(64 * 48, dtype=np.uint8).reshape(48, 64)).convert("RGB")
    found = []
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"):
        stream = io.BytesIO()
        image.save(stream, kind)
        found.append(stream.getvalue())
    return tuple(found)


def picture_file(rng: Random) -> bytes:
    """Return a file that claims to be a picture."""
    if rng.random() < 0.1:
        return rng.randbytes(rng.randrange(2000))
    content = damaged(rng, rng.choice(_pictures()))
    return content[: pictures.MAX_BYTES]


def canvas_message(rng: Random, honest: dict[str, Any]) -> Any:
    """Return what may come in place of the canvas's message; `honest` is one."""
    kind = rng.randrange(4)
    if kind == 0:
        return value(rng)
    drawing = dict(honest["drawing"])
    if kind == 1:
        drawing[rng.choice([*drawing, "x"])] = value(rng)
    elif kind == 2:
        start, _, text = drawing["data"].partition(",")
        png = damaged(rng, base64.b64decode(text))
        drawing["data"] = f"{start},{base64.b64encode(png).decode()}"
    else:
        stream = io.BytesIO()
        size = rng.choice([(SIDE, SIDE), (SIDE, 1), (1, 1), (1000, 1000)])
        Image.new(rng.choice(["RGBA", "L", "1"]), size, "white").save(stream, "PNG")
        drawing["data"] = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    return {"drawing": drawing, "backgroundFit": rng.choice([None, value(rng)])}


def explorer_message(rng: Random) -> dict[str, Any]:
    """Return what may come in place of what the live ε sends."""
    names = ("label", "epsilon", "compare", "predict", "shown", "x")
    return {rng.choice(names): value(rng) for _ in range(rng.randrange(1, 4))}


def settings() -> list[str]:
    """Return the names of all parameters of an address."""
    found = [each.name for each in vars(state).values() if isinstance(each, state.Setting)]
    return [*found, *(f"recipe_{name}" for name in asdict(Recipe()))]


def address(rng: Random, names: list[str]) -> dict[str, str]:
    """Return the parameters of an address."""
    return {rng.choice(names): rng.choice(TEXTS)[:2000] for _ in range(rng.randrange(1, 8))}
