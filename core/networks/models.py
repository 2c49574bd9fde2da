"""Trained networks as files: safetensors with a card in the header, read with NumPy alone.

The shipped ones lie in `FOLDER`, those that people keep in a folder inside it.
"""

import datetime
import itertools
import json
import os
import re
import sys
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import safetensors
import safetensors.numpy

from core.classifier import FloatArray
from core.networks.ensemble import Ensemble
from core.networks.mlp import MLP
from core.recipe import Recipe

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FOLDER = Path(__file__).parents[2] / "models"
KEPT = FOLDER / "kept"
SUFFIX = ".safetensors"
FORMATS = ("mlp", "ensemble")
FORMAT_VERSION = 1  # of the layout; a change that older programs can't read counts it up
MAX_BYTES = 64 * 2**20  # of a file
MAX_MEMBERS = 20  # of an ensemble
MOST_LOSS = 1e9  # of a logged epoch: far beyond a training that has gone astray
MAX_KEPT = 100  # networks
MAX_KEPT_BYTES = 500 * 2**20  # of them together
MAX_NAME = 40  # characters
_STRAY_SECONDS = 3600  # nobody writes for so long: the process was killed

Network: TypeAlias = MLP | Ensemble


class ModelFileError(ValueError):
    """A file that holds no network of ours; the message says which file and why."""


class ModelNameError(ValueError):
    """A name that no network can have; the message says why."""


class ModelStoreError(ValueError):
    """A network that can't be kept or deleted; the message says why."""


@dataclass(frozen=True)
class LoggedEpoch:
    """What one epoch of a training came to, as the report logs it.

    Attributes:
        member: which of the ensemble's members was trained, counted from 1.
        epoch: of that member, counted from 1.
        train_loss: mean cross-entropy over the epoch, each image before its own step.
        train_accuracy: likewise, in [0, 1].
        validation_loss, validation_accuracy: of the network as the epoch left it.

    Raises:
        ValueError: one of them is of another kind or out of its range; the message names it.
    """

    member: int
    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float

    def __post_init__(self) -> None:
        for field in ("member", "epoch"):
            value = getattr(self, field)
            if type(value) is not int or value < 1:
                raise ValueError(f"{field} must be a whole number of at least 1, not {value!r}")
        for part in ("train", "validation"):
            _check_number(f"{part}_loss", getattr(self, f"{part}_loss"), most=MOST_LOSS)
            _check_number(f"{part}_accuracy", getattr(self, f"{part}_accuracy"), most=1)


@dataclass(frozen=True)
class Card:
    """What is known of a trained network.

    Attributes:
        recipe: how it was trained, its seed included.
        epochs_trained: how many of the recipe's epochs it has behind it.
        created: the day, as YYYY-MM-DD.
        train_accuracy, validation_accuracy, test_accuracy: measured after training, in [0, 1].
        train_seconds: how long the training took; None where nobody measured it.
        log: every epoch of the training, those of an ensemble's members one after the other, also
            epochs after the one that was kept; empty where it is not known.

    Raises:
        ValueError: one of them is of another kind or out of its range; the message names it.
    """

    recipe: Recipe
    epochs_trained: int
    created: str
    train_accuracy: float
    validation_accuracy: float
    test_accuracy: float
    train_seconds: float | None = None
    log: tuple[LoggedEpoch, ...] = ()

    def __post_init__(self) -> None:
        if type(self.epochs_trained) is not int or self.epochs_trained < 0:
            raise ValueError(f"epochs_trained must be a whole number, not {self.epochs_trained!r}")
        try:
            datetime.date.fromisoformat(self.created)
        except (TypeError, ValueError):
            raise ValueError(f"created must be YYYY-MM-DD, not {self.created!r}") from None
        for field in ("train_accuracy", "validation_accuracy", "test_accuracy"):
            _check_number(field, getattr(self, field), most=1)
        if self.train_seconds is not None:
            _check_number("train_seconds", self.train_seconds, most=1e9)
        self._check_log()

    def _check_log(self) -> None:
        """Refuse a log that no run of the recipe could have written; so its length has a bound."""
        if type(self.log) is not tuple or any(type(each) is not LoggedEpoch for each in self.log):
            raise ValueError("log must be a tuple of LoggedEpoch")
        before = (1, 0)
        for logged in self.log:
            member, epoch = before
            if (logged.member, logged.epoch) not in ((member, epoch + 1), (member + 1, 1)):
                raise ValueError("log must hold one epoch after the other, member by member")
            before = logged.member, logged.epoch
            if logged.epoch > self.recipe.epochs or logged.member > self.recipe.members:
                raise ValueError("log must not be longer than its recipe")


