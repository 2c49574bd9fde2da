"""The remedies that the course report recommends, adversarial training, and what each one buys."""

from dataclasses import dataclass

import numpy as np

from core.evaluation.robustness import Robustness

BASELINE = "report"
# As shares of all images: by so much did networks of the report's recipe differ that were trained
# with the seeds 0 to 3 (97.8 to 98.2 % accuracy, and at ε = 0.1 48 to 53 % evasion under FGSM).
SAME_ACCURACY = 0.004
SAME_EVASION = 0.05

RECOMMENDED = "For robustness; untried"
NOT_NAMED = "Nothing"


@dataclass(frozen=True)
class Remedy:
    """A change to the report's training that is meant to help against attacks.

    Attributes:
        title: what it is called.
        preset: the name of its recipe, and of the network that is shipped.
        mechanism: how it works, in two sentences.
        paper: where it comes from.
        expectation: what the report says of it.
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
        mechanism="Each image is turned, moved and scaled a little, anew each time it is seen. "
        "The network never sees the same pixels twice and has to learn what stays.",
        paper="Simard, Steinkraus and Platt 2003, “Best Practices for Convolutional Neural "
        "Networks Applied to Visual Document Analysis”",
    ),
    Remedy(
        title="Dropout",
        preset="dropout",
        mechanism="At each step of the training some hidden units, drawn at random, are shut. "
        "No unit can rely on a few others, so what is learned is spread over many.",
        paper="Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov 2014, “Dropout: A "
        "Simple Way to Prevent Neural Networks from Overfitting”",
    ),
    Remedy(
        title="L2 weight decay",
        preset="weight-decay",
        mechanism="Each step also shrinks every weight by a small share of itself. Small weights "
        "make a smoother network, on which a small change of the pixels has less effect.",
        paper="Krogh and Hertz 1992, “A Simple Weight Decay Can Improve Generalization”",
    ),
    Remedy(
        title="Learning-rate schedule",
        preset="schedule",
        mechanism="The learning rate falls from epoch to epoch, along a cosine, to nearly 0. "
        "Large steps find a good region first, small ones settle in it.",
        paper="Loshchilov and Hutter 2017, “SGDR: Stochastic Gradient Descent with Warm Restarts”",
    ),
    Remedy(
        title="Adam",
        preset="adam",
        mechanism="Each weight is given a step size of its own, from running means of its gradient "
        "and of its square. Several images share a step, and the learning rate falls.",
        paper="Kingma and Ba 2015, “Adam: A Method for Stochastic Optimization”",
    ),
    Remedy(
        title="Early stopping",
        preset="early-stopping",
        mechanism="Some of the training images are held out and never learned from. Training stops "
        "when the loss on them has stopped falling, and the best epoch is kept.",
        paper="Prechelt 1998, “Early Stopping – But When?”",
    ),
    Remedy(
        title="Ensemble",
        preset="ensemble",
        mechanism="Several networks are trained alike, but from different seeds. Their "
        "probabilities are averaged; the attacks know that and attack the average.",
        paper="Hansen and Salamon 1990, “Neural Network Ensembles”",
    ),
    Remedy(
        title="Transfer learning",
        preset="transfer",
        mechanism="The network starts from one that knows some of the digits, and keeps its first "
        "layer as it is. Few images then have to teach only what is left.",
        paper="Yosinski, Clune, Bengio and Lipson 2014, “How Transferable Are Features in Deep "
        "Neural Networks?”",
        compared_with="few-images",
    ),
    Remedy(
        title="Batch normalisation",
        preset="batch-norm",
        mechanism="The sums that enter the hidden units are brought to a common mean and spread, "
        "over the images of a step. Training gets on faster; afterwards it is part of the weights.",
        paper="Ioffe and Szegedy 2015, “Batch Normalization: Accelerating Deep Network Training "
        "by Reducing Internal Covariate Shift”",
    ),
    Remedy(
        title="All of them together",
        preset="all-together",
        mechanism="Most of the above at once: augmentation, dropout, weight decay, Adam on a "
        "schedule, early stopping, batch normalisation, and several networks. If each helped a "
        "little, together they should help a lot.",
        paper="The papers of its parts",
    ),
    Remedy(
        title="Adversarial training, FGSM",
        preset="adversarial-fgsm",
        mechanism="Each image is attacked before it is learned from, by one step from a random "
        "start. The network learns to be right about what the attack makes of it.",
        paper="Wong, Rice and Kolter 2020, “Fast Is Better than Free: Revisiting Adversarial "
        "Training”; the idea is Goodfellow, Shlens and Szegedy's, 2015",
        expectation=NOT_NAMED,
    ),
    Remedy(
        title="Adversarial training, PGD",
        preset="adversarial-pgd",
        mechanism="Each image is attacked before it is learned from, by several small steps that "
        "each ask for the gradient anew. Whoever learns from the stronger attack should withstand "
        "it better.",
        paper="Madry, Makelov, Schmidt, Tsipras and Vladu 2018, “Towards Deep Learning Models "
        "Resistant to Adversarial Attacks”",
        expectation=NOT_NAMED,
    ),
)


def presets() -> list[str]:
    """The networks to compare: the remedies' in their order, each after what it is set beside."""
    names = [name for remedy in REMEDIES for name in (remedy.compared_with, remedy.preset)]
    return list(dict.fromkeys(names))


