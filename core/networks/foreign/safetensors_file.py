"""Other programs' safetensors files; reading them needs NumPy alone."""

import numpy as np
import safetensors

from core.classifier import FloatArray
from core.networks.foreign.found import Found
from core.networks.foreign.tensors import MOST_ARRAYS, stack_of, too_many
from core.networks.foreign.ways import readings

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}


def read(content: bytes) -> Found:
    """Return the networks that a file may mean.

    Raises:
        ValueError: the file is damaged or holds something else; the message says why.
    """
    try:
        tensors = safetensors.deserialize(content)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError:
        raise ValueError("it is a damaged safetensors file, or it was cut short") from None
    if len(tensors) > MOST_ARRAYS:
        raise ValueError(too_many(len(tensors)))
    arrays = {
        name: _array(name, about) for name, about in sorted(tensors, key=lambda each: each[0])
    }
    usual, others = readings(stack_of(arrays))
    return Found("safetensors", tuple(usual), others=tuple(others))


def _array(name: str, about: dict[str, object]) -> FloatArray:
    data, dtype = bytes(about["data"]), str(about["dtype"])  # type: ignore[call-overload]
    shape: tuple[int, ...] = tuple(about["shape"])  # type: ignore[arg-type]
    if dtype == "BF16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
    if dtype not in _DTYPES:
        raise ValueError(f"{name[:60]!r} holds {dtype}; save the weights as float32")
    return np.frombuffer(data, _DTYPES[dtype]).reshape(shape)
