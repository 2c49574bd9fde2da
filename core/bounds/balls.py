"""The sets of images that a bound holds for: what an attack with a budget may reach.

Every ball is cut by [0, 1]: an image has no other pixels. A float32 image that an attack puts on
the surface is rounded and may lie just outside. So each radius has a little slack: 2⁻²³ in L∞, at
least the rounding of ε and of x + ε together, and as much for every pixel in L2.
"""

from dataclasses import dataclass

import numpy as np

from core.classifier import FloatArray

_SLACK = 2.0**-23
_NUMBERS = 2**18  # of coefficients a piece: 2 MB, so that they stay in the cache


@dataclass(frozen=True, eq=False)
class Box:
    """The images between two images: an L∞ ball cut by [0, 1].

    Attributes:
        centre: `(N, D)`, half-way between.
        radius: `(N, D)`, from there to the edge, a pixel.
        highest: `(N, D)`, the largest value of each pixel.
    """

    centre: FloatArray
    radius: FloatArray
    highest: FloatArray

    @classmethod
    def around(cls, x: FloatArray, epsilon: FloatArray) -> "Box":
        """Return the L∞ balls around `x`, `(N, D)` in float64, with the radii `epsilon`, `(N,)`."""
        reach = epsilon[:, None] + _SLACK
        return cls.between(np.clip(x - reach, 0, 1), np.clip(x + reach, 0, 1))

    @classmethod
    def between(cls, lowest: FloatArray, highest: FloatArray) -> "Box":
        """Return the boxes between two arrays `(N, D)`."""
        return cls((lowest + highest) / 2, (highest - lowest) / 2, highest)

    def unit_falls(self, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return how far each unit of h W can fall and rise from its value at the centre.

        Args:
            weight: `(D, U)`.

        Returns:
            Two arrays `(N, U)`: r |W|, where r is the radius, is both.
        """
        reach = self.radius @ np.abs(weight)
        return reach, reach

    def falls(self, coefficients: FloatArray, weight: FloatArray) -> FloatArray:
        """Return how far c · (h W) can fall from its value at the centre: |c Wᵀ| · r.

        Args:
            coefficients: `(N, K, U)`, K rows c for each image.
            weight: `(D, U)`.
        """
        out = np.empty(coefficients.shape[:2])
        for rows in _pieces(out.shape, len(weight)):
            slopes = coefficients[rows] @ weight.T  # (n, K, D)
            np.abs(slopes, out=slopes)
            out[rows] = (slopes @ self.radius[rows, :, None])[..., 0]
        return out

    def furthest(self, slopes: FloatArray) -> FloatArray:
        """Return how far from the centre of the only image c · x is least: `(K, D)` for K rows c.

        It comes in the dtype of the slopes.
        """
        return np.copysign(self.radius.astype(slopes.dtype), -slopes)


@dataclass(frozen=True, eq=False)
class L2Ball:
    """The images of [0, 1] within an L2 distance of an image.

    A pixel of 0 can't fall and a pixel of 1 can't rise, so they add nothing to a linear function's
    fall in these directions. That pixels between can't go far is not used: the bound is a little
    lower than it could be, and sound.

    Attributes:
        centre: `(N, D)`, the image.
        radius: `(N, 1)`.
        highest: `(N, D)`, the largest value of each pixel.
    """

    centre: FloatArray
    radius: FloatArray
    highest: FloatArray

    @classmethod
    def around(cls, x: FloatArray, epsilon: FloatArray) -> "L2Ball":
        """Return the balls around `x`, `(N, D)` in float64, with the radii `epsilon`, `(N,)`."""
        diagonal = np.sqrt(x.shape[1])
        radius = (np.minimum(epsilon, diagonal) * (1 + _SLACK) + diagonal * _SLACK)[:, None]
        return cls(x, radius, np.minimum(x + radius, 1))

    def unit_falls(self, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return how far each unit of h W can fall and rise; see `Box.unit_falls`."""
        may_fall, may_rise = (self.centre > 0).astype(float), (self.centre < 1).astype(float)
        down, up = np.square(np.minimum(weight, 0)), np.square(np.maximum(weight, 0))
        fall = self.radius * np.sqrt(may_fall @ up + may_rise @ down)
        rise = self.radius * np.sqrt(may_rise @ up + may_fall @ down)
        return fall, rise

    def falls(self, coefficients: FloatArray, weight: FloatArray) -> FloatArray:
        """Return how far c · (h W) can fall: ε ‖c Wᵀ‖₂ over the pixels that can move that way.

        Arguments: see `Box.falls`.
        """
        out = np.empty(coefficients.shape[:2])
        most = np.where(self.centre > 0, np.inf, 0)[:, None]  # of a slope that makes the pixel fall
        least = np.where(self.centre < 1, -np.inf, 0)[:, None]
        for rows in _pieces(out.shape, len(weight)):
            slopes = coefficients[rows] @ weight.T  # (n, K, D)
            np.clip(slopes, least[rows], most[rows], out=slopes)
            np.square(slopes, out=slopes)
            out[rows] = self.radius[rows] * np.sqrt(slopes.sum(axis=2))
        return out

    def furthest(self, slopes: FloatArray) -> FloatArray:
        """Return how far from the centre of the only image c · x is least; see `Box.furthest`."""
        most, least = np.where(self.centre > 0, np.inf, 0), np.where(self.centre < 1, -np.inf, 0)
        moved: FloatArray = np.clip(slopes, least, most).astype(slopes.dtype)
        lengths = np.sqrt(np.square(moved).sum(axis=1, keepdims=True))
        scale = self.radius / np.maximum(lengths, np.finfo(np.float32).tiny)
        moved *= -scale.astype(slopes.dtype)
        return moved


Ball = Box | L2Ball
BALLS: dict[str, type[Box] | type[L2Ball]] = {"linf": Box, "l2": L2Ball}


def _pieces(rows: tuple[int, ...], inputs: int) -> list[slice]:
    """Return slices of the images, each with about `_NUMBERS` coefficients of the inputs."""
    images, each = rows
    step = max(1, _NUMBERS // max(1, each * inputs))
    return [slice(start, start + step) for start in range(0, images, step)]