def _check_number(field: str, value: object, *, most: float) -> None:
    """Refuse what is no number from 0 to `most`, NaN included."""
    if not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError(f"{field} must be a number from 0 to {most:g}, not {value!r}")


def size(network: Network) -> int:
    """The number of weights and biases, over all members."""
    return sum(
        array.size for member in _members(network) for array in member.weights + member.biases
    )


def _members(network: Network) -> tuple[MLP, ...]:
    return network.members if isinstance(network, Ensemble) else (network,)


# A network as a file


def save(path: Path, network: Network, card: Card) -> None:
    """Write a network and its card; the file is whole or not there at all.

    Raises:
        ModelStoreError: it is no network that `load` would read.
        OSError: it can't be written.
    """
    with _unfinished_file(path.parent, _content(network, card)) as unfinished:
        os.replace(unfinished, path)


def _content(network: Network, card: Card) -> bytes:
    """The bytes of a network's file."""
    if fault := _fault(network):
        raise ModelStoreError(f"This network can't be saved: {fault}.")
    ensemble = isinstance(network, Ensemble)
    tensors: dict[str, FloatArray] = {}
    for number, member in enumerate(_members(network)):
        prefix = f"members.{number}." if ensemble else ""
        for layer, (weight, bias) in enumerate(zip(member.weights, member.biases, strict=True)):
            tensors[f"{prefix}layers.{layer}.weight"] = weight
            tensors[f"{prefix}layers.{layer}.bias"] = bias
    header = {
        "format": "ensemble" if ensemble else "mlp",
        "version": str(FORMAT_VERSION),
        "card": json.dumps(_card_fields(card)),
    }
    if card.log:  # beside the card, in which older programs would refuse it
        header["log"] = json.dumps([astuple(logged) for logged in card.log])
    content: bytes = safetensors.numpy.save(tensors, header)
    if len(content) > MAX_BYTES:
        raise ModelStoreError(
            f"This network can't be saved: its file would be larger than {MAX_BYTES // 2**20} MB."
        )
    return content


def _card_fields(card: Card) -> dict[str, Any]:
    """The card's fields without the log."""
    fields = asdict(replace(card, log=()))
    del fields["log"]
    return fields


def _card(about: dict[str, str]) -> Card:
    """The card in a file's header; raises much where it is something else."""
    fields = json.loads(about["card"])
    log = tuple(LoggedEpoch(*row) for row in json.loads(about.get("log", "[]")))
    return Card(**{**fields, "recipe": Recipe(**fields["recipe"])}, log=log)


def _fault(network: Network) -> str:
    """Why a network is none for MNIST's images, or not for a file; empty where it is."""
    members = _members(network)
    if len(members) > MAX_MEMBERS:
        return f"it has {len(members)} members, and {MAX_MEMBERS} are the most"
    inputs, outputs = members[0].sizes[0], members[0].sizes[-1]
    kind = members[0].weights[0].dtype
    if (inputs, outputs) != (784, 10) or kind != np.float32:
        return f"it maps {inputs} inputs to {outputs} outputs in {kind}, not 784 to 10 in float32"
    return ""


@contextmanager
def _unfinished_file(folder: Path, content: bytes) -> Iterator[Path]:
    """A hidden file in `folder` with the whole content on disk; gone afterwards, if not renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        unfinished.chmod(0o644)
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


def load(path: Path) -> tuple[Network, Card]:
    """Read a network that `save` or `keep` wrote, and its card.

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


