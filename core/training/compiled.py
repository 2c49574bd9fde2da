"""Stochastic gradient descent one image at a time, as a compiled loop that skips every zero.

This is exactly the textbook algorithm. A pixel that is 0 adds nothing to the first layer's sums,
and the gradient of its row of weights is 0; four fifths of MNIST's pixels are 0. The same holds for
a hidden unit that ReLU has set to 0. The weights are stored input-major, so these rows are neither
read nor written. Most of the remaining time goes into reading and writing the sums, so four rows
are added at a time.

Every processor computes the same bits. The code fixes the order of all additions: there are no
fast-math flags, with which the compiler would order additions by the width of the vector registers
and fuse them with products. The exponential and the logarithm are those of `core.elementary`.
"""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from core import elementary
from core.classifier import FloatArray, IntArray
from core.networks.mlp import MLP
from core.recipe import Recipe
from core.training.cost import Advance, forward_work, pieces, work_of_an_image

_NO_MASK = np.zeros((0, 0), np.bool_)


class CompiledEngine:
    """An engine for recipes that are `Recipe.reproducible` (see `core.training.loop.Engine`)."""

    def __init__(self, start: MLP, recipe: Recipe) -> None:
        self._weights = tuple(np.array(weight, np.float32) for weight in start.weights)
        self._biases = tuple(np.array(bias, np.float32) for bias in start.biases)
        self._weight_decay = recipe.weight_decay
        self._gain = np.float32(1 / (1 - recipe.dropout))
        self._frozen = recipe.frozen
        self._work = work_of_an_image(recipe)
        self._forward_work = forward_work(recipe)

    def run(
        self,
        x: FloatArray,
        y: IntArray,
        order: IntArray,
        learning_rate: float,
        mask: NDArray[np.bool_] | None = None,
        advance: Advance = lambda images: None,
        *,
        done: float = 1.0,
    ) -> tuple[float, int]:
        """Train on the images in the given order; other threads may run meanwhile."""
        gradients = tuple(np.zeros_like(bias) for bias in self._biases)
        rooms, state, correct = self._rooms(), np.array([0.0, 1.0, 1.0]), 0
        for rows in pieces(len(order), self._work):
            correct += _descend(
                *(x, y, order[rows], _NO_MASK if mask is None else mask[rows], self._gain),
                *(self._weights, self._biases, *rooms, gradients, self._frozen),
                *(np.float32(learning_rate), learning_rate * self._weight_decay, state),
            )
            advance(rows.stop - rows.start)
        if state[2] != 1:
            _multiply(self._weights, self._frozen, state[2])
        return float(_loss_sum(state)), int(correct)

    def evaluate(
        self, x: FloatArray, y: IntArray, advance: Advance = lambda images: None
    ) -> tuple[float, int]:
        """Return the sum of the losses and the number of correct predictions, as they are now."""
        rooms, state, correct = self._rooms(), np.array([0.0, 1.0]), 0
        for rows in pieces(len(x), self._forward_work):
            correct += _evaluate(x[rows], y[rows], self._weights, self._biases, *rooms, state)
            advance(rows.stop - rows.start)
        return float(_loss_sum(state)), int(correct)

    def network(self) -> MLP:
        """Return a copy of the network as it is now."""
        return MLP(self._weights, self._biases)

    def _rooms(self) -> tuple[tuple[FloatArray, ...], tuple[IntArray, ...]]:
        """Return room for each layer's outputs, and for the indices of its nonzero inputs."""
        outputs = tuple(np.zeros_like(bias) for bias in self._biases)
        return outputs, tuple(np.zeros(len(weight), np.int64) for weight in self._weights)


_compiled = nb.njit(nogil=True, cache=True, error_model="numpy")
_exp, _log = _compiled(elementary.exp), _compiled(elementary.log)


