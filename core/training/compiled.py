"""Stochastic gradient descent one image at a time, as a compiled loop.

Exactly the textbook algorithm, without the multiplications by zero. A pixel that is 0 adds nothing
to the first layer's sums, and its row of weights has no gradient; four fifths of MNIST's pixels
are 0. The same goes for a hidden unit that ReLU has shut. With weights kept input-major these rows
are never touched, neither read nor written. What is left is mostly waiting for the sums in `out` to
be read and written again, so four rows are added at a time.
"""

import numba as nb
import numpy as np

from core.classifier import FloatArray, IntArray
from core.mlp import MLP
from core.recipe import Recipe


class CompiledEngine:
    """See `core.training.Engine`. Covers recipes with batch size 1."""

    def __init__(self, start: MLP, recipe: Recipe) -> None:
        self._weights = tuple(np.array(weight, np.float32) for weight in start.weights)
        self._biases = tuple(np.array(bias, np.float32) for bias in start.biases)
        self._learning_rate = np.float32(recipe.learning_rate)

    def run(self, x: FloatArray, y: IntArray, order: IntArray) -> tuple[float, int]:
        """Train on the images in the given order (see `Engine`); others may run meanwhile."""
        values = tuple(_room(len(bias)) for bias in self._biases)
        slopes = tuple(_room(len(bias)) for bias in self._biases)
        active = tuple(np.zeros(len(weight), np.int64) for weight in self._weights)
        loss, correct = _descend(
            x, y, order, self._weights, self._biases, values, slopes, active, self._learning_rate
        )
        return float(loss), int(correct)

    def network(self) -> MLP:
        """A copy of the network as it is now."""
        return MLP(self._weights, self._biases)


def _room(size: int) -> FloatArray:
    """Zeros with a gap on either side.

    The compiled loop checks whether two arrays overlap before it sums in vector registers, and
    takes close neighbours for overlapping. Without the gap, where the allocator puts an array
    would decide the order of additions, and equal recipes would not give equal networks.
    """
    gap = 64
    return np.zeros(size + 2 * gap, np.float32)[gap : gap + size]


# "reassoc" and "contract" let the compiler sum a dot product in vector registers.
_compiled = nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"}, error_model="numpy")


@_compiled
def _descend(x, y, order, weights, biases, values, slopes, active, learning_rate):  # type: ignore[no-untyped-def]
    """One step of gradient descent for each image in `order`.

    Of layer l, `values[l]` is room for the outputs, `slopes[l]` for the loss's derivatives with
    respect to its sums, `active[l]` for the places of the inputs that are not 0. Returns the sum
    of the losses and the number of correct predictions.
    """
    last = len(weights) - 1
    total, correct = 0.0, 0
    counts = np.zeros(last + 1, np.int64)
    for n in order:
        image, label = x[n], y[n]

        for layer in range(last + 1):
            inputs = image if layer == 0 else values[layer - 1]
            places, out = active[layer], values[layer]
            counts[layer] = _find_active(inputs, places)
            out[:] = biases[layer]
            _add_rows(inputs, places, counts[layer], weights[layer], out)
            if layer < last:
                for j in range(len(out)):
                    out[j] = max(out[j], np.float32(0))

        loss, best = _softmax_slope(values[last], label, slopes[last])
        total += loss
        correct += best == label

        for layer in range(last, -1, -1):
            inputs = image if layer == 0 else values[layer - 1]
            places, count, slope = active[layer], counts[layer], slopes[layer]
            if layer > 0:
                _step_rows_and_back(
                    inputs, places, count, weights[layer], slope, learning_rate, slopes[layer - 1]
                )
            else:
                _step_rows(inputs, places, count, weights[layer], slope, learning_rate)
            bias = biases[layer]
            for j in range(len(slope)):
                bias[j] -= learning_rate * slope[j]
    return total, correct


@_compiled
def _find_active(inputs, places):  # type: ignore[no-untyped-def]
    """Fill `places` with where `inputs` is not 0; returns how many there are."""
    count = 0
    for i in range(len(inputs)):
        if inputs[i] != 0:
            places[count] = i
            count += 1
    return count


@_compiled
def _add_rows(inputs, places, count, weight, out):  # type: ignore[no-untyped-def]
    """Add to `out` the rows of `weight` at the active places, each times its input."""
    fours = count - count % 4
    for k in range(0, fours, 4):
        a, b, c, d = places[k], places[k + 1], places[k + 2], places[k + 3]
        at_a, at_b, at_c, at_d = inputs[a], inputs[b], inputs[c], inputs[d]
        row_a, row_b, row_c, row_d = weight[a], weight[b], weight[c], weight[d]
        for j in range(len(out)):
            out[j] += at_a * row_a[j] + at_b * row_b[j] + at_c * row_c[j] + at_d * row_d[j]
    for k in range(fours, count):
        value, row = inputs[places[k]], weight[places[k]]
        for j in range(len(out)):
            out[j] += value * row[j]


@_compiled
def _softmax_slope(logits, label, slope):  # type: ignore[no-untyped-def]
    """Fill `slope` with p minus the one-hot label; returns the cross-entropy and the prediction."""
    largest, best = logits[0], 0
    for j in range(1, len(logits)):
        if logits[j] > largest:
            largest, best = logits[j], j
    normaliser = np.float32(0)
    for j in range(len(logits)):
        slope[j] = np.exp(logits[j] - largest)
        normaliser += slope[j]
    for j in range(len(logits)):
        slope[j] /= normaliser
    slope[label] -= np.float32(1)
    return np.log(normaliser) - (logits[label] - largest), best


@_compiled
def _step_rows_and_back(inputs, places, count, weight, slope, learning_rate, below):  # type: ignore[no-untyped-def]
    """Step the active rows of `weight`, reading each once, for the slope of its input too."""
    below[:] = 0
    for k in range(count):
        i = places[k]
        row, step, back = weight[i], learning_rate * inputs[i], np.float32(0)
        for j in range(len(slope)):
            back += row[j] * slope[j]
            row[j] -= step * slope[j]
        below[i] = back


@_compiled
def _step_rows(inputs, places, count, weight, slope, learning_rate):  # type: ignore[no-untyped-def]
    """Step the active rows of `weight`; pixels need no slope."""
    for k in range(count):
        row, step = weight[places[k]], learning_rate * inputs[places[k]]
        for j in range(len(slope)):
            row[j] -= step * slope[j]
