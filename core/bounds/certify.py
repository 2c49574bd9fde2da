"""Which images are proved safe, up to which ε: no change of that size can alter the prediction."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import validate
from core.batches import in_batches
from core.bounds import convolutional, crown, interval
from core.bounds.balls import BALLS, Ball
from core.bounds.layers import Layers
from core.bounds.steps import Steps
from core.classifier import FloatArray, IntArray
from core.losses import pixel_gradient
from core.networks import MLP, Ensemble, Network, Single

METHODS = {"crown": crown.lower_bounds, "interval": interval.lower_bounds}
_OF_STEPS = {
    "crown": convolutional.crown_lower_bounds,
    "interval": convolutional.interval_lower_bounds,
}
RESOLUTIONS = {"linf": 1e-4, "l2": 1e-3}  # of `certified_epsilon`, in pixel units
_FIRST = 128  # where its search begins, in steps of the resolution
_COEFFICIENTS = 2**19  # of hidden units at once: 4 MB, and a few copies
# Far more than rounding can do to the log of the mean probabilities; see `_mean_margins`.
_ENSEMBLE_ROUNDING = 1e-6


def margins(
    network: Network,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    norm: str = "linf",
    method: str = "crown",
) -> FloatArray:
    """Return how far each label stays behind the true one, whatever the perturbation.

    No image in [0, 1] within ε of x has a smaller margin, as the network computes it in its own
    dtype. The margin of label j is z_y − z_j, the difference of logits. An ensemble's is the
    difference of its mean probabilities.

    Args:
        network: a perceptron, a network of layers, or an ensemble of them.
        x: `(N, D)` images, pixels in [0, 1]; D is 784 for MNIST.
        y: `(N,)` true labels, or one for all.
        epsilon: the radius of the ball, one number or `(N,)`: in [0, 1] for "linf", at least 0 for
            "l2".
        norm: "linf" or "l2".
        method: "crown", or "interval" for bounds that are faster and lower: far lower unless the
            network was trained by them.

    Returns:
        `(N, labels)` in float64, inf at the true label. An image is proved safe where all are
        above 0.

    Raises:
        ValueError: an argument is out of range, or the network has no layers to bound; says why.
    """
    problem = Problem.of(network, x, y, norm, method)
    radii = _radii(epsilon, norm)
    if radii.shape not in ((), (len(problem.x),)):
        raise ValueError(f"epsilon must be one number or one an image, not of shape {radii.shape}")
    radii = np.broadcast_to(radii, len(problem.x))
    out = np.empty((len(problem.x), problem.outputs))

    def bound(rows: slice) -> None:
        out[rows] = problem.margins(np.arange(len(problem.x))[rows], radii[rows])

    in_batches(bound, len(problem.x))
    return out


def certified(
    network: Network,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    norm: str = "linf",
    method: str = "crown",
) -> NDArray[np.bool_]:
    """Return which images are read correctly and proved to stay so within ε.

    Arguments and errors are those of `margins`, except for:
        epsilon: one budget or `(E,)` of them, in any order. An image that is proved safe within a
            larger one counts as safe within all smaller ones, so few of them are tried.

    Returns:
        `(N,)` for one budget, `(E, N)` for several.
    """
    problem = Problem.of(network, x, y, norm, method)
    budgets = _radii(epsilon, norm)
    rising, places = np.unique(budgets, return_inverse=True)
    passed = problem.largest(rising, first=len(rising) // 2)
    safe: NDArray[np.bool_] = passed > places.reshape(-1, 1)
    return safe if budgets.ndim else safe[0]


def certified_epsilon(
    network: Network,
    x: ArrayLike,
    y: ArrayLike,
    *,
    norm: str = "linf",
    method: str = "crown",
    resolution: float | None = None,
) -> FloatArray:
    """Return the largest ε within which each image is proved to keep its label.

    It is found by bisection among the multiples of a resolution, up to 1 in L∞ and √D in L2, where
    the ball holds every image. The proof holds for what is returned; a better method may prove
    more.

    Arguments and errors are those of `margins`, and:
        resolution: the step of ε, from 1e-5 to 1; None for 1e-4 in L∞ and 1e-3 in L2.

    Returns:
        `(N,)` in float64; 0 where the image is misread, or nothing could be proved.
    """
    problem = Problem.of(network, x, y, norm, method)
    step = RESOLUTIONS[norm] if resolution is None else float(resolution)
    if not 1e-5 <= step <= 1:
        raise ValueError(f"resolution must be from 0.00001 to 1, not {resolution!r}")
    most = 1.0 if norm == "linf" else np.sqrt(problem.x.shape[1])
    budgets = np.arange(1, int(np.floor(most / step * (1 + 1e-12))) + 1) * step
    passed = problem.largest(np.minimum(budgets, most), first=_FIRST)
    found: FloatArray = np.concatenate([[0.0], budgets])[passed]
    return found


@dataclass(frozen=True)
class Problem:
    """The arguments that the functions share, checked."""

    network: Network
    members: tuple[Layers | Steps, ...]
    x: FloatArray
    y: IntArray
    norm: str
    method: str

    @classmethod
    def of(cls, network: Network, x: ArrayLike, y: ArrayLike, norm: str, method: str) -> "Problem":
        """Check the arguments of `margins`."""
        if not isinstance(network, Network):
            raise ValueError(
                "bounds need the layers of an MLP, a Sequential or an Ensemble of them, "
                f"not {type(network).__name__}"
            )
        for name, value, known in (("norm", norm, BALLS), ("method", method, METHODS)):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
        x = validate.images(x)
        sizes = network.members[0].sizes
        if x.shape[1] != sizes[0]:
            raise ValueError(f"x must be of shape (N, {sizes[0]}), not {x.shape}")
        y = validate.labels(y, len(x))
        if y.size and y.max() >= sizes[-1]:
            raise ValueError(f"y must be labels from 0 to {sizes[-1] - 1}")
        return cls(network, tuple(map(_layers, network.members)), x, y, norm, method)

    @property
    def outputs(self) -> int:
        """The number of labels."""
        return self.members[0].outputs

    def margins(self, rows: IntArray, radii: FloatArray) -> FloatArray:
        """Return the margins of some images, `(n, labels)`, each with its own radius."""
        out = np.empty((len(rows), self.outputs))
        step = max(1, _COEFFICIENTS // max(layers.coefficients for layers in self.members))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            x, y = self.x[rows[part]].astype(np.float64), self.y[rows[part]]
            ball = BALLS[self.norm].around(x, radii[part])
            unit = np.eye(self.outputs)
            differences = unit[y][:, None] - unit  # the coefficients of z_y − z_j
            if not isinstance(self.network, Ensemble):
                out[part] = self._lower_bounds(self.members[0], ball, differences)
            else:
                both = np.concatenate([differences, -differences], axis=1)
                bounds = np.stack([self._lower_bounds(each, ball, both) for each in self.members])
                lower, negative_upper = np.split(bounds, 2, axis=2)
                out[part] = _mean_margins(lower, -negative_upper, y)
            out[part][np.arange(len(y)), y] = np.inf
        return out

    def _lower_bounds(self, member: Layers | Steps, ball: Ball, rows: FloatArray) -> FloatArray:
        """Return lower bounds of a member's c · z by the method; see `crown.lower_bounds`."""
        if isinstance(member, Layers):
            return METHODS[self.method](member, ball, rows)
        return _OF_STEPS[self.method](member, ball, rows)

    def misread_within(
        self, rows: IntArray, radii: FloatArray, slopes: FloatArray
    ) -> NDArray[np.bool_]:
        """Return which images are misread one step away: of those nothing can be proved, `(n,)`.

        The step costs a hundredth of CROWN. It goes to the edge of the ball, where a linear
        function with the slopes `(n, D)` is least.
        """
        ball = BALLS[self.norm].around(self.x[rows].astype(np.float64), radii)
        there = np.clip(ball.centre + ball.furthest(slopes), 0, 1).astype(self.x.dtype)
        misread: NDArray[np.bool_] = self.network.logits(there).argmax(axis=1) != self.y[rows]
        return misread

    def largest(self, budgets: FloatArray, *, first: int) -> IntArray:
        """Return for each image how many of the rising budgets it is proved safe within, `(N,)`.

        Args:
            budgets: `(E,)`, each above the one before.
            first: how many budgets to try first; twice as many are next, until one fails.
        """
        passed = np.empty(len(self.x), np.int64)

        def search(rows: slice) -> None:
            images = np.arange(len(self.x))[rows]
            right = self.network.logits(self.x[rows]).argmax(axis=1) == self.y[rows]
            passed[rows], images = 0, images[right]
            downhill = -pixel_gradient(self.network, self.x[images], self.y[images])

            def proves(some: IntArray, counts: IntArray) -> NDArray[np.bool_]:
                radii = budgets[counts - 1]
                safe = ~self.misread_within(images[some], radii, downhill[some])
                safe[safe] = self.margins(images[some][safe], radii[safe]).min(axis=1) > 0
                return safe

            passed[images] = _bisect(proves, len(images), len(budgets), first=first)

        in_batches(search, len(self.x))
        return passed


