"""The fast adaptive boundary attack: it looks for the nearest point of a decision boundary."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core import validate
from core.attacks.problem import Goal, check_gradient
from core.batches import in_batches
from core.classifier import Classifier, FloatArray, IntArray

OVERSHOOT = 1.05  # η, by how much a step goes beyond the linearised boundary
MOST_BIAS = 0.1  # α_max, the largest weight of the step from the clean image
BACK = 0.9  # β, the share of a found perturbation that is left before the next step
SEARCHES = 3  # steps of the last search between the image found and the clean one


def fab(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    *,
    target: ArrayLike | None = None,
    norm: str = "linf",
    steps: int = 100,
) -> FloatArray:
    """Step to the linearised decision boundary, each time drawn back towards the clean image.

    With the boundary to label l linearised at xⁱ, let δ lead from xⁱ, and δ_c from the clean image,
    to the nearest points of it in [0, 1]. Then xⁱ⁺¹ = clip((1 − α) (xⁱ + η δ) + α (x + η δ_c)),
    where α = min(‖δ‖ / (‖δ‖ + ‖δ_c‖), α_max). Of an adversarial point, the share 1 − β of its
    perturbation is taken away before the next step. The smallest perturbation of all is returned.
    Without a target, l is the label whose linearised boundary is the nearest. With one, the
    boundary is that between the target and the strongest other label. Croce and Hein 2020,
    "Minimally distorted Adversarial Examples with a Fast Adaptive Boundary Attack", algorithm 1,
    from the clean image and without random restarts.

    Arguments, return value and errors are those of `MinimalAttack`. In addition:
        norm: "linf" or "l2", the norm to minimise.
        steps: the number of steps, at least 1 (100, as in the paper).
    """
    goal = Goal.of(classifier, x, y, target)
    if norm not in ("linf", "l2"):
        raise ValueError(f"norm must be linf or l2, not {norm!r}")
    steps = validate.whole_number(steps, name="steps", least=1)
    x_adv = goal.x.copy()

    def attack(rows: slice) -> None:
        reached = goal.reached(classifier.logits(goal.clean(rows)), goal.labels[rows])
        left = rows.start + np.flatnonzero(~reached)
        if len(left):
            some = goal.only(left)
            x_adv[left] = approach(some, norm, steps=steps)

    in_batches(attack, len(goal.x))
    return x_adv


def approach(goal: Goal, norm: str, *, steps: int) -> FloatArray:
    """Return the adversarial images nearest to some clean ones, which are not adversarial.

    Args:
        goal: n images.
        norm: "linf" or "l2".
        steps: the number of steps.

    Returns:
        `(n, 784)`; the clean image where nothing was found.
    """
    clean = goal.x
    here = clean.copy()
    found, size = clean.copy(), np.full(len(clean), np.inf, clean.dtype)
    for _ in range(steps):
        boundary = nearest_boundary(goal, here, norm)
        step = boundary.projection(here, norm)
        from_clean = boundary.projection(clean, norm)
        own, clean_s = _norms(step, norm), _norms(from_clean, norm)
        total = own + clean_s
        bias = np.divide(own, total, out=np.zeros_like(own), where=total > 0)
        bias = np.minimum(bias, MOST_BIAS)[:, None]
        here += OVERSHOOT * step
        here *= 1 - bias
        here += bias * (clean + OVERSHOOT * from_clean)
        np.clip(here, 0, 1, out=here)
        won = goal.won(goal.classifier.logits(here))
        sizes = _norms(here - clean, norm)
        smaller = won & (sizes < size)
        found[smaller], size[smaller] = here[smaller], sizes[smaller]
        here[won] += (1 - BACK) * (clean - here)[won]
    return _closer(goal, found)


@dataclass(frozen=True)
class Boundary:
    """The linearised decision boundaries of n images: where gradient · (z − x) = gap.

    Attributes:
        x: `(n, 784)`, where they were linearised.
        gradient: `(n, 784)`, of the rival's lead over the true label.
        gap: `(n,)`, by how much that lead must rise from x on.
    """

    x: FloatArray
    gradient: FloatArray
    gap: FloatArray

    def projection(self, z: FloatArray, norm: str) -> FloatArray:
        """Return the shortest way from images z to their boundaries within [0, 1], `(n, 784)`."""
        gap = self.gap - np.vecdot(self.gradient, z - self.x)
        return to_hyperplane(z, self.gradient, gap, norm)

    def distance(self, norm: str) -> FloatArray:
        """Return how far x is from them if any pixel values were allowed, `(n,)`."""
        # The distance to a hyperplane is measured with the dual norm of its gradient.
        length = _norms(self.gradient, "l1" if norm == "linf" else "l2")
        gap = np.abs(self.gap)
        return np.divide(gap, length, out=np.full_like(gap, np.inf), where=length > 0)


def nearest_boundary(goal: Goal, x: FloatArray, norm: str) -> Boundary:
    """Return the nearest linearised boundaries; for targets, those to the strongest other label."""
    logits, pull_back = goal.classifier.vjp(x)
    if goal.targeted:
        _, strongest = goal.margin(logits, goal.labels)
        return between(strongest, goal.labels, x, logits, pull_back)
    best = between(goal.y, (goal.y + 1) % logits.shape[1], x, logits, pull_back)
    shortest = best.distance(norm)
    for turn in range(2, logits.shape[1]):
        other = between(goal.y, (goal.y + turn) % logits.shape[1], x, logits, pull_back)
        distance = other.distance(norm)
        closer = distance < shortest
        shortest[closer] = distance[closer]
        best.gradient[closer], best.gap[closer] = other.gradient[closer], other.gap[closer]
    return best


def between(
    label: IntArray,
    rival: IntArray,
    x: FloatArray,
    logits: FloatArray,
    pull_back: Callable[[FloatArray], FloatArray],
) -> Boundary:
    """Return the boundaries between labels and rivals, `(n,)` each, linearised at x."""
    images = np.arange(len(rival))
    cotangent = np.zeros_like(logits)
    cotangent[images, rival] = 1
    cotangent[images, label] = -1
    gradient = pull_back(cotangent)
    check_gradient(gradient)
    gap = logits[images, label] - logits[images, rival]
    return Boundary(x.copy(), gradient, gap)


def to_hyperplane(x: FloatArray, w: FloatArray, gap: FloatArray, norm: str) -> FloatArray:
    """Return the smallest δ with w · δ = gap and x + δ in [0, 1], or as far as one can go.

    Each pixel goes its way until it is black or white: by t in L∞, by t · |w| in L2. So |w · δ| is
    Σ rate · min(t, limit), which rises with t and bends down only. Newton's steps from 0 come to
    its root from below, after at most as many as there are limits.

    Args:
        x: `(n, 784)` images.
        w: `(n, 784)`.
        gap: `(n,)`.
        norm: "linf" or "l2", the norm of δ.

    Returns:
        `(n, 784)`.
    """
    direction = np.where(gap < 0, -1, 1)[:, None] * np.sign(w)
    room = np.where(direction > 0, 1 - x, x)
    size = np.abs(w)
    if norm == "linf":
        pace = (size > 0).astype(x.dtype)
    else:
        pace = size / np.maximum(size.max(axis=1, keepdims=True), np.finfo(x.dtype).tiny)
    rate = size * pace
    limit = np.divide(room, pace, out=np.zeros_like(room), where=pace > 0)
    wanted, tolerance = np.abs(gap), 64 * np.finfo(x.dtype).eps
    t = np.zeros_like(gap)[:, None]
    for _ in range(x.shape[1]):
        missing = wanted - np.vecdot(rate, np.minimum(t, limit))
        slope = np.vecdot(rate, limit > t)
        further = (missing > tolerance * wanted) & (slope > 0)
        if not further.any():
            break
        t[further, 0] += missing[further] / slope[further]
    delta: FloatArray = direction * np.minimum(pace * t, room)
    return delta


def _closer(goal: Goal, found: FloatArray) -> FloatArray:
    """Move images towards the clean ones as long as they stay adversarial."""
    inner, outer = goal.x.copy(), found
    labels = goal.labels
    for _ in range(SEARCHES):
        inside, _ = goal.margin(goal.classifier.logits(inner), labels)
        outside, _ = goal.margin(goal.classifier.logits(outer), labels)
        total = inside - outside
        share = np.divide(inside, total, out=np.ones_like(total), where=total > 0)[:, None]
        between = inner + share * (outer - inner)
        won = goal.won(goal.classifier.logits(between))
        outer[won] = between[won]
        inner[~won] = between[~won]
    return outer


def _norms(x: FloatArray, norm: str) -> FloatArray:
    """Return the norm of each row, `(n, 784)` to `(n,)`."""
    order = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
    norms: FloatArray = np.linalg.norm(x, order, axis=1)
    return norms