def parse(content: bytes, name: str) -> tuple[Network, Card]:
    """The network and the card in a file's bytes.

    Args:
        content: what `save` or `keep` wrote.
        name: what to call the file in an error.

    Raises:
        ModelFileError: the bytes are damaged, of another kind, or of a later format.
    """
    try:
        tensors = safetensors.numpy.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError):
        raise _refusal(name, "it is no safetensors file, or was cut short") from None
    about = header.get("__metadata__") or {}
    if about.get("format") not in FORMATS or "card" not in about:
        raise _refusal(name, "it is a safetensors file, but was not saved by this program")
    version = about.get("version")
    if version != str(FORMAT_VERSION):
        raise _refusal(
            name, f"its format is {str(version)[:20]}, this program reads {FORMAT_VERSION}"
        )
    try:
        card = _card(about)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _refusal(name, "its header does not describe a network of ours") from None
    try:
        network = _take_network(tensors, about["format"])
    except ValueError as error:
        raise _refusal(name, str(error)) from None
    if fault := _fault(network):
        raise _refusal(name, fault)
    return network, card


def _take_network(tensors: dict[str, FloatArray], kind: str) -> Network:
    """The network of which `tensors` holds the layers and nothing else."""
    if kind == "mlp":
        parts = [_take_layers(tensors, "")]
    else:
        numbered = (_take_layers(tensors, f"members.{number}.") for number in itertools.count())
        parts = list(itertools.takewhile(any, numbered))
    if tensors:
        odd = min(tensors)[:60]
        raise ValueError(f"it holds {odd!r}, which is no layer's, or follows a gap in the numbers")
    members = tuple(MLP(weights, biases) for weights, biases in parts)
    return members[0] if kind == "mlp" else Ensemble(members)


Layers: TypeAlias = tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]


def _take_layers(tensors: dict[str, FloatArray], prefix: str) -> Layers:
    """The weights and biases under a prefix, taken out of `tensors`, as far as they count up."""

    def take(part: str) -> Iterator[FloatArray]:
        for layer in itertools.count():
            if (name := f"{prefix}layers.{layer}.{part}") not in tensors:
                return
            yield tensors.pop(name)

    return tuple(take("weight")), tuple(take("bias"))


def _refusal(name: str, reason: str) -> ModelFileError:
    return ModelFileError(f"{name} can't be used: {reason}.")


# Networks by name


def names(folder: Path = FOLDER) -> list[str]:
    """The shipped networks, the report's first, then the kept ones, all in alphabetical order."""
    shipped = sorted(_stems(folder), key=lambda name: name != "report")
    hidden = set(map(_folded, shipped))
    kept = [name for name in _stems(_kept(folder)) if _folded(name) not in hidden]
    return shipped + sorted(kept, key=_folded)


def path_of(name: str, folder: Path = FOLDER) -> Path:
    """Where the network of that name lies; of an unknown one, where a shipped one would lie."""
    kept = name in _stems(_kept(folder)) and not is_shipped(name, folder)
    return _file(_kept(folder) if kept else folder, name)


def is_shipped(name: str, folder: Path = FOLDER) -> bool:
    """Whether there is a network of that name that came with the project."""
    return name in _stems(folder)


def check_name(name: str) -> str:
    """A name for a network to keep, without space around it and in Unicode's form NFC.

    Raises:
        ModelNameError: it is empty, too long, or has characters that don't suit a file's name
            on every system.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(name) <= MAX_NAME:
        raise ModelNameError(f"A network's name must have 1 to {MAX_NAME} characters.")
    if not _is_letter_or_digit(name[0]):
        raise ModelNameError("A network's name must begin with a letter or a digit.")
    if not all(map(_suits_a_name, name)):
        raise ModelNameError(
            "A network's name may have letters, digits, spaces and - _ . = , but nothing else."
        )
    if name.endswith("."):
        raise ModelNameError("A network's name must not end in a full stop.")
    if re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d) *(\..*)?", name, re.ASCII | re.IGNORECASE):
        raise ModelNameError(f"{name} can't be a network's name: Windows keeps it for itself.")
    return name


def _is_letter_or_digit(character: str) -> bool:
    category = unicodedata.category(character)
    return category.startswith("L") or category == "Nd"


def _suits_a_name(character: str) -> bool:
    """Besides what is asked for, marks: in Hindi, among others, no word goes without."""
    return (
        _is_letter_or_digit(character)
        or character in " -_.=,"
        or unicodedata.category(character) in ("Mn", "Mc")
    )


def _folded(name: str) -> str:
    """The same for names that differ only by case: some systems take them for one file's."""
    return unicodedata.normalize("NFC", name.casefold())


def _kept(folder: Path) -> Path:
    return folder / KEPT.name


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}{SUFFIX}"


