"""Carlini and Wagner's attack: descends on the size of the perturbation itself."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import validate
from core.attacks.problem import Goal, setting
from core.batches import in_chunks
from core.classifier import Classifier, FloatArray, IntArray

# tanh comes to a pixel's 0 and 1 at infinity only, where no descent could start. Stretched by this
# much it comes past them, and what is past them is cut off.
STRETCH = 1.001


def carlini_wagner(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    *,
    target: ArrayLike | None = None,
    confidence: float = 0.0,
    searches: int = 6,
    steps: int = 200,
    step_size: float = 0.05,
    initial_c: float = 1.0,
) -> FloatArray:
    """Makes the L2 norm as small as it can be while the network stays misled; c weighs the two.

    Minimises ‖x_adv − x‖₂² + c · max(m, −κ) over w, where x_adv = (tanh(w) + 1) / 2 can't leave
    [0, 1], and the margin m is max{Z_j : j ≠ t} − Z_t for a target t, and Z_y − max{Z_j : j ≠ y}
    without one. Adam descends from x for one c after another: ten times as large until an
    adversarial image is found, then halfway between the largest that was too small and the
    smallest that was enough. The smallest perturbation ever seen is returned: Carlini and Wagner
    2017, "Towards Evaluating the Robustness of Neural Networks", sections V and VI-A.

    Args, returns and errors are those of `MinimalAttack`; besides:
        confidence: κ, how far in logits the network is to be misled at least, from 0.
        searches: how many c are tried, at least 1. On the report's network, nine from 0.01 on
            found nothing smaller than these six from 1 on.
        steps: Adam's for each c, at least 1. The paper takes 10,000 of 0.01; on the report's
            network a thousand of those found nothing smaller than these 200 of 0.05.
        step_size: Adam's, in w, at least 0.
        initial_c: the c that is tried first, at least 0.
    """
    goal = Goal.of(classifier, x, y, target)
    confidence = setting(confidence, name="confidence")
    searches = validate.whole_number(searches, name="searches", least=1)
    steps = validate.whole_number(steps, name="steps", least=1)
    step_size = setting(step_size, name="step_size")
    initial_c = setting(initial_c, name="initial_c")
    x_adv = goal.x.copy()

    def attack(rows: slice) -> None:
        reached = goal.reached(classifier.logits(goal.clean(rows)), goal.labels[rows])
        left = rows.start + np.flatnonzero(~reached)
        if not len(left):
            return
        smallest = _Smallest(goal, left, confidence)
        c = np.full(len(left), initial_c, goal.x.dtype)
        too_small, enough = np.zeros_like(c), np.full_like(c, np.inf)
        for _ in range(searches):
            found = smallest.descend(c, steps=steps, step_size=step_size)
            enough[found] = c[found]
            too_small[~found] = c[~found]
            c = np.where(np.isinf(enough), 10 * c, (too_small + enough) / 2)
        x_adv[left] = smallest.x_adv

    in_chunks(attack, len(goal.x))
    return x_adv


class _Smallest:
    """The smallest perturbations of some images that have been found so far.

    Args:
        goal: what is to become of which images.
        rows: `(n,)`, those of the goal's images that are meant here.
        confidence: κ.

    Attributes:
        x_adv: `(n, 784)`, the clean image where none has been found.
    """

    def __init__(self, goal: Goal, rows: IntArray, confidence: float) -> None:
        self._goal, self._labels, self._confidence = goal, goal.labels[rows], confidence
        self._clean = goal.x[rows]
        self._square = np.full(len(rows), np.inf, goal.x.dtype)  # of each perturbation's norm
        self.x_adv = self._clean.copy()

    def descend(self, c: FloatArray, *, steps: int, step_size: float) -> NDArray[np.bool_]:
        """Descend from the clean images, and say for which of them some step was adversarial."""
        w = np.arctanh((2 * self._clean - 1) / STRETCH)
        adam = _Adam(w, step_size)
        found = np.zeros(len(w), np.bool_)
        for _ in range(steps):
            tanh = np.tanh(w)
            x_adv = tanh * (STRETCH / 2)
            x_adv += 0.5
            np.clip(x_adv, 0, 1, out=x_adv)
            perturbation = x_adv - self._clean
            logits, pull_back = self._goal.classifier.vjp(x_adv)
            margin, slope_of_margin = self._margin(logits)
            found |= self._keep(x_adv, perturbation, logits, margin)

            wanting = c * (margin > -self._confidence)
            slope = pull_back(slope_of_margin * wanting[:, None])
            perturbation *= 2
            slope += perturbation
            tanh *= tanh
            np.subtract(1, tanh, out=tanh)
            slope *= tanh  # d x_adv / d w, but for a factor that Adam makes no difference of
            adam.step(slope)
        return found

    def _margin(self, logits: FloatArray) -> tuple[FloatArray, FloatArray]:
        """m, `(n,)`, by how much the goal is missed, and its slope in the logits, `(n, 10)`."""
        margin, rivals = self._goal.margin(logits, self._labels)
        images = np.arange(len(logits))
        sign = -1 if self._goal.targeted else 1
        slope = np.zeros_like(logits)
        slope[images, self._labels] = sign
        slope[images, rivals] = -sign
        return margin, slope

    def _keep(
        self, x_adv: FloatArray, perturbation: FloatArray, logits: FloatArray, margin: FloatArray
    ) -> NDArray[np.bool_]:
        """Keep those that are adversarial and smaller than before; say which are adversarial."""
        found = self._goal.reached(logits, self._labels) & (margin <= -self._confidence)
        square = np.vecdot(perturbation, perturbation)
        smaller = found & (square < self._square)
        self._square[smaller] = square[smaller]
        self.x_adv[smaller] = x_adv[smaller]
        return found


class _Adam:
    """Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1.

    Args:
        variables: of any shape; each step changes them in place.
        step_size: α.
    """

    _MEAN_DECAY, _SQUARE_DECAY, _TINY = 0.9, 0.999, 1e-8

    def __init__(self, variables: FloatArray, step_size: float) -> None:
        self._variables, self._step_size = variables, step_size
        self._mean, self._square = np.zeros_like(variables), np.zeros_like(variables)
        self._steps = 0

    def step(self, slope: FloatArray) -> None:
        """Descend by one step; `slope` is overwritten."""
        self._steps += 1
        self._mean *= self._MEAN_DECAY
        self._mean += (1 - self._MEAN_DECAY) * slope
        self._square *= self._SQUARE_DECAY
        slope *= slope
        slope *= 1 - self._SQUARE_DECAY
        self._square += slope
        # The corrections of both means' start at 0, which are numbers, taken together.
        correction = np.sqrt(1 - self._SQUARE_DECAY**self._steps)
        correction /= 1 - self._MEAN_DECAY**self._steps
        move = np.sqrt(self._square, out=slope)
        move += self._TINY
        np.divide(self._mean, move, out=move)
        move *= self._step_size * correction
        self._variables -= move
