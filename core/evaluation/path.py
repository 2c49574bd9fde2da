"""One image under every budget of an attack, and the budget at which its prediction changes.

A budget is an ε. For an attack without one it is a share of the way, the straight line from the
clean image to the image that the attack found (see `core.attacks.Scale`).

What is shown is what is judged: with `levels` every image is rounded to the grey levels of a screen
before it is predicted and measured. Rounding moves a pixel by half a level at most, so the norm of
a perturbation may exceed the budget of its attack by as much.

An iterated attack looks for another perturbation under each budget, so between two neighbouring
budgets of the scale the prediction may change and change back. Test image 6, a 4, is one: moved
towards 2 by BIM, the report's network reads an 8 from ε = 0.0654 to 0.0679, but a 4 at each budget
of the scale up to 0.09. Its flip, at 0.0914, is an upper bound of the first: it flips by then. To
look at all budgets as closely would take ten times as long.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core import measures, validate
from core.attacks import LINF, WAY, Method, MinimalMethod, Scale, draws, towards
from core.batches import one_thread_a_product
from core.classifier import Classifier, FloatArray, IntArray
from core.losses import softmax


@dataclass(frozen=True)
class Flip:
    """The first budget on a path, as far as `trace` looks, with the prediction that is sought.

    Attributes:
        epsilon: that budget, to the scale's resolution; unless the path is straight, a smaller one
            may have such a prediction too.
        before: the prediction for the clean image.
        after: the prediction at that budget.
        l2_norm: of the perturbation at that budget, in pixel units.
    """

    epsilon: float
    before: int
    after: int
    l2_norm: float


@dataclass(frozen=True, eq=False)
class AttackPath:
    """An image under every budget of an attack.

    Attributes:
        scale: its budgets, `(B,)`, from 0 for the clean image.
        x_adv: `(B, 784)` adversarial images, rounded where levels were asked for.
        probabilities: `(B, 10)`.
        l2_norm: `(B,)`, of the perturbations, in pixel units.
        flip: where the prediction first changes; None where it never does.
        reaches: the smallest budget at which the prediction is the target, to the scale's
            resolution; None without a target or where it is never reached. As with a flip, a
            smaller one may do unless the path is straight.
        random_flips: how many of 100 random perturbations, as large as the perturbation at the
            flip, change the prediction too; 0 without a flip.
        undone: whether the prediction changes at some budget, but rounding undoes each change.
        straight: whether the perturbation only grows along one direction. Otherwise the attack
            looks for another one under each budget.
    """

    scale: Scale
    x_adv: FloatArray
    probabilities: FloatArray
    l2_norm: FloatArray
    flip: Flip | None
    reaches: float | None
    random_flips: int = 0
    undone: bool = False
    straight: bool = True

    @property
    def predictions(self) -> IntArray:
        """The most probable label at each budget, `(B,)`."""
        predictions: IntArray = self.probabilities.argmax(axis=1)
        return predictions


def follow(
    classifier: Classifier,
    method: Method,
    x: FloatArray,
    label: int,
    *,
    target: int | None = None,
    levels: int | None = None,
) -> AttackPath:
    """Attack one image with every budget of the method's scale.

    Args:
        classifier: the network under attack.
        method: the attack.
        x: `(1, 784)` clean image, pixels in [0, 1].
        label: the true label.
        target: the digit to move towards, if any.
        levels: the grey levels to which every image is rounded, the clean one included; None for
            the attack's own float images. See `core.measures.rounded`.

    Raises:
        ValueError: as the attack does, which may refuse a target, or `levels` is below 2.
    """
    with one_thread_a_product:  # once for all of the small products
        attack = _attack_on(classifier, method, measures.rounded(x, levels), label, target)
        path = trace(classifier, method.scale, attack, target=target, levels=levels)
    return replace(path, straight=is_straight(method))


def _attack_on(
    classifier: Classifier, method: Method, clean: FloatArray, label: int, target: int | None
) -> Callable[[FloatArray], FloatArray]:
    """Return what attacks one image, from budgets `(B,)` to adversarial images `(B, 784)`."""
    if isinstance(method, MinimalMethod):
        found = method.on_one(classifier, clean, [label], target=target)
        return lambda budgets: towards(clean, found, budgets)[:, 0]
    attack = method.attack
    return lambda budgets: attack(classifier, clean, [label], budgets, target=target)[:, 0]


def is_straight(method: Method) -> bool:
    """Return whether an attack's perturbation of an image only grows as its budget does."""
    return isinstance(method, MinimalMethod) or method.cost == "one step"


