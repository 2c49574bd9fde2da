"""What CROWN makes of a layer: linear functions of its inputs below and above its outputs.

ReLU's are those for perceptrons. Those of tanh and the sigmoid have the smaller of the slopes at
both ends, and touch the function there (Singh et al. 2018, "Fast and Effective Robustness
Certification", section 3): a function of that shape is nowhere less steep in between.

The largest of a window is at least the input that has the highest middle. Let input i have the
largest upper bound, and let v be the largest upper bound of the others. Then the largest is at most
max(hᵢ, v), which is convex, and so below its chord (Xiao et al. 2024, "Towards General Robustness
Verification of MaxPool-based Convolutional Neural Networks via Tightening Linear Approximation").
"""

from dataclasses import dataclass, replace

import numpy as np

from core.bounds.crown import Relaxation
from core.bounds.interval import Units
from core.bounds.windows import Window
from core.classifier import FloatArray
from core.networks.layers import Activation, Convolution, Layer, Linear, MaxPooling
from core.networks.windows import Shape, windows

_ROUNDING = 2.0**-50  # of a few operations, relative to their operands
_SMOOTH = 2.0**-46  # the same for tanh and the sigmoid, absolute


@dataclass(frozen=True, eq=False)
class Sums:
    """A linear layer: its outputs are W h + added, up to `errors`.

    Attributes:
        layer: the layer. Only its pull-back is used, which gives W transposed.
        added, errors: `(*shape, 1)`, where `shape` is that of the output; None for 0.
    """

    layer: Linear
    added: FloatArray | None
    errors: FloatArray | None

    def pull_back(self, coefficients: FloatArray, shape: Shape) -> tuple[FloatArray, FloatArray]:
        """Return B and d with A · h' ≥ B · h + d; see `Lines.pull_back`."""
        constant = np.zeros(coefficients.shape[-1])
        if self.added is not None and self.errors is not None:
            constant += dot(self.added, coefficients) - dot(self.errors, np.abs(coefficients))
        return self.layer.pull_back(coefficients, shape), constant

    def cut(self, window: Window) -> "Sums":
        """Return the same for parts of the output."""
        added, errors = (x if x is None else window.cut(x) for x in (self.added, self.errors))
        layer = self.layer
        if isinstance(layer, Convolution):
            layer = replace(layer, padding=0)  # a part has its share of the zeros around the image
        return Sums(layer, added, errors)


@dataclass(frozen=True, eq=False)
class Lines:
    """Two linear functions of the inputs hₚ in a window, between which the output h' is.

    Σ lower[p] · hₚ + below ≤ h' ≤ Σ upper[p] · hₚ + above.

    Attributes:
        lower, upper: `(places, *shape, 1)`, at least 0; `shape` is that of the output. An
            activation has one place.
        below, above: `(*shape, 1)`.
        layer: the layer, a `MaxPooling` if there are windows.
    """

    lower: FloatArray
    upper: FloatArray
    below: FloatArray
    above: FloatArray
    layer: Layer

    @classmethod
    def of(cls, layer: Layer, lower: FloatArray, upper: FloatArray, errors: FloatArray) -> "Lines":
        """Return the lines of a layer whose inputs are between two arrays, `(*shape, 1)`.

        Args:
            layer: an activation or a `MaxPooling`.
            lower: no input is less.
            upper: no input is more.
            errors: how far rounding moves the outputs, `(*output_shape, 1)`.
        """
        if isinstance(layer, MaxPooling):
            a, s, below, above = _of_largest(_places(layer, lower), _places(layer, upper))
        else:
            assert isinstance(layer, Activation)
            of = _of_relu if layer.function == "relu" else _of_smooth
            a, s, below, above = of(layer, lower, upper)
        return cls(a, s, below - errors, above + errors, layer)

    def after(self, sums: Sums) -> tuple[Sums, "Lines"]:
        """Return both without what the sums add and their errors, which these lines then have."""
        if sums.added is None or sums.errors is None:
            return sums, self
        less, more = self._places(sums.added - sums.errors), self._places(sums.added + sums.errors)
        below = self.below + (self.lower * less).sum(axis=0)
        above = self.above + (self.upper * more).sum(axis=0)
        return replace(sums, added=None, errors=None), replace(self, below=below, above=above)

    def after_lines(self, first: "Lines") -> "Lines | None":
        """Return the lines of two layers in a row; None if they can't be made one.

        Where windows overlap, an input has several coefficients. These must be added up first.
        """
        if not isinstance(self.layer, MaxPooling):  # each input of these is an output of the first
            lower, upper = self.lower * first.lower, self.upper * first.upper
            less, more, layer = first.below[None], first.above[None], first.layer
        elif not isinstance(first.layer, MaxPooling) and self.layer.stride >= self.layer.size:
            lower = self.lower * self._places(first.lower[0])
            upper = self.upper * self._places(first.upper[0])
            less, more, layer = self._places(first.below), self._places(first.above), self.layer
        else:
            return None
        below = self.below + (self.lower * less).sum(axis=0)
        above = self.above + (self.upper * more).sum(axis=0)
        return Lines(lower, upper, below, above, layer)

    def _places(self, x: FloatArray) -> FloatArray:
        return _places(self.layer, x)

    def pull_back(self, coefficients: FloatArray, shape: Shape) -> tuple[FloatArray, FloatArray]:
        """Return B and d with A · h' ≥ B · h + d, for K rows of coefficients A.

        A positive coefficient takes the lower line, a negative one the upper.

        Args:
            coefficients: A, `(*output_shape, K)`.
            shape: of the input.

        Returns:
            `(*shape, K)` and `(K,)`.
        """
        negative = np.minimum(coefficients, 0)
        positive = coefficients - negative
        constant = dot(self.below, positive) + dot(self.above, negative)
        if not isinstance(self.layer, MaxPooling):
            positive *= self.lower[0]
            negative *= self.upper[0]
            positive += negative
            return positive, constant
        pulled = np.zeros((*shape, coefficients.shape[-1]))
        for place, part in enumerate(_parts(self.layer, pulled)):
            share = positive * self.lower[place]
            share += negative * self.upper[place]
            part += share
        return pulled, constant

    def cut(self, window: Window) -> "Lines":
        """Return the lines for parts of the output; there are then K for K rows."""
        arrays = {name: window.cut(x) for name, x in vars(self).items() if name != "layer"}
        return Lines(**arrays, layer=self.layer)


