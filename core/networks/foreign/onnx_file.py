"""ONNX files of networks, as `torch.onnx.export`, skl2onnx and tf2onnx write them.

The graph is walked from its input: every value is a constant, or the pixels after some layers, or
something that can't be read. Only what leads to the logits has to be readable.

The operators are those of https://onnx.ai/onnx/operators.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from core.networks.foreign.found import Found, Reading
from core.networks.foreign.kinds import OTHER
from core.networks.foreign.onnx_signal import SHAPE, OtherUseError, Signal, started
from core.networks.foreign.onnx_steps import AFTER_THE_END, ARITHMETIC, STEPS
from core.networks.foreign.parts import network_of
from core.networks.foreign.tensors import INPUTS, WHAT
from core.networks.limits import fault
from core.recipe import MOST_WEIGHTS
from core.validate import CLASSES

MOST_NODES = 400
_MOST_NUMBERS = 3 * MOST_WEIGHTS  # of all constants together


@dataclass(frozen=True)
class _Unreadable:
    """A value that can't be read, and why, to follow "it"."""

    why: str


_Value: TypeAlias = "np.ndarray[Any, Any] | Signal | _Unreadable | object"


def read(content: bytes) -> Found:
    """Return the network in an ONNX file.

    Raises:
        ValueError: the file is damaged or holds another network; the message says why.
    """
    import onnx

    try:
        graph = onnx.load_from_string(content).graph
    except MemoryError:
        raise
    except Exception:  # damage reaches us as one of many
        raise ValueError(OTHER) from None
    if not graph.node:
        raise ValueError(OTHER)
    if len(graph.node) > MOST_NODES:
        raise ValueError(f"it has {len(graph.node):,} operators, more than {MOST_NODES}")
    values = _constants(graph.initializer)
    if graph.sparse_initializer:
        raise ValueError("it has sparse weights, which can't be read")
    inputs = [each for each in graph.input if each.name not in values]
    if len(inputs) != 1:
        raise ValueError(f"it has {len(inputs)} inputs, a network that reads images has one")
    values[inputs[0].name] = _input(inputs[0].type.tensor_type)
    for node in graph.node:
        if len(node.output) and node.output[0]:
            values[node.output[0]] = _value(node, values)
        values.update({name: _Unreadable(_uses(node)) for name in node.output[1:] if name})
    signal = _output(
        [values.get(each.name, _Unreadable("lacks an output")) for each in graph.output]
    )
    try:
        network = network_of(signal.complete())
    except OtherUseError as error:
        raise ValueError(f"its end can't be read: {error}") from None
    if reason := fault(network):
        raise ValueError(reason)
    return Found("ONNX", (Reading(network),), left_out=signal.ended, sure=True)


def _constants(tensors: Sequence[Any]) -> dict[str, _Value]:
    """Return the arrays of a graph by their names."""
    if len(tensors) > MOST_NODES:
        raise ValueError(f"it has {len(tensors):,} constants, more than {MOST_NODES}")
    if sum(math.prod(tensor.dims) for tensor in tensors) > _MOST_NUMBERS:
        raise ValueError(f"its weights are more than {MOST_WEIGHTS:,}")
    return {tensor.name: _array(tensor) for tensor in tensors}


def _array(tensor: Any) -> np.ndarray[Any, Any]:
    """Return a constant; decimal numbers in float64."""
    from onnx import TensorProto, numpy_helper

    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise ValueError(
            "its weights are in another file; export it as one file, with external_data=False"
        )
    if min(tensor.dims, default=0) < 0 or math.prod(tensor.dims) > _MOST_NUMBERS:
        raise ValueError(f"its weights are more than {MOST_WEIGHTS:,}")
    try:
        array = np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError, NotImplementedError):
        raise ValueError(f"its constant {tensor.name[:60]!r} is damaged") from None
    return array if array.dtype.kind in "iubSUO" else array.astype(np.float64)


def _input(about: Any) -> Signal:
    """Return the pixels of one image."""
    sides = [each.dim_value for each in about.shape.dim]  # 0 where a side is not fixed
    inputs = math.prod(sides[1:])
    if len(sides) < 2 or (inputs and inputs != INPUTS):
        what = " × ".join(f"{side:,}" if side else "N" for side in sides[:6]) or "one number"
        raise ValueError(
            f"its input has the shape {what}, not N × {INPUTS}; train it on images of 28 × 28 "
            "pixels"
        )
    return replace(started((1, 28, 28)), shape=tuple(sides[1:]) if inputs else None)


