"""How far one goes along an attack: a budget a pixel or of the L2 norm, or a share of the way."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core.attacks import Method, towards
from core.classifier import Classifier, FloatArray
from core.evaluation import path


@dataclass(frozen=True, eq=False)
class Scale:
    """What an attack's slider runs over.

    Attributes:
        name: "linf" or "l2" for the norm that is bounded; "way" for a share of the straight way to
            what an attack without a budget has found.
        budgets: `(101,)`, rising from 0, in pixel units or as shares.
        resolution: to which the budget of a flip is looked for.
    """

    name: str
    budgets: FloatArray
    resolution: float

    def nearest(self, budget: float) -> float:
        """The one of the budgets that is nearest."""
        return float(self.budgets[np.abs(self.budgets - budget).argmin()])


LINF = Scale("linf", np.linspace(0, 0.5, 101), path.RESOLUTION)
L2 = Scale("l2", np.linspace(0, 5, 101), 1e-3)
WAY = Scale("way", np.linspace(0, 1, 101), 1e-3)


def scale_of(method: Method) -> Scale:
    """What a method's slider runs over."""
    if method.minimal is not None:
        return WAY
    return L2 if method.norm == "l2" else LINF


def follow(
    classifier: Classifier,
    method: Method,
    x: FloatArray,
    label: int,
    *,
    target: int | None = None,
) -> path.Path:
    """One image on its way through all that a method's slider runs over.

    Args:
        classifier: the network under attack.
        method: the attack.
        x: `(1, 784)` clean image.
        label: the digit it is meant to be.
        target: the digit to move towards, if any.

    Raises:
        ValueError: as the attack; the method has no target, and one is given.
    """
    scale = scale_of(method)
    if method.attack is not None:
        attack = method.attack

        def images(budgets: ArrayLike) -> FloatArray:
            return attack(classifier, x, [label], budgets, target=target)[:, 0]
    else:
        assert method.minimal is not None
        found = method.minimal(classifier, x, [label], target=target)

        def images(budgets: ArrayLike) -> FloatArray:
            return towards(x, found, budgets)[:, 0]

    return path.trace(classifier, images, scale.budgets, target=target, resolution=scale.resolution)


def random_flips(classifier: Classifier, scale: Scale, x: FloatArray, along: path.Path) -> int:
    """How many of 100 random perturbations as large as a path's flip flip the image too.

    As large is: with the L∞ norm of the flip where that is what is bounded, else with its L2 norm.

    Args:
        classifier: the network.
        scale: of the path.
        x: `(1, 784)` clean image.
        along: the image's path; 0 where it has no flip.
    """
    if along.flip is None:
        return 0
    size = along.flip.epsilon
    if scale is not LINF:
        size = flip_norm(scale, along) / np.sqrt(x.shape[1])
    return path.random_flips(classifier, x, size)


def flip_norm(scale: Scale, along: path.Path) -> float:
    """The L2 norm at a path's flip: a budget of it, or that share of the norm at the way's end.

    Raises:
        ValueError: the path has no flip.
    """
    if along.flip is None:
        raise ValueError("along must have a flip")
    share = along.l2_norm[-1] if scale is WAY else 1.0
    return float(along.flip.epsilon * share)
