"""The multilayer perceptron: affine layers with ReLU between them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from core import one_pass
from core.classifier import FloatArray
from core.networks.layers import read_only


@dataclass(frozen=True, eq=False)
class MLP:
    """A trained perceptron. Its arrays are read-only copies, so threads can share it.

    Args:
        weights: one `(inputs, outputs)` array a layer, all float32 or all float64. Row i holds
            everything that input i contributes: a pixel that is 0 needs none of its row.
        biases: one `(outputs,)` array a layer, of the same dtype.

    Raises:
        ValueError: the shapes don't fit together, a value is not finite, or the dtypes differ.
    """

    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]

    def __post_init__(self) -> None:
        if not self.weights or len(self.weights) != len(self.biases):
            raise ValueError("weights and biases must have the same number of layers, at least one")
        inputs = self.weights[0].shape[0] if self.weights[0].ndim else 0
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if weight.ndim != 2 or bias.shape != weight.shape[1:] or weight.shape[0] != inputs:
                raise ValueError(
                    f"weights[{layer}] of shape {weight.shape} and biases[{layer}] of shape "
                    f"{bias.shape} do not fit a layer with {inputs} inputs"
                )
            if {weight.dtype, bias.dtype} != {self.dtype} or self.dtype.kind != "f":
                raise ValueError("weights and biases must be all float32 or all float64")
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise ValueError(f"layer {layer} has values that are not finite numbers")
            inputs = weight.shape[1]
        object.__setattr__(self, "weights", tuple(map(read_only, self.weights)))
        object.__setattr__(self, "biases", tuple(map(read_only, self.biases)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """The units of each layer from the pixels to the logits, such as (784, 128, 64, 10)."""
        return (self.weights[0].shape[0], *(weight.shape[1] for weight in self.weights))

    @property
    def arrays(self) -> tuple[FloatArray, ...]:
        """All weights, then all biases."""
        return self.weights + self.biases

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of all weights and biases, and of the logits."""
        return self.weights[0].dtype

    @property
    def parameter_count(self) -> int:
        """The number of weights and biases."""
        return sum(array.size for array in self.arrays)

    @property
    def work(self) -> int:
        """The number of multiply-adds for the logits of one image."""
        return sum(weight.size for weight in self.weights)

    @property
    def members(self) -> tuple["MLP", ...]:
        """The network itself, as if it were an `Ensemble` of one."""
        return (self,)

    def logits(self, x: FloatArray) -> FloatArray:
        """Return the scores before softmax: `(N, inputs)` to `(N, outputs)`, in `dtype`."""
        return self.activations(x)[-1]

    def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """Return the logits, and the pull-back of a cotangent to the pixels (see `Classifier`)."""
        *hidden, logits = self.activations(x)

        def pull_back(cotangent: FloatArray) -> FloatArray:
            last, *others = reversed(self._transposes)
            gradient = cotangent @ last
            for outputs, transpose in zip(reversed(hidden), others, strict=True):
                if loops := one_pass.loops(gradient, outputs):
                    loops.through_relu(gradient, outputs)
                else:
                    gradient *= outputs > 0  # ReLU's derivative
                gradient = gradient @ transpose
            return gradient

        return logits, pull_back

    @cached_property
    def _transposes(self) -> tuple[FloatArray, ...]:
        """The weights as `(outputs, inputs)` arrays of their own, which BLAS multiplies faster."""
        return tuple(read_only(weight.T) for weight in self.weights)

    def activations(self, x: FloatArray) -> list[FloatArray]:
        """Return each layer's output, `(N, units)`: the hidden ones after ReLU, then the logits."""
        if x.ndim != 2 or x.shape[1] != self.sizes[0]:
            raise ValueError(f"x must be of shape (N, {self.sizes[0]}), not {x.shape}")
        outputs: list[FloatArray] = []
        out: FloatArray = x.astype(self.dtype, copy=False)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            out = out @ weight
            outputs.append(out)
            if len(outputs) == len(self.weights):
                out += bias
            elif loops := one_pass.loops(out):
                loops.rectify(out, bias)
            else:
                out += bias
                np.clip(out, 0, np.inf, out=out)  # ReLU; np.maximum(out, 0) is slower
        return outputs
