"""The parts of images that single units of a convolutional layer see."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.classifier import FloatArray, IntArray
from core.networks.layers import AveragePooling, Convolution, Layer, MaxPooling
from core.networks.windows import Shape


@dataclass(frozen=True, eq=False)
class Window:
    """What K units see of a layer's output: a part of the same size for each, at its own place.

    Attributes:
        top, left: `(K,)`, the first row and column. A part may reach beyond the image.
        height, width: of each part.
    """

    top: IntArray
    left: IntArray
    height: int = 1
    width: int = 1

    def before(self, layer: Layer) -> "Window":
        """Return what the units see of the layer's input."""
        if isinstance(layer, Convolution):
            (height, width), padding = layer.weight.shape[2:], layer.padding
        elif isinstance(layer, MaxPooling | AveragePooling):
            height, width, padding = layer.size, layer.size, 0
        else:
            return self
        return Window(
            self.top * layer.stride - padding,
            self.left * layer.stride - padding,
            (self.height - 1) * layer.stride + height,
            (self.width - 1) * layer.stride + width,
        )

    def shape(self, whole: Shape) -> Shape:
        """Return the shape of a part of an image of that shape."""
        return (whole[0], self.height, self.width)

    def cut(self, x: FloatArray) -> FloatArray:
        """Return the parts of an image: `(..., height, width, 1)` to the same with K parts.

        Beyond the image they are 0.
        """
        height, width = x.shape[-3:-1]
        rows, inside_rows = _within(self.top, self.height, height)
        columns, inside_columns = _within(self.left, self.width, width)
        places = (rows[:, None] * width + columns).reshape(-1)
        flat = x.reshape(*x.shape[:-3], height * width)
        shape = (*x.shape[:-3], self.height, self.width, len(self.top))
        parts: FloatArray = flat.take(places, axis=-1).reshape(shape)
        if not (inside_rows.all() and inside_columns.all()):
            parts *= inside_rows[:, None] & inside_columns
        return parts

    def clear(self, x: FloatArray, whole: Shape) -> None:
        """Set parts, `(channels, height, width, K)`, to 0 beyond an image of that shape."""
        _, rows = _within(self.top, self.height, whole[1])
        _, columns = _within(self.left, self.width, whole[2])
        if not (rows.all() and columns.all()):
            x *= rows[:, None] & columns


def _within(first: IntArray, size: int, most: int) -> tuple[IntArray, NDArray[np.bool_]]:
    """Return places from `first` on, `(size, K)`, moved into an image, and which were in it."""
    places: IntArray = first + np.arange(size)[:, None]
    return places.clip(0, most - 1), (places >= 0) & (places < most)