@_compiled
def _descend(  # type: ignore[no-untyped-def]
    x,
    y,
    order,
    mask,
    gain,
    weights,
    biases,
    outputs,
    active,
    gradients,
    frozen,
    rate,
    decay,
    state,
):
    """Take one step of gradient descent for each image in `order`; return how many were correct.

    `gradients[l]` is room for the loss's derivatives by the sums of layer l. `mask`, where it has
    rows, says for each image which hidden units dropout keeps; their outputs are multiplied by
    `gain`. `decay` is the share that each step takes off the weights. `state` passes from one piece
    of a run to the next: two numbers that hold the sum of the losses (see `_cross_entropy`), and
    the `scale`.

    Decay changes every weight at every step, which would undo all savings. So the arrays hold the
    weights divided by `scale`, one number that decays for all of them (Bottou 2012, "Stochastic
    Gradient Descent Tricks", section 5.1).
    """
    last = len(weights) - 1
    losses, correct = state[:2], 0
    exponentials = np.zeros((2, len(biases[last])))
    counts = np.zeros(last + 1, np.int64)
    scale = state[2]
    for seen, n in enumerate(order):
        image, label = x[n], y[n]
        kept = mask[seen] if len(mask) else mask[:0].ravel()
        _forward(image, kept, gain, weights, biases, outputs, active, counts, frozen, scale)
        prediction = _cross_entropy(outputs[last], label, exponentials, losses)
        correct += prediction == label
        for j in range(len(gradients[last])):
            gradients[last][j] = exponentials[1, j]

        decayed = scale * (1 - decay)
        step = np.float32(rate / decayed)
        for layer in range(last, frozen - 1, -1):
            inputs = image if layer == 0 else outputs[layer - 1]
            indices, gradient = active[layer][: counts[layer]], gradients[layer]
            if layer > frozen:
                back_gain = np.float32(scale) * gain
                below = gradients[layer - 1]
                _step_rows_and_back(
                    inputs, indices, weights[layer], gradient, step, below, back_gain
                )
            else:
                _step_rows(inputs, indices, weights[layer], gradient, step)
            bias = biases[layer]
            for j in range(len(gradient)):
                bias[j] -= rate * gradient[j]
        scale = decayed
        if scale < 1e-3:
            _multiply(weights, frozen, scale)
            scale = 1.0
    state[2] = scale
    return correct


@_compiled
def _evaluate(x, y, weights, biases, outputs, active, losses):  # type: ignore[no-untyped-def]
    """Add the losses of all images to `losses`; return the number of correct predictions."""
    last = len(weights) - 1
    correct = 0
    exponentials = np.zeros((2, len(biases[last])))
    counts = np.zeros(last + 1, np.int64)
    kept = np.zeros(0, np.bool_)
    for n in range(len(x)):
        _forward(x[n], kept, np.float32(1), weights, biases, outputs, active, counts, 0, 1.0)
        correct += _cross_entropy(outputs[last], y[n], exponentials, losses) == y[n]
    return correct


@_compiled
def _loss_sum(losses):  # type: ignore[no-untyped-def]
    """Return the sum that `_cross_entropy` has added up."""
    return losses[0] + _log(losses[1])


@_compiled
def _forward(  # type: ignore[no-untyped-def]
    image, kept, gain, weights, biases, outputs, active, counts, frozen, scale
):
    """Fill `outputs`, and `active` and `counts` with the indices of each layer's nonzero inputs."""
    last = len(weights) - 1
    first_unit = 0
    for layer in range(last + 1):
        inputs = image if layer == 0 else outputs[layer - 1]
        out, bias = outputs[layer], biases[layer]
        counts[layer] = _find_active(inputs, active[layer])
        layer_scale = np.float32(scale if layer >= frozen else 1)
        for j in range(len(out)):
            out[j] = bias[j] / layer_scale
        _add_rows(inputs, active[layer][: counts[layer]], weights[layer], out)
        if layer_scale != 1:
            for j in range(len(out)):
                out[j] *= layer_scale
        if layer < last:
            for j in range(len(out)):
                out[j] = max(out[j], np.float32(0))
            if len(kept):
                for j in range(len(out)):
                    out[j] *= gain * kept[first_unit + j]
                first_unit += len(out)


