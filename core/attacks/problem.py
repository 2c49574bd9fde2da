"""What every attack is given, checked and in one form."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import validate
from core.classifier import Classifier, FloatArray, IntArray
from core.losses import pixel_gradient


class Attack(Protocol):
    """How an attack with a budget is called; each has settings besides, with defaults."""

    def __call__(
        self,
        classifier: Classifier,
        x: ArrayLike,
        y: ArrayLike,
        epsilon: ArrayLike,
        *,
        target: ArrayLike | None = None,
    ) -> FloatArray:
        """Perturb each image by at most `epsilon`.

        Args:
            classifier: the network under attack.
            x: `(N, 784)` clean images, pixels in [0, 1].
            y: `(N,)` true labels.
            epsilon: the L∞ budget a pixel in [0, 1] units, or `(E,)` of them; the L2 budget of the
                whole perturbation where the attack says so.
            target: None to leave the true label; a label or `(N,)` labels to move towards.

        Returns:
            `x_adv`, `(N, 784)` for one budget, `(E, N, 784)` for several, pixels in [0, 1] of
            the type of `x`. A budget of 0 gives the images back unchanged.

        Raises:
            ValueError: an argument is out of its range; the message names it.
        """
        ...


class MinimalAttack(Protocol):
    """How an attack without a budget is called: it looks for the smallest perturbation itself."""

    def __call__(
        self,
        classifier: Classifier,
        x: ArrayLike,
        y: ArrayLike,
        *,
        target: ArrayLike | None = None,
    ) -> FloatArray:
        """Perturb each image by as little as the method can.

        Args:
            classifier: the network under attack.
            x: `(N, 784)` clean images, pixels in [0, 1].
            y: `(N,)` true labels.
            target: None to leave the true label; a label or `(N,)` labels to arrive at.

        Returns:
            `x_adv`, `(N, 784)`, pixels in [0, 1] of the type of `x`. An image that is where it
            should be already (misclassified, or taken for its target) comes back unchanged, and
            so does one for which the method finds nothing.

        Raises:
            ValueError: an argument is out of its range; the message names it.
        """
        ...


@dataclass(frozen=True)
class Goal:
    """What is to become of which images: an attack's arguments but for its budgets, checked.

    Attributes:
        classifier: the network under attack.
        x: `(N, 784)` clean images; `clean` looks at their pixels.
        labels: `(N,)`, the targets where there are any, else the true labels.
        targeted: whether `labels` are to be arrived at, rather than left.
    """

    classifier: Classifier
    x: FloatArray
    labels: IntArray
    targeted: bool

    @classmethod
    def of(
        cls, classifier: Classifier, x: ArrayLike, y: ArrayLike, target: ArrayLike | None
    ) -> "Goal":
        """Check the arguments that all attacks share (see `Attack`)."""
        x = validate.image_array(x)
        labels = validate.labels(y, len(x))
        if target is not None:
            labels = validate.labels(target, len(x), name="target")
        return cls(classifier, x, labels, target is not None)

    def clean(self, rows: slice | IntArray) -> FloatArray:
        """Some of the clean images; their range is checked here, where they come into the cache.

        Raises:
            ValueError: a pixel is outside [0, 1], or NaN.
        """
        x = self.x[rows]
        validate.pixels(x)
        return x

    def reached(self, logits: FloatArray, labels: IntArray) -> NDArray[np.bool_]:
        """Which images are where they should be, `(N,)`, by their logits and their `labels`."""
        reached: NDArray[np.bool_] = (logits.argmax(axis=1) == labels) == self.targeted
        return reached

    def margin(self, logits: FloatArray, labels: IntArray) -> tuple[FloatArray, IntArray]:
        """By how much each image misses the goal in logits, `(N,)`; below 0 it is beyond it.

        Untargeted, by how much its label's logit exceeds the largest other one; targeted, by how
        much that exceeds its label's. The labels of the largest others, `(N,)`, come second.
        """
        rows = np.arange(len(labels))
        others = logits.copy()
        others[rows, labels] = -np.inf
        rivals = others.argmax(axis=1)
        lead: FloatArray = logits[rows, labels] - logits[rows, rivals]
        return (-lead if self.targeted else lead), rivals

    def ascent(self, x: FloatArray, labels: IntArray, gradient: str) -> FloatArray:
        """The direction in the pixels of `x`, `(N, 784)`, that serves the goal best at first.

        Up the loss of the true labels or down that of the targets; for the caller to overwrite.
        """
        slope = pixel_gradient(self.classifier, x, labels, gradient=gradient)
        return np.negative(slope, out=slope) if self.targeted else slope


@dataclass(frozen=True)
class Problem(Goal):
    """A goal and its budgets: the same for one budget as for several.

    Attributes:
        epsilons: `(E,)` budgets, of the type of `x`.
        single: whether one budget was given, not a sequence.
    """

    epsilons: FloatArray
    single: bool

    @classmethod
    def with_budgets(
        cls,
        classifier: Classifier,
        x: ArrayLike,
        y: ArrayLike,
        epsilon: ArrayLike,
        target: ArrayLike | None,
    ) -> "Problem":
        """Check the arguments that all attacks with a budget share (see `Attack`)."""
        goal = Goal.of(classifier, x, y, target)
        epsilons = validate.budgets(epsilon)
        return cls(
            goal.classifier,
            goal.x,
            goal.labels,
            goal.targeted,
            epsilons=np.atleast_1d(epsilons).astype(goal.x.dtype),
            single=epsilons.ndim == 0,
        )

    def empty(self) -> FloatArray:
        """Room for the adversarial images of every budget, `(E, N, 784)`."""
        return np.empty((len(self.epsilons), *self.x.shape), self.x.dtype)

    def answer(self, x_adv: FloatArray) -> FloatArray:
        """`x_adv` in the shape that was asked for."""
        return x_adv[0] if self.single else x_adv


def step_along(sign: FloatArray, x: FloatArray, epsilons: FloatArray, x_adv: FloatArray) -> None:
    """Fill `x_adv`, `(E, N, 784)`, with clip(x + ε · sign, 0, 1) for every budget ε."""
    moved = np.empty_like(x)  # in the cache, which `x_adv` is not: it is written to once
    for epsilon, out in zip(epsilons, x_adv, strict=True):
        np.multiply(sign, epsilon, out=moved)
        moved += x
        np.clip(moved, 0, 1, out=out)


def to_sign(slope: FloatArray) -> None:
    """Make every number of `slope` its sign, -1, 0 or 1, in place.

    What np.sign does, in half the time: keep each number's sign bit and give it the bits of 1.
    """
    kind = slope.dtype.type
    not_zero = slope != 0
    bits = slope.view(f"u{slope.itemsize}")
    bits &= kind(-0.0).view(bits.dtype)
    bits |= kind(1).view(bits.dtype)
    if not not_zero.all():
        slope *= not_zero


def setting(value: float, *, name: str) -> float:
    """A number that an attack is set to, where it is finite and at least 0.

    Raises:
        ValueError: it is not, or it is not one number.
    """
    number = validate.budgets(value, name=name)
    if number.ndim:
        raise ValueError(f"{name} must be one number, not {value!r}")
    return float(number)
