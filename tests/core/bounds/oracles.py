"""Slow bounds of one image, written without the code under test."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import numpy as np
from scipy.optimize import linprog

from core.classifier import FloatArray
from core.networks import MLP

SLACK = 2.0**-23  # by which core.bounds widens an L∞ ball for images that are rounded


def box(x: FloatArray, epsilon: float) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and the highest pixels of the L∞ ball around one image, `(D,)` each."""
    x = x.astype(np.float64)
    return np.maximum(x - epsilon - SLACK, 0), np.minimum(x + epsilon + SLACK, 1)


def interval_units(network: MLP, x: FloatArray, epsilon: float) -> list[list[list[float]]]:
    """Return `[lowest, highest]` of every unit of every layer, by loops over single numbers."""
    inputs = [list(pair) for pair in zip(*box(x, epsilon), strict=True)]
    found = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        units = []
        for k in range(weight.shape[1]):
            low = high = float(bias[k])
            for i in range(weight.shape[0]):
                ends = [float(weight[i, k]) * end for end in inputs[i]]
                low, high = low + min(ends), high + max(ends)
            units.append([low, high])
        found.append(units)
        inputs = [[max(low, 0.0), max(high, 0.0)] for low, high in units]
    return found


def crown(network: MLP, x: FloatArray, epsilon: float, y: int) -> FloatArray:
    """Return CROWN's lower bounds of z_y − z_j, `(outputs,)`, with the slopes of CROWN-Ada.

    Each hidden unit has the better of its interval and CROWN's own bounds, and so has each margin,
    as in core.bounds.
    """
    weights = [weight.astype(np.float64).T for weight in network.weights]  # (outputs, inputs)
    biases = [bias.astype(np.float64) for bias in network.biases]
    low, high = box(x, epsilon)
    ranges: list[tuple[FloatArray, FloatArray]] = []

    def least(row: FloatArray, layer: int) -> float:
        """Return a lower bound of row · z, where z are the units of a layer before ReLU."""
        constant = 0.0
        for below in range(layer, -1, -1):
            constant += float(row @ biases[below])
            row = row @ weights[below]
            if below == 0:
                break
            lower, upper = ranges[below - 1]
            pulled = np.zeros_like(row)
            for k, a in enumerate(row):
                l, u = lower[k], upper[k]  # noqa: E741
                if l >= 0:
                    pulled[k] = a
                elif u > 0 and a < 0:
                    pulled[k] = a * u / (u - l)
                    constant += float(-a * u * l / (u - l))
                elif u > 0 and u >= -l:
                    pulled[k] = a
            row = pulled
        return float(constant + np.where(row > 0, row * low, row * high).sum())

    inputs_low, inputs_high = low, high
    for layer in range(len(weights) - 1):
        plus, minus = np.maximum(weights[layer], 0), np.minimum(weights[layer], 0)
        lower = plus @ inputs_low + minus @ inputs_high + biases[layer]
        upper = plus @ inputs_high + minus @ inputs_low + biases[layer]
        for k in np.flatnonzero((lower < 0) & (upper > 0)) if layer else ():
            row = np.eye(len(lower))[k]
            lower[k], upper[k] = (
                max(lower[k], least(row, layer)),
                min(upper[k], -least(-row, layer)),
            )
        ranges.append((lower, upper))
        inputs_low, inputs_high = np.maximum(lower, 0), np.maximum(upper, 0)
    unit = np.eye(len(biases[-1]))
    bounds = []
    for j in range(len(unit)):
        row = (unit[y] - unit[j]) @ weights[-1]
        alone = np.where(row > 0, row * inputs_low, row * inputs_high).sum()
        alone += (unit[y] - unit[j]) @ biases[-1]
        bounds.append(max(least(unit[y] - unit[j], len(weights) - 1), float(alone)))
    return np.array(bounds)


def linear_programme(
    network: MLP,
    x: FloatArray,
    epsilon: float,
    y: int,
    j: int,
    ranges: list[tuple[FloatArray, FloatArray]],
) -> float:
    """Return the least z_y − z_j of the triangle relaxation, found by HiGHS.

    The variables are the pixels and every hidden unit h after ReLU, with 0 ≤ h, z ≤ h and
    h ≤ u (z − l) / (u − l), where `ranges` holds `(l, u)` of each hidden layer.
    """
    weights = [weight.astype(np.float64).T for weight in network.weights]
    biases = [bias.astype(np.float64) for bias in network.biases]
    starts = np.cumsum([0, *(weight.shape[1] for weight in weights)])
    count = int(starts[-1])
    low, high = box(x, epsilon)
    limits = [*zip(low, high, strict=True)]
    rows, sides = [], []
    for layer, (lower, upper) in enumerate(ranges):
        for k, (l, u) in enumerate(zip(lower, upper, strict=True)):  # noqa: E741
            z, b = np.zeros(count), biases[layer][k]
            z[starts[layer] : starts[layer + 1]] = weights[layer][k]
            h = np.zeros(count)
            h[starts[layer + 1] + k] = 1
            slope = 1.0 if l >= 0 else 0.0 if u <= 0 else u / (u - l)
            if u > 0:
                rows.append(z - h)  # z + b ≤ h
                sides.append(-b)
            rows.append(h - slope * z)  # h ≤ s (z + b) − s l, or h ≤ z + b, or h ≤ 0
            sides.append(slope * b - (slope * l if l < 0 < u else 0.0))
            limits.append((0.0, np.inf))
    cost = np.zeros(count)
    cost[starts[-2] :] = weights[-1][y] - weights[-1][j]
    found = linprog(
        cost,
        A_ub=np.array(rows) if rows else None,
        b_ub=np.array(sides) if rows else None,
        bounds=limits,
        method="highs",
    )
    assert found.status == 0, found.message
    return float(found.fun + biases[-1][y] - biases[-1][j])


def corners(x: FloatArray, epsilon: float) -> Iterator[list[Fraction]]:
    """Yield every corner of the L∞ ball around one image, cut by [0, 1], as exact numbers."""
    ends = []
    for pixel in x:
        here, reach = Fraction(float(pixel)), Fraction(epsilon)
        ends.append((max(here - reach, Fraction(0)), min(here + reach, Fraction(1))))
    for corner in product(*ends):
        yield list(corner)


def exact_logits(network: MLP, x: list[Fraction]) -> list[Fraction]:
    """Return one image's logits without any rounding."""
    out = x
    for number, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        if number:
            out = [max(value, Fraction(0)) for value in out]
        out = [
            sum(
                (h * Fraction(float(w)) for h, w in zip(out, column, strict=True)),
                Fraction(float(b)),
            )
            for column, b in zip(weight.T, bias, strict=True)
        ]
    return out


def rounded_logits(network: MLP, x: FloatArray, order: np.random.Generator) -> FloatArray:
    """Return one image's logits in the network's dtype, each sum in a random order of its own."""
    dtype = network.dtype.type
    out = x.astype(dtype)
    for number, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        if number:
            out = np.maximum(out, 0)
        sums = []
        for column, b in zip(weight.T, bias, strict=True):
            terms = [*(out * column), b]
            total = dtype(0)
            for place in order.permutation(len(terms)):
                total = dtype(total + terms[place])
            sums.append(total)
        out = np.array(sums, dtype)
    return out