def dot(values: FloatArray, coefficients: FloatArray) -> FloatArray:
    """Return Σ c v for each row of coefficients, `(*shape, K)`: `(K,)`.

    Args:
        values: v, `(*shape, 1)` or `(*shape, K)`.
        coefficients: c.
    """
    flat = coefficients.reshape(-1, coefficients.shape[-1])
    if values.shape[-1] == 1:
        return values.reshape(-1) @ flat
    sums: FloatArray = np.einsum("ik,ik->k", values.reshape(flat.shape), flat)
    return sums


def _parts(layer: MaxPooling, x: FloatArray) -> list[FloatArray]:
    """Return views of what all windows have at each place, `(*output_shape, N)`."""
    return [part for *_, part in windows(x, (layer.size, layer.size), layer.stride)]


def _places(layer: Layer, x: FloatArray) -> FloatArray:
    """Return the same in one array, `(places, *output_shape, N)`; an activation has one place."""
    return np.stack(_parts(layer, x)) if isinstance(layer, MaxPooling) else x[None]


Four = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


def _of_relu(_: Activation, lower: FloatArray, upper: FloatArray) -> Four:
    flat = Units(lower.reshape(1, -1), upper.reshape(1, -1), np.zeros(0))
    lines = Relaxation.of(flat)
    a, s, t = (
        each.reshape(lower.shape)
        for each in (lines.lower_slope, lines.upper_slope, lines.intercept)
    )
    return a[None], s[None], np.zeros_like(t), t


def _of_smooth(layer: Activation, lower: FloatArray, upper: FloatArray) -> Four:
    """Return the lines of tanh or the sigmoid.

    Slopes are made smaller and intercepts moved outwards by more than rounding does.
    """
    ends = [(h, layer.forward(h)[0]) for h in (lower, upper)]
    if layer.function == "tanh":
        steep = [(1 - value) * (1 + value) for _, value in ends]
    else:
        steep = [value * (1 - value) for _, value in ends]
    slope = np.maximum(np.minimum(*steep) - _SMOOTH, 0)
    below, above = (value - slope * h for h, value in ends)
    room = _SMOOTH * (1 + slope * np.maximum(np.abs(lower), np.abs(upper)))
    return slope[None], slope[None], below - room, above + room


def _of_largest(lower: FloatArray, upper: FloatArray) -> Four:
    """Return the lines of the largest of a window, from `(places, *shape, 1)` each."""
    best = (lower + upper).argmax(axis=0)[None]
    i = upper.argmax(axis=0)[None]
    lowest, highest = (np.take_along_axis(each, i, axis=0)[0] for each in (lower, upper))
    others = upper.copy()
    np.put_along_axis(others, i, -np.inf, axis=0)
    v = np.maximum(others.max(axis=0), lowest)  # hᵢ is nowhere below its lowest value
    slope = (highest - v) / np.maximum(highest - lowest, np.finfo(np.float64).tiny)
    above = np.maximum(v - slope * lowest, highest - slope * highest)
    above += _ROUNDING * (np.abs(v) + np.abs(lowest) + np.abs(highest))
    chosen, chord = np.zeros_like(lower), np.zeros_like(lower)
    np.put_along_axis(chosen, best, 1, axis=0)
    np.put_along_axis(chord, i, slope[None], axis=0)
    return chosen, chord, np.zeros_like(above), above
