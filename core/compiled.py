"""What attacks do to many images between matrix products, as compiled loops.

NumPy takes a pass over memory for each operation. A step of an L∞ attack takes six: the sign, the
step size, the sum, the two bounds, the check. Of many images these passes took a quarter of the
attack's time. A loop here takes one pass in all. It does the same operations to a number, in the
same order and with the same roundings: without fast-math flags, which these loops don't have, the
compiler neither reorders nor fuses any. So every number is the same.

To import this file imports Numba, and compiles the loops for float32 and for float64 or reads them
from an earlier run's cache. So `core.one_pass` imports it, and only where there are many images.
"""

from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np


def _compiled(result: Any, arguments: str) -> Callable[[Any], Any]:
    """Compile a function now rather than at its first call.

    Args:
        result: the type of what it returns.
        arguments: a letter for each: "w" for a contiguous `(N, M)` array that is written, "r" for
            one that is only read, "v" for a contiguous vector that is only read, "n" for a number,
            "s" for a contiguous vector of states, uint64, "p" for one of places, int64, "m" for a
            mask, "b" for a Boolean, "q" for a contiguous `(N, S, S)` array that is written.
    """
    signatures = []
    for number in (nb.float32, nb.float64):
        kinds = {
            "w": nb.types.Array(number, 2, "C"),
            "r": nb.types.Array(number, 2, "C", readonly=True),
            "v": nb.types.Array(number, 1, "C", readonly=True),
            "n": number,
            "s": nb.types.Array(nb.uint64, 1, "C", readonly=True),
            "p": nb.types.Array(nb.int64, 1, "C", readonly=True),
            "m": nb.types.Array(nb.boolean, 1, "C", readonly=True),
            "b": nb.boolean,
            "q": nb.types.Array(number, 3, "C"),
        }
        signatures.append(result(*(kinds[letter] for letter in arguments)))
    compiled: Callable[[Any], Any] = nb.njit(signatures, nogil=True, cache=True)
    return compiled


@nb.njit(cache=True)
def _stepped(x, d, clean, epsilon, size):  # type: ignore[no-untyped-def]
    """Return a pixel after a step: min(max(x + α · sign(d), max(c − ε, 0)), min(c + ε, 1))."""
    zero, one = type(clean)(0), type(clean)(1)
    moved = x + (size if d > 0 else -size if d < 0 else zero)
    return min(max(moved, max(clean - epsilon, zero)), min(clean + epsilon, one))


@_compiled(nb.boolean, "wrrrr")
def step(x_adv, direction, clean, epsilon, size):  # type: ignore[no-untyped-def]
    """Move each iterate by α along the signs of d, and bring it back into the ball, in place.

    Args:
        x_adv: `(N, 784)` iterates, which become the next ones.
        direction: `(N, 784)`, d.
        clean: `(N, 784)` clean images, the middles of the balls.
        epsilon: ε, `(N, 1)`, or `(1, 1)` for all images.
        size: α, `(N, 1)` or `(1, 1)`.

    Returns:
        Whether all of d are finite numbers.
    """
    infinite = False
    for n in range(len(x_adv)):
        reach, up = epsilon[n % len(epsilon), 0], size[n % len(size), 0]
        for i in range(x_adv.shape[1]):
            d = direction[n, i]
            x_adv[n, i] = _stepped(x_adv[n, i], d, clean[n, i], reach, up)
            infinite |= not abs(d) < np.inf  # NaN fails every comparison
    return not infinite


@_compiled(nb.boolean, "wrrn")
def step_from_clean(x_adv, direction, clean, epsilon):  # type: ignore[no-untyped-def]
    """Fill `x_adv` with the clean images after one step of size ε (see `step`)."""
    infinite = False
    for n in range(len(x_adv)):
        for i in range(x_adv.shape[1]):
            d = direction[n, i]
            x_adv[n, i] = _stepped(clean[n, i], d, clean[n, i], epsilon, epsilon)
            infinite |= not abs(d) < np.inf
    return not infinite


