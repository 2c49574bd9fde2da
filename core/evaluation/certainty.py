"""How many images are proved safe at each ε, and which digits are the most certain."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import validate
from core.batches import BATCH
from core.classifier import FloatArray, IntArray
from core.measures import predict
from core.networks import Network, Sequential, Single

RESOLUTIONS = {"linf": 1e-3, "l2": 1e-2}  # of the proved ε, in pixel units
_AT_ONCE = 2e9  # multiply-adds, for each ε, between two reports of progress: a second or so
_TINY = 1e-9  # what products such as 3 · 0.1 are off by; far less than the slack of the bounds


@dataclass(frozen=True, eq=False)
class Certainty:
    """How far some images are proved to keep their label, whatever the attack.

    Attributes:
        y: `(N,)` true labels.
        correct: `(N,)`, where the network reads the clean image right.
        epsilon: `(N,)`, the largest ε within which no change flips the image, as far as it is
            proved, rounded down to a multiple of the resolution; 0 where the image is misread.
    """

    y: IntArray
    correct: NDArray[np.bool_]
    epsilon: FloatArray

    @property
    def images(self) -> int:
        """The number of images, N."""
        return len(self.y)

    def only(self, rows: IntArray | NDArray[np.bool_]) -> "Certainty":
        """Return the same for some of the images, by their indices or a mask `(N,)`."""
        return Certainty(**{name: array[rows] for name, array in vars(self).items()})

    def proved_share(self, budgets: ArrayLike) -> FloatArray:
        """Return the share of all images that are read right and proved to stay so.

        Args:
            budgets: `(E,)` of them in the norm of the proof, or one.

        Returns:
            `(E,)` in [0, 1].

        Raises:
            ValueError: a budget is below 0 or not finite.
        """
        grid = np.atleast_1d(validate.budgets(budgets, name="budgets"))
        proved = self.correct & (self.epsilon + _TINY >= grid[:, None])
        share: FloatArray = proved.mean(axis=1)
        return share

    def median_by_digit(self) -> FloatArray:
        """Return the median of `epsilon` over all images of each digit, `(10,)`; NaN for none."""
        return np.array(
            [
                np.median(self.epsilon[self.y == digit]) if (self.y == digit).any() else np.nan
                for digit in range(validate.CLASSES)
            ]
        )


def certainty(
    network: Network,
    x: ArrayLike,
    y: ArrayLike,
    *,
    norm: str = "linf",
    on_progress: Callable[[int], object] = lambda images: None,
) -> Certainty:
    """Prove for each image how far it keeps its label.

    Args:
        network: the network; for an ensemble, each member is bounded.
        x: `(N, 784)` images, pixels in [0, 1], at least one.
        y: `(N,)` true labels.
        norm: "linf" or "l2".
        on_progress: called again and again with the number of images done since the last call; an
            exception that it raises ends the work.

    Raises:
        ValueError: as `core.bounds.certified_epsilon` does, or there is no image.
    """
    from core.bounds import certified_epsilon  # a page that shows no proof starts without it

    x = validate.images(x)
    y = validate.labels(y, len(x))
    if not len(x):
        raise ValueError("x must hold at least one image")
    epsilon = np.empty(len(x))
    some = max(1, min(BATCH, int(_AT_ONCE // multiply_adds(network))))
    for start in range(0, len(x), some):
        rows = slice(start, start + some)
        epsilon[rows] = certified_epsilon(
            network, x[rows], y[rows], norm=norm, resolution=RESOLUTIONS[norm]
        )
        on_progress(len(epsilon[rows]))
    return Certainty(y, predict(network, x) == y, epsilon)


def multiply_adds(network: Network) -> int:
    """Return about how many multiply-adds the bounds for one image and one ε take.

    `certainty` computes them for about eight ε.
    """
    return sum(map(_of_member, network.members))


def _of_member(member: Single) -> int:
    """Return the same for one member.

    From the second layer on, a lower and an upper bound of each unit are pulled back through all
    layers before it.
    """
    if isinstance(member, Sequential):
        from core.bounds import cost

        return cost.multiply_adds(member)
    products = [inputs * outputs for inputs, outputs in pairwise(member.sizes)]
    total = sum(products)
    for layer, units in enumerate(member.sizes[2:], start=1):
        total += 2 * units * sum(products[: layer + 1])
    return total