# What was found

NO_DIFFERENCE = "No difference worth the name."
TOO_LARGE = "Nearly all are misread; try a smaller ε."
TOO_SMALL = "Hardly any is misread; try a larger ε."
_SATURATED = 0.1


def verdict(own: Robustness, other: Robustness, *, epsilon: float) -> str:
    """What a network has over another, in one sentence; PGD decides, as the stronger attack.

    Where nearly all images are misread with and without it, or hardly any, nothing is said.

    Args:
        own: of the network with the remedy.
        other: of the one without.
        epsilon: the budget to compare at, one of those measured, above 0.

    Raises:
        ValueError: that budget was not measured, or is 0, at which nothing is attacked.
    """
    if epsilon == 0:
        raise ValueError("epsilon must be above 0: without a budget there is no attack")
    accuracy = _sign(own.clean_accuracy, other.clean_accuracy, SAME_ACCURACY)
    robustness = _gain("pgd", own, other, epsilon)
    rates = [network.evasion_rate("pgd", epsilon) for network in (own, other)]
    if robustness == 0 and min(rates) > 1 - _SATURATED:
        return TOO_LARGE
    if robustness == 0 and max(rates) < _SATURATED:
        return TOO_SMALL
    if (accuracy, robustness) == (0, 0) and _gain("fgsm", own, other, epsilon) == 0:
        return NO_DIFFERENCE
    return {
        (1, 1): "Buys both accuracy and robustness.",
        (0, 1): "Buys robustness, and accuracy stays as it is.",
        (-1, 1): "Buys robustness and pays for it with accuracy.",
        (1, 0): "Buys accuracy, but no robustness.",
        (0, 0): "Buys neither accuracy nor robustness.",
        (-1, 0): "Costs accuracy and buys no robustness.",
        (1, -1): "Buys accuracy and pays for it with robustness.",
        (0, -1): "Costs robustness and buys no accuracy.",
        (-1, -1): "Costs both accuracy and robustness.",
    }[accuracy, robustness]


def finding(
    remedy: Remedy,
    own: Robustness,
    other: Robustness,
    *,
    epsilon: float,
    seconds: float | None = None,
    other_seconds: float | None = None,
) -> str:
    """What was found of a remedy, in numbers and in words.

    Args:
        remedy: says which network the other one is.
        own: of the network with the remedy.
        other: of the one without.
        epsilon: as in `verdict`.
        seconds: how long the training took with the remedy, where that is known.
        other_seconds: how long without.

    Raises:
        ValueError: as in `verdict`.
    """
    said = [verdict(own, other, epsilon=epsilon)]
    if said == [NO_DIFFERENCE]:
        said.append("Two seeds differ by as much.")
    said += [
        f"It reads {percent(own.clean_accuracy)} of the {own.images:,} test images, "
        f"{remedy.compared_with} {percent(other.clean_accuracy)}.",
        f"At ε = {epsilon:g}, of all {own.images:,}, FGSM has it misread "
        f"{percent(own.evasion_rate('fgsm', epsilon))} and PGD "
        f"{percent(own.evasion_rate('pgd', epsilon))}; {remedy.compared_with} "
        f"{percent(other.evasion_rate('fgsm', epsilon))} and "
        f"{percent(other.evasion_rate('pgd', epsilon))}.",
    ]
    if _gain("fgsm", own, other, epsilon) > 0 >= _gain("pgd", own, other, epsilon):
        said.append(
            "What it gains under FGSM is lost again under PGD, which looks anew after each step."
        )
    if seconds and other_seconds:
        said.append(
            f"Its training took {_seconds(seconds)}, "
            f"{seconds / other_seconds:.2g} times as long as {remedy.compared_with}'s."
        )
    return " ".join(said)


def transfer_saves(transfer: float, scratch: float, *, learned: int, tested: int) -> str:
    """What it is worth to start from a network that knows some digits, with few images.

    Args:
        transfer: the clean accuracy of the network that had such a start, in [0, 1].
        scratch: that of the one that learned from the same images alone.
        learned: how many images those were.
        tested: on how many test images the accuracies were measured.
    """
    mistakes, saved = round((1 - transfer) * tested), round((transfer - scratch) * tested)
    less = "as many" if saved == 0 else f"{abs(saved):,} {'fewer' if saved > 0 else 'more'}"
    return (
        f"With the same {learned:,} images, a fresh network reads {percent(scratch)} of the "
        f"{tested:,} test images, one with a start {percent(transfer)}: it misreads "
        f"{mistakes:,} of them, {less}."
    )


def percent(share: float) -> str:
    """A share in [0, 1] in per cent, with a space before the sign that no line breaks at."""
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def _sign(share: float, other: float, threshold: float) -> int:
    """1 or -1 where two shares, to a tenth of a per cent as they are shown, differ by enough."""
    difference = round(round(share, 3) - round(other, 3), 3)
    return 0 if abs(difference) <= threshold else int(np.sign(difference))


def _gain(attack: str, own: Robustness, other: Robustness, epsilon: float) -> int:
    """Whether an attack misleads the own network less often (1), more often (-1), or neither."""
    theirs, ours = (network.evasion_rate(attack, epsilon) for network in (other, own))
    return _sign(theirs, ours, SAME_EVASION)


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
