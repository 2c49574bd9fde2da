"""Named arrays, such as a PyTorch state dict, read as a stack of layers.

Names differ from program to program, so layers are found by their shapes and their order.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from core.classifier import FloatArray
from core.networks.foreign.parts import float32
from core.networks.layers import Affine, Convolution, Scaling
from core.recipe import MOST_HIDDEN, MOST_WEIGHTS
from core.validate import CLASSES

INPUTS = 784
MOST_ARRAYS = 400  # of a network with batch normalisation, and some more
MOST_STACKED = 16  # layers with weights, of a network with convolutions
MOST_ORDERS = 6
_MOST_TRIED = 20_000  # places of layers
_WRAPPERS = re.compile(r"^((module|_orig_mod)\.)+")
_EPSILON = 1e-5  # of torch.nn.BatchNorm2d; a state dict doesn't have it
_STATISTICS = ("running_mean", "running_var")
_OTHERS = {
    "a recurrent layer": re.compile(r"weight_(ih|hh)(_|$)"),
    "attention": re.compile(r"(^|\.)(in_proj_weight|[qkv]_proj\.weight|query\.weight)$"),
}
WHAT = "convolutions, batch normalisation, pooling and affine layers, one after the other"


@dataclass(frozen=True, eq=False)
class Block:
    """A layer with weights, and a batch normalisation that belongs to it.

    Attributes:
        layer: in float32; a convolution's padding and stride are not known.
        norm: after the layer, before its activation or after it.
        before: between the flattened image and the layer.
    """

    layer: Affine | Convolution
    norm: Scaling | None = None
    before: Scaling | None = None


@dataclass(frozen=True, eq=False)
class Stack:
    """The layers in named arrays.

    Attributes:
        blocks: convolutions, then affine layers, from the pixels to the logits.
        first: a batch normalisation of the pixels.
        orders: of the blocks, as the shapes allow; the likeliest first.
    """

    blocks: tuple[Block, ...]
    first: Scaling | None
    orders: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class _Norm:
    """A batch normalisation; `place` is its place in the file."""

    scaling: Scaling
    place: int

    @property
    def size(self) -> int:
        return len(self.scaling.scale)


def stack_of(tensors: Mapping[str, FloatArray]) -> Stack:
    """Return the layers that named arrays hold.

    Args:
        tensors: in the order of the file, of any float dtype.

    Raises:
        ValueError: they don't lead from 784 pixels to 10 logits; the message says why.
    """
    if len(tensors) > MOST_ARRAYS:
        raise ValueError(too_many(len(tensors)))
    arrays = _arrays(tensors)
    places = {name: place for place, name in enumerate(arrays)}
    norms = _take_norms(arrays, places)
    chain, orders = _chain({name: array for name, array in arrays.items() if array.ndim > 1})
    vectors = {name: array for name, array in arrays.items() if array.ndim == 1}
    layers = _with_biases(chain, vectors)
    if vectors:
        name, array = next(iter(vectors.items()))
        raise ValueError(
            f"it holds {name[:60]!r} of {array.size:,} numbers, which is neither a bias nor a "
            f"batch normalisation; only {WHAT} can be read"
        )
    return _stack(layers, norms, [places[name] for name in chain], orders)


def too_many(count: int) -> str:
    """Say that a file holds too many arrays."""
    return f"it holds {count:,} arrays, a network of this program has far fewer"


def _arrays(tensors: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the arrays by names without a wrapper's prefix, in the order of the layers.

    Some files are in alphabetical order, in which layer 10 comes before layer 2.
    """
    found: dict[str, FloatArray] = {}
    for full, array in tensors.items():
        name, array = _WRAPPERS.sub("", full), np.asarray(array)
        if name.rpartition(".")[2] == "num_batches_tracked" or _is_known_statistic(name, array):
            continue
        for what, pattern in _OTHERS.items():
            if pattern.search(name):
                raise ValueError(f"{full[:60]!r} belongs to {what}; only {WHAT} can be read")
        if array.ndim > 2 and array.ndim != 4:
            raise ValueError(
                f"{full[:60]!r} has the shape {_shape(array.shape)}, which is neither a "
                f"convolution of images nor an affine layer; only {WHAT} can be read"
            )
        if array.dtype.kind != "f":
            raise ValueError(f"{full[:60]!r} holds {array.dtype} in place of decimal numbers")
        if array.size > MOST_WEIGHTS:
            raise ValueError(
                f"{full[:60]!r} has {array.size:,} numbers, more than {MOST_WEIGHTS:,}"
            )
        if array.ndim == 2 and 1 in array.shape:  # a bias that somebody keeps as a row
            array = array.ravel()
        found[name] = array.astype(np.float32) if array.itemsize < 4 else array
    names = list(found)
    if names == sorted(names):
        names.sort(key=_natural)
    return {name: found[name] for name in names}


