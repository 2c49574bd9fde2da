"""Stochastic gradient descent one image at a time, as a compiled loop.

Exactly the textbook algorithm, without the multiplications by zero. A pixel that is 0 adds nothing
to the first layer's sums, and its row of weights has no gradient; four fifths of MNIST's pixels
are 0. The same goes for a hidden unit that ReLU has shut. With weights kept input-major these rows
are never touched, neither read nor written. What is left is mostly waiting for the sums in `out` to
be read and written again, so four rows are added at a time.
"""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from core.classifier import FloatArray, IntArray
from core.networks.mlp import MLP
from core.recipe import Recipe


class CompiledEngine:
    """See `core.training.Engine`. Covers plain SGD with batch size 1."""

    def __init__(self, start: MLP, recipe: Recipe) -> None:
        self._weights = tuple(np.array(weight, np.float32) for weight in start.weights)
        self._biases = tuple(np.array(bias, np.float32) for bias in start.biases)
        self._weight_decay = recipe.weight_decay
        self._gain = np.float32(1 / (1 - recipe.dropout))
        self._frozen = recipe.frozen

    @staticmethod
    def covers(recipe: Recipe) -> bool:
        """Whether a recipe asks for nothing else."""
        return (
            recipe.batch_size == 1
            and recipe.optimizer == "sgd"
            and not recipe.batch_norm
            and recipe.adversary == "none"
        )

    def run(
        self,
        x: FloatArray,
        y: IntArray,
        order: IntArray,
        learning_rate: float,
        open_units: NDArray[np.bool_] | None = None,
    ) -> tuple[float, int]:
        """Train on the images in the given order (see `Engine`); others may run meanwhile."""
        if open_units is None:
            open_units = np.zeros((0, 0), np.bool_)
        values = tuple(_room(len(bias)) for bias in self._biases)
        slopes = tuple(_room(len(bias)) for bias in self._biases)
        active = tuple(np.zeros(len(weight), np.int64) for weight in self._weights)
        loss, correct = _descend(
            *(x, y, order, open_units, self._gain, self._weights, self._biases),
            *(values, slopes, active, self._frozen),
            *(np.float32(learning_rate), learning_rate * self._weight_decay),
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
def _descend(  # type: ignore[no-untyped-def]
    x, y, order, open_units, gain, weights, biases, values, slopes, active, frozen, rate, decay
):
    """One step of gradient descent for each image in `order`.

    Of layer l, `values[l]` is room for the outputs, `slopes[l]` for the loss's derivatives with
    respect to its sums, `active[l]` for the places of the inputs that are not 0. `open_units`,
    where it has rows, says for each image which hidden units dropout leaves open; their outputs
    are multiplied by `gain`. `decay` is what each step takes off the weights, as a share. Returns
    the sum of the losses and the number of correct predictions.

    Decay changes every weight at every step, which would undo all savings. So the arrays hold the
    weights divided by `scale`, one number that decays for all of them (Bottou 2012, "Stochastic
    Gradient Descent Tricks", section 5.1).
    """
    last = len(weights) - 1
    total, correct = 0.0, 0
    counts = np.zeros(last + 1, np.int64)
    scale = 1.0
    for seen, n in enumerate(order):
        image, label = x[n], y[n]

        first_unit = 0
        for layer in range(last + 1):
            inputs = image if layer == 0 else values[layer - 1]
            places, out = active[layer], values[layer]
            counts[layer] = _find_active(inputs, places)
            layer_scale = np.float32(scale if layer >= frozen else 1)
            bias = biases[layer]
            for j in range(len(out)):
                out[j] = bias[j] / layer_scale
            _add_rows(inputs, places, counts[layer], weights[layer], out)
            for j in range(len(out)):
                out[j] *= layer_scale
            if layer < last:
                for j in range(len(out)):
                    out[j] = max(out[j], np.float32(0))
                if len(open_units):
                    for j in range(len(out)):
                        out[j] *= gain * open_units[seen, first_unit + j]
                    first_unit += len(out)

        loss, best = _softmax_slope(values[last], label, slopes[last])
        total += loss
        correct += best == label

        decayed = scale * (1 - decay)
        step = np.float32(rate / decayed)
        for layer in range(last, frozen - 1, -1):
            inputs = image if layer == 0 else values[layer - 1]
            places, count, slope = active[layer], counts[layer], slopes[layer]
            if layer > frozen:
                back_gain = np.float32(scale) * gain
                _step_rows_and_back(
                    inputs, places, count, weights[layer], slope, step, slopes[layer - 1], back_gain
                )
            else:
                _step_rows(inputs, places, count, weights[layer], slope, step)
            bias = biases[layer]
            for j in range(len(slope)):
                bias[j] -= rate * slope[j]
        scale = decayed
        if scale < 1e-3:
            _multiply(weights, frozen, scale)
            scale = 1.0
    if scale != 1:
        _multiply(weights, frozen, scale)
    return total, correct


@_compiled
def _multiply(weights, frozen, scale):  # type: ignore[no-untyped-def]
    """Give the weights that are learned their own size again."""
    for layer in range(frozen, len(weights)):
        weight = weights[layer]
        for i in range(weight.shape[0]):
            for j in range(weight.shape[1]):
                weight[i, j] *= np.float32(scale)


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
def _step_rows_and_back(inputs, places, count, weight, slope, step, below, gain):  # type: ignore[no-untyped-def]
    """Step the active rows of `weight`, reading each once, for the slope of its input too."""
    below[:] = 0
    for k in range(count):
        i = places[k]
        row, change, back = weight[i], step * inputs[i], np.float32(0)
        for j in range(len(slope)):
            back += row[j] * slope[j]
            row[j] -= change * slope[j]
        below[i] = back * gain


@_compiled
def _step_rows(inputs, places, count, weight, slope, step):  # type: ignore[no-untyped-def]
    """Step the active rows of `weight`; nothing learns from the slopes of their inputs."""
    for k in range(count):
        row, change = weight[places[k]], step * inputs[places[k]]
        for j in range(len(slope)):
            row[j] -= change * slope[j]
