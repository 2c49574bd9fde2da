"""The networks that a stack of layers may be: what its file doesn't say, tried in all usual ways.

The layers' weights don't tell where activations stand and which they are, a convolution's padding
and stride, what is pooled, and whether batch normalisation comes before the activation.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice

from core.networks.ensemble import Single
from core.networks.foreign.found import MOST_READINGS, Reading
from core.networks.foreign.geometry import Step, geometries, words
from core.networks.foreign.parts import network_of, remembering
from core.networks.foreign.tensors import Block, Stack
from core.networks.layers import (
    Activation,
    Affine,
    AveragePooling,
    Convolution,
    Layer,
    MaxPooling,
)
from core.networks.limits import fault

_MOST_GEOMETRIES = 24
_WORDS = {"relu": "ReLU", "tanh": "tanh", "sigmoid": "sigmoid", "": "no activation"}
# After convolutions and after affine layers, each with how unusual it is.
_ACTIVATIONS = {
    ("relu", "relu"): 0.0,
    ("tanh", "tanh"): 0.0,
    ("sigmoid", "sigmoid"): 0.4,
    ("relu", ""): 0.8,
    ("tanh", "relu"): 1.0,
    ("", "relu"): 1.2,
    ("relu", "tanh"): 1.2,
    ("sigmoid", "relu"): 1.2,
    ("relu", "sigmoid"): 1.4,
    ("tanh", ""): 1.8,
    ("tanh", "sigmoid"): 1.8,
    ("", ""): 2.0,
}
# The order of batch normalisation (b), activation (a) and pooling (p). What gives the same numbers
# is left out: of max pooling and an activation, of average pooling and batch normalisation, either
# may come first.
_ORDERS = {
    ("max", True): {"bap": 0.0, "abp": 0.5, "apb": 0.7, "pba": 2.0},
    ("max", False): {"ap": 0.0},
    ("average", True): {"bap": 0.0, "abp": 0.5, "bpa": 1.0, "pab": 2.0},
    ("average", False): {"ap": 0.0, "pa": 0.5},
    ("", True): {"ba": 0.0, "ab": 0.5},
    ("", False): {"a": 0.0},
}
_NORM_WORDS = {
    "ba": "before {}",
    "ab": "after {}",
    "bap": "before {}",
    "abp": "after {}",
    "apb": "after pooling",
    "pba": "after pooling, before {}",
    "bpa": "before pooling, {} after it",
    "pab": "after pooling and {}",
}
_AVERAGE, _OTHER_ORDER, _OTHER_FLAT = 1.0, 0.8, 0.6  # how unusual these are


@dataclass(frozen=True)
class Way:
    """One way to read a stack; see `Stack` and `geometry.Step`.

    Attributes:
        order: of the blocks.
        steps: one a convolution.
        pooling: "max", "average" or "".
        inside: the order of batch normalisation, activation and pooling; see `_ORDERS`.
        flat: the order of the first two after affine layers.
        activations: after convolutions and after affine layers; "" is none.
        on_logits: whether an activation follows a last convolution, which gives the logits.
    """

    order: tuple[int, ...]
    steps: tuple[Step, ...]
    pooling: str
    inside: str
    flat: str
    activations: tuple[str, str]
    on_logits: bool = False


def readings(stack: Stack, under: str = "") -> tuple[list[Reading], list[Reading]]:
    """Return the networks that a stack may be: those with ReLU, and others. The likeliest first.

    Args:
        stack: see `tensors.stack_of`.
        under: where in its file the stack is, as a phrase.

    Raises:
        ValueError: no way leads from 784 pixels to 10 logits, or this program can't hold such a
            network; the message says why.
    """
    ranked = sorted(_ways(stack), key=lambda each: each[0])
    usual: list[Reading] = []
    others: list[Reading] = []
    problem = (
        "its affine layers fit no image that its convolutions can give, with any usual padding, "
        "stride and pooling; bring it as ONNX, which holds them"
    )
    build = _builder(stack)
    for _, way in ranked:
        plain = way.activations == ("relu", "relu") and way.order == stack.orders[0]
        kept = usual if plain else others
        if len(kept) == MOST_READINGS:
            continue
        network = build(way)
        if reason := fault(network):
            problem = reason
        else:
            how = ", ".join(filter(None, [under, _words(stack, way)]))
            kept.append(Reading(network, how))
    if not usual:
        raise ValueError(problem)
    return usual, others


def _ways(stack: Stack) -> Iterator[tuple[float, Way]]:
    """Yield the ways to read a stack, each with how unusual it is."""
    for order in stack.orders:
        unusual = 0.0 if order == stack.orders[0] else _OTHER_ORDER
        blocks = [stack.blocks[place] for place in order]
        for cost, steps in _steps(blocks):
            pooled = any(step.size for step in steps)
            for pooling in ("max", "average") if pooled else ("",):
                hidden = blocks if len(steps) == len(blocks) else blocks[:-1]
                for inside, more in _ORDERS[pooling, any(each.norm for each in hidden)].items():
                    more += _AVERAGE if pooling == "average" else 0.0
                    for flat, own in _flat(inside, steps, hidden).items():
                        way = Way(order, steps, pooling, inside, flat, ("", ""))
                        yield from _activated(way, unusual + cost + more + own, blocks)


def _flat(inside: str, steps: tuple[Step, ...], hidden: list[Block]) -> dict[str, float]:
    """Return the orders after affine layers, each with how unusual it is."""
    same = inside.replace("p", "")
    norms = [
        any(each.norm for each in part) for part in (hidden[: len(steps)], hidden[len(steps) :])
    ]
    return {same: 0.0, same[::-1]: _OTHER_FLAT} if all(norms) else {same: 0.0}


def _steps(blocks: list[Block]) -> Iterator[tuple[float, tuple[Step, ...]]]:
    """Yield the steps of the convolutions, each with how unusual they are."""
    convolutions = [each.layer for each in blocks if isinstance(each.layer, Convolution)]
    if not convolutions:
        yield 0.0, ()
        return
    outputs = [len(layer.weight) for layer in convolutions]
    ends = [*(one != other for one, other in zip(outputs, outputs[1:], strict=False)), True]
    affine = [each.layer.weight for each in blocks if isinstance(each.layer, Affine)]
    area = len(affine[0]) // outputs[-1] if affine else 1
    kernels = [(layer.weight.shape[2], layer.weight.shape[3]) for layer in convolutions]
    yield from islice(geometries(kernels, area, ends), _MOST_GEOMETRIES)


def _activated(way: Way, cost: float, blocks: list[Block]) -> Iterator[tuple[float, Way]]:
    """Yield a way with each choice of activations that makes a difference."""
    affine = len(blocks) - len(way.steps)
    seen = set()
    for (first, second), unusual in _ACTIVATIONS.items():
        told = (first if way.steps else "", second if affine > 1 else "")
        if told not in seen and (affine or len(way.steps) > 1 or first == "relu"):
            seen.add(told)
            pair = replace(way, activations=(first, second))
            yield cost + unusual, pair
            if not affine and first:
                yield cost + unusual + 0.5, replace(pair, on_logits=True)
        if told == ("", ""):  # one affine layer alone
            return


def _builder(stack: Stack) -> Callable[[Way], Single]:
    """Return a function from a `Way` to its network. Networks share arrays where they can."""
    fold = remembering()

    @cache
    def placed(layer: Convolution, padding: int, stride: int) -> Layer:
        return replace(layer, padding=padding, stride=stride)

    def layers(way: Way) -> Iterator[Layer | None]:
        yield stack.first
        last = way.order[-1]
        for number, place in enumerate(way.order):
            block, at_end = stack.blocks[place], place == last
            yield block.before
            if isinstance(block.layer, Affine):
                yield block.layer
                inner = {"b": block.norm, "a": _activation(way.activations[1])}
                yield from [block.norm] if at_end else map(inner.get, way.flat)
                continue
            step = way.steps[number]
            yield placed(block.layer, step.padding, step.stride)
            inner = {"b": block.norm, "p": _pooling(way.pooling, step)}
            if not at_end or way.on_logits:
                inner["a"] = _activation(way.activations[0])
            yield from map(inner.get, way.inside)
            if step.mean:
                yield AveragePooling(step.mean, step.mean)

    def build(way: Way) -> Single:
        return network_of([layer for layer in layers(way) if layer], fold)

    return build


def _activation(function: str) -> Layer | None:
    return Activation(function) if function else None


def _pooling(kind: str, step: Step) -> Layer | None:
    if not step.size:
        return None
    made = MaxPooling if kind == "max" else AveragePooling
    return made(step.size, step.apart)


def _words(stack: Stack, way: Way) -> str:
    """Say what was assumed; "" where nothing had to be."""
    affine = len(way.order) - len(way.steps)
    first, second = (_WORDS[each] for each in way.activations)
    after = " after pooling" if way.inside == "pa" else ""
    said = [words(way.steps, way.pooling)] if way.steps else []
    if way.steps and affine > 1 and first != second:
        said.append(f"{first} after {after[7:] or 'convolutions'}, {second} after affine layers")
    elif way.steps or affine > 1:
        said.append((first if way.steps else second) + after)
    if "b" in way.inside:
        name = _NORM_WORDS[way.inside].format(first if way.steps else second)
        said.append(f"batch normalisation {name}")
        if way.flat != way.inside.replace("p", ""):
            said[-1] += f", {_NORM_WORDS[way.flat].format(second)} in affine layers"
    if way.on_logits:
        said.append("an activation on the logits")
    if way.order != stack.orders[0]:
        said.append(f"layers in the order {'-'.join(str(place + 1) for place in way.order)}")
    return ", ".join(said)
