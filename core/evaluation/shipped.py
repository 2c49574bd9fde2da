"""Files of measured figures that come with the networks, each network's under its digest."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from core import files
from core.networks import Network

T = TypeVar("T")


class MeasuredFileError(ValueError):
    """A file of measured figures is damaged, or can't be read or written; the message says which.

    Nothing depends on such a file: whatever it should know can be measured again.
    """


def digest(network: Network, *settings: object) -> str:
    """Return 64 characters that stand for a network's numbers and a measurement's settings.

    Another training gives another digest, so no network is shown with another one's figures.
    """
    sha = hashlib.sha256(repr(settings).encode())
    for member in network.members:
        sha.update(repr((member.sizes, str(member.dtype))).encode())
        for array in member.weights + member.biases:
            sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


def read(
    path: Path, decode: Callable[[dict[str, Any]], T], keys: Collection[str] | None = None
) -> dict[str, T]:
    """Return what the file has under some keys, or under all; nothing if there is no file.

    Args:
        path: of the file.
        decode: turns the fields of an entry, which are as they were written, into figures.
        keys: the entries to decode; None for all.

    Raises:
        MeasuredFileError: the file is damaged or can't be read.
    """
    try:
        entries = json.loads(path.read_bytes())
        wanted = entries.keys() if keys is None else entries.keys() & set(keys)
        return {key: decode(_checked(entries[key])) for key in entries if key in wanted}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise MeasuredFileError(f"{path.name} can't be read: {error.strerror}.") from None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise MeasuredFileError(
            f"{path.name} is damaged; `python -m core measure` makes it anew."
        ) from None


def complete(
    path: Path,
    keys: Mapping[str, str],
    measure: Callable[[str], T],
    *,
    decode: Callable[[dict[str, Any]], T],
    encode: Callable[[T], dict[str, Any]],
    on_known: Callable[[], object] = lambda: None,
) -> None:
    """Measure the networks that the file doesn't know, and drop those that are not asked for.

    The file is replaced in one step after each network. So a run that is stopped loses no more
    than the network it was at, and the next run continues from there. A damaged file is replaced.

    Args:
        path: of the file.
        keys: the networks' digests by their names.
        measure: measures the network of a name.
        decode: as in `read`.
        encode: the opposite of `decode`.
        on_known: is called for each network that needs no measurement.

    Raises:
        MeasuredFileError: the file can't be written.
    """
    try:
        known = read(path, decode, keys.values())
    except MeasuredFileError:
        known = {}
    _write(path, keys, known, encode)
    for name, key in keys.items():
        if key in known:
            on_known()
        else:
            known[key] = measure(name)
            _write(path, keys, known, encode)


def _checked(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an entry; raise if they are not those that were written."""
    fields = {name: value for name, value in entry.items() if name not in ("network", "sha256")}
    if entry["sha256"] != _checksum(fields):
        raise ValueError("another checksum")
    return fields


def _checksum(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _write(
    path: Path,
    keys: Mapping[str, str],
    known: Mapping[str, T],
    encode: Callable[[T], dict[str, Any]],
) -> None:
    """Write a line for each network, with its name for people who read the file."""
    lines = []
    for name, key in keys.items():
        if key in known:
            fields = encode(known[key])
            entry = {"network": name, "sha256": _checksum(fields), **fields}
            lines.append(f"{json.dumps(key)}: {json.dumps(entry)}")
    try:
        files.write(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())
    except OSError as error:
        raise MeasuredFileError(f"{path} can't be written: {error.strerror}.") from None