def _files(folder: Path) -> list[Path]:
    return [_file(folder, stem) for stem in _stems(folder)]


def _stems(folder: Path) -> list[str]:
    try:
        files = os.listdir(
            folder
        )  # a page asks at every click, and Path.glob takes five times as long
    except FileNotFoundError:
        return []
    return sorted(
        file.removesuffix(SUFFIX)
        for file in files
        if file.endswith(SUFFIX) and not file.startswith(".")
    )


# What people keep


def keep(name: str, network: Network, card: Card, *, folder: Path = FOLDER) -> str:
    """Write a network under a name of its own, never over another; whole or not at all.

    Threads and processes may keep networks at the same time.

    Args:
        name: what to call it. Where that is taken, be it in other case or by a shipped network,
            " 2", " 3" and so on is added.
        network: to keep.
        card: what is known of it.
        folder: of the shipped networks; the kept ones lie in a folder inside it.

    Returns:
        The name that it was given.

    Raises:
        ModelNameError: no network can have that name.
        ModelStoreError: there is no room, or it is no network that `load` would read.
        OSError: it can't be written.
    """
    name, content, kept = check_name(name), _content(network, card), _kept(folder)
    with _unfinished_file(kept, content) as unfinished, _alone_in(kept):
        _remove_strays(kept)
        _check_room(kept, len(content))
        taken = set(map(_folded, _stems(folder) + _stems(kept)))
        free = (candidate for candidate in _candidates(name) if _folded(candidate) not in taken)
        return next(candidate for candidate in free if _link(unfinished, _file(kept, candidate)))


def delete(name: str, *, folder: Path = FOLDER) -> None:
    """Delete a network that somebody kept.

    Raises:
        ModelStoreError: it is shipped, or there is none of that name.
        OSError: it can't be deleted.
    """
    if is_shipped(name, folder):
        raise ModelStoreError(f"{name} came with the project and can't be deleted.")
    kept = _kept(folder)
    unknown = ModelStoreError(f"There is no kept network named {name[:MAX_NAME]!r}.")
    if name not in _stems(kept):
        raise unknown
    try:
        with _alone_in(kept):
            _file(kept, name).unlink()
    except FileNotFoundError:  # somebody else was quicker
        raise unknown from None


def _candidates(name: str) -> Iterator[str]:
    """The name, then the name with 2, 3 and so on, each short enough."""
    yield name
    for number in itertools.count(2):
        suffix = f" {number}"
        yield name[: MAX_NAME - len(suffix)].rstrip() + suffix


def _check_room(kept: Path, more: int) -> None:
    """Refuse a network of `more` bytes where there are too many already."""
    sizes = [file.stat().st_size for file in _files(kept)]
    if len(sizes) >= MAX_KEPT:
        raise ModelStoreError(f"There are {MAX_KEPT} kept networks already; delete one first.")
    if sum(sizes) + more > MAX_KEPT_BYTES:
        raise ModelStoreError(
            f"The kept networks would take more than {MAX_KEPT_BYTES // 2**20} MB; "
            "delete one first."
        )


def _remove_strays(kept: Path) -> None:
    """Remove the unfinished files of processes that were killed long ago."""
    for file in kept.glob(".*.part"):
        with suppress(OSError):  # finished meanwhile, or another user's
            if time.time() - file.stat().st_mtime > _STRAY_SECONDS:
                file.unlink()


def _link(unfinished: Path, file: Path) -> bool:
    """Give a whole file its name in one step; False where something of that name is there."""
    try:
        os.link(unfinished, file)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        return _claim_and_replace(unfinished, file)
    return True


def _claim_and_replace(unfinished: Path, file: Path) -> bool:
    """As `_link`, in two steps: an empty file takes the name, then the whole one its place."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    try:
        os.replace(unfinished, file)
    except BaseException:
        file.unlink()
        raise
    return True


@contextmanager
def _alone_in(kept: Path) -> Iterator[None]:
    """Wait until nobody else, in any thread or process, is inside; a killed one is not.

    A link alone would not keep two names that differ only by case apart, nor count to the limit.
    """
    with (kept / ".lock").open("ab") as file:
        _lock(file)
        yield


def _lock(file: IO[bytes]) -> None:
    """Wait for the lock on a file, which closing it gives back."""
    if sys.platform == "win32":
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX)
