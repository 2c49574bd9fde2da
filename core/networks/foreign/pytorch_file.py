"""PyTorch's files: a state dict, or a checkpoint that holds one."""

import io
import pickle
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from core.networks.foreign.found import MOST_READINGS, Found, Reading
from core.networks.foreign.tensors import MOST_ARRAYS, stack_of, too_many
from core.networks.foreign.ways import readings
from core.recipe import MOST_WEIGHTS

_DEPTH = 4  # of dictionaries in dictionaries
_MOST_CANDIDATES = 100


def read(content: bytes) -> Found:
    """Return the networks that may be in a file of `torch.save`; no code of the file is run.

    Raises:
        ValueError: the file is damaged or holds something else; the message says why.
    """
    import torch

    try:
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(_on_pickled(str(error))) from None
    except MemoryError:
        raise
    except Exception:  # damage reaches us as one of many
        raise ValueError("it is a damaged file of PyTorch, or it was cut short") from None
    usual: list[Reading] = []
    others: list[Reading] = []
    problem = ValueError("it holds no state dict; save torch.save(model.state_dict(), …)")
    largest = -1
    for key, tensors in _candidates(loaded):
        try:
            stack = stack_of(_arrays(tensors))
            found = readings(stack, f"under the key {key[:60]!r}" if key else "")
        except ValueError as error:
            if len(tensors) > largest:
                problem, largest = error, len(tensors)
            continue
        usual += found[0]
        others += found[1]
        if len(usual) >= MOST_READINGS:
            break
    if not usual:
        raise problem
    return Found("PyTorch", tuple(usual), others=tuple(others[:MOST_READINGS]))


def _on_pickled(message: str) -> str:
    """Say that a file holds Python objects, and which one comes first."""
    name = re.search(r"(?:GLOBAL |got <class '|class )([\w.]{1,60})", message)
    what = f"the Python object {name[1]}" if name else "Python objects"
    return (
        f"it holds {what}, and to load that would run code of the file; save the weights alone, "
        "with torch.save(model.state_dict(), …)"
    )


def _candidates(loaded: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield everything that may be a state dict, with the key under which it is."""
    import torch

    todo: list[tuple[str, object, int]] = [("", loaded, 0)]
    for _ in range(_MOST_CANDIDATES):
        if not todo:
            return
        key, value, depth = todo.pop(0)
        if isinstance(value, list | tuple):
            value = dict(enumerate(value[: MOST_ARRAYS + 1]))
        if not isinstance(value, Mapping):
            continue
        tensors = {str(k): v for k, v in value.items() if isinstance(v, torch.Tensor)}
        if any(tensor.dim() > 1 for tensor in tensors.values()):
            yield key, tensors
        if depth < _DEPTH:
            nested = [
                (k, v)
                for k, v in value.items()
                if isinstance(v, Mapping | list | tuple) and "optim" not in str(k).lower()
            ]
            todo += [(f"{key}.{k}" if key else str(k), v, depth + 1) for k, v in nested]


def _arrays(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return tensors as NumPy arrays; NumPy has no bfloat16."""
    import torch

    if len(tensors) > MOST_ARRAYS:
        raise ValueError(too_many(len(tensors)))
    found = {}
    for name, tensor in tensors.items():
        if tensor.numel() > MOST_WEIGHTS:
            raise ValueError(
                f"{name[:60]!r} has {tensor.numel():,} numbers, more than {MOST_WEIGHTS:,}"
            )
        dense = tensor.layout == torch.strided and not tensor.is_quantized
        if not dense or tensor.device.type != "cpu":
            raise ValueError(
                f"{name[:60]!r} is quantised, sparse or empty; save the weights as plain tensors"
            )
        narrow = tensor.is_floating_point() and tensor.element_size() < 4
        plain = tensor.detach().float() if narrow else tensor.detach()
        found[name] = np.asarray(plain.numpy())
    return found
