"""Other programs' safetensors files; reading them needs NumPy alone."""

import numpy as np
import safetensors

from core.classifier import FloatArray
from core.networks.foreign.found import Found
from core.networks.foreign.tensors import MOST_ARRAYS, readings

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}


def read(content: bytes) -> Found:
    """Return the perceptrons in a file.

    Raises:
        ValueError: the file is damaged or holds something else; the message says why.
    """
    try:
        tensors = safetensors.deserialize(content)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError:
        raise ValueError("it is a damaged safetensors file, or it was cut short") from None
    if len(tensors) > MOST_ARRAYS:
        raise ValueError(f"it holds {len(tensors):,} arrays, a perceptron has far fewer")
    arrays = {
        name: _array(name, about) for name, about in sorted(tensors, key=lambda each: each[0])
    }
    return Found("safetensors", tuple(readings(arrays)))


def _array(name: str, about: dict[str, object]) -> FloatArray:
    data, dtype = bytes(about["data"]), str(about["dtype"])  # type: ignore[call-overload]
    shape: tuple[int, ...] = tuple(about["shape"])  # type: ignore[arg-type]
    if dtype == "BF16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
    if dtype not in _DTYPES:
        raise ValueError(f"{name[:60]!r} holds {dtype}; save the weights as float32")
    return np.frombuffer(data, _DTYPES[dtype]).reshape(shape)
