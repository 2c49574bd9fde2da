"""What a network of ONNX computes at one place of its graph."""

from dataclasses import dataclass, replace

import numpy as np

from core.classifier import FloatArray
from core.networks.layers import Affine, Layer, Scaling
from core.networks.windows import Shape
from core.recipe import MOST_UNITS

SHAPE = object()  # a value that is computed from shapes alone


class OtherUseError(Exception):
    """An operator is used in a way that can't be read; says how."""


@dataclass(frozen=True, eq=False)
class Signal:
    """The pixels of one image after some layers.

    Attributes:
        shape: of the value without the batch; None where a reshape is computed from shapes.
        image: what the layers give. The same numbers as in `shape`.
        scale, shift: `(units,)`, what follows on the layers and the matrix, in the order of
            `image`.
        layers: those that are complete.
        matrix: `(inputs, units)` of an affine layer that has begun; None where there is none.
        order: where each number of `shape` is in `image`, both flattened.
        ended: the operators that turned logits into probabilities.
    """

    shape: Shape | None
    image: Shape
    scale: FloatArray
    shift: FloatArray
    order: np.ndarray[tuple[int], np.dtype[np.int64]]
    layers: tuple[Layer, ...] = ()
    matrix: FloatArray | None = None
    ended: tuple[str, ...] = ()

    @property
    def units(self) -> int:
        """How many numbers an image has here."""
        return len(self.scale)

    @property
    def is_flat(self) -> bool:
        """Whether the value is a list of numbers."""
        return self.shape is None or len(self.shape) == 1

    @property
    def is_image(self) -> bool:
        """Whether the value is what the layers give, as an image.

        Where a reshape of the pixels is computed from shapes, it is taken for the usual one.
        """
        same = self.shape == self.image or (self.shape is None and not self.layers)
        return same and len(self.image) == 3 and self.is_straight

    @property
    def is_straight(self) -> bool:
        """Whether the numbers are in the order of the layers' output."""
        return bool((self.order == np.arange(self.units)).all())

    def scaled(self, scale: FloatArray | float, shift: FloatArray | float) -> "Signal":
        """Return the signal after y ↦ y · scale + shift, number by number in `shape`'s order."""
        wide = []
        for each in (scale, shift):
            there = np.empty(self.units)
            there[self.order] = each
            wide.append(there)
        with np.errstate(all="ignore"):  # what is not finite is refused later
            return replace(self, scale=self.scale * wide[0], shift=self.shift * wide[0] + wide[1])

    def complete(self) -> tuple[Layer, ...]:
        """Return the layers with all that has begun.

        Raises:
            OtherUseError: a scale or shift differs from pixel to pixel of an image.
        """
        if self.matrix is not None:
            with np.errstate(all="ignore"):  # the layer refuses what is not finite
                return (*self.layers, Affine(self.matrix * self.scale, self.shift))
        if (self.scale == 1).all() and not self.shift.any():
            return self.layers
        parts = [each.reshape(self.image[0], -1) for each in (self.scale, self.shift)]
        if not all((each == each[:, :1]).all() for each in parts):
            raise OtherUseError("what is scaled before it differs from pixel to pixel")
        return (*self.layers, Scaling(*(each[:, 0] for each in parts)))

    def after(self, layer: Layer) -> "Signal":
        """Return the signal of an image after a convolution or pooling.

        Raises:
            OtherUseError: it is no image, or the layer does not fit it.
        """
        if not self.is_image:
            raise OtherUseError("the numbers before it are no image, or were put in another order")
        before = self.complete()
        try:
            image = layer.output_shape(self.image)
        except ValueError as error:
            raise OtherUseError(str(error)) from None
        return started(image, (*before, layer))

    def through(self, layer: Layer) -> "Signal":
        """Return the signal after an activation, which changes no shape."""
        made = started(self.image, (*self.complete(), layer))
        return replace(made, shape=self.shape, order=self.order)

    def times(self, weight: FloatArray) -> "Signal":
        """Return the signal after a matrix product.

        Raises:
            OtherUseError: the weights don't fit.
            ValueError: the layer is too large.
        """
        if not self.is_flat or len(weight) != self.units:
            raise OtherUseError(
                f"{len(weight):,} inputs meet a layer of {self.units:,} units"
                if self.is_flat
                else "the image is not flattened before it"
            )
        units = weight.shape[1]
        if not 1 <= units <= MOST_UNITS:
            raise ValueError(f"a layer has {units:,} units, this program takes 1 to {MOST_UNITS:,}")
        there = np.empty_like(weight)
        there[self.order] = weight
        with np.errstate(all="ignore"):
            matrix = self.scale[:, None] * there
            if self.matrix is not None:
                matrix = self.matrix @ matrix
            made = started((units,), self.layers)
            return replace(made, matrix=matrix, shift=self.shift @ there)


def started(image: Shape, layers: tuple[Layer, ...] = ()) -> Signal:
    """Return the signal after layers that give this shape."""
    units = int(np.prod(image))
    return Signal(image, image, np.ones(units), np.zeros(units), np.arange(units), layers)
