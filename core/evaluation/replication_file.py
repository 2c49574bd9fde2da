"""The file of replications: what was measured on the shipped networks, to be shown at once."""

import base64
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from core.evaluation import shipped
from core.evaluation.replication import (
    EPSILONS,
    PRECISION,
    Accuracies,
    Evasion,
    Replication,
    Reported,
    Similarities,
    Split,
    Turned,
    Twins,
)
from core.networks import LIBRARY, Network
from core.recipe import Recipe

CACHE = LIBRARY.folder / "replication.json"
_VERSION = 1  # counted up when figures measured before are no longer those measured now
_PIXELS = 784


def digest(network: Network, recipe: Recipe, reported: Reported) -> str:
    """Return 64 characters that stand for the network and everything its measurement depends on.

    The recipe's digits, numbers of images and seed say which images it learned from.
    """
    images = (recipe.seed, recipe.digits, recipe.training_images, recipe.held_out)
    return shipped.digest(network, _VERSION, EPSILONS, PRECISION, images, reported)


def cached(key: str, *, path: Path = CACHE) -> Replication | None:
    """Return what the file has under a digest, or None.

    Its means and contributions are rounded to float16.

    Raises:
        MeasuredFileError: as in `shipped.read`.
    """
    return shipped.read(path, _decoded, [key]).get(key)


def write_cache(
    keys: Mapping[str, str],
    measure: Callable[[str], Replication],
    *,
    path: Path = CACHE,
    on_known: Callable[[], object] = lambda: None,
) -> None:
    """Measure the networks that the file doesn't know; see `shipped.complete`."""
    shipped.complete(path, keys, measure, decode=_decoded, encode=_encoded, on_known=on_known)


def _encoded(found: Replication) -> dict[str, Any]:
    """Turn figures into what JSON can hold."""
    fields: dict[str, Any] = _packed(asdict(found))
    return fields


def _decoded(fields: dict[str, Any]) -> Replication:
    """Turn what `_encoded` returned into figures again."""
    found = _unpacked(fields)
    return Replication(
        split=Split(**found["split"]),
        accuracies=Accuracies(**found["accuracies"]),
        clean=found["clean"],
        evasion={gradient: Evasion(**each) for gradient, each in found["evasion"].items()},
        controls=found["controls"],
        twins=Twins(**found["twins"]),
        similarity=Similarities(**found["similarity"]),
        means=found["means"],
        turned=tuple(Turned(**each) for each in found["turned"]),
    )


def _packed(value: Any) -> Any:
    """Replace every array by its compressed bytes as text."""
    if isinstance(value, dict):
        return {name: _packed(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [_packed(each) for each in value]
    if not isinstance(value, np.ndarray):
        return value
    picture = value.dtype == np.float64 and value.shape[-1] == _PIXELS
    array = value.astype(np.float16) if picture else value
    text = base64.b64encode(zlib.compress(array.tobytes(), 9)).decode()
    return {"array": text, "dtype": str(array.dtype), "shape": array.shape}


def _unpacked(value: Any) -> Any:
    """Restore what `_packed` replaced."""
    if isinstance(value, list):
        return tuple(_unpacked(each) for each in value)
    if not isinstance(value, dict):
        return value
    if "array" not in value:
        return {name: _unpacked(each) for name, each in value.items()}
    content = zlib.decompress(base64.b64decode(value["array"]))
    array = np.frombuffer(content, value["dtype"]).reshape(value["shape"])
    return array.astype(np.float64) if array.dtype == np.float16 else array
