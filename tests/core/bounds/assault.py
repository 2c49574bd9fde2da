"""Every attack there is, just below what is proved of each image."""

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.attacks import METHODS, SEQUENCE, BudgetMethod, fab
from core.attacks.apgd import LOSSES, Task, ascend
from core.attacks.problem import Goal
from core.attacks.random_search import search, square_sides
from core.attacks.square import Squares
from core.attacks.strongest import SHARE, Some, lead_over_each
from core.batches import in_batches
from core.bounds import certified_epsilon
from core.classifier import FloatArray, IntArray
from core.networks import Network

STEPS = 50  # of APGD
FAB_STEPS = 20
QUERIES = 200  # of the square attack
GROUP = 20  # images that share a budget where an attack takes one for all
SLACK = 2.0**-23  # in float32 an attack may end so far outside its ball, a pixel
WITHOUT_DRAWS = ("FGSM", "FAB")  # of the attacks in SEQUENCE
LATER_STARTS = [name for name in SEQUENCE if "start" in name and "start 1" not in name]


@dataclass(frozen=True, eq=False)
class Proved:
    """Some images of which something is proved, in L∞ and in L2.

    Attributes:
        network: the network that reads them.
        x, y: `(N, 784)` and `(N,)`, the images and their labels.
        epsilon: by norm, `(N,)`, all above 0.
    """

    network: Network
    x: FloatArray
    y: IntArray
    epsilon: dict[str, FloatArray]

    @classmethod
    def of(cls, network: Network, x: FloatArray, y: IntArray) -> "Proved":
        """Prove what CROWN can, and leave out the images of which that is nothing."""
        epsilon = {norm: certified_epsilon(network, x, y, norm=norm) for norm in ("linf", "l2")}
        some = np.all([each > 0 for each in epsilon.values()], axis=0)
        return cls(network, x[some], y[some], {norm: each[some] for norm, each in epsilon.items()})

    def times(self, factor: float) -> "Proved":
        """Return what would be proved if every ε were larger; that need not be true."""
        epsilon = {norm: factor * each for norm, each in self.epsilon.items()}
        return Proved(self.network, self.x, self.y, epsilon)

    def refuted(self, x_adv: FloatArray) -> NDArray[np.bool_]:
        """Return where an image that is misread lies in a ball that is proved safe, `(N,)`."""
        misread = self.network.logits(x_adv).argmax(axis=1) != self.y
        perturbation = x_adv.astype(np.float64) - self.x
        pixels = self.x.shape[1]
        linf, l2 = np.abs(perturbation).max(axis=1), np.linalg.norm(perturbation, axis=1)
        inside = (linf <= self.epsilon["linf"] + SLACK) | (
            l2 <= self.epsilon["l2"] * (1 + SLACK) + np.sqrt(pixels) * SLACK
        )
        wrong: NDArray[np.bool_] = misread & inside
        return wrong


def assault(proved: Proved, *, seeds: int) -> Iterator[tuple[str, FloatArray]]:
    """Yield attacks' names and what they return, `(N, 784)`; those that draw, once for each seed.

    The parts of `strongest` get each image's own budget, exactly what is proved of it. Attacks
    that take one budget for all images get the images in small groups of about the same one.
    Attacks that look for the nearest image get none.
    """
    network, x, y = proved.network, proved.x, proved.y
    for method in METHODS.values():
        if method.name == "strongest":
            continue
        if isinstance(method, BudgetMethod):
            budgets = proved.epsilon[method.norm]
            for settings in _settings(method.attack, seeds):
                attack = partial(method.attack, network, **settings)
                yield method.title, in_groups(attack, x, y, budgets)
        else:
            yield method.title, method.attack(network, x, y)
    for norm in proved.epsilon:
        yield f"FAB, {norm}", fab(network, x, y, norm=norm, steps=FAB_STEPS)
    yield from parts_of_strongest(proved, seeds=seeds)


def _settings(attack: Callable[..., FloatArray], seeds: int) -> Iterator[dict[str, Any]]:
    """Yield the settings of each run of an attack: its strongest form, once for each seed."""
    names = inspect.signature(attack).parameters
    best: dict[str, Any] = {"keep_best": True} if "keep_best" in names else {}
    if "seed" not in names:
        yield best
        return
    for seed in range(seeds):
        yield {**best, "seed": seed}


def in_groups(
    attack: Callable[[FloatArray, IntArray, float], FloatArray],
    x: FloatArray,
    y: IntArray,
    budgets: FloatArray,
) -> FloatArray:
    """Attack images in groups of similar budgets, each with the smallest budget of its group."""
    x_adv = x.copy()
    for group in np.array_split(np.argsort(budgets), -(-len(x) // GROUP)):
        if len(group):
            x_adv[group] = attack(x[group], y[group], float(budgets[group].min()))
    return x_adv


def parts_of_strongest(proved: Proved, *, seeds: int) -> Iterator[tuple[str, FloatArray]]:
    """Yield what the attacks of `SEQUENCE` find, and APGD with more steps and all of its losses.

    The sequence's further starts are left out, since there is a start for each seed. So the square
    attack has fewer queries each time. Every label is taken for a near one.
    """
    goal = Goal.of(proved.network, proved.x, proved.y, None)
    epsilon = proved.epsilon["linf"].astype(goal.x.dtype)[:, None]

    def everywhere(attack: Callable[[Some], FloatArray]) -> FloatArray:
        x_adv = goal.x.copy()

        def work(rows: slice) -> None:
            some = goal.only(np.arange(len(goal.x))[rows])
            near = lead_over_each(some, some.classifier.logits(some.x))
            x_adv[rows] = attack(Some(some, epsilon[rows], np.full(len(some.x), np.inf), near))

        in_batches(work, len(goal.x))
        return x_adv

    attacks = {name: attack for name, attack in SEQUENCE.items() if name not in LATER_STARTS}
    attacks |= {f"APGD, {loss}": partial(_by_long_apgd, loss=loss) for loss in LOSSES}
    attacks["square attack"] = _by_short_square
    for name, attack in attacks.items():
        for seed in range(1 if name in WITHOUT_DRAWS else seeds):
            yield name, everywhere(partial(attack, seed=seed))


def _by_long_apgd(some: Some, *, seed: int, loss: str) -> FloatArray:
    task = Task(some.goal, None, some.epsilon, LOSSES[loss])
    return ascend(task, task.start(seed, 0), steps=STEPS)[0]


def _by_short_square(some: Some, *, seed: int) -> FloatArray:
    sides = square_sides(QUERIES, SHARE, math.isqrt(some.goal.x.shape[1]))
    return search(some.goal, Squares(some.goal.x, some.epsilon, sides=sides, seed=seed))[0]
