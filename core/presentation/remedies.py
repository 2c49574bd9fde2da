"""The remedies that the course report recommends, adversarial training, and their effects."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from core.attacks import METHODS
from core.evaluation.robustness import MEASURED_ATTACKS, QUICK, STRONGEST, Robustness
from core.evaluation.seeds import Chance, known_chance
from core.evaluation.shipped import MeasuredFileError
from core.networks import shown_name
from core.presentation.words import percent, points

BASELINE = "report"
RECOMMENDED = "Recommended"
NOT_NAMED = "Not mentioned"


@dataclass(frozen=True)
class Remedy:
    """A change to the report's training that is meant to help against attacks.

    Attributes:
        title: its name for people.
        preset: the name of its recipe and of its shipped network.
        mechanism: how it works, in two sentences.
        paper: its source.
        expectation: what the report says about it.
        compared_with: the preset that differs from it by the remedy alone, or nearly so.
    """

    title: str
    preset: str
    mechanism: str
    paper: str
    expectation: str = RECOMMENDED
    compared_with: str = BASELINE


REMEDIES = (
    Remedy(
        title="Data augmentation",
        preset="augmentation",
        mechanism="Each image is rotated, shifted and scaled a little, differently each time it is "
        "used. The network never sees the same pixels twice and must learn what stays the same.",
        paper="Simard, Steinkraus and Platt 2003, “Best Practices for Convolutional Neural "
        "Networks Applied to Visual Document Analysis”",
    ),
    Remedy(
        title="Dropout",
        preset="dropout",
        mechanism="Each training step switches off some hidden units, chosen at random. "
        "No unit can rely on a few others, so what the network learns is spread over many.",
        paper="Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov 2014, “Dropout: A "
        "Simple Way to Prevent Neural Networks from Overfitting”",
    ),
    Remedy(
        title="L2 weight decay",
        preset="weight-decay",
        mechanism="Each step also shrinks every weight by a small share of itself. Small weights "
        "make a smoother network: a small change of the pixels changes its output less.",
        paper="Krogh and Hertz 1992, “A Simple Weight Decay Can Improve Generalization”",
    ),
    Remedy(
        title="Learning-rate schedule",
        preset="schedule",
        mechanism="The learning rate falls from epoch to epoch along a cosine, to nearly 0. "
        "Large steps find a good region first; small steps settle in it.",
        paper="Loshchilov and Hutter 2017, “SGDR: Stochastic Gradient Descent with Warm Restarts”",
    ),
    Remedy(
        title="Adam",
        preset="adam",
        mechanism="Each weight has its own step size, from running means of its gradient and of "
        "the gradient's square. Each step uses several images, and the learning rate falls.",
        paper="Kingma and Ba 2015, “Adam: A Method for Stochastic Optimization”",
    ),
    Remedy(
        title="Early stopping",
        preset="early-stopping",
        mechanism="Some training images are held out for validation. Training stops when the loss "
        "on them no longer falls, and the best epoch is kept.",
        paper="Prechelt 1998, “Early Stopping – But When?”",
    ),
    Remedy(
        title="Ensemble of five",
        preset="ensemble",
        mechanism="Five networks are trained by the same recipe from different seeds. Their "
        "probabilities are averaged; the attacks know this and attack the average.",
        paper="Hansen and Salamon 1990, “Neural Network Ensembles”",
    ),
    Remedy(
        title="Transfer learning",
        preset="transfer",
        mechanism="Training starts from a network that knows some of the digits and leaves its "
        "first layer unchanged. Only the other layers learn from the few images.",
        paper="Yosinski, Clune, Bengio and Lipson 2014, “How Transferable Are Features in Deep "
        "Neural Networks?”",
        compared_with="few-images",
    ),
    Remedy(
        title="Batch normalisation",
        preset="batch-norm",
        mechanism="In each step, the inputs of every hidden unit are normalised to mean 0 and "
        "variance 1. Training gets faster; afterwards the scaling becomes part of the weights.",
        paper="Ioffe and Szegedy 2015, “Batch Normalization: Accelerating Deep Network Training "
        "by Reducing Internal Covariate Shift”",
    ),
    Remedy(
        title="All of them together",
        preset="all-together",
        mechanism="Augmentation, dropout, weight decay, Adam with a schedule, early stopping, "
        "batch normalisation, and several networks are used at once. If each helps a little, "
        "together they should help a lot.",
        paper="The papers of its parts",
    ),
    Remedy(
        title="Convolutions (LeNet-5)",
        preset="convolutional",
        mechanism="A window of 5 × 5 pixels slides over the image, with the same weights at every "
        "place, so a stroke is recognised wherever it stands. The means of 2 × 2 places follow, "
        "and a perceptron reads what is left.",
        paper="LeCun, Bottou, Bengio and Haffner 1998, “Gradient-Based Learning Applied to "
        "Document Recognition”",
        expectation=NOT_NAMED,
    ),
    Remedy(
        title="Adversarial training, FGSM",
        preset="adversarial-fgsm",
        mechanism="Each image is attacked before the network learns from it, by one step from a "
        "random start. The network learns to classify the attacked image correctly.",
        paper="Wong, Rice and Kolter 2020, “Fast Is Better than Free: Revisiting Adversarial "
        "Training”; the idea is from Goodfellow, Shlens and Szegedy 2015",
        expectation=NOT_NAMED,
    ),
    Remedy(
        title="Adversarial training, PGD",
        preset="adversarial-pgd",
        mechanism="Each image is attacked before the network learns from it, by several small "
        "steps with a new gradient each. A network that learns from the stronger attack should "
        "withstand it better.",
        paper="Madry, Makelov, Schmidt, Tsipras and Vladu 2018, “Towards Deep Learning Models "
        "Resistant to Adversarial Attacks”",
        expectation=NOT_NAMED,
    ),
    Remedy(
        title="Training for the proof",
        preset="certified",
        mechanism="Each step bounds what any change within ε could do to the outputs, layer by "
        "layer, by intervals. The network learns to be right in the worst case that these bounds "
        "allow, so most images can be proved safe afterwards.",
        paper="Gowal, Dvijotham, Stanforth, Bunel, Qin, Uesato, Arandjelovic, Mann and Kohli 2018, "
        "“On the Effectiveness of Interval Bound Propagation for Training Verifiably Robust "
        "Models”",
        expectation=NOT_NAMED,
    ),
)
CONVOLUTIONAL = "convolutional"
BY_PRESET = {remedy.preset: remedy for remedy in REMEDIES}


def presets() -> list[str]:
    """Return the networks to compare: each remedy's, after the one that it is compared with."""
    names = [name for remedy in REMEDIES for name in (remedy.compared_with, remedy.preset)]
    return list(dict.fromkeys(names))