@_compiled
def _find_active(inputs, indices):  # type: ignore[no-untyped-def]
    """Fill `indices` with those of the nonzero `inputs`, without a branch; return their number."""
    count = 0
    for i in range(len(inputs)):
        indices[count] = i
        count += inputs[i] != 0
    return count


@_compiled
def _add_rows(inputs, indices, weight, out):  # type: ignore[no-untyped-def]
    """Add to `out` the rows of `weight` at the indices, each times its input."""
    fours = len(indices) - len(indices) % 4
    for k in range(0, fours, 4):
        a, b, c, d = indices[k], indices[k + 1], indices[k + 2], indices[k + 3]
        at_a, at_b, at_c, at_d = inputs[a], inputs[b], inputs[c], inputs[d]
        row_a, row_b, row_c, row_d = weight[a], weight[b], weight[c], weight[d]
        for j in range(len(out)):
            out[j] += at_a * row_a[j] + at_b * row_b[j] + at_c * row_c[j] + at_d * row_d[j]
    for k in range(fours, len(indices)):
        value, row = inputs[indices[k]], weight[indices[k]]
        for j in range(len(out)):
            out[j] += value * row[j]


@_compiled
def _cross_entropy(logits, label, exponentials, losses):  # type: ignore[no-untyped-def]
    """Add the loss of one image and return its prediction.

    `exponentials[1]` becomes the loss's derivatives by the logits, softmax minus the one-hot label.
    The sum of the losses is `losses[0]` + log(`losses[1]`): one logarithm serves many images.
    """
    size = len(logits)
    largest, prediction = logits[0], 0
    for j in range(1, size):
        if logits[j] > largest:
            largest, prediction = logits[j], j
    shifted, derivative = exponentials
    for j in range(size):
        shifted[j] = np.float64(logits[j]) - largest
    losses[0] -= shifted[label]
    _exp(shifted, derivative)
    normaliser = 0.0
    for j in range(size):
        normaliser += derivative[j]
    for j in range(size):
        derivative[j] /= normaliser
    derivative[label] -= 1
    losses[1] *= normaliser
    if losses[1] > 1e100:
        losses[0] += _log(losses[1])
        losses[1] = 1
    return prediction


@_compiled
def _step_rows_and_back(inputs, indices, weight, gradient, step, below, gain):  # type: ignore[no-untyped-def]
    """Step the rows of `weight` at the indices; fill `below` with the gradient by the inputs.

    Each dot product is summed in eight parts, which the compiler may keep in vector registers.
    """
    below[:] = 0
    size = len(gradient)
    eights = size - size % 8
    for i in indices:
        row, change = weight[i], step * inputs[i]
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = np.float32(0)
        for j in range(0, eights, 8):
            s0 += row[j] * gradient[j]
            s1 += row[j + 1] * gradient[j + 1]
            s2 += row[j + 2] * gradient[j + 2]
            s3 += row[j + 3] * gradient[j + 3]
            s4 += row[j + 4] * gradient[j + 4]
            s5 += row[j + 5] * gradient[j + 5]
            s6 += row[j + 6] * gradient[j + 6]
            s7 += row[j + 7] * gradient[j + 7]
        back = ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
        for j in range(eights, size):
            back += row[j] * gradient[j]
        for j in range(size):
            row[j] -= change * gradient[j]
        below[i] = back * gain


@_compiled
def _step_rows(inputs, indices, weight, gradient, step):  # type: ignore[no-untyped-def]
    """Step the rows of `weight` at the indices; nothing below learns."""
    for i in indices:
        row, change = weight[i], step * inputs[i]
        for j in range(len(gradient)):
            row[j] -= change * gradient[j]


@_compiled
def _multiply(weights, frozen, scale):  # type: ignore[no-untyped-def]
    """Multiply the weights that are learned by `scale`, to bring them to their own size again."""
    for layer in range(frozen, len(weights)):
        weight = weights[layer]
        for i in range(weight.shape[0]):
            for j in range(weight.shape[1]):
                weight[i, j] *= np.float32(scale)
