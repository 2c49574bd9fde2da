"""What convolutions and pooling share: the windows of an image, and its frame of zeros."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

from core.classifier import FloatArray

Shape: TypeAlias = tuple[int, ...]  # (channels, height, width) or (units,), without the images


def words(shape: Shape) -> str:
    """Return a shape for people."""
    return f"{shape[0]} units" if len(shape) == 1 else " × ".join(map(str, shape))


def places(sides: list[int], kernel: list[int], stride: int) -> Shape:
    """Return how many windows of a kernel fit along each side."""
    if any(own > side for own, side in zip(kernel, sides, strict=True)):
        raise ValueError(f"a window of {words(tuple(kernel))} is larger than the image")
    return tuple((side - own) // stride + 1 for own, side in zip(kernel, sides, strict=True))


def windows(
    x: FloatArray, kernel: Sequence[int], stride: int
) -> Iterator[tuple[int, int, FloatArray]]:
    """Yield for each place in a window its row, its column, and what all windows have there.

    Args:
        x: `(channels, height, width, N)`.
        kernel: the window's height and width.
        stride: by how many pixels the window moves.

    Yields:
        a view of x, `(channels, rows, columns, N)`, one row and column a window.
    """
    _, height, width, _ = x.shape
    for row in range(kernel[0]):
        rows = slice(row, height - kernel[0] + row + 1, stride)
        for column in range(kernel[1]):
            columns = slice(column, width - kernel[1] + column + 1, stride)
            yield row, column, x[:, rows, columns]


def padded(x: FloatArray, padding: int) -> FloatArray:
    """Return the image in a frame of zeros."""
    if not padding:
        return x
    channels, height, width, images = x.shape
    framed = np.zeros((channels, height + 2 * padding, width + 2 * padding, images), x.dtype)
    inside(framed, padding)[:] = x
    return framed


def inside(x: FloatArray, padding: int) -> FloatArray:
    """Return the image without its frame, as a view."""
    return x[:, padding : x.shape[1] - padding, padding : x.shape[2] - padding]
