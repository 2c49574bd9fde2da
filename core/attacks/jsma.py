"""The saliency-map attack: it makes few pixels white."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.attacks.problem import ROUNDING, Goal, check_gradient, setting
from core.attacks.steps import Step, Watch
from core.batches import in_batches
from core.classifier import Classifier, FloatArray, IntArray
from core.losses import softmax


def jsma(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    *,
    target: ArrayLike | None = None,
    pixel_share: float = 0.145,
    saliency: str = "lead",
    watch: Watch | None = None,
) -> FloatArray:
    """Make two pixels white, recompute the Jacobian, and repeat until the goal is reached.

    This is the loop of Papernot, McDaniel, Jha, Fredrikson, Celik and Swami 2016, "The Limitations
    of Deep Learning in Adversarial Settings", algorithm 2, with θ = +1. Of each pixel i it looks at
    what a linear network would do if the pixel became white: (1 − x_i) ∂Z_j / ∂x_i for each logit
    Z_j. The factor 1 − x_i is that of the Taylor variant of Combey, Loison, Faucher and Hajri 2020,
    "Probabilistic Jacobian-based Saliency Maps Attacks". Without it, pixels that are almost white
    already get chosen to no effect.

    Arguments, return value and errors are those of `MinimalAttack`. In addition:
        pixel_share: Υ, the largest share of the pixels that may change, in [0, 1] (14.5 %, as in
            the paper).
        saliency: what the two pixels must have most of.

            "lead": by how much they raise Z_t − Σ_{j ≠ t} w_j Z_j, the lead of the target t over
            the other labels. The weights are exp(Z_j / τ), scaled to sum to 1. τ is how far the
            target is behind: max_j Z_j − Z_t. While it is far behind, many labels can get ahead
            before it does, so many count. In the end only the strongest one counts. Without a
            target, the sign is turned, t is the true label, and τ is how far it is ahead.

            "product": −α · β, the paper's algorithm 3 and equation 8, among the pairs with α > 0
            and β < 0. α is by how much the pair raises Z_t and β by how much it raises
            Σ_{j ≠ t} Z_j. Without a target, t is the true label and both signs are turned, as in
            the non-targeted variant of Wiyatno and Xu 2018, "Maximal Jacobian-based Saliency Map
            Attack". The sum counts all other labels alike, those too that can't get ahead.
        watch: called with each pair of pixels as it is chosen; see `core.attacks.steps`.
    """
    goal = Goal.of(classifier, x, y, target)
    pixel_share = setting(pixel_share, name="pixel_share")
    if pixel_share > 1:
        raise ValueError(f"pixel_share must be from 0 to 1, not {pixel_share!r}")
    if saliency not in ("product", "lead"):
        raise ValueError(f"saliency must be product or lead, not {saliency!r}")
    pairs = int(pixel_share * goal.x.shape[1]) // 2
    x_adv = goal.x.copy()

    def attack(rows: slice) -> None:
        here = goal.clean(rows)
        left = np.arange(rows.start, rows.stop)  # the images that have not reached the goal
        if watch:
            watch(Step.start(left, here))
        for pair in range(pairs + 1):
            reached = goal.reached(classifier.logits(here), goal.labels[left])
            x_adv[left[reached]] = here[reached]
            left, here = left[~reached], here[~reached]
            if pair == pairs or not len(left):
                break
            if saliency == "lead":
                possible, first, second = _leading_pairs(_lead(goal, here, goal.labels[left]))
            else:
                possible, first, second = _best_pairs(*_saliency(goal, here, goal.labels[left]))
            left, here = left[possible], here[possible]
            images = np.arange(len(left))
            before = here.copy() if watch else here
            here[images, first[possible]] = 1
            here[images, second[possible]] = 1
            if watch:
                watch(Step(pair + 1, left, here - before, here.copy(), here.copy()))

    in_batches(attack, len(goal.x))
    return x_adv


def _saliency(goal: Goal, x: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return each pixel's term of α and −β (−α and β without a target); −∞ where it is white."""
    logits, pull_back = goal.classifier.vjp(x)
    label = np.zeros_like(logits)
    label[np.arange(len(labels)), labels] = 1 if goal.targeted else -1
    others = label - 1 if goal.targeted else label + 1
    alpha, minus_beta = pull_back(label), pull_back(others)
    check_gradient(alpha)
    check_gradient(minus_beta)
    to_white = 1 - x
    alpha *= to_white
    minus_beta *= to_white
    white = x == 1
    alpha[white] = minus_beta[white] = -np.inf
    return alpha, minus_beta


def _lead(goal: Goal, x: FloatArray, labels: IntArray) -> FloatArray:
    """Return by how much each pixel, made white, raises the lead; −∞ where it is white."""
    logits, pull_back = goal.classifier.vjp(x)
    images, sign = np.arange(len(labels)), 1 if goal.targeted else -1
    others = logits.copy()
    others[images, labels] = -np.inf
    others -= others.max(axis=1, keepdims=True)
    distance, _ = goal.margin(logits, labels)
    tau = np.maximum(distance, ROUNDING * np.abs(logits).max(axis=1))[:, None]
    weights = softmax(others / np.where(tau > 0, tau, 1))
    weights[images, labels] = -1
    gain = pull_back(-sign * weights)
    check_gradient(gain)
    gain *= 1 - x
    gain[x == 1] = -np.inf
    return gain


def _leading_pairs(gain: FloatArray) -> tuple[NDArray[np.bool_], IntArray, IntArray]:
    """Return the two pixels of each image with the largest gains (see `_best_pairs`)."""
    images = np.arange(len(gain))
    pair = gain.argpartition(-2, axis=1)[:, -2:]
    first, second = pair[:, 1], pair[:, 0]
    return gain[images, first] + gain[images, second] > 0, first, second


def _best_pairs(a: FloatArray, b: FloatArray) -> tuple[NDArray[np.bool_], IntArray, IntArray]:
    """Return the two pixels p, q of each image with the largest (a_p + a_q) · (b_p + b_q) > 0.

    Only pixels p are tried that no other pixel exceeds in both a and b. If some pixel exceeded p in
    both, it could replace p and the product would grow, unless it is q; then p and q swap roles.

    Both `a` and `b` are `(N, 784)`. Returned are, `(N,)` each, whether a pair has both sums above
    0, p, and q.
    """
    falling = np.argsort(-a, axis=1)  # pixels by falling a: only earlier ones have a larger a
    b_in_order = np.take_along_axis(b, falling, axis=1)
    unmatched = np.ones(b.shape, np.bool_)
    unmatched[:, 1:] = b_in_order[:, 1:] > np.maximum.accumulate(b_in_order, axis=1)[:, :-1]
    image, place = np.nonzero(unmatched)
    p = falling[image, place]
    rows = np.arange(len(p))  # a row for each p of each image, a column for each q

    a_sums = a[image] + a[image, p][:, None]
    b_sums = b[image] + b[image, p][:, None]
    fit = (a_sums > 0) & (b_sums > 0)
    fit[rows, p] = False
    products = np.multiply(a_sums, b_sums, out=np.zeros_like(a_sums), where=fit)
    q = products.argmax(axis=1)
    largest = products[rows, q]

    # Sorted by image and then by product, the last row of an image is its best.
    best = np.lexsort((largest, image))[np.cumsum(unmatched.sum(axis=1)) - 1]
    return largest[best] > 0, p[best], q[best]
