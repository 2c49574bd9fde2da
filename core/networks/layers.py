"""The layers of a convolutional network: what each computes, and its vector-Jacobian product.

An array of images is `(channels, height, width, N)` here, one of plain units `(units, N)`. With the
images last, each strided copy below moves long runs of memory, whether N is 1 or 256.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np

from core import validate
from core.classifier import FloatArray
from core.networks.windows import Shape, inside, padded, places, windows, words

PullBack: TypeAlias = Callable[[FloatArray], FloatArray]

ACTIVATIONS = ("relu", "tanh", "sigmoid")


class Layer(Protocol):
    """What all layers do. Arrays are read-only copies, so threads can share a layer."""

    kind: ClassVar[str]

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of the layer's output for an input of that shape.

        Raises:
            ValueError: the layer can't follow a layer of that shape; says why.
        """
        ...

    def forward(self, x: FloatArray) -> tuple[FloatArray, PullBack]:
        """Return the output and its pull-back: `(*shape, N)` to `(*output_shape, N)`.

        The pull-back takes a cotangent of the output to one of the input. It may overwrite what it
        is given, and may be called more than once.
        """
        ...


class Linear(Layer, Protocol):
    """A layer whose output is a linear function of its input, plus constants."""

    def pull_back(self, cotangent: FloatArray, shape: Shape) -> FloatArray:
        """Return what the pull-back of `forward` does, for an input of that shape.

        Args:
            cotangent: `(*output_shape, N)`.
            shape: of the input, without the images.
        """
        ...


@dataclass(frozen=True, eq=False)
class Affine:
    """z = x W + b, for x flattened channel by channel, row by row.

    Args:
        weight: `(inputs, outputs)`.
        bias: `(outputs,)`.
    """

    kind: ClassVar[str] = "affine"
    weight: FloatArray
    bias: FloatArray

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.bias.shape != self.weight.shape[1:]:
            raise ValueError(
                f"a weight of shape {self.weight.shape} and a bias of shape {self.bias.shape} are "
                "no affine layer"
            )
        _freeze(self)

    def output_shape(self, shape: Shape) -> Shape:
        """Return `(outputs,)`; see `Layer`."""
        inputs, outputs = self.weight.shape
        if math.prod(shape) != inputs:
            raise ValueError(f"an affine layer of {inputs} inputs can't follow {words(shape)}")
        return (outputs,)

    def forward(self, x: FloatArray) -> tuple[FloatArray, PullBack]:
        """See `Layer`."""
        out = self.weight.T @ x.reshape(len(self.weight), x.shape[-1])
        out += self.bias[:, None]
        return out, lambda cotangent: self.pull_back(cotangent, x.shape[:-1])

    def pull_back(self, cotangent: FloatArray, shape: Shape) -> FloatArray:
        """See `Linear`."""
        return (self.weight @ cotangent).reshape(*shape, cotangent.shape[-1])


