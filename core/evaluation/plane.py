"""The plane through three images, and what a network sees in each point of it.

A straight line shows one direction. A plane through the digit, the adversarial image and a third
one shows where the regions of the labels lie, as in Fawzi, Moosavi-Dezfooli, Frossard and Soatto
2018, "Empirical Study of the Topology and Geometry of Deep Networks", section 4.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core import measures, validate
from core.attacks import LINF, Method, MinimalMethod, noise
from core.batches import in_batches
from core.classifier import Classifier, FloatArray, IntArray
from core.evaluation.path import AttackPath
from core.evaluation.walk import Walk
from core.losses import softmax

# What the map shows beyond what it must, as shares of that. Most images lie on the adversarial
# image's side: background pixels are 0, so going the other way leaves [0, 1].
_BELOW, _ABOVE = 0.12, 0.48
_ROUNDING = 1e-6  # by which a pixel may leave [0, 1]


@dataclass(frozen=True, eq=False)
class Frame:
    """A plane with an origin and two axes at right angles; lengths are L2 norms in pixel units.

    Attributes:
        origin: `(784,)`, the image at (0, 0).
        axes: `(2, 784)`, of length 1. The adversarial image lies on the first one, and the third
            image on the side to which the second one points.
    """

    origin: FloatArray
    axes: FloatArray

    @classmethod
    def through(cls, x: FloatArray, x_adv: FloatArray, third: FloatArray) -> "Frame":
        """Return the plane through three images, `(784,)` each, computed in float64.

        Raises:
            ValueError: the three lie on one straight line.
        """
        origin = x.astype(np.float64)
        first, second = x_adv - origin, third - origin
        length = np.linalg.norm(first)
        if not length:
            raise ValueError("x_adv must differ from x")
        first /= length
        size = np.linalg.norm(second)
        second -= (second @ first) * first
        height = np.linalg.norm(second)
        if height <= 1e-6 * max(size, length):
            raise ValueError("third must not be on the straight line through x and x_adv")
        return cls(origin, np.stack([first, second / height]))

    def images(self, points: FloatArray) -> FloatArray:
        """Return the images at points `(n, 2)` of the plane, `(n, 784)`, not clipped to [0, 1]."""
        return self.origin + points @ self.axes

    def points(self, images: FloatArray) -> FloatArray:
        """Return the points `(n, 2)` of the plane that are nearest to images `(n, 784)`."""
        points: FloatArray = (images - self.origin) @ self.axes.T
        return points


@dataclass(frozen=True, eq=False)
class Plane:
    """What a network sees in a square part of a plane.

    Attributes:
        frame: the plane.
        across: `(W,)` evenly spaced places on the first axis, rising.
        upward: `(W,)` the same on the second.
        labels: `(W, W)` the network's label at each point; a row for each place `upward`.
        confidence: `(W, W)` its probability, in [0, 1].
        inside: `(W, W)` whether the point is an image: all of its pixels are in [0, 1].
        outline: `(K, 2)` corners of the part of the ball whose points are images, which is convex;
            None without a ball.
    """

    frame: Frame
    across: FloatArray
    upward: FloatArray
    labels: IntArray
    confidence: FloatArray
    inside: NDArray[np.bool_]
    outline: FloatArray | None


def look_at(
    classifier: Classifier,
    frame: Frame,
    show: FloatArray,
    *,
    outline: FloatArray | None = None,
    side: int = 200,
) -> Plane:
    """Predict the points of the smallest square that holds what is to be shown, and a margin.

    Args:
        classifier: the network. It is asked about points outside [0, 1], too.
        frame: the plane.
        show: `(n, 2)` points that must be in the square, at least two different ones.
        outline: `(K, 2)` corners of `outline_of`, which must be in it, too.
        side: the number of points along a side, at least 2.
    """
    side = validate.whole_number(side, name="side", least=2)
    corners = show if outline is None else np.concatenate([show, outline])
    low, high = corners.min(axis=0), corners.max(axis=0)
    extent = (high - low).max()
    across, upward = (
        np.linspace(least - _BELOW * extent, least + (1 + _ABOVE) * extent, side) for least in low
    )
    points = np.stack(np.meshgrid(across, upward), axis=-1).reshape(-1, 2).astype(np.float32)
    origin, axes = frame.origin.astype(np.float32), frame.axes.astype(np.float32)
    logits = np.empty((len(points), 10), np.float32)
    inside = np.empty(len(points), np.bool_)

    def fill(rows: slice) -> None:
        images = points[rows] @ axes
        images += origin
        logits[rows] = classifier.logits(images)
        inside[rows] = (images.min(axis=1) >= -_ROUNDING) & (images.max(axis=1) <= 1 + _ROUNDING)

    in_batches(fill, len(points))
    return Plane(
        frame=frame,
        across=across,
        upward=upward,
        labels=logits.argmax(axis=1).reshape(side, side),
        confidence=softmax(logits).max(axis=1).reshape(side, side),
        inside=inside.reshape(side, side),
        outline=outline,
    )


def outline_of(frame: Frame, norm: str, size: float) -> FloatArray:
    """Return the corners of a ball around the origin, cut by the plane and by [0, 1].

    Args:
        frame: the plane; its origin has pixels in [0, 1].
        norm: "linf" or "l2".
        size: the ball's radius ε in that norm, above 0.

    Returns:
        `(K, 2)`, the corners of a convex polygon in order. The L2 ball's is cut from a polygon of
        360 corners.
    """
    x, (first, second) = frame.origin, frame.axes
    reach = size if norm == "linf" else np.inf
    high, low = np.minimum(1 - x, reach), np.minimum(x, reach)
    # Each pixel gives two straight edges: first · a + second · b is between −low and high.
    normals = np.stack([np.concatenate([first, -first]), np.concatenate([second, -second])])
    limits = np.concatenate([high, low])
    polygon: FloatArray
    if norm == "linf":
        far = size * np.sqrt(len(x))  # no image of the ball is farther away
        polygon = far * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    else:
        angle = 2 * np.pi * np.arange(360) / 360
        polygon = size * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    while True:
        excess = polygon @ normals - limits
        edge = int(excess.max(axis=0).argmax())
        if excess[:, edge].max() <= 1e-9:
            return polygon
        polygon = _cut(polygon, excess[:, edge])


def _cut(polygon: FloatArray, excess: FloatArray) -> FloatArray:
    """Return the part of a convex polygon `(K, 2)` where a linear excess `(K,)` is at most 0."""
    kept: list[FloatArray] = []
    for at in range(len(polygon)):
        here, there = excess[at - 1], excess[at]
        if (here > 0) != (there > 0):
            share = here / (here - there)
            kept.append(polygon[at - 1] + share * (polygon[at] - polygon[at - 1]))
        if there <= 0:
            kept.append(polygon[at])
    return np.array(kept)


def runner_up(classifier: Classifier, x: FloatArray, x_adv: FloatArray) -> int:
    """Return the most probable label of `x` that is the prediction of neither image.

    Both are `(1, 784)`, pixels in [0, 1].
    """
    logits = measures.logits(classifier, np.concatenate([x, x_adv]))
    taken = set(logits.argmax(axis=1).tolist())
    return next(int(label) for label in np.argsort(-logits[0]) if int(label) not in taken)


def towards_label(
    classifier: Classifier, x: FloatArray, label: int, *, norm: str, size: float
) -> FloatArray:
    """Take one step from an image along the gradient of a label's logit.

    The loss would not do: its gradient is mostly that of the image's own label, whatever the
    target, so the step would lead where the attack leads.

    Args:
        classifier: the network.
        x: `(1, 784)`, pixels in [0, 1].
        label: where to go.
        norm: "linf" for a step of ±size in every pixel; else one of that L2 norm.
        size: of the step, before it is clipped to [0, 1].

    Returns:
        `(784,)`, pixels in [0, 1], in float64; `x` where the gradient is 0.
    """
    logits, pull_back = classifier.vjp(x)
    cotangent = np.zeros_like(logits)
    cotangent[0, label] = 1
    step = pull_back(cotangent)[0].astype(np.float64)
    if norm == "linf":
        step = np.sign(step)
    elif length := np.linalg.norm(step):
        step /= length
    moved: FloatArray = np.clip(x[0] + size * step, 0, 1)
    return moved


def at_random(
    classifier: Classifier, x: FloatArray, *, norm: str, size: float, seed: int = 1
) -> FloatArray:
    """Change every pixel of an image by as much, up or down at random.

    Arguments and return value are those of `towards_label`; `seed` decides the signs. By default
    they are not those of the attack "noise".
    """
    epsilon = size if norm == "linf" else size / np.sqrt(x.shape[1])
    moved: FloatArray = noise(classifier, x, [0], epsilon, seed=seed)[0]
    return moved


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The map around one digit under attack.

    Attributes:
        plane: what the network sees; the digit is at (0, 0).
        budget: the attack's budget there, as on its scale.
        ends: `(2, 2)`, where the attack's image and the third image are.
        trail: `(T, 2)`, the points nearest to the attack's steps; None without a walk.
        towards: the runner-up, to whose logit the second axis leads; None for a random direction.
    """

    plane: Plane
    budget: float
    ends: FloatArray
    trail: FloatArray | None
    towards: int | None


