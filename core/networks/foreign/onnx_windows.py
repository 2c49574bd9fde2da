"""ONNX's convolution and pooling as layers of this program, or a sentence that says why not."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.networks.foreign.onnx_signal import OtherUseError
from core.networks.layers import AveragePooling, Convolution, Layer, MaxPooling
from core.networks.windows import Shape
from core.recipe import MOST_WEIGHTS

Settings = Mapping[str, Any]
_MOST_PADDING = 28


def convolution(image: Shape, arrays: Sequence[Any], settings: Settings) -> Layer:
    """Return a convolution of images of this shape.

    Padding that differs from side to side becomes zeros around the kernel.

    Args:
        image: `(channels, height, width)`.
        arrays: the weight, and the bias if there is one.
        settings: the operator's own.

    Raises:
        OtherUseError: this program has no such convolution.
    """
    for each in arrays:
        if not isinstance(each, np.ndarray) or each.dtype.kind != "f":
            raise OtherUseError("its weights are no constants")
    weight = arrays[0]
    if weight.ndim != 4 or len(image) != 3:
        raise OtherUseError("it is no convolution of images")
    bias = arrays[1].ravel() if len(arrays) > 1 else np.zeros(len(weight))
    if settings.get("group", 1) != 1:
        raise OtherUseError(f"it has {settings['group']} groups of channels (group), not one")
    kernel = weight.shape[2:]
    stride = _stride(settings)
    _check_dilations(settings)
    top, left, bottom, right = _pads(settings, image[1:], kernel, stride)
    widest = max(top, left, bottom, right)
    extra = ((widest - top, widest - bottom), (widest - left, widest - right))
    if weight.size * max(1, widest) ** 2 > MOST_WEIGHTS:
        raise OtherUseError("its padding is too wide")
    framed = np.pad(weight, ((0, 0), (0, 0), *extra))
    try:
        return Convolution(framed, bias, stride, widest)
    except ValueError as error:
        raise OtherUseError(str(error)) from None


def pooling(kind: str, image: Shape, settings: Settings) -> Layer:
    """Return the pooling of images of this shape: "MaxPool" or "AveragePool".

    Raises:
        OtherUseError: this program has no such pooling.
    """
    sizes = _numbers(settings, "kernel_shape", [0, 0])
    if len(set(sizes)) > 1 or min(sizes) < 1:
        raise OtherUseError(f"its windows of {' × '.join(map(str, sizes))} are not square")
    if len(image) != 3:
        raise OtherUseError("it is no pooling of images")
    size, stride = sizes[0], _stride(settings)
    _check_dilations(settings)
    top, left, *ends = _pads(settings, image[1:], tuple(sizes), stride)
    if top or left:
        raise OtherUseError("it pads the image (pads), which only convolutions can do here")
    for side, end in zip(image[1:], ends, strict=True):
        room = side + end - size + (stride - 1 if settings.get("ceil_mode") else 0)
        if room // stride != (side - size) // stride:
            name = "ceil_mode" if settings.get("ceil_mode") else "pads"
            raise OtherUseError(f"its windows reach beyond the image ({name})")
    return MaxPooling(size, stride) if kind == "MaxPool" else AveragePooling(size, stride)


def whole_channels(kind: str, image: Shape, axes: Sequence[Any], settings: Settings) -> Layer:
    """Return the pooling of whole channels, as "ReduceMean" over height and width does, too.

    Raises:
        OtherUseError: this program has no such pooling.
    """
    if len(image) != 3 or image[1] != image[2]:
        raise OtherUseError("it takes the mean of what is no square image")
    if kind == "ReduceMean":
        given = np.asarray(axes[0]).ravel().tolist() if axes else settings.get("axes", [])
        if sorted(int(axis) % 4 for axis in given) != [2, 3]:
            raise OtherUseError("it takes the mean over something else than whole channels")
    return (MaxPooling if kind == "GlobalMaxPool" else AveragePooling)(image[1], image[1])


def _numbers(settings: Settings, name: str, default: Sequence[int]) -> list[int]:
    found = [int(each) for each in settings.get(name, default)]
    if len(found) != len(default):
        raise OtherUseError(f"its {name} are not those of images")
    return found


def _stride(settings: Settings) -> int:
    strides = _numbers(settings, "strides", [1, 1])
    if strides[0] != strides[1] or strides[0] < 1:
        raise OtherUseError(f"its strides are {strides[0]} and {strides[1]}, not one number")
    return strides[0]


def _check_dilations(settings: Settings) -> None:
    if set(_numbers(settings, "dilations", [1, 1])) != {1}:
        raise OtherUseError("its windows have gaps (dilations)")


def _pads(settings: Settings, sides: Shape, kernel: Shape, stride: int) -> list[int]:
    """Return the padding at the top, left, bottom and right."""
    mode = settings.get("auto_pad", "NOTSET")
    if mode == "VALID":
        return [0, 0, 0, 0]
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        whole = [
            max((-(-side // stride) - 1) * stride + own - side, 0)
            for side, own in zip(sides, kernel, strict=True)
        ]
        less, more = [each // 2 for each in whole], [each - each // 2 for each in whole]
        return [*less, *more] if mode == "SAME_UPPER" else [*more, *less]
    pads = _numbers(settings, "pads", [0, 0, 0, 0])
    if min(pads) < 0 or max(pads) > _MOST_PADDING:
        raise OtherUseError(f"its pads of {min(pads)} to {max(pads)} are no usual ones")
    return pads
