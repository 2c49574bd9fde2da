"""What ONNX's operators do to the pixels on their way through a network.

Each step takes an operator's inputs, its settings and its name.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from core.classifier import FloatArray
from core.networks.foreign.onnx_signal import SHAPE, OtherUseError, Signal
from core.networks.foreign.onnx_windows import convolution, pooling, whole_channels
from core.networks.layers import Activation
from core.validate import CLASSES

ARITHMETIC: Mapping[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.true_divide,
}


def _the_signal(inputs: Sequence[Any]) -> Signal:
    """Return the first input, the only one that depends on the pixels."""
    signal, *others = inputs
    if not isinstance(signal, Signal) or any(isinstance(each, Signal) for each in others):
        raise OtherUseError("more than one of its inputs depends on the pixels")
    return signal


def _spread(value: Any, signal: Signal) -> FloatArray:
    """Return a constant as `(units,)` numbers, as broadcasting has it."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        raise OtherUseError("one of its inputs is no constant")
    shape = signal.shape or (signal.units,)
    try:
        if value.size == 1:
            return np.full(signal.units, float(value.ravel()[0]))
        return np.broadcast_to(value, (1, *shape)).reshape(signal.units).astype(np.float64)
    except ValueError:
        raise OtherUseError("a constant has another shape than the layer") from None