def _is_known_statistic(name: str, array: FloatArray) -> bool:
    """Return whether this is the pixels' mean or deviation; a normalisation is found anyway."""
    last = name.rpartition(".")[2].lower()
    return array.size == 1 and array.ndim < 2 and last.strip("_") in ("mean", "std", "step")


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key by which numbers in names are in the order of numbers."""
    return [
        (int(part), "") if part.isdecimal() and len(part) < 20 else (-1, part)
        for part in re.split(r"(\d+)", name)
    ]


def _shape(sides: Sequence[int]) -> str:
    return " × ".join(f"{side:,}" for side in sides[:6])


def _take_norms(arrays: dict[str, FloatArray], places: Mapping[str, int]) -> list[_Norm]:
    """Take the batch normalisations out of the arrays, in the file's order."""
    norms = []
    for name in [each for each in arrays if each.rpartition(".")[2] == _STATISTICS[0]]:
        module = name[: -len(_STATISTICS[0])]
        mean, variance = (arrays.pop(module + each, None) for each in _STATISTICS)
        if mean is None or variance is None:
            raise ValueError(f"{module[:60]!r} has a running mean, but no running variance")
        weight = arrays.pop(f"{module}weight", np.ones(mean.shape))
        bias = arrays.pop(f"{module}bias", np.zeros(mean.shape))
        if not mean.ndim == 1 or not mean.shape == variance.shape == weight.shape == bias.shape:
            raise ValueError(f"the arrays of {module[:60]!r} have different shapes")
        with np.errstate(all="ignore"):  # the layer refuses what is not finite
            scale = weight / np.sqrt(variance.astype(np.float64) + _EPSILON)
            norms.append(_Norm(Scaling(scale, bias - mean * scale), places[name]))
    return norms


def _chain(
    weights: Mapping[str, FloatArray],
) -> tuple[dict[str, FloatArray], tuple[tuple[int, ...], ...]]:
    """Return the weights from the pixels to the logits, and the orders that they can have.

    Those of affine layers become `(inputs, outputs)`. The file's order is kept where shapes allow
    it, and comes first.
    """
    if not weights:
        raise ValueError("it holds no layer's weights, which are arrays of two dimensions or four")
    convolutions = sum(array.ndim == 4 for array in weights.values())
    most = MOST_STACKED if convolutions else MOST_HIDDEN + 1
    if len(weights) > most:
        raise ValueError(f"it has {len(weights)} layers, this program takes at most {most}")
    for turned in (True, False):  # PyTorch has (outputs, inputs)
        named = [(name, each.T if turned and each.ndim == 2 else each)
                 for name, each in weights.items()]  # fmt: skip
        shapes = [array.shape for _, array in named]
        if order := next(_orders(shapes, all_of_them=False), None):
            chain = [named[place] for place in order]
            others = _orders([array.shape for _, array in chain], all_of_them=True)
            return dict(chain), tuple(map(tuple, islice(others, MOST_ORDERS)))
    shapes = [array.shape for array in weights.values()]
    listed = ", ".join(map(_shape, shapes[:12])) + (", …" if len(shapes) > 12 else "")
    raise ValueError(f"its layers, of the shapes {listed}, {_no_way(shapes)}")


def _no_way(shapes: Sequence[tuple[int, ...]]) -> str:
    """Say why no order of layers leads from the pixels to the logits."""
    first = next((shape for shape in shapes if len(shape) == 4), None)
    if first is None:
        return (
            f"don't lead from {INPUTS} pixels to {CLASSES} logits; train it on images of 28 × 28 "
            "pixels and on the ten digits"
        )
    if not any(len(shape) == 4 and shape[1] == 1 for shape in shapes):
        return "hold no convolution of one channel; train it on grey images of 28 × 28 pixels"
    return (
        f"don't lead one after the other from an image of one channel to {CLASSES} logits; "
        "networks with branches or groups of channels can't be read"
    )


def _orders(shapes: Sequence[tuple[int, ...]], *, all_of_them: bool) -> Iterator[list[int]]:
    """Yield the orders in which layers of these shapes lead from an image to 10 numbers.

    Args:
        shapes: `(outputs, channels, height, width)` of a convolution, `(inputs, outputs)` of an
            affine layer.
        all_of_them: False tries one of several layers that give as many outputs, which is faster.
    """
    tried = 0
    images = any(len(shape) == 4 for shape in shapes)

    def fits(shape: tuple[int, ...], here: int, flat: bool) -> bool:
        if len(shape) == 4:
            return not flat and shape[1] == here
        if flat or not images:
            return shape[0] == here
        return shape[0] % here == 0 and here > 0

    def after(here: int, flat: bool, left: tuple[int, ...]) -> Iterator[list[int]]:
        nonlocal tried
        tried += 1
        if not left and here == CLASSES:
            yield []
        seen: set[tuple[int, ...]] = set()
        for place in left:
            shape = shapes[place]
            if tried > _MOST_TRIED or not fits(shape, here, flat) or shape in seen:
                continue
            if not all_of_them:
                seen.add(shape)
            convolution = len(shape) == 4
            if convolution and all(len(shapes[each]) == 2 for each in left):
                continue
            if not convolution and any(len(shapes[each]) == 4 for each in left):
                continue  # all convolutions come before
            outputs = shape[0] if convolution else shape[1]
            rest = tuple(each for each in left if each != place)
            for others in after(outputs, not convolution, rest):
                yield [place, *others]

    yield from after(1 if images else INPUTS, False, tuple(range(len(shapes))))


def _with_biases(
    chain: Mapping[str, FloatArray], vectors: dict[str, FloatArray]
) -> list[Affine | Convolution]:
    """Return the layers; take their biases out of the vectors.

    A bias has its weight's module, as in fc1.weight and fc1.bias. For other names, such as W1 and
    b1, it is the first that is left of the right length.
    """
    found: list[Affine | Convolution] = []
    modules = [name.rpartition(".")[0] for name in chain]
    for (name, weight), module in zip(chain.items(), modules, strict=True):
        outputs = weight.shape[0] if weight.ndim == 4 else weight.shape[1]
        fits = [each for each, array in vectors.items() if array.size == outputs]
        if modules.count(module) == 1 and module:
            fits = [each for each in fits if each.rpartition(".")[0] == module]
        elif name.rpartition(".")[2] == "weight":
            fits = [each for each in fits if each == f"{name[:-6]}bias"]
        bias = vectors.pop(fits[0]) if fits else np.zeros(outputs)
        kind = Convolution if weight.ndim == 4 else Affine
        with np.errstate(over="ignore"):  # the layer refuses what becomes infinite
            found.append(kind(weight.astype(np.float32), bias.astype(np.float32)))
    return found


def _stack(
    layers: Sequence[Affine | Convolution],
    norms: Sequence[_Norm],
    places: Sequence[int],
    orders: tuple[tuple[int, ...], ...],
) -> Stack:
    """Give each batch normalisation to its layer."""
    slots = _slots(layers)
    blocks, first = [Block(layer) for layer in layers], None
    for norm, at in zip(norms, _slots_of(norms, places, slots), strict=True):
        number, _, flat = slots[at]
        scaling = float32(norm.scaling)
        assert isinstance(scaling, Scaling)
        if flat:
            blocks[number] = replace(blocks[number], before=scaling)
        elif number:
            blocks[number - 1] = replace(blocks[number - 1], norm=scaling)
        else:
            first = scaling
    return Stack(tuple(blocks), first, orders)


def _slots(layers: Sequence[Affine | Convolution]) -> list[tuple[int, int, bool]]:
    """Return where a batch normalisation can stand: after how many layers, of how many units.

    The third says whether it is between a convolution's flattened output and an affine layer.
    """
    start = 1 if isinstance(layers[0], Convolution) else INPUTS
    slots = [(0, start, False)]
    for number, layer in enumerate(layers):
        before = slots[-1][1]
        if isinstance(layer, Affine):
            if len(layer.weight) != before:
                slots.append((number, len(layer.weight), True))
            slots.append((number + 1, layer.weight.shape[1], False))
        else:
            slots.append((number + 1, len(layer.weight), False))
    return slots


def _slots_of(
    norms: Sequence[_Norm], places: Sequence[int], slots: Sequence[tuple[int, int, bool]]
) -> list[int]:
    """Return for each batch normalisation where it stands.

    That is its place in the file if the lengths agree, else the first place of its length.
    """
    wanted = [(sum(place < norm.place for place in places), norm.size) for norm in norms]
    by_place = {(number, size): at for at, (number, size, _) in enumerate(slots)}
    at = [by_place.get(each, -1) for each in wanted]
    if -1 not in at and len(set(at)) == len(at):
        return at
    at, start = [], 0
    for norm in norms:
        fits = [n for n, (_, size, _) in enumerate(slots) if n >= start and size == norm.size]
        if not fits:
            raise ValueError(f"it has a batch normalisation of {norm.size:,} units that fits no "
                             "layer")  # fmt: skip
        at.append(fits[0])
        start = fits[0] + 1
    return at