@dataclass(frozen=True, eq=False)
class Convolution:
    """The sums of a window's pixels times a kernel, for each channel of the output.

    Like other programs it does not turn the kernel around (Goodfellow, Bengio and Courville 2016,
    "Deep Learning", equation 9.6).

    Args:
        weight: `(outputs, channels, height, width)`, one kernel an output channel.
        bias: `(outputs,)`.
        stride: by how many pixels the window moves.
        padding: how many rows and columns of zeros surround the image.
    """

    kind: ClassVar[str] = "convolution"
    weight: FloatArray
    bias: FloatArray
    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        if self.weight.ndim != 4 or self.bias.shape != self.weight.shape[:1]:
            raise ValueError(
                f"a weight of shape {self.weight.shape} and a bias of shape {self.bias.shape} are "
                "no convolution"
            )
        validate.whole_number(self.stride, name="stride", least=1)
        validate.whole_number(self.padding, name="padding", least=0)
        if self.padding >= min(self.weight.shape[2:]):
            raise ValueError("padding must be smaller than the kernel")
        _freeze(self)

    def output_shape(self, shape: Shape) -> Shape:
        """Return `(outputs, height, width)`; see `Layer`."""
        outputs, channels, *kernel = self.weight.shape
        if len(shape) != 3 or shape[0] != channels:
            raise ValueError(f"a convolution of {channels} channels can't follow {words(shape)}")
        sides = [side + 2 * self.padding for side in shape[1:]]
        return (outputs, *places(sides, kernel, self.stride))

    def forward(self, x: FloatArray) -> tuple[FloatArray, PullBack]:
        """See `Layer`. The windows become columns of one matrix, so BLAS does the sums."""
        outputs, height, width = self.output_shape(x.shape[:3])
        framed = padded(x, self.padding)
        matrix = self.weight.reshape(outputs, -1)
        kernel = self.weight.shape[2:]
        columns = np.empty((len(x), *kernel, height, width, x.shape[3]), x.dtype)
        for row, column, part in windows(framed, kernel, self.stride):
            columns[:, row, column] = part
        out = matrix @ columns.reshape(matrix.shape[1], height * width * x.shape[3])
        out += self.bias[:, None]
        shape = x.shape[:3]  # the pull-back keeps no large array
        out = out.reshape(outputs, height, width, x.shape[3])
        return out, lambda cotangent: self.pull_back(cotangent, shape)

    def pull_back(self, cotangent: FloatArray, shape: Shape) -> FloatArray:
        """See `Linear`. The products are added where their window was."""
        outputs, channels, *kernel = self.weight.shape
        images = cotangent.shape[3]
        shares = self.weight.reshape(outputs, -1).T @ cotangent.reshape(outputs, -1)
        shares = shares.reshape(channels, *kernel, *cotangent.shape[1:])
        sides = [side + 2 * self.padding for side in shape[1:]]
        gradient = np.zeros((channels, *sides, images), shares.dtype)
        for row, column, part in windows(gradient, kernel, self.stride):
            part += shares[:, row, column]
        return inside(gradient, self.padding)


@dataclass(frozen=True)
class MaxPooling:
    """The largest value in each window of `size` × `size`; the windows are `stride` apart."""

    kind: ClassVar[str] = "max pooling"
    size: int
    stride: int

    def __post_init__(self) -> None:
        _check_window(self.size, self.stride)

    def output_shape(self, shape: Shape) -> Shape:
        """Return `(channels, height, width)`; see `Layer`."""
        return _pooled(shape, self.size, self.stride)

    def forward(self, x: FloatArray) -> tuple[FloatArray, PullBack]:
        """See `Layer`. Of equal values the first in the window, row by row, has the derivative."""
        kernel = (self.size, self.size)
        parts = [part for _, _, part in windows(x, kernel, self.stride)]
        out = parts[0].copy()
        for part in parts[1:]:
            np.maximum(out, part, out=out)

        def pull_back(cotangent: FloatArray) -> FloatArray:
            gradient, left = np.zeros_like(x), cotangent
            for part, (_, _, here) in zip(parts, windows(gradient, kernel, self.stride),
                                          strict=True):  # fmt: skip
                taken = left * (part == out)
                here += taken
                left = left - taken
            return gradient

        return out, pull_back


@dataclass(frozen=True)
class AveragePooling:
    """The mean of each window of `size` × `size`; the windows are `stride` apart."""

    kind: ClassVar[str] = "average pooling"
    size: int
    stride: int

    def __post_init__(self) -> None:
        _check_window(self.size, self.stride)

    def output_shape(self, shape: Shape) -> Shape:
        """Return `(channels, height, width)`; see `Layer`."""
        return _pooled(shape, self.size, self.stride)

    def forward(self, x: FloatArray) -> tuple[FloatArray, PullBack]:
        """See `Layer`."""
        kernel = (self.size, self.size)
        share = x.dtype.type(1 / self.size**2)
        out = np.zeros((*self.output_shape(x.shape[:3]), x.shape[3]), x.dtype)
        for _, _, part in windows(x, kernel, self.stride):
            out += part
        out *= share
        shape = x.shape[:3]
        return out, lambda cotangent: self.pull_back(cotangent, shape)

    def pull_back(self, cotangent: FloatArray, shape: Shape) -> FloatArray:
        """See `Linear`."""
        each = cotangent * cotangent.dtype.type(1 / self.size**2)
        gradient = np.zeros((*shape, cotangent.shape[3]), each.dtype)
        for _, _, here in windows(gradient, (self.size, self.size), self.stride):
            here += each
        return gradient


