"""The one thing that attacks, measures and figures ask of a network."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.floating[Any]]
IntArray: TypeAlias = NDArray[np.int64]


class Classifier(Protocol):
    """Anything that gives logits and pulls a cotangent back to the pixels.

    Both methods must be safe to call from several threads at once: attacks work through chunks
    of images on all cores.
    """

    def logits(self, x: FloatArray) -> FloatArray:
        """Scores before softmax: `(N, 784)` pixels in [0, 1] to `(N, 10)`."""
        ...

    def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """The vector-Jacobian product, as in `jax.vjp`: one forward pass, any number of pulls.

        Args:
            x: `(N, 784)` pixels in [0, 1].

        Returns:
            The logits, `(N, 10)`, and a function from a cotangent `(N, 10)` to the gradient
            with respect to the pixels, `(N, 784)`. That gradient is the caller's to overwrite.
        """
        ...