def _output(outputs: Sequence[_Value]) -> Signal:
    """Return what leads to the logits; the labels beside them don't count."""
    signals = [each for each in outputs if isinstance(each, Signal)]
    for signal in signals:
        if signal.units == CLASSES:
            return signal
    if signals:
        raise ValueError(
            f"it has {signals[0].units:,} outputs, not {CLASSES}; train it on the ten digits"
        )
    faults = [each.why for each in outputs if isinstance(each, _Unreadable)]
    chosen = [each for each in faults if _LABELS not in each] or faults
    raise ValueError(
        f"it {chosen[-1]}" if chosen else "it has no output that depends on the pixels"
    )


_LABELS = "gives labels alone"


def _uses(node: Any) -> str:
    """Say that an operator can't be read."""
    name = f"{node.op_type[:40]}"
    if name in ("ArgMax", "TopK", "ArrayFeatureExtractor", "LabelEncoder"):
        return f"{_LABELS} ({name}); export the probabilities or logits too"
    return f"uses the operator {name!r}; only {WHAT}, with ReLU, tanh or sigmoid, can be read"


def _value(node: Any, values: Mapping[str, _Value]) -> _Value:
    """Return what an operator computes."""
    inputs = [values.get(name, _Unreadable("is damaged: a value is missing"))
              for name in node.input if name]  # fmt: skip
    signals = [each for each in inputs if isinstance(each, Signal)]
    if any(each is SHAPE for each in inputs) and not signals:
        return SHAPE
    for each in inputs:
        if isinstance(each, _Unreadable):
            return each
    kind = node.op_type if node.domain in ("", "ai.onnx", "ai.onnx.ml") else ""
    settings = _settings(node)
    try:
        if kind == "Shape":
            return SHAPE
        if not signals:
            return _constant(kind, inputs, settings, node)
        step = STEPS.get(kind)
        if step is None or (signals[0].ended and kind not in AFTER_THE_END):
            return _Unreadable(_uses(node))
        return step(inputs, settings, kind)
    except OtherUseError as error:
        return _Unreadable(f"uses {kind!r} in a way that can't be read: {error}")


def _settings(node: Any) -> dict[str, Any]:
    """Return an operator's attributes that are numbers, lists of them, texts or arrays."""
    from onnx import AttributeProto

    found: dict[str, Any] = {}
    for each in node.attribute:
        if each.type == AttributeProto.TENSOR:
            found[each.name] = _array(each.t)
        elif each.type in (AttributeProto.INT, AttributeProto.FLOAT):
            found[each.name] = each.i if each.type == AttributeProto.INT else each.f
        elif each.type in (AttributeProto.INTS, AttributeProto.FLOATS):
            found[each.name] = list(each.ints or each.floats)
        elif each.type == AttributeProto.STRING:
            found[each.name] = each.s.decode("utf-8", "replace")
    return found


def _constant(kind: str, inputs: list[Any], settings: Mapping[str, Any], node: Any) -> _Value:
    """Return what an operator makes of constants."""
    if kind == "Constant":
        for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
            if name in settings:
                return np.asarray(settings[name])
    if kind in ARITHMETIC and len(inputs) == 2:
        try:
            size = math.prod(np.broadcast_shapes(*(each.shape for each in inputs)))
            if size <= MOST_WEIGHTS and all(each.dtype.kind in "fiu" for each in inputs):
                with np.errstate(all="ignore"):  # what is not finite is refused later
                    return np.asarray(ARITHMETIC[kind](*inputs))
        except ValueError:
            pass
    if kind in ("Identity", "Cast") and inputs:
        return np.asarray(inputs[0])
    if kind == "Transpose" and inputs:
        order = settings.get("perm")
        if order is None or sorted(order) == list(range(inputs[0].ndim)):
            return np.asarray(inputs[0].transpose(order))
    if kind == "Reshape" and len(inputs) == 2:
        try:
            return np.asarray(inputs[0].reshape([int(side) for side in inputs[1].ravel()[:8]]))
        except (ValueError, TypeError):
            pass
    return _Unreadable(_uses(node))
