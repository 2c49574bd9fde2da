"""What an iterated attack tells of its steps to somebody who watches it.

An attack that can be watched takes `watch`, a function that it calls with each `Step` as it is
made. Without it, nothing is copied and nothing is called.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from core.classifier import Classifier, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Step:
    """One step of an attack on some of its images. All arrays are the watcher's own.

    Attributes:
        number: 0 for where the attack starts, then 1, 2, …
        rows: `(n,)`, where the images are in the attack's answer: image i under budget e of N
            images is e · N + i.
        move: `(n, 784)`, what the attack adds to the iterate; 0 for the start.
        moved: `(n, 784)`, the iterate with that, before it is brought back to where it may be.
        x_adv: `(n, 784)`, the iterate after that. The last of an image is the attack's answer. Only
            where a minimal attack finds nothing, its answer is the clean image.
    """

    number: int
    rows: IntArray
    move: FloatArray
    moved: FloatArray
    x_adv: FloatArray

    @classmethod
    def start(cls, rows: IntArray, x: FloatArray) -> "Step":
        """Return the step of number 0, from where the attack starts."""
        return cls(0, rows, np.zeros_like(x), x.copy(), x.copy())


# An attack on more than `core.batches.BATCH` images calls it from several threads.
Watch: TypeAlias = Callable[[Step], None]


class WatchedAttack(Protocol):
    """The signature of an `Attack` that can be watched."""

    def __call__(
        self,
        classifier: Classifier,
        x: ArrayLike,
        y: ArrayLike,
        epsilon: ArrayLike,
        *,
        target: ArrayLike | None = None,
        watch: Watch | None = None,
    ) -> FloatArray:
        """Perturb each image by at most `epsilon`, as `Attack` says; tell `watch` of each step."""
        ...


class WatchedMinimalAttack(Protocol):
    """The signature of a `MinimalAttack` that can be watched."""

    def __call__(
        self,
        classifier: Classifier,
        x: ArrayLike,
        y: ArrayLike,
        *,
        target: ArrayLike | None = None,
        watch: Watch | None = None,
    ) -> FloatArray:
        """Perturb each image little, as `MinimalAttack` says; tell `watch` of each step."""
        ...