# What was found


@cache
def chance() -> Chance | None:
    """Return how much chance decides; None if the file of it is missing or damaged."""
    try:
        return known_chance()
    except MeasuredFileError:
        return None


def on_chance() -> str:
    """Say which differences between two networks count as none, and why."""
    found = chance()
    if found is None:
        return (
            "How much two networks differ by chance is not known, so no difference is judged: "
            "`python -m core seeds` measures it"
        )
    fgsm, pgd, strongest = (f"{found.most(attack):.1f}" for attack in MEASURED_ATTACKS)
    return (
        f"Differences of up to {found.accuracy:.1f} points in accuracy, {fgsm} in the evasion rate "
        f"under FGSM, {pgd} under PGD and {strongest} under the strongest attack count as none "
        f"(of the rates, less near 0 and {percent(1, 0)}): networks of one recipe with different "
        "seeds differ as much"
    )


NOT_JUDGED = "Not judged."
NO_DIFFERENCE = "No clear difference."
TOO_LARGE = "Nearly all are fooled; try a smaller ε."
TOO_SMALL = "Hardly any is fooled; try a larger ε."
_SATURATED = 0.1
VERDICTS = {  # by the gain in accuracy and in robustness
    (1, 1): "More accurate and more robust.",
    (0, 1): "More robust; about as accurate.",
    (-1, 1): "More robust, but less accurate.",
    (1, 0): "More accurate; about as robust.",
    (0, 0): "About as accurate and as robust.",
    (-1, 0): "Less accurate; about as robust.",
    (1, -1): "More accurate, but less robust.",
    (0, -1): "Less robust; about as accurate.",
    (-1, -1): "Less accurate and less robust.",
}


def verdict(own: Robustness, other: Robustness, *, epsilon: float) -> str:
    """Compare a network with another in one sentence.

    The strongest attack decides on robustness. A difference that `chance` may have made counts as
    none. If both networks misread nearly all images, or hardly any, the sentence asks for another
    ε. If `chance` is not known, nothing is judged.

    Args:
        own: the network with the remedy.
        other: the network without it.
        epsilon: one of the budgets measured, above 0.

    Raises:
        ValueError: the budget was not measured, or is 0, which allows no attack.
    """
    if epsilon == 0:
        raise ValueError("epsilon must be above 0: without a budget there is no attack")
    rates = [network.evasion_rate(STRONGEST, epsilon) for network in (own, other)]
    if min(rates) > 1 - _SATURATED:
        return TOO_LARGE
    if max(rates) < _SATURATED:
        return TOO_SMALL
    known = chance()
    if known is None:
        return NOT_JUDGED
    accuracy = _sign(own.clean_accuracy, other.clean_accuracy, known.accuracy)
    gains = {attack: _gain(attack, own, other, epsilon, known) for attack in MEASURED_ATTACKS}
    if accuracy == 0 and not any(gains.values()):
        return NO_DIFFERENCE
    return VERDICTS[accuracy, gains[STRONGEST]]


