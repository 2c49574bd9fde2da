"""What every attack is given, checked and in one form."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from core import checks
from core.classifier import Classifier, FloatArray, IntArray
from core.losses import pixel_gradient


class Attack(Protocol):
    """How every attack is called; each has settings of its own besides, with defaults."""

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
            epsilon: the L∞ budget a pixel in [0, 1] units, or `(E,)` of them.
            target: None to leave the true label; a label or `(N,)` labels to move towards.

        Returns:
            `x_adv`, `(N, 784)` for one budget, `(E, N, 784)` for several, pixels in [0, 1] of
            the type of `x`. A budget of 0 gives the images back unchanged.

        Raises:
            ValueError: an argument is out of its range; the message names it.
        """
        ...


@dataclass(frozen=True)
class Problem:
    """An attack's arguments: checked, and the same for one budget as for several.

    Attributes:
        classifier: the network under attack.
        x: `(N, 784)` clean images; `clean` looks at their pixels.
        labels: `(N,)`, the targets where there are any, else the true labels.
        targeted: whether the loss of `labels` is to fall, rather than to rise.
        epsilons: `(E,)` budgets, of the type of `x`.
        single: whether one budget was given, not a sequence.
    """

    classifier: Classifier
    x: FloatArray
    labels: IntArray
    targeted: bool
    epsilons: FloatArray
    single: bool

    @classmethod
    def of(
        cls,
        classifier: Classifier,
        x: ArrayLike,
        y: ArrayLike,
        epsilon: ArrayLike,
        target: ArrayLike | None,
    ) -> "Problem":
        """Check the arguments that all attacks share (see `Attack`)."""
        x = checks.image_array(x)
        labels = checks.labels(y, len(x))
        if target is not None:
            labels = checks.labels(target, len(x), name="target")
        epsilons = checks.budgets(epsilon)
        return cls(
            classifier=classifier,
            x=x,
            labels=labels,
            targeted=target is not None,
            epsilons=np.atleast_1d(epsilons).astype(x.dtype),
            single=epsilons.ndim == 0,
        )

    def clean(self, rows: slice | IntArray) -> FloatArray:
        """Some of the clean images; their range is checked here, where they come into the cache.

        Raises:
            ValueError: a pixel is outside [0, 1], or NaN.
        """
        x = self.x[rows]
        checks.pixels(x)
        return x

    def ascent_sign(self, x: FloatArray, labels: IntArray, gradient: str) -> FloatArray:
        """The sign of the step that serves the attack's goal: -1, 0 or 1 a pixel of `x`."""
        slope = pixel_gradient(self.classifier, x, labels, gradient=gradient)
        to_sign(slope)
        return np.negative(slope, out=slope) if self.targeted else slope

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