def place_to_map(path: AttackPath, epsilon: float) -> int | None:
    """Return which budget of a path the map shows.

    That is the slider's, or the first that flips where the image is still the digit itself, or the
    largest. None if the attack changes nothing at all.
    """
    changed = path.l2_norm > 0
    place = int(np.abs(path.scale.budgets - epsilon).argmin())
    if not changed[place]:
        flips = np.flatnonzero(path.predictions != path.predictions[0])
        place = int(flips[0]) if flips.size else len(changed) - 1
    return place if changed[place] else None


def around(
    classifier: Classifier,
    method: Method,
    path: AttackPath,
    place: int,
    *,
    random: bool,
    walk: Walk | None = None,
    side: int = 200,
) -> Surroundings:
    """Map the plane through a digit, an attack's image of it, and a third image.

    The outline is that of the attack's ball; an attack without a budget has the circle on which
    its image lies.

    Args:
        classifier: the network under attack.
        method: the attack.
        path: the digit under every budget.
        place: the budget's, see `place_to_map`.
        random: True for a random perturbation as the third image; False for a step towards the
            runner-up.
        walk: the attack's steps under that budget.
        side: the number of points along a side.

    Raises:
        ValueError: the three images are on one line.
    """
    x, x_adv = path.x_adv[:1], path.x_adv[place : place + 1]
    budget = float(path.scale.budgets[place])
    norm = "linf" if path.scale is LINF else "l2"
    size = float(path.l2_norm[place]) if isinstance(method, MinimalMethod) else budget
    other = None if random else runner_up(classifier, x, x_adv)
    if other is None:
        third = at_random(classifier, x, norm=norm, size=size)
    else:
        third = towards_label(classifier, x, other, norm=norm, size=size)
    frame = Frame.through(x[0], x_adv[0], third)
    ends = frame.points(np.stack([x_adv[0], third]))
    trail = None if walk is None else frame.points(walk.x_adv)
    show = np.concatenate([np.zeros((1, 2)), ends, *([] if trail is None else [trail])])
    outline = outline_of(frame, norm, size)
    plane = look_at(classifier, frame, show, outline=outline, side=side)
    return Surroundings(plane, budget, ends, trail, other)
