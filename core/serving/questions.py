"""What is asked about MNIST's test images: an attack on a network, and its curve over budgets."""

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from core.attacks import Method, MinimalMethod
from core.classifier import FloatArray
from core.evaluation.certainty import multiply_adds
from core.evaluation.shipped import MeasuredFileError
from core.serving.networks import ServedNetwork

ALL = 10_000
# The budgets of the page's slider by norm; a curve has a point at each.
BUDGETS = {"linf": np.linspace(0, 0.5, 51).round(2), "l2": np.linspace(0, 5, 51).round(1)}
FEW_PROOFS = 100  # images whose proofs take a moment
# Multiply-adds of the bounds for all images and one ε; there are about eight ε.
_MOST_WORK = 2e11  # about a minute of a core
QUICK_WORK = 1e10  # a few seconds
# Multiply-adds of a network for an image. Up to the first number its thousands of passes along a
# digit's path take some seconds, up to the second one a pass over all test images takes one.
_MOST_FOLLOWED = 2e7
_MOST_SEARCHED = 2e6


@dataclass(frozen=True, eq=False)
class Question:
    """An attack on a network and on some test images.

    Attributes:
        chosen: the network.
        method: the attack.
        images: how many test images; fewer than `ALL` are always the same random sample.
        who: the person who asks.
        levels: the grey levels to which adversarial images are rounded before they are judged;
            None to judge them as they are.
    """

    chosen: ServedNetwork
    method: Method
    images: int
    who: Hashable = None
    levels: int | None = None

    @property
    def key(self) -> tuple[Hashable, ...]:
        """A key for the question, the same for everybody who asks."""
        return (self.chosen.name, self.chosen.version, self.method.name, self.images, self.levels)

    @property
    def norm(self) -> str:
        """The norm of the budget, "linf" or "l2"."""
        return "linf" if self.method.norm == "linf" else "l2"

    @property
    def sample(self) -> "Question":
        """The same question about a sample that takes a moment."""
        return self._of_at_most(100 if self._is_long else 500)

    @property
    def beside(self) -> "Question":
        """The same question for a curve beside another attack's: a slow attack gets a sample."""
        return self._of_at_most(1000) if self.method.cost == "slow" else self

    @property
    def first_curve(self) -> "Question":
        """The same question about a sample whose curve takes a moment."""
        return self._of_at_most(100 if self._is_long else 200)

    @property
    def _is_long(self) -> bool:
        """Whether the attack takes a second for about a hundred images."""
        return self.method.cost == "slow" or isinstance(self.method, MinimalMethod)

    def _of_at_most(self, images: int) -> "Question":
        return replace(self, images=min(self.images, images))


@dataclass(frozen=True, eq=False)
class Curve:
    """Evasion rates over budgets.

    Attributes:
        budgets: `(E,)`, rising.
        rates: `(E,)`, misclassified / all `images`.
        images: how many test images they are measured on.
    """

    budgets: FloatArray
    rates: FloatArray
    images: int

    @property
    def best(self) -> FloatArray:
        """The largest rate up to each budget, `(E,)`: a smaller perturbation is allowed, too."""
        best: FloatArray = np.maximum.accumulate(self.rates)
        return best


def provable(chosen: ServedNetwork) -> int:
    """Return for how many test images proofs take a minute or so: all, 1,000, 100 or none."""
    each = multiply_adds(chosen.network)
    return next((images for images in (ALL, 1000, FEW_PROOFS) if images * each <= _MOST_WORK), 0)


def can_be_followed(chosen: ServedNetwork, method: Method) -> bool:
    """Return whether one digit can be followed along an attack's budgets within some seconds."""
    few = method.cost == "one step" or (isinstance(method, MinimalMethod) and method.cost != "slow")
    return few or _work(chosen) <= _MOST_FOLLOWED


def searched(chosen: ServedNetwork) -> int:
    """Return among how many test images one looks for remarkable ones: all, or a sample."""
    return ALL if _work(chosen) <= _MOST_SEARCHED else 1000


def _work(chosen: ServedNetwork) -> int:
    """Return a network's multiply-adds for the logits of one image."""
    return sum(member.work for member in chosen.network.members)


def slack(norm: str, levels: int | None) -> float:
    """Return how far rounding to grey levels may carry an image beyond its budget."""
    if levels is None:
        return 0.0
    each = 0.5 / (levels - 1)
    return each if norm == "linf" else each * np.sqrt(784)


def shipped_curve(question: Question) -> Curve | None:
    """Return the curve that is shipped with the network; None if it is of more images."""
    try:
        known = question.chosen.shipped
    except MeasuredFileError:
        return None
    if known is None or question.images < known.attacked or question.levels is not None:
        return None
    if question.method.name not in known.evasion_rates:
        return None
    rates = np.array(known.evasion_rates[question.method.name])
    return Curve(np.array(known.epsilons), rates, known.attacked)
