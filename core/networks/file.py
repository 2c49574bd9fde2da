"""A network and its card as one file: safetensors with the card in the header.

Reading needs NumPy alone and runs no code from the file.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from core import files
from core.classifier import FloatArray
from core.networks.card import Card, LoggedEpoch, Origin
from core.networks.ensemble import Ensemble, Network
from core.networks.mlp import MLP
from core.recipe import LATER_CHANGES, MOST_HIDDEN, MOST_MEMBERS, MOST_UNITS, MOST_WEIGHTS, Recipe

SUFFIX = ".safetensors"
LAYOUTS = ("mlp", "ensemble")
FORMAT_VERSION = 1  # to be raised by a change that older programs can't read
# Of a network without a recipe. Programs that know only 1 refuse it by its number.
WITHOUT_RECIPE = 2
MAX_BYTES = 40 * 2**20  # of a file; the weights of the largest recipe take 32 MB
_MAX_HEADER = 3 * 2**20  # bytes; the longest log takes 2 MB
_MOST_OUTPUT = 1e18  # float32 holds its square
_MAX_TENSORS = 2 * (MOST_HIDDEN + 1) * MOST_MEMBERS


class NetworkFileError(ValueError):
    """A file that can't be used as a network, or a network that can't be saved; says why."""


def save_file(path: Path, network: Network, card: Card) -> None:
    """Write a network and its card to a file, in one step.

    Raises:
        NetworkFileError: `load_file` would refuse the network.
        OSError: the file can't be written.
    """
    files.write(path, to_bytes(network, card))


def to_bytes(network: Network, card: Card) -> bytes:
    """Return the content of a network's file.

    Raises:
        NetworkFileError: `parse` would refuse the network.
    """
    if reason := fault(network):
        raise NetworkFileError(f"This network can't be saved: {reason}.")
    ensemble = isinstance(network, Ensemble)
    tensors: dict[str, FloatArray] = {}
    for number, member in enumerate(network.members):
        prefix = f"members.{number}." if ensemble else ""
        for part, arrays in (("weight", member.weights), ("bias", member.biases)):
            for layer, array in enumerate(arrays):
                tensors[f"{prefix}layers.{layer}.{part}"] = array
    header = {
        "format": "ensemble" if ensemble else "mlp",
        "version": str(FORMAT_VERSION if card.recipe else WITHOUT_RECIPE),
        "card": json.dumps(_card_fields(card)),
    }
    # Beside the card: older programs refuse a card with a field that they don't know.
    if card.log:
        header["log"] = json.dumps([astuple(logged) for logged in card.log])
    if card.measured_on is not None:
        header["measured_on"] = str(card.measured_on)
    content: bytes = safetensors.numpy.save(tensors, header)
    if len(content) > MAX_BYTES:
        raise NetworkFileError(
            f"This network can't be saved: its file would be larger than {MAX_BYTES // 2**20} MB."
        )
    return content


def _card_fields(card: Card) -> dict[str, Any]:
    """Return what the header has of a card, without what it has beside the card.

    A card with a recipe has no field that older programs don't know.
    """
    fields = {**vars(card)}
    del fields["log"], fields["measured_on"], fields["origin"]
    if card.recipe:
        return {**fields, "recipe": _recipe_fields(card.recipe)}
    return {**fields, "origin": asdict(card.origin)} if card.origin else fields


def _recipe_fields(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe's settings, without those that older programs don't know where they are off.

    An older program refuses a recipe with a setting that it doesn't know.
    """
    fields = asdict(recipe)
    return {name: value for name, value in fields.items() if value or name not in LATER_CHANGES}


def load_file(path: Path) -> tuple[Network, Card]:
    """Read a network and its card.

    Raises:
        NetworkFileError: the file is missing, damaged, of another kind, or of a later format.
    """
    try:
        if path.stat().st_size <= MAX_BYTES:
            return parse(path.read_bytes(), path.name)
        reason = f"it is larger than {MAX_BYTES // 2**20} MB"
    except FileNotFoundError:
        reason = "there is no such file"
    except OSError as error:
        reason = f"it can't be read ({error.strerror})"
    raise NetworkFileError(f"{path.name} can't be used: {reason}.")


def parse(content: bytes, name: str) -> tuple[Network, Card]:
    """Return the network and the card in a file's bytes.

    Args:
        content: the whole file.
        name: what to call the file in an error.

    Raises:
        NetworkFileError: the bytes are damaged, of another kind, or of a later format.
    """
    try:
        return _parse(content)
    except ValueError as error:
        raise NetworkFileError(f"{name} can't be used: {error}.") from None


