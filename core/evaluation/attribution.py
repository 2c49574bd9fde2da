"""Why a digit turns into another: which pixels moved the decision, and how alike the two are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core import measures, validate
from core.batches import in_chunks
from core.classifier import Classifier, FloatArray, IntArray
from core.evaluation.rates import Evaluation


@dataclass(frozen=True, eq=False)
class Explanation:
    """How the images of one digit came to be taken for another one, in the mean over them.

    The decision between the two lies in the gap Z_digit − Z_label of the logits: the digit's is
    the larger one before the attack, the label's after it. To first order pixel i, changed by
    δᵢ, changes the gap by ∂gap/∂xᵢ(x) · δᵢ; these are `contributions`, as of a linear model, or of
    "gradient × input" with the clean image as the baseline (Ancona, Ceolini, Öztireli and Gross
    2018, "Towards Better Understanding of Gradient-based Attribution Methods for Deep Neural
    Networks"). What the network's bends add to their sum is `remainder`.

    Attributes:
        digit: what the images are of; they were classified correctly before.
        label: what they are taken for after the attack.
        images: how many such images there are.
        digit_mean: `(784,)`, the mean of the digit's clean images that are classified correctly.
        label_mean: `(784,)`, the same of the label; None where there is no such image.
        perturbation: `(784,)`, the mean change δ of the images' pixels.
        gap_before: the mean gap of the clean images.
        gap_after: the mean gap of the adversarial images.
        contributions: `(784,)`, what each pixel adds to the change of the gap, to first order;
            negative where it moves the decision towards the label.
        remainder: what is left of the change of the gap.
    """

    digit: int
    label: int
    images: int
    digit_mean: FloatArray
    label_mean: FloatArray | None
    perturbation: FloatArray
    gap_before: float
    gap_after: float
    contributions: FloatArray
    remainder: float

    @property
    def change(self) -> float:
        """By how much the gap changes; the contributions and the remainder add up to it."""
        return self.gap_after - self.gap_before

    @property
    def linear_share(self) -> float:
        """Which share of the change the contributions explain; it may be beyond [0, 1]."""
        return float(self.contributions.sum()) / self.change


def explain(classifier: Classifier, evaluation: Evaluation, digit: int, label: int) -> Explanation:
    """Take apart how a digit's images came to be taken for a label.

    Args:
        classifier: the network that was evaluated.
        evaluation: see `core.evaluation.rates.evaluate`.
        digit: what the images are of.
        label: what they are taken for after the attack, another one.

    Raises:
        ValueError: `digit` or `label` is no digit, they are the same, or no image of the digit was
            classified correctly before and is taken for the label after.
    """
    validate.labels(digit, 1, name="digit")
    validate.labels(label, 1, name="label")
    if digit == label:
        raise ValueError(f"label must be another digit than {digit}")
    right = evaluation.correct_before
    chosen = right & (evaluation.y == digit) & (evaluation.after == label)
    if not chosen.any():
        raise ValueError(
            f"evaluation must have a {digit} that was classified correctly and turned into a "
            f"{label}, and has none"
        )
    x, x_adv = evaluation.x[chosen], evaluation.x_adv[chosen]
    perturbation = x_adv.astype(np.float64) - x
    gap_before, slope = _gap_and_slope(classifier, x, digit, label)
    logits = measures.logits(classifier, x_adv).astype(np.float64)
    gap_after = logits[:, digit] - logits[:, label]
    contributions = (slope * perturbation).mean(axis=0)
    others = right & (evaluation.y == label)
    return Explanation(
        digit=digit,
        label=label,
        images=len(x),
        digit_mean=_mean(evaluation.x[right & (evaluation.y == digit)]),
        label_mean=_mean(evaluation.x[others]) if others.any() else None,
        perturbation=perturbation.mean(axis=0),
        gap_before=float(gap_before.mean()),
        gap_after=float(gap_after.mean()),
        contributions=contributions,
        remainder=float((gap_after - gap_before).mean() - contributions.sum()),
    )


def similarity(x: FloatArray, y: IntArray) -> FloatArray:
    """How alike the ten digits are: the cosine similarity of their mean images.

    Args:
        x: `(N, 784)` images, pixels in [0, 1].
        y: `(N,)` labels.

    Returns:
        `(10, 10)` in [0, 1], symmetric; 1 would be the same image but for its brightness. NaN for
        a digit of which there is no image, or none with ink.

    Raises:
        ValueError: `x` or `y` is not as above.
    """
    x = validate.images(x)
    y = validate.labels(y, len(x))
    directions = np.full((validate.CLASSES, x.shape[1]), np.nan)
    for digit in np.unique(y):
        mean = _mean(x[y == digit])
        if mean.any():
            directions[digit] = mean / np.linalg.norm(mean)
    cosines: FloatArray = directions @ directions.T
    return cosines


def rank(similarity: ArrayLike, digit: int, label: int) -> int:
    """The place of a label among the nine other digits, from 1 for the most alike to the digit.

    Args:
        similarity: `(10, 10)`, as `similarity` gives it; digits that it knows nothing of are
            counted behind those that it knows.
        digit: the digit that the others are compared with.
        label: one of the others.

    Raises:
        ValueError: `digit` and `label` are not two digits, or nothing is known of one of them.
    """
    validate.labels([digit, label], 2, name="digit and label")
    if digit == label:
        raise ValueError(f"label must be another digit than {digit}")
    row = np.array(similarity, np.float64)[digit]
    if np.isnan(row[label]):
        raise ValueError(f"similarity must know of {digit} and of {label}")
    row[digit] = np.nan
    return 1 + int((row > row[label]).sum())


def _gap_and_slope(
    classifier: Classifier, x: FloatArray, digit: int, label: int
) -> tuple[FloatArray, FloatArray]:
    """The gap Z_digit − Z_label of each image and its gradient: `(N,)` and `(N, 784)`, float64."""
    gap, slope = np.empty(len(x)), np.empty(x.shape)

    def fill(rows: slice) -> None:
        logits, pull_back = classifier.vjp(x[rows])
        gap[rows] = logits[:, digit].astype(np.float64) - logits[:, label]
        cotangent = np.zeros_like(logits)
        cotangent[:, digit], cotangent[:, label] = 1, -1
        slope[rows] = pull_back(cotangent)

    in_chunks(fill, len(x))
    return gap, slope


def _mean(x: FloatArray) -> FloatArray:
    mean: FloatArray = x.mean(axis=0, dtype=np.float64)
    return mean
