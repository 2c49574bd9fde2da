"""Trained networks as files: safetensors with a card in the header, read with NumPy alone."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from core.mlp import MLP
from core.recipe import Recipe

FOLDER = Path(__file__).parent.parent / "models"
SUFFIX = ".safetensors"
FORMAT = "mlp"
FORMAT_VERSION = 1  # of the layout; a change that older programs can't read counts it up
MAX_BYTES = 64 * 2**20


class ModelFileError(ValueError):
    """A file that holds no network of ours; the message says which file and why."""


@dataclass(frozen=True)
class Card:
    """What is known of a trained network.

    Attributes:
        recipe: how it was trained, its seed included.
        epochs_trained: how many of the recipe's epochs it has behind it.
        created: the day, as YYYY-MM-DD.
        train_accuracy, validation_accuracy, test_accuracy: measured after training, in [0, 1].
    """

    recipe: Recipe
    epochs_trained: int
    created: str
    train_accuracy: float
    validation_accuracy: float
    test_accuracy: float


def save(path: Path, network: MLP, card: Card) -> None:
    """Write a network and its card; the file is whole or not there at all.

    Raises:
        OSError: it can't be written.
    """
    tensors = {}
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        tensors[f"layers.{layer}.weight"] = weight
        tensors[f"layers.{layer}.bias"] = bias
    header = {"format": FORMAT, "version": str(FORMAT_VERSION), "card": json.dumps(asdict(card))}
    content = safetensors.numpy.save(tensors, header)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644) if hasattr(os, "fchmod") else None
        os.replace(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise


def load(path: Path) -> tuple[MLP, Card]:
    """Read a network that `save` wrote, and its card.

    Raises:
        ModelFileError: the file is missing, damaged, of another kind, or of a later format.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _refusal(path.name, f"it is larger than {MAX_BYTES // 2**20} MB")
        content = path.read_bytes()
    except FileNotFoundError:
        raise _refusal(path.name, "there is no such file") from None
    except OSError as error:
        raise _refusal(path.name, f"it can't be read ({error.strerror})") from None
    return parse(content, path.name)


def parse(content: bytes, name: str) -> tuple[MLP, Card]:
    """The network and the card in a file's bytes.

    Args:
        content: what `save` wrote.
        name: what to call the file in an error.

    Raises:
        ModelFileError: the bytes are damaged, of another kind, or of a later format.
    """
    try:
        tensors = safetensors.numpy.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError):
        raise _refusal(name, "it is no safetensors file, or was cut short") from None
    about = header.get("__metadata__", {})
    if about.get("format") != FORMAT or "card" not in about:
        raise _refusal(name, "it is a safetensors file, but was not saved by this program")
    version = about.get("version")
    if version != str(FORMAT_VERSION):
        raise _refusal(name, f"its format is {version}, this program reads {FORMAT_VERSION}")
    try:
        fields = json.loads(about["card"])
        card = Card(**{**fields, "recipe": Recipe(**fields["recipe"])})
        layers = range(len(tensors) // 2)
        weights = tuple(tensors.pop(f"layers.{layer}.weight") for layer in layers)
        biases = tuple(tensors.pop(f"layers.{layer}.bias") for layer in layers)
    except (ValueError, KeyError, TypeError):
        raise _refusal(name, "its header does not describe a network of ours") from None
    if tensors:
        raise _refusal(name, f"it holds {', '.join(sorted(tensors))} besides a network's layers")
    try:
        network = MLP(weights, biases)
    except ValueError as error:
        raise _refusal(name, str(error)) from None
    inputs, outputs, kind = network.sizes[0], network.sizes[-1], network.weights[0].dtype
    if (inputs, outputs) != (784, 10) or kind != np.float32:
        raise _refusal(
            name,
            f"it maps {inputs} inputs to {outputs} outputs in {kind}, not 784 to 10 in float32",
        )
    return network, card


def _refusal(name: str, reason: str) -> ModelFileError:
    return ModelFileError(f"{name} can't be used: {reason}.")


def names(folder: Path = FOLDER) -> list[str]:
    """The names of the network files in a folder, without their suffix, the report's first."""
    found = sorted(file.stem for file in folder.glob(f"*{SUFFIX}") if not file.name.startswith("."))
    return sorted(found, key=lambda name: name != "report")


def path_of(name: str, folder: Path = FOLDER) -> Path:
    """Where the network of that name lies."""
    return folder / f"{name}{SUFFIX}"
