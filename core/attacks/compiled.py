"""Steps of the L∞ attacks as compiled loops, for many images.

NumPy takes a pass over memory for each operation of a step: the sign, the step size, the sum and
the two bounds. Of many images these passes took a quarter of an attack's time. A loop here takes
one pass in all. It does the same operations on a pixel in the same order and with the same
roundings, so every pixel is the same: without fast-math flags the compiler reorders and fuses none.

Importing this file imports Numba, and compiles the loops or reads them from an earlier run's cache.
So import it only where there are many images (see `core.attacks.iterated.LinfBall`).
"""

from collections.abc import Callable
from typing import Any

import numba as nb


def _compiled(arguments: str) -> Callable[[Any], Any]:
    """Compile a function for float32 and for float64, now rather than at its first call.

    Args:
        arguments: a letter for each: "w" for a contiguous `(N, M)` array that is written, "r" for
            one that is only read, "n" for a number.
    """
    signatures = []
    for number in (nb.float32, nb.float64):
        written = nb.types.Array(number, 2, "C")
        kinds = {"w": written, "r": written.copy(readonly=True), "n": number}
        signatures.append(nb.void(*(kinds[letter] for letter in arguments)))
    compiled: Callable[[Any], Any] = nb.njit(signatures, nogil=True, cache=True)
    return compiled


@nb.njit(cache=True)
def _stepped(x, d, clean, epsilon, size):  # type: ignore[no-untyped-def]
    """Return a pixel after a step: min(max(x + α · sign(d), max(c − ε, 0)), min(c + ε, 1))."""
    zero, one = type(clean)(0), type(clean)(1)
    moved = x + (size if d > 0 else -size if d < 0 else zero)
    return min(max(moved, max(clean - epsilon, zero)), min(clean + epsilon, one))


@_compiled("wrrrr")
def step(x_adv, direction, clean, epsilon, size):  # type: ignore[no-untyped-def]
    """Move each iterate by α along the signs of d, and bring it back into the ball, in place.

    Args:
        x_adv: `(N, 784)` iterates, which become the next ones.
        direction: `(N, 784)`, d.
        clean: `(N, 784)` clean images, the middles of the balls.
        epsilon: ε, `(N, 1)`, or `(1, 1)` for all images.
        size: α, `(N, 1)` or `(1, 1)`.
    """
    for n in range(len(x_adv)):
        reach, up = epsilon[n % len(epsilon), 0], size[n % len(size), 0]
        for i in range(x_adv.shape[1]):
            x_adv[n, i] = _stepped(x_adv[n, i], direction[n, i], clean[n, i], reach, up)


@_compiled("wrrn")
def step_from_clean(x_adv, direction, clean, epsilon):  # type: ignore[no-untyped-def]
    """Fill `x_adv` with the clean images after one step of size ε (see `step`)."""
    for n in range(len(x_adv)):
        for i in range(x_adv.shape[1]):
            x_adv[n, i] = _stepped(clean[n, i], direction[n, i], clean[n, i], epsilon, epsilon)


@_compiled("wwrn")
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
