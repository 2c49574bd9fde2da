"""Carlini and Wagner's attack: gradient descent on the size of the perturbation itself."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import measures, validate
from core.attacks.problem import Goal, check_gradient, setting
from core.batches import in_batches
from core.classifier import Classifier, FloatArray, IntArray

# tanh reaches the pixel values 0 and 1 only at infinity, where no descent could start. Stretched by
# this factor it goes slightly beyond them, and the excess is clipped.
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
    """Minimise the L2 norm of the perturbation under which the goal is reached.

    Minimises ‖x_adv − x‖₂² + c · max(m, −κ) over w, where x_adv = (tanh(w) + 1) / 2 stays in
    [0, 1], and the margin m is max{Z_j : j ≠ t} − Z_t for a target t, and Z_y − max{Z_j : j ≠ y}
    without one. Adam descends from x for several values of c: c grows tenfold until an adversarial
    image is found, then bisection goes on between the largest c that failed and the smallest that
    succeeded. The smallest perturbation of all steps is returned. Without a target it may settle on
    a label that is not the nearest one; see `carlini_wagner_nearest`. Carlini and Wagner 2017,
    "Towards Evaluating the Robustness of Neural Networks", sections V and VI-A.

    Arguments, return value and errors are those of `MinimalAttack`. In addition:
        confidence: κ, the margin in logits by which the goal must be reached, at least 0.
        searches: how many values of c to try, at least 1. On the report's network, nine from 0.01
            found nothing smaller than these six from 1.
        steps: Adam's steps for each c, at least 1. The paper takes 10,000 of size 0.01; on the
            report's network 1,000 of those found nothing smaller than these 200 of size 0.05.
        step_size: Adam's step size, in w, at least 0.
        initial_c: the first c, at least 0.
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

    in_batches(attack, len(goal.x))
    return x_adv


def carlini_wagner_nearest(
    classifier: Classifier, x: ArrayLike, y: ArrayLike, *, target: ArrayLike | None = None
) -> FloatArray:
    """Without a target, aim for each other label in turn; return the smallest perturbation.

    Carlini and Wagner call this the best case. `carlini_wagner` without a target settles on the
    label that leads after its first steps, and a longer descent does not leave it: on the report's
    network 4 of 60 digits flip at a smaller norm under `core.attacks.pgd_l2`. Here none of them
    does, for nine times as many steps and 2.5 times the time.

    Arguments, return value and errors are those of `MinimalAttack`. With a target it does the same
    as `carlini_wagner`.
    """
    if target is not None:
        return carlini_wagner(classifier, x, y, target=target)
    goal = Goal.of(classifier, x, y, None)
    if not len(goal.x):
        return goal.x.copy()
    classes = classifier.logits(goal.clean(slice(0, 1))).shape[1]
    others = (goal.labels[:, None] + np.arange(1, classes)) % classes
    x_adv = carlini_wagner(
        classifier,
        np.repeat(goal.x, classes - 1, axis=0),
        np.repeat(goal.labels, classes - 1),
        target=others.ravel(),
    )
    arrived = (measures.predict(classifier, x_adv) == others.ravel()).reshape(others.shape)
    x_adv = x_adv.reshape(*others.shape, -1)
    norm = np.where(arrived, measures.l2_norm(goal.x[:, None], x_adv), np.inf)
    # Where no label was reached, each of the images is the clean one.
    nearest: FloatArray = x_adv[np.arange(len(x_adv)), norm.argmin(axis=1)]
    return nearest


class _Smallest:
    """The smallest perturbations found so far for some `rows`, `(n,)`, of the goal's images.

    Attributes:
        x_adv: `(n, 784)`, the clean image where nothing has been found.
    """

    def __init__(self, goal: Goal, rows: IntArray, confidence: float) -> None:
        self._goal, self._labels, self._confidence = goal, goal.labels[rows], confidence
        self._clean = goal.x[rows]
        self._squared_norm = np.full(len(rows), np.inf, goal.x.dtype)
        self.x_adv = self._clean.copy()

    def descend(self, c: FloatArray, *, steps: int, step_size: float) -> NDArray[np.bool_]:
        """Descend from the clean images; return where some step was adversarial, `(n,)`."""
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
            margin, margin_gradient = self._margin(logits)
            found |= self._keep(x_adv, perturbation, logits, margin)

            weight = c * (margin > -self._confidence)
            gradient = pull_back(margin_gradient * weight[:, None])
            check_gradient(gradient)
            perturbation *= 2
            gradient += perturbation
            tanh *= tanh
            np.subtract(1, tanh, out=tanh)
            gradient *= tanh  # d x_adv / d w up to a constant factor, which Adam ignores
            adam.step(gradient)
        return found

    def _margin(self, logits: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the margin m, `(n,)`, and its gradient in the logits, `(n, 10)`."""
        margin, rivals = self._goal.margin(logits, self._labels)
        images = np.arange(len(logits))
        sign = -1 if self._goal.targeted else 1
        gradient = np.zeros_like(logits)
        gradient[images, self._labels] = sign
        gradient[images, rivals] = -sign
        return margin, gradient

    def _keep(
        self, x_adv: FloatArray, perturbation: FloatArray, logits: FloatArray, margin: FloatArray
    ) -> NDArray[np.bool_]:
        """Keep the adversarial images smaller than any before; return which are adversarial."""
        found = self._goal.reached(logits, self._labels) & (margin <= -self._confidence)
        squared_norm = np.vecdot(perturbation, perturbation)
        smaller = found & (squared_norm < self._squared_norm)
        self._squared_norm[smaller] = squared_norm[smaller]
        self.x_adv[smaller] = x_adv[smaller]
        return found


class _Adam:
    """Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1.

    Each step changes the `variables` in place.
    """

    _MEAN_DECAY, _SQUARE_DECAY, _TINY = 0.9, 0.999, 1e-8

    def __init__(self, variables: FloatArray, step_size: float) -> None:
        self._variables, self._step_size = variables, step_size
        self._mean, self._square = np.zeros_like(variables), np.zeros_like(variables)
        self._steps = 0

    def step(self, gradient: FloatArray) -> None:
        """Descend by one step; `gradient` is overwritten."""
        self._steps += 1
        self._mean *= self._MEAN_DECAY
        self._mean += (1 - self._MEAN_DECAY) * gradient
        self._square *= self._SQUARE_DECAY
        gradient *= gradient
        gradient *= 1 - self._SQUARE_DECAY
        self._square += gradient
        # The bias corrections of both means are scalars, combined into one.
        correction = np.sqrt(1 - self._SQUARE_DECAY**self._steps)
        correction /= 1 - self._MEAN_DECAY**self._steps
        move = np.sqrt(self._square, out=gradient)
        move += self._TINY
        np.divide(self._mean, move, out=move)
        move *= self._step_size * correction
        self._variables -= move
