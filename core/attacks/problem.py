"""The signatures of attacks, the checks of their arguments, and steps that they share."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import one_pass, validate
from core.batches import BATCH
from core.classifier import Classifier, FloatArray, IntArray
from core.losses import pixel_gradient

# By how much rounding may change logits, as a share of the largest. In float32 a tenth of it is
# usual at most.
ROUNDING = 1e-5


class Attack(Protocol):
    """The signature of an attack with a budget; each has more settings, with defaults."""

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
            epsilon: the budget in pixel units, or `(E,)` of them: the L∞ norm of the perturbation,
                in [0, 1], or its L2 norm where the attack says so.
            target: None to move away from the true label; a label or `(N,)` labels to move towards,
                none of which is the true label of its image.

        Returns:
            `x_adv`, `(N, 784)` for one budget, `(E, N, 784)` for several, pixels in [0, 1], in
            the dtype of `x`. A budget of 0 returns the images unchanged.

        Raises:
            ValueError: an argument is out of range; the message names it. Or the network's gradient
                is not a number for some image.
        """
        ...


class MinimalAttack(Protocol):
    """The signature of an attack that looks for the smallest perturbation itself."""

    __name__: str

    def __call__(
        self,
        classifier: Classifier,
        x: ArrayLike,
        y: ArrayLike,
        *,
        target: ArrayLike | None = None,
    ) -> FloatArray:
        """Perturb each image as little as the method can. Arguments and errors: see `Attack`.

        Returns:
            `x_adv`, `(N, 784)`, pixels in [0, 1], in the dtype of `x`. An image is returned
            unchanged if it is misclassified already (or predicted as its target), or if the method
            finds nothing.
        """
        ...


@dataclass(frozen=True)
class Goal:
    """The arguments of an attack except for its budgets, checked.

    Attributes:
        classifier: the network under attack.
        x: `(N, 784)` clean images; `clean` checks their range.
        y: `(N,)` true labels.
        labels: `(N,)`, the targets if given, else the true labels.
        targeted: whether to reach `labels` rather than move away from them.
    """

    classifier: Classifier
    x: FloatArray
    y: IntArray
    labels: IntArray
    targeted: bool

    @classmethod
    def of(
        cls, classifier: Classifier, x: ArrayLike, y: ArrayLike, target: ArrayLike | None
    ) -> "Goal":
        """Check the arguments that all attacks share (see `Attack`)."""
        x = validate.image_array(x)
        one_pass.load(len(x))
        true = labels = validate.labels(y, len(x))
        if target is not None:
            labels = validate.labels(target, len(x), name="target")
            if (same := np.flatnonzero(labels == true)).size:
                raise ValueError(
                    "target must be another label than the true one, and x"
                    f"[{same[0]}] is a {true[same[0]]} already: leave such images out"
                )
        return cls(classifier, x, true, labels, target is not None)

    def clean(self, rows: slice | IntArray | NDArray[np.bool_]) -> FloatArray:
        """Return some of the clean images; check their range now that they are in the cache.

        Raises:
            ValueError: a pixel is outside [0, 1], or NaN.
        """
        x = self.x[rows]
        validate.pixels(x)
        return x

    def reached(self, logits: FloatArray, labels: IntArray) -> NDArray[np.bool_]:
        """Return which images have reached the goal, `(N,)`, given their logits and labels."""
        reached: NDArray[np.bool_] = (logits.argmax(axis=1) == labels) == self.targeted
        return reached

    def only(self, rows: IntArray | NDArray[np.bool_]) -> "Goal":
        """Return the goal for some of the images, their pixels checked (see `clean`)."""
        labels = self.labels[rows]
        return Goal(self.classifier, self.clean(rows), self.y[rows], labels, self.targeted)

    def won(self, logits: FloatArray) -> NDArray[np.bool_]:
        """Return which images have reached the goal by more than rounding can take back, `(N,)`.

        Matrix products of another size round differently. An image that wins by less may be judged
        otherwise when it comes with other images.
        """
        margin, _ = self.margin(logits, self.labels)
        won: NDArray[np.bool_] = margin < -ROUNDING * np.abs(logits).max(axis=1)
        return won

    def margin(self, logits: FloatArray, labels: IntArray) -> tuple[FloatArray, IntArray]:
        """Return how far each image is from the goal, in logits, and its strongest rival label.

        Returns:
            `(N,)`: the label's logit minus the largest other one, or the reverse with a target;
            negative beyond the goal. And `(N,)`: the label of that largest other logit.
        """
        rows = np.arange(len(labels))
        others = logits.copy()
        others[rows, labels] = -np.inf
        rivals = others.argmax(axis=1)
        lead: FloatArray = logits[rows, labels] - logits[rows, rivals]
        return (-lead if self.targeted else lead), rivals

    def ascent(
        self, x: FloatArray, labels: IntArray, gradient: str, *, check: bool = True
    ) -> FloatArray:
        """Return the direction in the pixels that leads to the goal, `(N, 784)`.

        It goes up the loss of the true labels or down the loss of the targets. The caller may
        overwrite it. Without `check`, it is the caller who checks it (see `check_gradient`).
        """
        direction = pixel_gradient(
            self.classifier, x, labels, gradient=gradient, downhill=self.targeted
        )
        if check:
            check_gradient(direction)
        return direction


