"""Layers of other programs, put together as a network of this one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import cast

import numpy as np

from core.classifier import FloatArray
from core.networks.ensemble import Single
from core.networks.layers import Activation, Affine, Convolution, Layer, Scaling, arrays
from core.networks.mlp import MLP
from core.networks.sequential import Sequential
from core.validate import CLASSES

Fold = Callable[[Layer, Layer], Layer | None]


def float32(layer: Layer) -> Layer:
    """Return a layer with its arrays in float32.

    Raises:
        ValueError: a number is too large for it.
    """
    if all(each.dtype == np.float32 for each in arrays(layer).values()):
        return layer
    with np.errstate(over="ignore"):  # the layer refuses what becomes infinite
        return replace(layer, **{k: v.astype(np.float32) for k, v in arrays(layer).items()})  # type: ignore[type-var]


def as_one(first: Layer, second: Layer) -> Layer | None:
    """Return one layer that does what two do in a row; None if there is none that is as small.

    A scaling goes into the affine layer or the convolution before it, or into the affine layer
    after it. Two affine layers with nothing between them become one, and so do two ReLUs.
    """
    with np.errstate(all="ignore"):  # the layer refuses what is not finite
        if isinstance(second, Scaling):
            if isinstance(first, Affine):
                return _like(first, first.weight * _wide(second.scale), _scaled(first, second))
            if isinstance(first, Convolution):
                factors = _wide(second.scale)[:, None, None, None]
                return _like(first, first.weight * factors, _scaled(first, second))
            if isinstance(first, Scaling) and _go_together(first, second):
                shift = _wide(first.shift) * second.scale + second.shift
                scale = _wide(first.scale) * second.scale
                return Scaling(scale.astype(first.scale.dtype), shift.astype(first.scale.dtype))
        if isinstance(second, Affine):
            weight = _wide(second.weight)
            if isinstance(first, Scaling):  # each number is a channel's, or a unit's
                each = len(weight) // len(first.scale)
                scale, shift = np.repeat(first.scale, each), np.repeat(first.shift, each)
                return _like(second, scale[:, None] * weight, second.bias + shift @ weight)
            if isinstance(first, Affine):
                return _like(second, first.weight @ weight, first.bias @ weight + second.bias)
    return second if first == second == Activation("relu") else None


def network_of(layers: Sequence[Layer], fold: Fold = as_one) -> Single:
    """Return layers from 784 pixels to 10 logits as a network in float32.

    It is a perceptron if there is nothing but affine layers with ReLU between them.

    Args:
        layers: each in float32 or float64. After an image that has one number a channel, the last
            affine layer may be left out.
        fold: see `as_one`; the same layers give the same one then, which saves memory.

    Raises:
        ValueError: the layers don't fit together, or have numbers that are not finite.
    """
    merged: list[Layer] = []
    for layer in layers:
        here: Layer | None = layer
        while merged and here and (both := fold(merged[-1], here)):
            merged.pop()
            here = both
        merged.append(here or layer)
    if not any(isinstance(layer, Affine) for layer in merged) or (
        merged[-1] == Activation("relu") and isinstance(merged[-2], Affine)
    ):
        merged.append(Affine(np.eye(CLASSES, dtype=np.float32), np.zeros(CLASSES, np.float32)))
    merged = [float32(layer) for layer in merged]
    affine, between = merged[::2], merged[1::2]
    found = [each for each in affine if isinstance(each, Affine)]
    if len(found) == len(between) + 1 and all(each == Activation("relu") for each in between):
        return MLP(tuple(each.weight for each in found), tuple(each.bias for each in found))
    return Sequential(tuple(merged))


def remembering() -> Fold:
    """Return `as_one` that gives the same layer for the same two."""
    return cast(Fold, cache(as_one))


def _go_together(first: Scaling, second: Scaling) -> bool:
    """Return whether two scalings are of the same units, or one is of all."""
    lengths = {len(first.scale), len(second.scale)}
    return len(lengths) == 1 or 1 in lengths


def _wide(array: FloatArray) -> FloatArray:
    return array.astype(np.float64)


def _scaled(layer: Affine | Convolution, scaling: Scaling) -> FloatArray:
    """Return the layer's bias after a scaling."""
    return _wide(layer.bias) * scaling.scale + scaling.shift


def _like(layer: Layer, weight: FloatArray, bias: FloatArray) -> Layer:
    """Return the layer with another weight and bias, in its own dtype."""
    dtype = arrays(layer)["bias"].dtype
    changed = {"weight": weight.astype(dtype), "bias": bias.astype(dtype)}
    return replace(layer, **changed)  # type: ignore[type-var]
