"""Why a digit turns into another one: which pixels moved the decision."""

from dataclasses import dataclass

import numpy as np

from core import measures, validate
from core.batches import in_batches
from core.classifier import Classifier, FloatArray
from core.evaluation.rates import Evaluation


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why images of one digit are predicted as another one, averaged over the images.

    The gap Z_digit − Z_label between the logits decides between the two: it is positive before the
    attack and negative after it. To first order, a change δᵢ of pixel i changes the gap by
    ∂gap/∂xᵢ(x) · δᵢ. These `contributions` are those of a linear model, or of "gradient × input"
    with the clean image as the baseline (Ancona, Ceolini, Öztireli and Gross 2018, "Towards Better
    Understanding of Gradient-based Attribution Methods for Deep Neural Networks"). The rest of the
    change is due to the network's nonlinearity.

    Attributes:
        digit: the true label; the images were classified correctly before the attack.
        label: the prediction after the attack.
        images: the number of such images.
        digit_mean: `(784,)`, the mean of the digit's correctly classified clean images.
        label_mean: `(784,)`, the same for the label; None if it has no such image.
        perturbation: `(784,)`, the mean change δ of the images' pixels.
        gap_before: the mean gap of the clean images, in logits.
        gap_after: the mean gap of the adversarial images, in logits.
        contributions: `(784,)`, the change of the gap due to each pixel, to first order; negative
            where the pixel moves the decision towards the label.
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

    @property
    def linear_share(self) -> float:
        """The share of the change that the contributions explain; it may be outside [0, 1]."""
        return float(self.contributions.sum()) / (self.gap_after - self.gap_before)


def explain(classifier: Classifier, evaluation: Evaluation, digit: int, label: int) -> Explanation:
    """Attribute a digit's misclassification as a label to the pixels.

    Args:
        classifier: the network that was evaluated.
        evaluation: see `core.evaluation.rates.evaluate`.
        digit: the true label.
        label: the prediction after the attack, another digit.

    Raises:
        ValueError: `digit` and `label` are not two different digits, or no image of the digit was
            classified correctly before and predicted as the label after.
    """
    validate.labels(digit, 1, name="digit")
    validate.labels(label, 1, name="label")
    if digit == label:
        raise ValueError(f"label must be another digit than {digit}")
    right = evaluation.correct_before
    chosen = right & (evaluation.y == digit) & (evaluation.after == label)
    if not chosen.any():
        raise ValueError(
            f"evaluation must have a {digit} that was classified correctly before the attack and "
            f"as {label} after it"
        )
    x, x_adv = evaluation.x[chosen], evaluation.x_adv[chosen]
    perturbation = x_adv.astype(np.float64) - x
    gap_before, gradient = _gap_and_gradient(classifier, x, digit, label)
    logits = measures.logits(classifier, x_adv).astype(np.float64)
    gap_after = logits[:, digit] - logits[:, label]
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
        contributions=(gradient * perturbation).mean(axis=0),
    )


def _gap_and_gradient(
    classifier: Classifier, x: FloatArray, digit: int, label: int
) -> tuple[FloatArray, FloatArray]:
    """Return each image's gap Z_digit − Z_label, `(N,)`, and its gradient, `(N, 784)`, float64."""
    gap, gradient = np.empty(len(x)), np.empty(x.shape)

    def fill(rows: slice) -> None:
        logits, pull_back = classifier.vjp(x[rows])
        gap[rows] = logits[:, digit].astype(np.float64) - logits[:, label]
        cotangent = np.zeros_like(logits)
        cotangent[:, digit], cotangent[:, label] = 1, -1
        gradient[rows] = pull_back(cotangent)

    in_batches(fill, len(x))
    return gap, gradient


def _mean(x: FloatArray) -> FloatArray:
    mean: FloatArray = x.mean(axis=0, dtype=np.float64)
    return mean