@dataclass(frozen=True)
class Activation:
    """One of `ACTIVATIONS`, unit by unit."""

    kind: ClassVar[str] = "activation"
    function: str = "relu"

    def __post_init__(self) -> None:
        if self.function not in ACTIVATIONS:
            raise ValueError(f"function must be one of {', '.join(ACTIVATIONS)}")

    def output_shape(self, shape: Shape) -> Shape:
        """Return the same shape."""
        return shape

    def forward(self, x: FloatArray) -> tuple[FloatArray, PullBack]:
        """See `Layer`."""
        if self.function == "relu":
            out = np.maximum(x, 0)
            return out, lambda cotangent: cotangent * (out > 0)
        if self.function == "tanh":
            out = np.tanh(x)
            return out, lambda cotangent: cotangent * (1 - out) * (1 + out)
        out = (1 + np.tanh(x / 2)) / 2  # the sigmoid; no power overflows
        return out, lambda cotangent: cotangent * out * (1 - out)


@dataclass(frozen=True, eq=False)
class Scaling:
    """x · scale + shift: what a network does to its pixels first, or batch normalisation.

    Args:
        scale, shift: `(channels,)` or `(units,)`, or `(1,)` for all.
    """

    kind: ClassVar[str] = "scaling"
    scale: FloatArray
    shift: FloatArray

    def __post_init__(self) -> None:
        if self.scale.ndim != 1 or self.scale.shape != self.shift.shape:
            raise ValueError("scale and shift must be lists of the same length")
        _freeze(self)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the same shape; see `Layer`."""
        if len(self.scale) not in (1, shape[0]):
            raise ValueError(f"a scaling of {len(self.scale)} numbers can't follow {words(shape)}")
        return shape

    def forward(self, x: FloatArray) -> tuple[FloatArray, PullBack]:
        """See `Layer`."""
        each, shape = (-1,) + (1,) * (x.ndim - 1), x.shape[:-1]
        out = x * self.scale.reshape(each) + self.shift.reshape(each)
        return out, lambda cotangent: self.pull_back(cotangent, shape)

    def pull_back(self, cotangent: FloatArray, shape: Shape) -> FloatArray:
        """See `Linear`."""
        return cotangent * self.scale.reshape((-1,) + (1,) * len(shape))


LINEAR = (Affine, Convolution, AveragePooling, Scaling)
KINDS: Mapping[str, type[Layer]] = MappingProxyType(
    {
        layer.kind: layer
        for layer in (
            Affine,
            Convolution,
            MaxPooling,
            AveragePooling,
            Activation,
            Scaling,
        )
    }
)


ARRAYS = ("weight", "bias", "scale", "shift")  # the names of all arrays that a layer can have


def arrays(layer: Layer) -> dict[str, FloatArray]:
    """Return a layer's arrays by the names of its arguments; {} if it has none."""
    return {name: each for name, each in vars(layer).items() if isinstance(each, np.ndarray)}


def settings(layer: Layer) -> dict[str, Any]:
    """Return a layer's other arguments by their names."""
    return {name: each for name, each in vars(layer).items() if not isinstance(each, np.ndarray)}


def magnitude(layer: Layer) -> Layer:
    """Return the layer with the absolute values of its arrays, which bounds what it can give."""
    return type(layer)(**settings(layer), **{k: np.abs(v) for k, v in arrays(layer).items()})


def read_only(array: FloatArray) -> FloatArray:
    """Return a copy that nobody can change; the array itself if it is one.

    So networks that differ in other things share their weights.
    """
    if array.flags.owndata and array.flags.c_contiguous and not array.flags.writeable:
        return array
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy


def _freeze(layer: Affine | Convolution | Scaling) -> None:
    """Make a layer's arrays read-only copies; raise unless all are finite and of one dtype."""
    dtypes = {each.dtype for each in arrays(layer).values()}
    if not dtypes <= {np.dtype(np.float32), np.dtype(np.float64)} or len(dtypes) != 1:
        raise ValueError("the arrays of a layer must be all float32 or all float64")
    for name, each in arrays(layer).items():
        if not np.isfinite(each).all():
            raise ValueError(f"a layer's {name} has values that are not finite numbers")
        object.__setattr__(layer, name, read_only(each))


def _check_window(size: int, stride: int) -> None:
    validate.whole_number(size, name="size", least=1)
    validate.whole_number(stride, name="stride", least=1)


def _pooled(shape: Shape, size: int, stride: int) -> Shape:
    if len(shape) != 3:
        raise ValueError(f"pooling can't follow {words(shape)}")
    return (shape[0], *places(list(shape[1:]), [size, size], stride))
