"""A network and its card as one file: safetensors with the card in the header.

Reading needs NumPy alone and runs no code from the file.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import safetensors
import safetensors.numpy

from core import files
from core.classifier import FloatArray
from core.networks.card import Card, LoggedEpoch, Origin
from core.networks.ensemble import Ensemble, Network, Single
from core.networks.layers import ARRAYS, KINDS, arrays
from core.networks.limits import MOST_ARRAYS, MOST_LAYERS, fault
from core.networks.mlp import MLP
from core.networks.sequential import Sequential
from core.recipe import LATER_SETTINGS, MOST_MEMBERS, Recipe

SUFFIX = ".safetensors"
LAYOUTS = ("mlp", "ensemble")  # one network, of whatever layers, or several
# Each network has the lowest number that it can do with. Older programs refuse a later one by it.
FORMAT_VERSION = 1
WITHOUT_RECIPE = 2
WITH_LAYERS = 3  # of layers that the header names; with or without a recipe
VERSIONS = (FORMAT_VERSION, WITHOUT_RECIPE, WITH_LAYERS)
MAX_BYTES = 40 * 2**20  # of a file; the weights of the largest recipe take 32 MB
_MAX_HEADER = 3 * 2**20  # bytes; the longest log takes 2 MB


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
        tensors |= {f"{prefix}layers.{name}": array for name, array in _named_arrays(member)}
    version = FORMAT_VERSION if card.recipe else WITHOUT_RECIPE
    layers = [list(each.outline) if isinstance(each, Sequential) else None
              for each in network.members]  # fmt: skip
    if any(layers):
        version = WITH_LAYERS
    header = {
        "format": "ensemble" if ensemble else "mlp",
        "version": str(version),
        "card": json.dumps(_card_fields(card)),
    }
    if any(layers):
        header["layers"] = json.dumps(layers)
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


def _named_arrays(network: Single) -> Iterator[tuple[str, FloatArray]]:
    """Yield a network's arrays, each with its layer's number and its own name."""
    if isinstance(network, Sequential):
        for number, layer in enumerate(network.layers):
            for name, array in arrays(layer).items():
                yield f"{number}.{name}", array
    else:
        for number, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            yield f"{number}.weight", weight
            yield f"{number}.bias", bias


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
    return {name: value for name, value in fields.items() if value or name not in LATER_SETTINGS}


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
        if len(header) <= MOST_ARRAYS:
            tensors = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("it is not a safetensors file, or it was cut short") from None
    if len(header) > MOST_ARRAYS:  # taking each of very many takes long
        raise ValueError(f"it holds {len(header):,} arrays, a network at most {MOST_ARRAYS}")
    if about.get("format") not in LAYOUTS or "card" not in about:
        raise ValueError("it is a safetensors file, but this program did not save it")
    version = str(about.get("version"))
    if version not in map(str, VERSIONS):
        raise ValueError(
            f"its format is {version[:20]}, this program reads {FORMAT_VERSION} to {VERSIONS[-1]}"
        )
    try:
        card = _card(about)
        outlines = json.loads(about["layers"]) if version == str(WITH_LAYERS) else None
        if outlines is not None:
            _check_outlines(outlines)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("its header does not describe a network") from None
    network = _take_network(tensors, about["format"], outlines)
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
    later = about["version"] == str(WITH_LAYERS) and fields["recipe"] is None
    if later or about["version"] == str(WITHOUT_RECIPE):
        fields = {**fields, "origin": Origin(**fields["origin"])}
    else:
        fields = {**fields, "recipe": Recipe(**fields["recipe"])}
    return Card(**fields, log=log, measured_on=measured_on)


def _check_outlines(outlines: Any) -> None:
    """Raise any of many exceptions unless these are the outlines of networks or None."""
    if not 1 <= len(outlines) <= MOST_MEMBERS:
        raise ValueError("an ensemble has fewer members")
    for outline in outlines:
        if outline is not None and len(outline) > MOST_LAYERS:
            raise ValueError("a network has fewer layers")
        for kind, settings in outline or ():
            if not (isinstance(settings, dict) and KINDS[kind]):
                raise TypeError("a layer has a kind and settings")


def _take_network(
    tensors: dict[str, FloatArray], layout: str, outlines: list[Any] | None
) -> Network:
    """Take the network's layers out of `tensors`; raise if anything is left."""
    ensemble = layout == "ensemble"
    prefixes = (f"members.{number}." for number in itertools.count()) if ensemble else [""]
    parts: list[tuple[Any, list[Any]]] = []
    for prefix, outline in zip(prefixes, outlines or itertools.repeat(None), strict=False):
        taken = _take_layers(tensors, prefix, outline) if outline else _take_mlp(tensors, prefix)
        if ensemble and not any(taken):
            break
        parts.append((outline, taken))
    if tensors:
        odd = min(tensors)[:60]
        raise ValueError(f"it holds {odd!r}, which belongs to no layer, or a layer is missing")
    members = tuple(
        _sequential(outline, taken) if outline else MLP(*taken) for outline, taken in parts
    )
    return Ensemble(members) if ensemble else members[0]


def _take_layers(
    tensors: dict[str, FloatArray], prefix: str, outline: list[Any]
) -> list[dict[str, FloatArray]]:
    """Take the arrays of each layer of an outline out of `tensors`, by their own names."""
    found = []
    for number in range(len(outline)):
        full = {name: f"{prefix}layers.{number}.{name}" for name in ARRAYS}
        found.append({name: tensors.pop(each) for name, each in full.items() if each in tensors})
    return found


def _sequential(outline: list[Any], taken: list[dict[str, FloatArray]]) -> Sequential:
    """Return the network of an outline and its layers' arrays."""
    layers = []
    for number, ((kind, settings), own) in enumerate(zip(outline, taken, strict=True)):
        try:
            layers.append(KINDS[kind](**settings, **own))
        except TypeError:
            raise ValueError(f"its layer {number} is damaged") from None
    return Sequential(tuple(layers))


def _take_mlp(tensors: dict[str, FloatArray], prefix: str) -> list[tuple[FloatArray, ...]]:
    """Take the weights and the biases under a prefix out of `tensors`, up to the first gap."""

    def take(part: str) -> Iterator[FloatArray]:
        for layer in itertools.count():
            if (name := f"{prefix}layers.{layer}.{part}") not in tensors:
                return
            yield tensors.pop(name)

    return [tuple(take("weight")), tuple(take("bias"))]