@_compiled(nb.void, "wwrn")
def remember(momentum, direction, norms, decay):  # type: ignore[no-untyped-def]
    """Add a direction to the momentum, and become it: m ← μ m + d / ‖d‖ and d ← m, in place.

    Args:
        momentum: `(N, 784)`, m.
        direction: `(N, 784)`, d.
        norms: `(N, 1)`, ‖d‖, above 0.
        decay: μ.
    """
    for n in range(len(momentum)):
        norm = norms[n, 0]
        for i in range(momentum.shape[1]):
            momentum[n, i] = direction[n, i] = momentum[n, i] * decay + direction[n, i] / norm


@_compiled(nb.void, "wv")
def rectify(sums, biases):  # type: ignore[no-untyped-def]
    """Turn a layer's sums into its outputs, max(s + b, 0), in place: `(N, units)`, `(units,)`."""
    zero = sums.dtype.type(0)
    for n in range(len(sums)):
        for i in range(sums.shape[1]):
            out = sums[n, i] + biases[i]
            sums[n, i] = zero if out < zero else out  # NaN stays NaN


@_compiled(nb.void, "wr")
def through_relu(gradient, outputs):  # type: ignore[no-untyped-def]
    """Multiply the gradient by the layer's outputs by ReLU's derivative there, 1 or 0, in place."""
    zero, one = gradient.dtype.type(0), gradient.dtype.type(1)
    for n in range(len(gradient)):
        for i in range(gradient.shape[1]):
            gradient[n, i] *= one if outputs[n, i] > zero else zero


@_compiled(nb.void, "ws")
def draw(draws, states):  # type: ignore[no-untyped-def]
    """Fill each row with draws from [−1, 1), as `core.attacks.draws.uniform` makes them.

    Args:
        draws: `(N, 784)`, written.
        states: `(N,)`, where SplitMix64 starts.
    """
    digits = 24 if draws.itemsize == 4 else 53
    unit = draws.dtype.type(2.0 ** (1 - digits))
    one = draws.dtype.type(1)
    for n in range(len(draws)):
        state = states[n]
        for i in range(draws.shape[1]):
            state += nb.uint64(0x9E3779B97F4A7C15)
            bits = state
            bits ^= bits >> nb.uint64(30)
            bits *= nb.uint64(0xBF58476D1CE4E5B9)
            bits ^= bits >> nb.uint64(27)
            bits *= nb.uint64(0x94D049BB133111EB)
            bits ^= bits >> nb.uint64(31)
            draws[n, i] = draws.dtype.type(bits >> nb.uint64(64 - digits)) * unit - one


@nb.njit(cache=True)
def _set_square(image, before, clean, reach, first):  # type: ignore[no-untyped-def]
    """Set a square of an image to min(max(c + s, 0), 1); return whether a pixel changed."""
    zero, one = type(reach)(0), type(reach)(1)
    side, width = len(before), round(len(image) ** 0.5)
    changed = False
    for row in range(side):
        for column in range(side):
            place = first + row * width + column
            before[row, column] = image[place]
            image[place] = min(max(clean[place] + reach, zero), one)
            changed |= image[place] != before[row, column]
    return changed


@_compiled(nb.void, "wqrrpb")
def set_squares(here, before, clean, steps, first, always):  # type: ignore[no-untyped-def]
    """Set a square of each image to the clean pixels plus a step, within [0, 1], in place.

    Args:
        here: `(N, 784)`, square images.
        before: `(N, S, S)`, which gets the squares' pixels as they were.
        clean: `(N, 784)`, clean images.
        steps: `(N, 1)`, ε or −ε.
        first: `(N,)`, the place of the square's first pixel in its image.
        always: take the other step where this one changes nothing.
    """
    for n in range(len(here)):
        step = steps[n, 0]
        changed = _set_square(here[n], before[n], clean[n], step, first[n])
        if always and not changed:
            _set_square(here[n], before[n], clean[n], -step, first[n])


@_compiled(nb.void, "wqpm")
def restore_squares(here, before, first, where):  # type: ignore[no-untyped-def]
    """Give the squares of some images the pixels from before `set_squares` again, in place."""
    width = round(here.shape[1] ** 0.5)
    for n in np.flatnonzero(where):
        for row in range(before.shape[1]):
            start = first[n] + row * width
            for column in range(before.shape[2]):
                here[n, start + column] = before[n, row, column]