def _arithmetic(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    if len(inputs) != 2 or all(isinstance(each, Signal) for each in inputs):
        raise OtherUseError("both of its inputs depend on the pixels")
    turned = not isinstance(inputs[0], Signal)
    signal: Signal = inputs[1] if turned else inputs[0]
    value = inputs[0] if turned else inputs[1]
    number = _spread(value, signal)
    with np.errstate(all="ignore"):  # what is not finite is refused later
        if kind == "Mul":
            return signal.scaled(number, 0.0)
        if kind == "Div":
            if turned:
                raise OtherUseError("it divides by what depends on the pixels")
            return signal.scaled(1 / number, 0.0)
        if kind == "Add":
            return signal.scaled(1.0, number)
        return signal.scaled(-1.0, number) if turned else signal.scaled(1.0, -number)


def _affine(signal: Signal, weight: Any) -> Signal:
    """Return the signal after a matrix product."""
    if not isinstance(weight, np.ndarray) or weight.ndim != 2 or weight.dtype.kind != "f":
        raise OtherUseError("its weights are no constant of two dimensions")
    return signal.times(weight)


def _matmul(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    return _affine(_the_signal(inputs), inputs[-1])


def _gemm(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    signal = _the_signal(inputs)
    if settings.get("transA"):
        raise OtherUseError("it transposes the images")
    weight = inputs[1] if len(inputs) > 1 else None
    if isinstance(weight, np.ndarray):
        weight = settings.get("alpha", 1.0) * (weight.T if settings.get("transB") else weight)
    after = _affine(signal, weight)
    if len(inputs) == 3:
        after = after.scaled(1.0, settings.get("beta", 1.0) * _spread(inputs[2], after))
    return after


def _activation(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    return _the_signal(inputs).through(Activation(kind.lower()))


def _convolution(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    signal = _the_signal(inputs)
    return signal.after(convolution(signal.image, inputs[1:], settings))


def _pooling(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    signal = _the_signal(inputs)
    return signal.after(pooling(kind, signal.image, settings))


def _whole_channels(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    signal = _the_signal(inputs[:1])
    after = signal.after(whole_channels(kind, signal.image, inputs[1:], settings))
    return after if settings.get("keepdims", 1) else replace(after, shape=(after.units,))


def _batch_norm(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    signal = _the_signal(inputs)
    if settings.get("training_mode") or len(inputs) != 5:
        raise OtherUseError("it normalises each batch by itself; call model.eval() before export")
    channels = (signal.shape or (signal.units,))[0]
    arrays = []
    for each in inputs[1:]:
        if not isinstance(each, np.ndarray) or each.size not in (1, channels):
            raise OtherUseError("a constant has another shape than the layer")
        own = np.broadcast_to(each.astype(np.float64).ravel(), channels)
        arrays.append(np.repeat(own, signal.units // channels))
    weight, bias, mean, variance = arrays
    with np.errstate(all="ignore"):
        scale = weight / np.sqrt(variance + settings.get("epsilon", 1e-5))
        return signal.scaled(scale, bias - mean * scale)


def _scaler(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    """Do as scikit-learn's StandardScaler does: (x − offset) · scale."""
    signal = _the_signal(inputs)
    offset, scale = (
        _spread(np.asarray(settings.get(name, default)), signal)
        for name, default in (("offset", [0.0]), ("scale", [1.0]))
    )
    return signal.scaled(scale, -offset * scale)


def _flatten(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    signal = _the_signal(inputs)
    if settings.get("axis", 1) != 1:
        raise OtherUseError("it joins images of a batch")
    return replace(signal, shape=(signal.units,))


def _reshape(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    """Keep the numbers of an image together, in their order."""
    signal = _the_signal(inputs)
    if inputs[1] is SHAPE:
        return replace(signal, shape=None)
    sides = [int(side) for side in np.asarray(inputs[1]).ravel()[:8]]
    rest = sides[1:]
    known = math.prod(side for side in rest if side > 0)
    if -1 in rest and rest.count(-1) == 1 and 0 not in rest and signal.units % known == 0:
        rest[rest.index(-1)] = signal.units // known
    if not rest or min(rest) < 1 or math.prod(rest) != signal.units:
        raise OtherUseError("it joins or divides images of a batch")
    return replace(signal, shape=tuple(rest))


def _transpose(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    """Put an image's numbers into another order, as between channels first and last."""
    signal = _the_signal(inputs)
    order = settings.get("perm")
    if order is None or signal.shape is None or sorted(order) != list(range(len(signal.shape) + 1)):
        raise OtherUseError("it exchanges other dimensions than an image's")
    if order[0] != 0:
        raise OtherUseError("it exchanges images and pixels")
    places = signal.order.reshape(signal.shape).transpose([side - 1 for side in order[1:]])
    return replace(signal, shape=places.shape, order=places.ravel())


def _same(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    """Leave the signal as it is: Identity, Cast between decimal numbers, Dropout after training."""
    return _the_signal(inputs[:1])


_FLOATS = (1, 10, 11, 16)  # ONNX's numbers of float32, float16, float64 and bfloat16


def _cast(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    if settings.get("to") not in _FLOATS:
        raise OtherUseError("it rounds")
    return _the_signal(inputs)


def _end(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    """Note a softmax: it changes no order, and attacks need the logits before it."""
    signal = _the_signal(inputs)
    if settings.get("axis", -1) not in (-1, 1) or signal.shape not in (None, (signal.units,)):
        raise OtherUseError("it is taken over something else than the ten digits")
    if signal.units != CLASSES:
        raise OtherUseError("it stands on a hidden layer")
    return replace(signal, ended=(*signal.ended, kind))


AFTER_THE_END = ("Identity", "Cast", "ZipMap", "Log", "Reshape", "Flatten")


def _log(inputs: Sequence[Any], settings: Mapping[str, Any], kind: str) -> Signal:
    signal = _the_signal(inputs)
    if signal.ended != ("Softmax",):
        raise OtherUseError("it does not follow a softmax")
    return replace(signal, ended=(*signal.ended, kind))


STEPS: Mapping[str, Callable[[Sequence[Any], Mapping[str, Any], str], Signal]] = {
    **dict.fromkeys(ARITHMETIC, _arithmetic),
    **dict.fromkeys(("Identity", "Dropout", "ZipMap"), _same),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _end),
    **dict.fromkeys(("Relu", "Tanh", "Sigmoid"), _activation),
    **dict.fromkeys(("MaxPool", "AveragePool"), _pooling),
    **dict.fromkeys(("GlobalMaxPool", "GlobalAveragePool", "ReduceMean"), _whole_channels),
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Conv": _convolution,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "Log": _log,
    "MatMul": _matmul,
    "Reshape": _reshape,
    "Scaler": _scaler,
    "Transpose": _transpose,
}
