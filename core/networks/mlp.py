"""The multilayer perceptron: affine layers with ReLU between them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.classifier import FloatArray


@dataclass(frozen=True, eq=False)
class MLP:
    """A trained perceptron whose arrays can't be written to, so that it can be shared freely.

    Args:
        weights: one `(inputs, outputs)` array a layer, float32 or float64 throughout. Row i is
            all that input i contributes, so a pixel that is 0 leaves its row untouched.
        biases: one `(outputs,)` array a layer.

    Raises:
        ValueError: the shapes don't fit together, a value is not finite, or the types are mixed.
    """

    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]

    def __post_init__(self) -> None:
        if not self.weights or len(self.weights) != len(self.biases):
            raise ValueError(
                "weights and biases must be of the same number of layers, at least one"
            )
        inputs = self.weights[0].shape[0] if self.weights[0].ndim else 0
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if weight.ndim != 2 or bias.shape != weight.shape[1:] or weight.shape[0] != inputs:
                raise ValueError(
                    f"weights[{layer}] of shape {weight.shape} and biases[{layer}] of shape "
                    f"{bias.shape} do not follow a layer of {inputs} outputs"
                )
            if {weight.dtype, bias.dtype} != {self.weights[0].dtype} or weight.dtype.kind != "f":
                raise ValueError("weights and biases must be all float32 or all float64")
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise ValueError(f"layer {layer} has values that are not finite numbers")
            inputs = weight.shape[1]
        object.__setattr__(self, "weights", tuple(map(_read_only, self.weights)))
        object.__setattr__(self, "biases", tuple(map(_read_only, self.biases)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each layer from the pixels to the logits, such as (784, 128, 64, 10)."""
        return (self.weights[0].shape[0], *(weight.shape[1] for weight in self.weights))

    def logits(self, x: FloatArray) -> FloatArray:
        """Scores before softmax: `(N, inputs)` to `(N, outputs)`, in the weights' type."""
        return self._forward(x)[-1]

    def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """The logits of `x`, and the pull-back of a cotangent to the pixels (see `Classifier`)."""
        *hidden, logits = self._forward(x)
        active = [(h > 0).astype(h.dtype) for h in hidden]  # where ReLU let the unit through

        def pull_back(cotangent: FloatArray) -> FloatArray:
            gradient = cotangent @ self.weights[-1].T
            for mask, weight in zip(reversed(active), reversed(self.weights[:-1]), strict=True):
                gradient *= mask
                gradient = gradient @ weight.T
            return gradient

        return logits, pull_back

    def _forward(self, x: FloatArray) -> list[FloatArray]:
        """What each layer puts out: the hidden ones after ReLU, the last one as it is."""
        if x.ndim != 2 or x.shape[1] != self.sizes[0]:
            raise ValueError(f"x must be of shape (N, {self.sizes[0]}), not {x.shape}")
        outputs: list[FloatArray] = []
        out: FloatArray = x.astype(self.weights[0].dtype, copy=False)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            if outputs:
                np.clip(out, 0, np.inf, out=out)  # ReLU; np.maximum with a number takes longer
            out = out @ weight
            out += bias
            outputs.append(out)
        return outputs


def _read_only(array: FloatArray) -> FloatArray:
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy
