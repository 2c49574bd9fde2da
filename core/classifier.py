"""The interface between networks and everything that attacks or measures them, and its half."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.floating[Any]]
IntArray: TypeAlias = NDArray[np.int64]


class Scorer(Protocol):
    """Anything that gives logits; an attack without gradients needs no more.

    The method must be safe to call from several threads at once: attacks work through batches of
    images on all cores.
    """

    def logits(self, x: FloatArray) -> FloatArray:
        """Return the scores before softmax: `(N, 784)` pixels in [0, 1] to `(N, 10)`."""
        ...


class Classifier(Scorer, Protocol):
    """Anything that gives logits and pulls a cotangent back to the pixels, from any thread."""

    def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """Return the logits and the vector-Jacobian product, as `jax.vjp` does.

        Args:
            x: `(N, 784)` pixels in [0, 1].

        Returns:
            The logits, `(N, 10)`, and a function from a cotangent `(N, 10)` to the gradient
            with respect to the pixels, `(N, 784)`, which the caller may overwrite. The function
            may be called any number of times after the one forward pass.
        """
        ...
