"""JSON files of measured figures that are shipped with the networks, by the networks' digests."""

import base64
import hashlib
import json
import math
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from core import files
from core.networks import Network, Sequential

T = TypeVar("T")
_PIXELS = 784


class MeasuredFileError(ValueError):
    """A file of measured figures is damaged, or can't be read or written; the message says which.

    The program works without the file: all figures can be measured again.
    """


def digest(network: Network, *settings: object) -> str:
    """Return 64 characters that stand for a network's weights and a measurement's settings.

    Other weights give another digest, so no network is shown with the figures of another one.
    """
    sha = hashlib.sha256(repr(settings).encode())
    for member in network.members:
        sha.update(repr((member.sizes, str(member.dtype))).encode())
        if isinstance(member, Sequential):
            sha.update(repr(member.outline).encode())
        for array in member.arrays:
            sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


def read(path: Path, figures: type[T], keys: Collection[str] | None = None) -> dict[str, T]:
    """Return what the file has under some keys, or under all; nothing if there is no file.

    Args:
        path: the file.
        figures: the dataclass of an entry's figures. Its fields may be numbers, text, arrays,
            tuples, mappings from text, and such dataclasses. Float64 arrays of pixels are rounded
            to float16 in the file. `dict` leaves the fields as JSON holds them.
        keys: the entries to read; None for all.

    Raises:
        MeasuredFileError: the file is damaged or can't be read.
    """
    try:
        entries = json.loads(path.read_bytes())
        wanted = entries.keys() if keys is None else entries.keys() & set(keys)
        return {key: _decoded(figures, _checked(entries[key])) for key in entries if key in wanted}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise MeasuredFileError(f"{path.name} can't be read: {error.strerror}.") from None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, zlib.error):
        raise MeasuredFileError(
            f"{path.name} is damaged; `python -m core measure` makes it anew."
        ) from None


def complete(
    path: Path,
    keys: Mapping[str, str],
    measure: Callable[[list[str]], Iterable[tuple[str, Any]]],
    *,
    on_known: Callable[[], object] = lambda: None,
) -> None:
    """Measure the networks that the file doesn't have, and drop those that are not asked for.

    The file is replaced in one step after each network. So a run that is stopped loses no more
    than the networks it was at, and the next run continues from there. A damaged file is replaced.

    Args:
        path: the file.
        keys: the networks' digests by their names.
        measure: measures the networks of some names; gives each name with a dataclass as in `read`
            as soon as it is done, in any order.
        on_known: called for each network that needs no measurement.

    Raises:
        MeasuredFileError: the file can't be written.
    """
    try:
        known = read(path, dict, keys.values())
    except MeasuredFileError:
        known = {}
    _write(path, keys, known)
    unknown = [name for name, key in keys.items() if key not in known]
    for _ in range(len(keys) - len(unknown)):
        on_known()
    for name, figures in measure(unknown):
        known[keys[name]] = json.loads(json.dumps(asdict(figures), default=_encoded))
        _write(path, keys, known)


def _checked(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an entry.

    Raises:
        ValueError: they are not those that were written.
    """
    fields = {name: value for name, value in entry.items() if name not in ("network", "sha256")}
    if entry["sha256"] != _checksum(fields):
        raise ValueError("the checksum differs")
    return fields


def _checksum(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _write(path: Path, keys: Mapping[str, str], known: Mapping[str, dict[str, Any]]) -> None:
    """Write a line for each network, with its name for people who read the file."""
    lines = []
    for name, key in keys.items():
        if key in known:
            entry = {"network": name, "sha256": _checksum(known[key]), **known[key]}
            lines.append(f"{json.dumps(key)}: {json.dumps(entry)}")
    try:
        files.write(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())
    except OSError as error:
        raise MeasuredFileError(f"{path} can't be written: {error.strerror}.") from None


def _encoded(array: NDArray[Any]) -> dict[str, Any]:
    """Return what JSON can hold of an array: its compressed bytes as text."""
    if array.dtype == np.float64 and array.shape[-1] == _PIXELS:
        array = array.astype(np.float16)
    text = base64.b64encode(zlib.compress(array.tobytes(), 9)).decode()
    return {"array": text, "dtype": str(array.dtype), "shape": array.shape}


def _decoded(hint: Any, value: Any) -> Any:
    """Turn what JSON held for a value with a type hint into that value."""
    if is_dataclass(hint) and isinstance(hint, type):
        types = get_type_hints(hint)
        # A figure that came later has a default, and older files don't have it.
        later = {each.name for each in fields(hint) if each.default is not MISSING} - set(value)
        return hint(**{name: _decoded(types[name], value[name]) for name in types.keys() - later})
    if get_origin(hint) is UnionType:
        hint = next(each for each in get_args(hint) if each is not NoneType)
        return None if value is None else _decoded(hint, value)
    if get_origin(hint) is tuple:
        first, *others = get_args(hint)
        hints = [first] * len(value) if others == [...] else [first, *others]
        return tuple(map(_decoded, hints, value))
    if get_origin(hint) is Mapping:
        return {name: _decoded(get_args(hint)[1], each) for name, each in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a figure is not finite")
    if hint in (int, float) and type(value) not in (int, hint):
        raise TypeError(f"{value!r} is no {hint}")
    if hint is dict or not isinstance(value, dict):
        return value
    content = zlib.decompress(base64.b64decode(value["array"]))
    array = np.frombuffer(content, value["dtype"]).reshape(value["shape"])
    return array.astype(np.float64) if array.dtype == np.float16 else array
