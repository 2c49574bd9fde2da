"""A network of layers one after the other: convolutions, pooling, affine layers, activations."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from core.classifier import FloatArray
from core.networks.layers import Affine, Convolution, Layer, arrays, settings
from core.networks.windows import Shape

# Images at once, and the numbers of them that one layer works on: 8 MB stay near the processor.
_MOST_AT_ONCE = 64
_NUMBERS_AT_ONCE = 2**21


@dataclass(frozen=True, eq=False)
class Sequential:
    """A trained network of layers, such as LeNet-5. Threads can share it.

    Args:
        layers: from the pixels to the logits. All arrays are float32 or all are float64.
        input_shape: of one image, `(channels, height, width)`.

    Raises:
        ValueError: the layers don't fit together, or their dtypes differ.
    """

    layers: tuple[Layer, ...]
    input_shape: Shape = (1, 28, 28)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not any(isinstance(layer, Affine | Convolution) for layer in self.layers):
            raise ValueError("layers must hold at least one with weights")
        if len({array.dtype for array in self.arrays}) != 1:
            raise ValueError("the layers must be all float32 or all float64")
        if len(self.shapes[-1]) != 1:
            raise ValueError("the last layer must give logits, not images")

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The shape of the image and of each layer's output."""
        found = [self.input_shape]
        for number, layer in enumerate(self.layers):
            try:
                found.append(layer.output_shape(found[-1]))
            except ValueError as error:
                raise ValueError(f"layers[{number}] does not fit: {error}") from None
        return tuple(found)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of pixels, and of the units of each layer with weights."""
        units = [
            math.prod(shape)
            for layer, shape in zip(self.layers, self.shapes[1:], strict=True)
            if isinstance(layer, Affine | Convolution)
        ]
        return (math.prod(self.input_shape), *units)

    @cached_property
    def work(self) -> int:
        """The number of multiply-adds for the logits of one image."""
        return sum(
            layer.weight.size * math.prod(shape[1:])
            for layer, shape in zip(self.layers, self.shapes[1:], strict=True)
            if isinstance(layer, Affine | Convolution)
        )

    @cached_property
    def arrays(self) -> tuple[FloatArray, ...]:
        """All weights, biases, scales and shifts, layer by layer."""
        return tuple(array for layer in self.layers for array in arrays(layer).values())

    @property
    def outline(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """Each layer's kind and its settings, without the arrays."""
        return tuple((layer.kind, settings(layer)) for layer in self.layers)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of all arrays, and of the logits."""
        return self.arrays[0].dtype

    @property
    def parameter_count(self) -> int:
        """The number of weights, biases, scales and shifts."""
        return sum(array.size for array in self.arrays)

    @property
    def members(self) -> tuple["Sequential", ...]:
        """The network itself, as if it were an `Ensemble` of one."""
        return (self,)

    def transposed(self) -> "Sequential":
        """Return the network whose logits for an image are this one's for the transposed image."""
        layers: list[Layer] = []
        for layer, shape in zip(self.layers, self.shapes[:-1], strict=True):
            if isinstance(layer, Convolution):
                layer = replace(layer, weight=layer.weight.swapaxes(2, 3))
            elif isinstance(layer, Affine) and len(shape) == 3:
                rows = layer.weight.reshape(*shape, -1).swapaxes(1, 2)
                layer = replace(layer, weight=rows.reshape(layer.weight.shape))
            layers.append(layer)
        channels, height, width = self.input_shape
        return Sequential(tuple(layers), (channels, width, height))

    def logits(self, x: FloatArray) -> FloatArray:
        """Return the scores before softmax: `(N, inputs)` to `(N, outputs)`, in `dtype`."""
        return self._joined([self._forward(part)[0] for part in self._parts(x)])

    def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """Return the logits, and the pull-back of a cotangent to the pixels (see `Classifier`)."""
        passes = [self._forward(part) for part in self._parts(x)]

        def pull_back(cotangent: FloatArray) -> FloatArray:
            gradient = np.empty(x.shape, self.dtype)
            for number, (_, pulls) in enumerate(passes):
                rows = slice(number * self._at_once, (number + 1) * self._at_once)
                here = np.array(cotangent[rows].T, self.dtype, order="C")
                for pull in reversed(pulls):
                    here = pull(here)
                gradient[rows] = here.reshape(x.shape[1], len(cotangent[rows])).T
            return gradient

        return self._joined([logits for logits, _ in passes]), pull_back

    def outputs(self, x: FloatArray, layers: Sequence[int]) -> list[FloatArray]:
        """Return what some layers give, `(N, *shape)` each.

        Args:
            x: `(N, inputs)`.
            layers: their places in `layers`.
        """
        found = {place: np.empty((len(x), *self.shapes[place + 1]), self.dtype) for place in layers}
        for number, here in enumerate(self._parts(x)):
            rows = slice(number * self._at_once, (number + 1) * self._at_once)
            for place, layer in enumerate(self.layers):
                here, _ = layer.forward(here)
                if place in found:
                    found[place][rows] = np.moveaxis(here, -1, 0)
        return [found[place] for place in layers]

    def _parts(self, x: FloatArray) -> list[FloatArray]:
        """Return the images as `(*input_shape, n)` arrays of at most `_at_once`."""
        if x.ndim != 2 or x.shape[1] != self.sizes[0]:
            raise ValueError(f"x must be of shape (N, {self.sizes[0]}), not {x.shape}")
        starts = range(0, max(len(x), 1), self._at_once)
        parts = [x[start : start + self._at_once] for start in starts]
        return [
            np.array(part.T, self.dtype, order="C").reshape(*self.input_shape, len(part))
            for part in parts
        ]

    @cached_property
    def _at_once(self) -> int:
        """How many images go through the layers together."""
        numbers = max(
            math.prod(shape[1:]) * math.prod(layer.weight.shape[1:])
            if isinstance(layer, Convolution)
            else math.prod(shape)
            for layer, shape in zip(self.layers, self.shapes[1:], strict=True)
        )
        return min(max(_NUMBERS_AT_ONCE // numbers, 1), _MOST_AT_ONCE)

    def _forward(self, x: FloatArray) -> tuple[FloatArray, list[Callable[..., FloatArray]]]:
        """Return the logits, `(outputs, n)`, and each layer's pull-back."""
        pulls = []
        for layer in self.layers:
            x, pull = layer.forward(x)
            pulls.append(pull)
        return x, pulls

    @staticmethod
    def _joined(parts: list[FloatArray]) -> FloatArray:
        """Return logits, `(outputs, n)` each, as one `(N, outputs)` array."""
        return np.ascontiguousarray(np.concatenate(parts, axis=1).T)
