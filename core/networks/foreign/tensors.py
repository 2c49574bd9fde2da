"""Named arrays, such as a PyTorch state dict, read as a perceptron.

Names differ from program to program, so layers are found by their shapes and their order.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.classifier import FloatArray
from core.networks.foreign.affine import Layer, perceptron
from core.networks.foreign.found import Reading
from core.recipe import MOST_HIDDEN, MOST_WEIGHTS
from core.validate import CLASSES

INPUTS = 784
MOST_ARRAYS = 400  # of a perceptron with batch normalisation, and some more
_WRAPPERS = re.compile(r"^((module|_orig_mod)\.)+")
_EPSILON = 1e-5  # of torch.nn.BatchNorm1d; a state dict doesn't have it
_STATISTICS = ("running_mean", "running_var")
BEFORE, AFTER = "batch normalisation before ReLU", "batch normalisation after ReLU"


@dataclass(frozen=True, eq=False)
class _Norm:
    """A batch normalisation: x · scale + shift; `place` is its place in the file."""

    scale: FloatArray
    shift: FloatArray
    place: int


def readings(tensors: Mapping[str, FloatArray]) -> list[Reading]:
    """Return the perceptrons that named arrays may be, the likeliest first.

    Args:
        tensors: in the order of the file, of any float dtype.

    Raises:
        ValueError: they are no perceptron from 784 pixels to 10 logits; the message says why.
    """
    if len(tensors) > MOST_ARRAYS:
        raise ValueError(f"it holds {len(tensors):,} arrays, a perceptron has far fewer")
    arrays = _arrays(tensors)
    places = {name: place for place, name in enumerate(arrays)}
    norms = _take_norms(arrays, places)
    chain = _chain({name: array for name, array in arrays.items() if array.ndim == 2})
    vectors = {name: array for name, array in arrays.items() if array.ndim == 1}
    layers = [Layer(weight, bias) for weight, bias in _with_biases(chain, vectors)]
    if vectors:
        name, array = next(iter(vectors.items()))
        raise ValueError(
            f"it holds {name[:60]!r} of {array.size:,} numbers, which is neither a bias nor a "
            "batch normalisation; only perceptrons with ReLU can be read"
        )
    if not norms:
        return [Reading(perceptron(layers))]
    at = _boundaries(norms, [places[name] for name in chain], layers)
    return [Reading(perceptron(_folded(layers, norms, at, how)), how) for how in (BEFORE, AFTER)]


def _arrays(tensors: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the arrays by names without a wrapper's prefix, in the order of the layers.

    Some files are in alphabetical order, in which layer 10 comes before layer 2.
    """
    found: dict[str, FloatArray] = {}
    for full, array in tensors.items():
        name, array = _WRAPPERS.sub("", full), np.asarray(array)
        if name.rpartition(".")[2] == "num_batches_tracked" or _is_known_statistic(name, array):
            continue
        if array.ndim > 2:
            kind = "a convolution" if array.ndim == 4 else "no affine layer"
            raise ValueError(
                f"{full[:60]!r} has the shape {_shape(array)}, which is {kind}; only perceptrons "
                "can be read so far, so bring one of affine layers with ReLU"
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


def _shape(array: FloatArray) -> str:
    return " × ".join(f"{side:,}" for side in array.shape[:6])


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
        with np.errstate(all="ignore"):  # what is not finite is refused later
            scale = weight / np.sqrt(variance.astype(np.float64) + _EPSILON)
            shift = bias - mean * scale
        norms.append(_Norm(scale, shift, places[name]))
    return norms


def _chain(weights: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the weights as `(inputs, outputs)` from the pixels to the logits.

    The file's order is kept where shapes allow it.
    """
    if not weights:
        raise ValueError("it holds no layer's weights, which are arrays of two dimensions")
    if len(weights) > MOST_HIDDEN + 1:
        raise ValueError(
            f"it has {len(weights)} layers, this program takes at most {MOST_HIDDEN + 1}"
        )
    for turned in (True, False):  # PyTorch has (outputs, inputs)
        matrices = [(name, each.T if turned else each) for name, each in weights.items()]
        order = _ordered([matrix.shape for _, matrix in matrices])
        if order:
            return dict(matrices[place] for place in order)
    shapes = ", ".join(map(_shape, weights.values()))
    raise ValueError(
        f"its layers, of the shapes {shapes}, don't lead from {INPUTS} pixels to {CLASSES} logits; "
        "train it on images of 28 × 28 pixels and on the ten digits"
    )


def _ordered(shapes: Sequence[tuple[int, ...]]) -> list[int]:
    """Return the order in which layers of these shapes lead from 784 to 10; [] if none does."""

    def after(units: int, left: list[int]) -> list[int] | None:
        if not left:
            return [] if units == CLASSES else None
        tried = set()
        for place in left:
            inputs, outputs = shapes[place]
            if inputs == units and outputs not in tried:
                tried.add(outputs)
                rest = after(outputs, [each for each in left if each != place])
                if rest is not None:
                    return [place, *rest]
        return None

    return after(INPUTS, list(range(len(shapes)))) or []


def _with_biases(
    chain: Mapping[str, FloatArray], vectors: dict[str, FloatArray]
) -> list[tuple[FloatArray, FloatArray]]:
    """Return each layer's weight and bias; take the biases out of the vectors.

    A bias has its weight's module, as in fc1.weight and fc1.bias. For other names, such as W1 and
    b1, it is the first that is left of the right length.
    """
    found = []
    modules = [name.rpartition(".")[0] for name in chain]
    for (name, weight), module in zip(chain.items(), modules, strict=True):
        fits = [each for each, array in vectors.items() if array.size == weight.shape[1]]
        if modules.count(module) == 1 and module:
            fits = [each for each in fits if each.rpartition(".")[0] == module]
        elif name.rpartition(".")[2] == "weight":
            fits = [each for each in fits if each == f"{name[:-6]}bias"]
        found.append((weight, vectors.pop(fits[0]) if fits else np.zeros(weight.shape[1])))
    return found


def _boundaries(
    norms: Sequence[_Norm], places: Sequence[int], layers: Sequence[Layer]
) -> list[int]:
    """Return after how many layers each batch normalisation comes.

    That is its place in the file if the lengths agree, else the first place of its length.
    """
    sizes = [layers[0].weight.shape[0], *(layer.weight.shape[1] for layer in layers)]
    at = [sum(place < norm.place for place in places) for norm in norms]
    if len(set(at)) == len(at) and all(
        sizes[place] == norm.scale.size for place, norm in zip(at, norms, strict=True)
    ):
        return at
    at, start = [], 0
    for norm in norms:
        if norm.scale.size not in sizes[start:]:
            raise ValueError(
                f"it has a batch normalisation of {norm.scale.size:,} units that fits no layer"
            )
        at.append(sizes.index(norm.scale.size, start))
        start = at[-1] + 1
    return at


def _folded(
    layers: Sequence[Layer], norms: Sequence[_Norm], at: Sequence[int], how: str
) -> list[Layer]:
    """Return the layers with the normalisations folded in, before ReLU or after it."""
    folded = list(layers)
    for norm, place in zip(norms, at, strict=True):
        if place == len(layers) or (place and how == BEFORE):
            folded[place - 1] = folded[place - 1].then(norm.scale, norm.shift)
        else:
            folded[place] = folded[place].of(norm.scale, norm.shift)
    return folded
