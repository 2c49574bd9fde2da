"""Slow bounds of networks of layers for one image, in float64, from dense matrices.

The matrix of a linear layer is what it makes of unit vectors. None of the code under test is used.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from core.classifier import FloatArray
from core.networks import Sequential
from core.networks.layers import (
    Activation,
    Affine,
    AveragePooling,
    Convolution,
    Layer,
    MaxPooling,
    Scaling,
)
from tests.core.bounds.oracles import SLACK

SUMS = (Affine, Convolution, AveragePooling, Scaling)
WEIGHTED = (Affine, Convolution)


@dataclass
class Dense:
    """A layer: z W + b if it is linear, else the activation, or the largest of some inputs."""

    layer: Any
    weight: Any = None
    bias: Any = None
    windows: list[list[int]] | None = None


def dense(network: Sequential) -> list[Dense]:
    """Return a network's layers."""
    found = []
    for layer, shape in zip(in_float64(network).layers, network.shapes[:-1], strict=True):
        size = int(np.prod(shape))
        if isinstance(layer, SUMS):
            bias = layer.forward(np.zeros((*shape, 1)))[0].ravel()
            out = changed(layer, 0).forward(np.eye(size).reshape(*shape, size))[0]
            found.append(Dense(layer, out.reshape(-1, size).T, bias))
        elif isinstance(layer, MaxPooling):
            places = np.arange(size).reshape(shape)
            rows, columns = (
                range(0, side - layer.size + 1, layer.stride) for side in places.shape[1:]
            )
            windows = [
                places[channel, r : r + layer.size, c : c + layer.size].ravel().tolist()
                for channel in range(shape[0])
                for r in rows
                for c in columns
            ]
            found.append(Dense(layer, windows=windows))
        else:
            found.append(Dense(layer))
    return found


def in_float64(network: Sequential) -> Sequential:
    """Return the same network with arrays in float64."""
    return Sequential(tuple(changed(each, 1) for each in network.layers), network.input_shape)


def changed(layer: Layer, factor: float) -> Layer:
    """Return a layer in float64 that adds so many times what it adds."""
    new: dict[str, Any] = dict(vars(layer))
    for name, each in new.items():
        if isinstance(each, np.ndarray):
            new[name] = each.astype(np.float64) * (factor if name in ("bias", "shift") else 1)
    return type(layer)(**new)


def applied(layer: Layer, z: FloatArray) -> FloatArray:
    """Return an activation of some numbers."""
    assert isinstance(layer, Activation)
    if layer.function == "relu":
        return np.maximum(z, 0)
    return np.tanh(z) if layer.function == "tanh" else 1 / (1 + np.exp(-z))


def lines(each: Dense, lower: FloatArray, upper: FloatArray) -> list[FloatArray]:
    """Return A, a, B, b with A z + a ≤ f(z) ≤ B z + b, for inputs between two arrays."""
    if each.windows is None:
        outputs = inputs = len(lower)
    else:
        outputs, inputs = len(each.windows), len(lower)
    A, B = np.zeros((outputs, inputs)), np.zeros((outputs, inputs))
    a, b = np.zeros(outputs), np.zeros(outputs)
    for k in range(outputs):
        if each.windows is not None:
            window = each.windows[k]
            A[k, max(window, key=lambda p: lower[p] + upper[p])] = 1
            i = max(window, key=lambda p: upper[p])
            v = max([lower[i], *(upper[p] for p in window if p != i)])
            if upper[i] > lower[i]:
                B[k, i] = (upper[i] - v) / (upper[i] - lower[i])
            b[k] = upper[i] - B[k, i] * upper[i]
            continue
        l, u = lower[k], upper[k]  # noqa: E741
        if each.layer.function == "relu":
            A[k, k] = 1 if l >= 0 or (u > 0 and u >= -l) else 0
            B[k, k] = 1 if l >= 0 else 0 if u <= 0 else u / (u - l)
            b[k] = 0 if l >= 0 else -B[k, k] * l
        else:
            ends = applied(each.layer, np.array([l, u]))
            slope = (1 - ends**2 if each.layer.function == "tanh" else ends * (1 - ends)).min()
            A[k, k] = B[k, k] = slope
            a[k], b[k] = ends[0] - slope * l, ends[1] - slope * u
    return [A, a, B, b]