@dataclass(frozen=True)
class Problem(Goal):
    """A goal with one or several budgets.

    Attributes:
        epsilons: `(E,)` budgets, in the dtype of `x`.
        single: whether one budget was given rather than a sequence.
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
        *,
        most: float = 1,
    ) -> "Problem":
        """Check the arguments that all attacks with a budget share (see `Attack`).

        `most` is the largest budget that makes sense: 1 in the L∞ norm.
        """
        goal = Goal.of(classifier, x, y, target)
        epsilons = validate.budgets(epsilon)
        if epsilons.max() > most:
            raise ValueError(
                f"epsilon must be at most {most:g}, since pixels are from 0 to 1, "
                f"not {epsilons.max():g}"
            )
        return cls(
            **vars(goal),
            epsilons=np.atleast_1d(epsilons).astype(goal.x.dtype),
            single=epsilons.ndim == 0,
        )

    def empty(self) -> FloatArray:
        """Return an uninitialised array for the images of every budget, `(E, N, 784)`."""
        return np.empty((len(self.epsilons), *self.x.shape), self.x.dtype)

    def answer(self, x_adv: FloatArray) -> FloatArray:
        """Return `x_adv`, `(E, N, 784)`, in the shape that the caller asked for."""
        return x_adv[0] if self.single else x_adv


def check_gradient(gradient: FloatArray) -> None:
    """Check that a gradient with respect to the pixels consists of finite numbers.

    Raises:
        ValueError: it has NaN or infinity. A step along it would be meaningless.
    """
    numbers = gradient.ravel("K")
    with np.errstate(over="ignore", invalid="ignore"):
        # The sum of squares is the cheapest look at all of them; it may overflow all the same.
        suspicious = not np.isfinite(numbers @ numbers)
    if suspicious and not np.isfinite(numbers).all():
        raise ValueError(
            "the network's gradient is not a number for some image, but NaN or infinite: "
            "no attack can follow it"
        )


def step_along(sign: FloatArray, x: FloatArray, epsilons: FloatArray, x_adv: FloatArray) -> None:
    """Fill `x_adv`, `(E, N, 784)`, with clip(x + ε · sign, 0, 1) for every budget ε."""
    # `moved` stays in the cache; `x_adv` does not and is written only once. Of few images many
    # budgets fit, and NumPy takes longer to begin an operation than for one image.
    several = max(1, BATCH // max(1, len(x)))
    for start in range(0, len(epsilons), several):
        some = slice(start, start + several)
        moved = sign * epsilons[some, None, None]
        moved += x
        np.clip(moved, 0, 1, out=x_adv[some])


def to_sign(values: FloatArray) -> None:
    """Replace every number by its sign, -1, 0 or 1, in place.

    This is np.sign in half the time: it keeps the sign bit and sets the other bits to those of 1.
    """
    dtype = values.dtype.type
    not_zero = values != 0
    bits = values.view(f"u{values.itemsize}")
    bits &= dtype(-0.0).view(bits.dtype)
    bits |= dtype(1).view(bits.dtype)
    if not not_zero.all():
        values *= not_zero


def setting(value: float, *, name: str) -> float:
    """Return `value` as a float.

    Raises:
        ValueError: `value` is not one finite number of at least 0.
    """
    number = validate.budgets(value, name=name)
    if number.ndim:
        raise ValueError(f"{name} must be one number, not {value!r}")
    return float(number)
