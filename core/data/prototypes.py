"""How much an image looks like a digit: its distance to prototypes of the training images.

A network always answers with a digit, whatever it is shown, and is often sure of it. This measure
doesn't ask the network. It compares an image with 600 typical digits:

1. Describe an image by its edges. In each of 7 × 7 places, four numbers say how strong the edges
   are that run in four directions: across, down, and along both diagonals. Such histograms of
   directions are less disturbed by a thicker pen or a shifted stroke than pixels are: Dalal and
   Triggs 2005, "Histograms of Oriented Gradients for Human Detection". The 196 numbers are scaled
   to a vector of length 1.
2. The prototypes are the means of such descriptions. k-means (Lloyd 1982, "Least Squares
   Quantization in PCM") found 60 groups among the training images of each digit.
3. The distance of an image is the one from its description to the nearest prototype: 0 for the
   prototype itself, at most about 1.4.

An image whose distance is more than `FARTHEST` is called unlike a digit. Of MNIST's test digits,
which the prototypes have not seen, 1 in 100 is. So are most ticks, crosses and letters, but not
those that a digit resembles: O, l, S, Z, an e like a 6.

`python -m core.data.prototypes` makes the prototypes again.
"""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from core.classifier import FloatArray
from core.data import mnist

FILE = Path(__file__).with_suffix(".png")
FARTHEST = 0.46
SIDE = 28
PLACES = 7
DIRECTIONS = 4
GROUPS = 60  # for each digit
ROUNDS = 12
# The file holds whole levels. No number of a description reaches a half.
LEVELS = 510


def like_a_digit(x: FloatArray) -> bool:
    """Return whether an image, `(1, 784)` in [0, 1], is near enough to a prototype of a digit."""
    return distance(x) <= FARTHEST


def distance(x: FloatArray) -> float:
    """Return the distance of an image to the nearest prototype, from 0 to about 1.4.

    Args:
        x: `(1, 784)` pixels in [0, 1], ink 1, prepared as MNIST's digits are.

    Raises:
        ValueError: `x` is not such an array.
    """
    if x.shape != (1, SIDE**2):
        raise ValueError(f"x must be (1, {SIDE**2}), not {x.shape}")
    return float(_to_nearest(described(x), prototypes())[0][0])


def described(x: FloatArray) -> FloatArray:
    """Return the descriptions of images by the directions of their edges.

    Args:
        x: `(N, 784)` pixels in [0, 1].

    Returns:
        `(N, 196)`, each of length 1, or of zeros for an image without edges: the four directions
        place by place, row by row.
    """
    smooth = _bells(np.arange(SIDE), 0.7)
    images = smooth @ x.astype(np.float32, copy=False).reshape(-1, SIDE, SIDE) @ smooth.T
    down, across = np.zeros_like(images), np.zeros_like(images)
    down[:, 1:-1] = images[:, 2:] - images[:, :-2]
    across[:, :, 1:-1] = images[:, :, 2:] - images[:, :, :-2]
    strength = np.hypot(across, down)
    # Twice the angle: both edges of a stroke count as the same direction.
    angle = 2 * np.arctan2(down, across)
    around = _bells(np.arange(2, SIDE, SIDE // PLACES), 1.5)
    maps = []
    for direction in range(DIRECTIONS):
        alike = np.maximum(np.cos(angle - np.float32(2 * np.pi * direction / DIRECTIONS)), 0)
        maps.append(around @ (strength * alike) @ around.T)
    # Roots, so that one long straight edge doesn't outweigh all others.
    out = np.sqrt(np.stack(maps, axis=-1)).reshape(len(images), -1)
    scaled: FloatArray = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
    return scaled


def _bells(middles: np.ndarray, width: float) -> FloatArray:
    """Return normal curves over a row of pixels, one in each row: `(len(middles), 28)`."""
    bells = np.exp(-0.5 * ((np.arange(SIDE) - middles[:, None]) / width) ** 2)
    bells /= width * np.sqrt(2 * np.pi)
    return np.asarray(bells, np.float32)


@cache
def prototypes() -> FloatArray:
    """Return the shipped prototypes, `(600, 196)` descriptions, those of 0 first."""
    levels = np.asarray(Image.open(FILE), np.float32)
    half = PLACES * 2
    tiles = levels.reshape(10, half, GROUPS, half).swapaxes(1, 2)
    # A prototype is a tile of its four maps, two above two.
    maps = tiles.reshape(10 * GROUPS, 2, PLACES, 2, PLACES).transpose(0, 2, 4, 1, 3)
    out = maps.reshape(10 * GROUPS, -1) / LEVELS
    out.flags.writeable = False
    return out


def _save(means: FloatArray) -> None:
    """Write prototypes as a picture that `prototypes` reads: a row of tiles for each digit."""
    half = PLACES * 2
    maps = np.round(means * LEVELS).reshape(-1, PLACES, PLACES, 2, 2).transpose(0, 3, 1, 4, 2)
    tiles = maps.reshape(10, GROUPS, half, half).swapaxes(1, 2)
    Image.fromarray(tiles.reshape(10 * half, -1).astype(np.uint8)).save(FILE, optimize=True)


def of_one_digit(x: FloatArray, *, seed: int) -> FloatArray:
    """Return the prototypes of one digit's images: `GROUPS` means, `(60, 196)`.

    k-means from images chosen at random; a group that loses all its images keeps its mean.

    Args:
        x: `(N, 784)` pixels in [0, 1], at least 60 images.
        seed: of the choice.
    """
    points = described(x)
    means = points[np.random.default_rng(seed).choice(len(points), GROUPS, replace=False)]
    for _ in range(ROUNDS):
        nearest = _to_nearest(points, means)[1]
        for group in np.unique(nearest):
            means[group] = points[nearest == group].mean(axis=0)
    return means


def _to_nearest(points: FloatArray, means: FloatArray) -> tuple[FloatArray, np.ndarray]:
    """Return each point's distance to the nearest mean, and that mean's index."""
    squares = (points**2).sum(axis=1)[:, None] - 2 * points @ means.T + (means**2).sum(axis=1)
    return np.sqrt(np.maximum(squares.min(axis=1), 0)), squares.argmin(axis=1)


def main() -> None:
    """Make the shipped prototypes from MNIST's training images."""
    train = mnist.load("train")
    _save(
        np.concatenate([of_one_digit(train.x[train.y == digit], seed=digit) for digit in range(10)])
    )


if __name__ == "__main__":
    main()