class Bounds:
    """CROWN for one image's ball, by dense matrices.

    Attributes:
        ranges: `(lower, upper)` of each layer's inputs.
    """

    def __init__(self, network: Sequential, x: FloatArray, epsilon: float, norm: str) -> None:
        self.layers, self.x, self.norm = dense(network), x.astype(np.float64), norm
        diagonal = np.sqrt(len(x))
        self.radius = epsilon + SLACK
        if norm == "l2":
            self.radius = epsilon * (1 + SLACK) + diagonal * SLACK
        self.low = np.maximum(self.x - self.radius, 0)
        self.high = np.minimum(self.x + self.radius, 1)
        self.ranges = [(self.low, self.high)]
        self.lines: list[list[FloatArray]] = []
        for number, each in enumerate(self.layers):
            before = sum(isinstance(e.layer, WEIGHTED) for e in self.layers[:number])
            if each.weight is None and number and self.layers[number - 1].weight is not None:
                lower, upper = self.ranges[-1]
                relu = isinstance(each.layer, Activation) and each.layer.function == "relu"
                if before > 1:
                    self.tighten(number, (lower < 0) & (upper > 0) if relu else lower < upper)
            lower, upper = self.ranges[-1]
            self.lines.append([] if each.weight is not None else lines(each, lower, upper))
            self.ranges.append(self.after(each, lower, upper))
            pixels = all(isinstance(e.layer, Scaling) for e in self.layers[:number])
            if norm == "l2" and isinstance(each.layer, WEIGHTED) and pixels:
                self.tighten(number + 1, np.ones(len(self.ranges[-1][0]), bool))

    def tighten(self, number: int, some: NDArray[np.bool_]) -> None:
        """Replace what some inputs of a layer can be by CROWN's bounds where these are better."""
        lower, upper = (ends.copy() for ends in self.ranges[number])
        for k in np.flatnonzero(some):
            row = np.eye(len(lower))[k]
            lower[k] = max(lower[k], self.least(row, number))
            upper[k] = min(upper[k], -self.least(-row, number))
        self.ranges[number] = lower, upper

    @staticmethod
    def after(each: Dense, lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the interval bounds of a layer's outputs."""
        if each.weight is not None:
            plus, minus = np.maximum(each.weight, 0), np.minimum(each.weight, 0)
            return (
                lower @ plus + upper @ minus + each.bias,
                upper @ plus + lower @ minus + each.bias,
            )
        if each.windows is not None:
            low, high = (
                np.array([max(ends[p] for p in window) for window in each.windows])
                for ends in (lower, upper)
            )
            return low, high
        return applied(each.layer, lower), applied(each.layer, upper)

    def least(self, row: FloatArray, number: int, first: int = 0) -> float:
        """Return a lower bound of row · h, where h are the inputs of a layer."""
        constant = 0.0
        for back in reversed(range(first, number)):
            each = self.layers[back]
            if each.weight is not None:
                constant += float(row @ each.bias)
                row = row @ each.weight.T
            else:
                A, a, B, b = self.lines[back]
                plus, minus = np.maximum(row, 0), np.minimum(row, 0)
                constant += float(plus @ a + minus @ b)
                row = plus @ A + minus @ B
        if first == 0 and self.norm == "l2":
            moves = np.where(row > 0, self.x > 0, self.x < 1)
            return float(constant + row @ self.x - self.radius * np.linalg.norm(row * moves))
        lower, upper = self.ranges[first]
        return float(constant + np.where(row > 0, row * lower, row * upper).sum())

    def margins(self, y: int, method: str) -> FloatArray:
        """Return lower bounds of z_y − z_j, `(outputs,)`."""
        last = tail = len(self.layers)
        while tail and self.layers[tail - 1].weight is not None:
            tail -= 1
        unit = np.eye(len(self.ranges[-1][0]))
        starts = (tail, 0) if method == "crown" else (tail,)
        return np.array([max(self.least(unit[y] - row, last, s) for s in starts) for row in unit])


def interval_margins(network: Sequential, x: FloatArray, epsilon: float, y: int) -> FloatArray:
    """Return interval bounds of z_y − z_j over an L∞ ball: CROWN's, if no layer is tightened."""
    bounds = Bounds(network, x, epsilon, "linf")
    ranges = [bounds.ranges[0]]
    for each in bounds.layers:
        ranges.append(bounds.after(each, *ranges[-1]))
    bounds.ranges = ranges
    return bounds.margins(y, "interval")


def linear_programme(bounds: Bounds, y: int, j: int) -> float:
    """Return the least z_y − z_j over an L∞ ball of the layers' relaxation, found by HiGHS.

    ReLU's is the triangle. The largest h of a window is at least each input, and below the chord.
    """
    sizes = [len(lower) for lower, _ in bounds.ranges]
    starts = np.cumsum([0, *sizes])
    rows, sides, equal, values = [], [], [], []

    def row(*parts: tuple[int, FloatArray]) -> FloatArray:
        found = np.zeros(starts[-1])
        for number, part in parts:
            found[starts[number] : starts[number + 1]] = part
        return found

    for number, each in enumerate(bounds.layers):
        for k in range(sizes[number + 1]):
            h = np.eye(sizes[number + 1])[k]
            if each.weight is not None:
                equal.append(row((number + 1, h), (number, -each.weight[:, k])))
                values.append(each.bias[k])
                continue
            A, a, B, b = bounds.lines[number]
            rows.append(row((number + 1, h), (number, -B[k])))
            sides.append(b[k])
            below = [(A[k], a[k])]
            inputs = np.eye(sizes[number])
            if each.windows is not None:
                below = [(inputs[p], 0.0) for p in each.windows[k]]
            elif each.layer.function == "relu":
                below = [(inputs[k], 0.0), (0 * inputs[k], 0.0)]
            for slope, shift in below:
                rows.append(row((number + 1, -h), (number, slope)))
                sides.append(-shift)
    limits = [*zip(*bounds.ranges[0], strict=True), *[(None, None)] * int(starts[-1] - starts[1])]
    goal = np.eye(sizes[-1])[y] - np.eye(sizes[-1])[j]
    found = linprog(
        row((len(bounds.layers), goal)),
        A_ub=np.array(rows),
        b_ub=np.array(sides),
        A_eq=np.array(equal),
        b_eq=np.array(values),
        bounds=limits,
        method="highs",
    )
    assert found.status == 0, found.message
    return float(found.fun)


def exact_logits(network: Sequential, x: list[Fraction]) -> list[Fraction]:
    """Return one image's logits without any rounding; there must be no tanh and no sigmoid."""
    for each in dense(network):
        if each.weight is not None:
            x = [
                sum(
                    (h * Fraction(float(w)) for h, w in zip(x, column, strict=True)),
                    Fraction(float(b)),
                )
                for column, b in zip(each.weight.T, each.bias, strict=True)
            ]
        elif each.windows is not None:
            x = [max(x[p] for p in window) for window in each.windows]
        else:
            x = [max(value, Fraction(0)) for value in x]
    return x


def rounded_logits(network: Sequential, x: FloatArray, order: np.random.Generator) -> FloatArray:
    """Return one image's logits in the network's dtype, each sum in a random order of its own.

    A mean of four is a sum of quarters here: that rounds nothing else than the sum's fourth does.
    """
    dtype = network.dtype.type
    out = x.astype(dtype)
    for each in dense(network):
        if each.weight is not None:
            sums = []
            for column, b in zip(each.weight.T.astype(dtype), each.bias.astype(dtype), strict=True):
                terms = [*(out * column), b]
                total = dtype(0)
                for place in order.permutation(len(terms)):
                    total = dtype(total + terms[place])
                sums.append(total)
            out = np.array(sums, dtype)
        elif each.windows is not None:
            out = np.array([max(out[p] for p in window) for window in each.windows], dtype)
        else:
            out = np.maximum(out, 0)
    return out