def _parse(content: bytes) -> tuple[Network, Card]:
    """Do as `parse` does, but raise a ValueError with the reason alone."""
    try:
        header = _header(content)
        about = header.pop("__metadata__", None) or {}
        if len(header) <= _MAX_TENSORS:
            tensors = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("it is not a safetensors file, or it was cut short") from None
    if len(header) > _MAX_TENSORS:  # taking each of very many takes long
        raise ValueError(f"it holds {len(header):,} arrays, a network at most {_MAX_TENSORS}")
    if about.get("format") not in LAYOUTS or "card" not in about:
        raise ValueError("it is a safetensors file, but this program did not save it")
    version = str(about.get("version"))
    if version not in (str(FORMAT_VERSION), str(WITHOUT_RECIPE)):
        raise ValueError(
            f"its format is {version[:20]}, this program reads {FORMAT_VERSION} and "
            f"{WITHOUT_RECIPE}"
        )
    try:
        card = _card(about)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("its header does not describe a network") from None
    network = _take_network(tensors, about["format"])
    if reason := fault(network):
        raise ValueError(reason)
    return network, card


def _header(content: bytes) -> dict[str, Any]:
    """Return the header of a safetensors file; raise any of many exceptions if there is none."""
    size = int.from_bytes(content[:8], "little")
    if size > _MAX_HEADER:
        raise ValueError("no network of ours has such a header")
    header = json.loads(content[8 : 8 + size])
    if not isinstance(header, dict):
        raise TypeError("the header must be an object")
    return header


def _card(about: dict[str, str]) -> Card:
    """Return the card in a header; raise any of many exceptions if there is none."""
    fields = json.loads(about["card"])
    log = tuple(LoggedEpoch(*row) for row in json.loads(about.get("log", "[]")))
    measured_on = json.loads(about.get("measured_on", "null"))
    if about["version"] == str(WITHOUT_RECIPE):
        fields = {**fields, "origin": Origin(**fields["origin"])}
    else:
        fields = {**fields, "recipe": Recipe(**fields["recipe"])}
    return Card(**fields, log=log, measured_on=measured_on)


def _take_network(tensors: dict[str, FloatArray], layout: str) -> Network:
    """Take the network's layers out of `tensors`; raise if anything is left."""
    if layout == "mlp":
        parts = [_take_layers(tensors, "")]
    else:
        numbered = (_take_layers(tensors, f"members.{number}.") for number in itertools.count())
        parts = list(itertools.takewhile(any, numbered))
    if tensors:
        odd = min(tensors)[:60]
        raise ValueError(f"it holds {odd!r}, which belongs to no layer, or a layer is missing")
    members = tuple(MLP(weights, biases) for weights, biases in parts)
    return members[0] if layout == "mlp" else Ensemble(members)


def _take_layers(tensors: dict[str, FloatArray], prefix: str) -> list[tuple[FloatArray, ...]]:
    """Take the weights and the biases under a prefix out of `tensors`, up to the first gap."""

    def take(part: str) -> Iterator[FloatArray]:
        for layer in itertools.count():
            if (name := f"{prefix}layers.{layer}.{part}") not in tensors:
                return
            yield tensors.pop(name)

    return [tuple(take("weight")), tuple(take("bias"))]


def _largest_output(network: MLP) -> float:
    """Return a bound on all hidden outputs and logits for images of pixels in [0, 1]."""
    found, bound = 0.0, np.ones(network.sizes[0], network.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        for weight, bias in zip(network.weights, network.biases, strict=True):
            bound = bound @ np.abs(weight) + np.abs(bias)
            found = max(found, float(bound.max()))
    return found


def fault(network: Network) -> str:
    """Return why a network can't be saved or can't classify MNIST; "" if it can."""
    if len(network.members) > MOST_MEMBERS:
        return f"it has {len(network.members)} members, more than {MOST_MEMBERS}"
    for member in network.members:
        hidden = member.sizes[1:-1]
        if len(hidden) > MOST_HIDDEN:
            return f"it has {len(hidden)} hidden layers, more than {MOST_HIDDEN}"
        if hidden and not 1 <= min(hidden) <= max(hidden) <= MOST_UNITS:
            return f"its hidden layers must have 1 to {MOST_UNITS:,} units, not {max(hidden):,}"
    weights = sum(weight.size for member in network.members for weight in member.weights)
    if weights > MOST_WEIGHTS:
        return f"it has {weights:,} weights, more than {MOST_WEIGHTS:,}"
    if not max(map(_largest_output, network.members)) < _MOST_OUTPUT:
        return "its weights are so large that no image can be classified by them"
    sizes, dtype = network.members[0].sizes, network.members[0].dtype
    if (sizes[0], sizes[-1]) != (784, 10) or dtype != np.float32:
        maps = f"{sizes[0]} inputs to {sizes[-1]} outputs in {dtype}"
        return f"it maps {maps}, not 784 to 10 in float32"
    return ""