def finding(
    remedy: Remedy,
    own: Robustness,
    other: Robustness,
    *,
    epsilon: float,
    seconds: float | None = None,
    other_seconds: float | None = None,
) -> str:
    """Say what was found about a remedy: the `verdict`, and the numbers behind it.

    `seconds` and `other_seconds` are the times of the two trainings, if known.
    """
    name = shown_name(remedy.compared_with)
    said = [verdict(own, other, epsilon=epsilon)]
    if said == [NO_DIFFERENCE]:
        said.append("Two seeds of one recipe may differ as much.")
    said += [
        f"It classifies {percent(own.clean_accuracy)} of the {own.images:,} test images correctly; "
        f"{name} classifies {percent(other.clean_accuracy)}.",
        f"At ε = {epsilon:g}, {_listed(_rates(own, epsilon))} of {own.attacked:,} images are "
        f"fooled by FGSM, PGD and the strongest attack; with {name}, "
        f"{_listed(_rates(other, epsilon))}.",
    ]
    if undone := _undone(own, other, epsilon):
        said.append(f"The strongest attack undoes the gain against {' and '.join(undone)}.")
    if (proved := own.proved(epsilon)) is not None and (band := own.band(epsilon)) is not None:
        said.append(
            f"{percent(proved)} are proved safe from every attack; the {percent(band)} between are "
            "unknown."
        )
    if seconds and other_seconds:
        times = f"{seconds / other_seconds:.1f} times"
        said.append(
            f"Its training took {_seconds(seconds)}, "
            f"{'about' if times == '1.0 times' else times} as long as that of {name}."
        )
    return " ".join(said)


def on_convolutions(own: Robustness, other: Robustness, *, epsilon: float) -> str:
    """Say that a convolutional network is fooled too, in numbers.

    Args:
        own: the convolutional network.
        other: the `BASELINE`.
        epsilon: one of the budgets measured.

    Raises:
        ValueError: the budget was not measured.
    """
    mistakes, theirs = (1 - each.clean_accuracy for each in (own, other))
    more = f"{theirs / mistakes:.1f} times as many" if mistakes else "more"
    return (
        "Networks for pictures usually have convolutions. LeNet-5 is one of them: it misclassifies "
        f"{percent(mistakes, 2)} of the {own.images:,} test images, {shown_name(BASELINE)} {more}. "
        f"It is fooled all the same: at ε = {epsilon:g}, {_listed(_rates(own, epsilon))} of "
        f"{own.attacked:,} images are misclassified under FGSM, PGD and the strongest attack; with "
        f"{shown_name(BASELINE)}, {_listed(_rates(other, epsilon))}."
    )


def transfer_saves(transfer: float, scratch: float, *, learned: int, tested: int) -> str:
    """Say what it saves to start from a network that knows some digits.

    `transfer` and `scratch` are the clean accuracies with that start and without it, in [0, 1],
    after training on `learned` images; `tested` is the number of test images.
    """
    mistakes, saved = round((1 - transfer) * tested), round((transfer - scratch) * tested)
    less = f"{abs(saved):,} {'fewer' if saved > 0 else 'more'} than the other"
    return (
        f"Both networks learned from the same {learned:,} images. The one that began with random "
        f"weights classifies {percent(scratch)} of the {tested:,} test images correctly. The one "
        f"that began with a trained layer classifies {percent(transfer)}: it misclassifies "
        f"{mistakes:,} images, {less if saved else 'as many as the other'}."
    )


def _sign(share: float, other: float, threshold: float) -> int:
    """Return 1 or -1 if two shares differ by more points, as they are shown; else 0."""
    difference = points(share, other)
    return 0 if abs(difference) <= threshold else int(np.sign(difference))


def _gain(attack: str, own: Robustness, other: Robustness, epsilon: float, chance: Chance) -> int:
    """Return 1 if an attack misleads the own network less often, -1 if more often, else 0."""
    theirs, ours = (network.evasion_rate(attack, epsilon) for network in (other, own))
    return _sign(theirs, ours, chance.of(attack, theirs, ours))


def _undone(own: Robustness, other: Robustness, epsilon: float) -> list[str]:
    """Return the titles of the attacks that show a gain where the strongest shows none."""
    known = chance()
    if known is None or _gain(STRONGEST, own, other, epsilon, known) > 0:
        return []
    return [
        METHODS[attack].title for attack in QUICK if _gain(attack, own, other, epsilon, known) > 0
    ]


def _rates(network: Robustness, epsilon: float) -> list[str]:
    return [percent(network.evasion_rate(attack, epsilon)) for attack in MEASURED_ATTACKS]


def _listed(texts: list[str]) -> str:
    return f"{', '.join(texts[:-1])} and {texts[-1]}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