def _layers(member: Single) -> Layers | Steps:
    """Return the layers of a network; raise `ValueError` if its weights are too large."""
    return Layers.of(member) if isinstance(member, MLP) else Steps.of(member)


def _bisect(
    passes: Callable[[IntArray, IntArray], NDArray[np.bool_]], n: int, most: int, *, first: int
) -> IntArray:
    """Return the largest count that passes, from 0 to `most`, for each of n images.

    Args:
        passes: a function of some images' indices and a count for each, from 1.
        n: the number of images.
        most: the largest count.
        first: the count to try first; it is doubled until it fails.
    """
    passed, failed = np.zeros(n, np.int64), np.full(n, most + 1)
    while len(images := np.flatnonzero(failed - passed > 1)):
        low, high = passed[images], failed[images]
        doubled = np.minimum(np.where(low > 0, 2 * low, max(1, first)), most)
        counts = np.where(high > most, doubled, (low + high) // 2)
        safe = passes(images, counts)
        passed[images] = np.where(safe, counts, low)
        failed[images] = np.where(safe, high, counts)
    return passed


def _mean_margins(lower: FloatArray, upper: FloatArray, y: IntArray) -> FloatArray:
    """Return lower bounds of the ensemble's margins p_y − p_j, means over the members.

    For one member let m_i = z_y − z_i and t_i = exp(−m_i). Then p_y − p_j = (1 − t_j) / Σ_i t_i,
    with t_y = 1. It is least where t_j is largest; and where the others are largest too if it is
    positive, smallest if it is negative. The mean of the members' bounds holds for their mean,
    whichever image is the worst for each.

    An ensemble compares the logarithms of the means, rounded to its dtype. If p_y exceeds all
    others by 10⁻⁶, it is at least 1 / labels, and log p_y exceeds the others by 10⁻⁶. The spacing
    of float32 numbers there is 2.4 × 10⁻⁷. So 10⁻⁶ is taken off.

    Args:
        lower: `(members, N, labels)`, no m is less.
        upper: of the same shape, no m is more.
        y: `(N,)` true labels.

    Returns:
        `(N, labels)`.
    """
    # Beyond these limits nothing changes by more than 10⁻¹⁰⁰.
    most, least = np.exp(-np.clip(lower, -300, 300)), np.exp(-np.clip(upper, -300, 300))
    rows = np.arange(len(y))
    most[:, rows, y] = least[:, rows, y] = 0  # t_y is the 1 in these sums
    largest = 1 + most.sum(axis=2, keepdims=True)
    smallest = 1 + least.sum(axis=2, keepdims=True) - least + most
    differences = (1 - most) / np.where(most < 1, largest, smallest)
    means: FloatArray = differences.mean(axis=0) - _ENSEMBLE_ROUNDING
    return means


def _radii(epsilon: ArrayLike, norm: str) -> FloatArray:
    """Return ε as a float64 array, checked."""
    radii = validate.budgets(epsilon)
    if norm == "linf" and radii.max() > 1:
        raise ValueError(f"epsilon must be at most 1 in L∞, not {epsilon!r}")
    return radii
