"""The description of an attack, for code that offers a choice of several."""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from core.attacks.problem import Attack, MinimalAttack
from core.attacks.random_search import CountedAttack
from core.classifier import FloatArray


@dataclass(frozen=True, eq=False)
class Scale:
    """The range of an attack's slider.

    Attributes:
        name: "linf" or "l2" for a budget in that norm; "way" for a share of the straight line from
            the clean image to the image that a minimal attack found, and a little beyond it.
        budgets: `(B,)`, rising from 0, in pixel units or as shares.
        resolution: the accuracy to which the budget of a flip is determined.

    Raises:
        ValueError: the budgets do not rise from 0.
    """

    name: str
    budgets: FloatArray
    resolution: float

    def __post_init__(self) -> None:
        if not len(self.budgets) or self.budgets[0] != 0 or not (np.diff(self.budgets) > 0).all():
            raise ValueError(f"budgets must rise from 0, not {self.budgets!r}")

    def nearest(self, budget: float) -> float:
        """Return the member of `budgets` nearest to `budget`."""
        return float(self.budgets[np.abs(self.budgets - budget).argmin()])


LINF = Scale("linf", np.linspace(0, 0.5, 101), 1e-4)
L2 = Scale("l2", np.linspace(0, 5, 101), 1e-3)
# Minimal attacks end just across the decision boundary. Rounding an image to the levels of a screen
# can bring it back. Therefore the way goes on for another twentieth.
WAY = Scale("way", np.arange(106) / 100, 1e-3)


@dataclass(frozen=True, kw_only=True)
class _Description:
    """The description that all attacks have.

    Attributes:
        name: the function's name.
        title: the name for people.
        norm: the norm that is bounded or minimised: "linf", "l2" or "l0" (the number of changed
            pixels).
        summary: what it does, for a student, and its source.
        targeted: whether it accepts a target.
        cost: how long it takes on an image: one gradient at most, tens, or many hundreds.
        followed: whether one image can be followed along all budgets of its scale in a moment.
    """

    name: str
    title: str
    norm: str
    summary: str
    targeted: bool = True
    cost: Literal["one step", "iterated", "slow"] = "iterated"
    followed: bool = True


@dataclass(frozen=True, kw_only=True)
class BudgetMethod(_Description):
    """An attack that is given a budget.

    Attributes:
        attack: the attack.
        counted: the same, which also tells how often it asks the network, for an attack of which
            that number is the cost; None for others.
    """

    attack: Attack
    counted: CountedAttack | None = None

    @property
    def scale(self) -> Scale:
        """The range of its slider."""
        return L2 if self.norm == "l2" else LINF


@dataclass(frozen=True, kw_only=True)
class MinimalMethod(_Description):
    """An attack that looks for the smallest perturbation itself.

    Attributes:
        attack: the attack on many images.
        thorough: a slower one that finds smaller perturbations, for one image; None if there is
            none.
    """

    attack: MinimalAttack
    thorough: MinimalAttack | None = None
    scale: ClassVar[Scale] = WAY

    @property
    def on_one(self) -> MinimalAttack:
        """The attack on one image."""
        return self.thorough or self.attack


Method: TypeAlias = BudgetMethod | MinimalMethod
