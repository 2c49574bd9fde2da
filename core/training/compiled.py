"""Stochastic gradient descent one image at a time, as a compiled loop.

Exactly the textbook algorithm, without the multiplications by zero. A pixel that is 0 adds nothing
to the first layer's sums, and its row of weights has no gradient; four fifths of MNIST's pixels
are 0. The same goes for a hidden unit that ReLU has shut. With weights kept input-major these rows
are never touched, neither read nor written.
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
        loss, correct = _descend(
            x, y, order, self._weights, self._biases, values, slopes, self._learning_rate
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
@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"}, error_model="numpy")
def _descend(x, y, order, weights, biases, values, slopes, learning_rate):  # type: ignore[no-untyped-def]
    """One step of gradient descent for each image in `order`.

    `values[l]` and `slopes[l]` are room for the outputs of layer l and for the loss's derivatives
    with respect to its sums. Returns the sum of the losses and the number of correct predictions.
    """
    last = len(weights) - 1
    total, correct = 0.0, 0
    for n in order:
        image, label = x[n], y[n]

        # Forward: add up the weight rows of the inputs that are not 0.
        for layer in range(last + 1):
            inputs = image if layer == 0 else values[layer - 1]
            weight, out = weights[layer], values[layer]
            out[:] = biases[layer]
            for i in range(len(inputs)):
                if inputs[i] != 0:
                    value, row = inputs[i], weight[i]
                    for j in range(len(out)):
                        out[j] += value * row[j]
            if layer < last:
                for j in range(len(out)):
                    out[j] = max(out[j], np.float32(0))

        # Softmax and cross-entropy: the slope of the logits is p minus the one-hot label.
        logits, slope = values[last], slopes[last]
        largest, best = logits[0], 0
        for j in range(1, len(logits)):
            if logits[j] > largest:
                largest, best = logits[j], j
        correct += best == label
        normaliser = np.float32(0)
        for j in range(len(logits)):
            slope[j] = np.exp(logits[j] - largest)
            normaliser += slope[j]
        total += np.log(normaliser) - (logits[label] - largest)
        for j in range(len(logits)):
            slope[j] /= normaliser
        slope[label] -= np.float32(1)

        # Backward: each row is read once, for the slope of its input, and stepped.
        for layer in range(last, -1, -1):
            inputs = image if layer == 0 else values[layer - 1]
            weight, bias, slope = weights[layer], biases[layer], slopes[layer]
            for i in range(len(inputs)):
                if inputs[i] != 0:
                    row, step, back = weight[i], learning_rate * inputs[i], np.float32(0)
                    for j in range(len(slope)):
                        back += row[j] * slope[j]
                        row[j] -= step * slope[j]
                    if layer > 0:
                        slopes[layer - 1][i] = back
                elif layer > 0:
                    slopes[layer - 1][i] = 0
            for j in range(len(slope)):
                bias[j] -= learning_rate * slope[j]
    return total, correct