def trace(
    classifier: Classifier,
    scale: Scale,
    attack: Callable[[FloatArray], FloatArray],
    *,
    target: int | None = None,
    levels: int | None = None,
) -> AttackPath:
    """Look at one image under every budget of a scale and find where its prediction flips.

    The prediction is computed at every budget of the scale, then at finer steps, of the scale's
    resolution, between the last budget that keeps it and the first that changes it. A prediction
    that changes and changes back between two neighbouring budgets is not seen. On a straight path
    that is rare.

    Args:
        classifier: the network under attack.
        scale: the budgets.
        attack: from budgets `(B,)` to adversarial images `(B, 784)` of one image; budget 0 gives
            the clean image.
        target: the target of the attack, if any.
        levels: as in `follow`.
    """

    def images(budgets: FloatArray) -> FloatArray:
        return measures.rounded(attack(budgets), levels)

    exact = attack(scale.budgets)
    x_adv = measures.rounded(exact, levels)
    logits = classifier.logits(x_adv)
    predictions: IntArray = logits.argmax(axis=1)
    before = int(predictions[0])

    def first(wanted: Callable[[IntArray], NDArray[np.bool_]]) -> Flip | None:
        """Find the first budget whose prediction is wanted."""
        hits = np.flatnonzero(wanted(predictions))
        if not hits.size:
            return None
        place = hits[0]
        if place == 0:
            return Flip(0.0, before, before, 0.0)
        budgets = _between(scale, place)
        closer = np.concatenate([images(budgets[:-1]), x_adv[place : place + 1]])
        # The prediction on the grid counts: among other images its logits may be rounded otherwise.
        labels = np.append(classifier.logits(closer).argmax(axis=1)[:-1], predictions[place])
        hit = np.flatnonzero(wanted(labels))[0]
        norm = measures.l2_norm(x_adv[0], closer[hit])
        return Flip(float(budgets[hit]), before, int(labels[hit]), float(norm))

    flip = first(lambda labels: labels != before)
    reached = first(lambda labels: labels == target) if target is not None else None
    flips, undone = 0, False
    if flip is None and levels is not None:
        undone = bool((classifier.logits(exact).argmax(axis=1) != before).any())
    elif flip is not None:
        epsilon = _as_noise(flip, scale, pixels=x_adv.shape[1])
        flips = random_flips(classifier, x_adv[:1], epsilon, levels=levels)
    return AttackPath(
        scale=scale,
        x_adv=x_adv,
        probabilities=softmax(logits),
        l2_norm=measures.l2_norm(x_adv[0], x_adv),
        flip=flip,
        reaches=None if reached is None else reached.epsilon,
        random_flips=flips,
        undone=undone,
    )


def _between(scale: Scale, place: int) -> FloatArray:
    """Return finer steps after the budget before `place`; the last is the budget at `place`."""
    low, high = scale.budgets[place - 1 : place + 1]
    parts = int(np.ceil((high - low) / scale.resolution))
    steps: FloatArray = np.linspace(low, high, parts + 1)[1:]
    return steps


def _as_noise(flip: Flip, scale: Scale, *, pixels: int) -> float:
    """Return the ε of a random perturbation that is as large as the one at a flip."""
    if scale is LINF:
        return flip.epsilon
    # Noise of ±ε in every pixel has an L2 norm of ε times the root of the number of pixels.
    norm = flip.l2_norm if scale is WAY else flip.epsilon
    return norm / math.sqrt(pixels)


def random_flips(
    classifier: Classifier,
    x: FloatArray,
    epsilon: float,
    *,
    tries: int = 100,
    seed: int = 0,
    levels: int | None = None,
) -> int:
    """Count the random perturbations of size ε that change one image's prediction.

    This is the control for a flip: if direction did not matter, noise would flip as often.

    Args:
        classifier: the network.
        x: `(1, 784)` clean image, pixels in [0, 1].
        epsilon: the L∞ norm of each perturbation, made as by `core.attacks.noise`.
        tries: the number of perturbations.
        seed: decides them.
        levels: as in `follow`.
    """
    x = measures.rounded(validate.images(x), levels)
    # Each pixel has two shades, and a random bit decides between them: the pixel is the larger one
    # of bit · lighter and darker.
    lighter, darker = (
        measures.rounded(np.clip(x + change, 0, 1), levels) for change in (epsilon, -epsilon)
    )
    up = draws.generator(seed, "random flips", x[0]).integers(0, 2, (tries, x.shape[1]), np.int8)
    perturbed = up.astype(x.dtype)
    perturbed *= lighter
    np.maximum(perturbed, darker, out=perturbed)
    with one_thread_a_product:
        labels = classifier.logits(np.concatenate([x, perturbed])).argmax(axis=1)
    return int((labels[1:] != labels[0]).sum())
