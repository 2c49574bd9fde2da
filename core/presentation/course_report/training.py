"""The report's sections on the data, the network and its training."""

import dataclasses
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from core.networks import LoggedEpoch
from core.presentation import words
from core.presentation.course_report import facts
from core.presentation.course_report.charts import loss_over_epochs, lowest_validation_loss
from core.presentation.course_report.content import (
    OURS,
    REPORT,
    Block,
    Chart,
    Table,
    Text,
    dashed,
    listed,
    percent,
    row,
)
from core.presentation.course_report.findings import Findings
from core.recipe import Recipe


def on_data(findings: Findings) -> Iterable[Block]:
    """How many images there are, and what they are for."""
    split = findings.split
    yield Table(
        "How MNIST's images are divided",
        ("", REPORT, "MNIST's files", OURS),
        (
            row("to train on", facts.TRAINING_IMAGES, sum(split.training), split.learned),
            row("to test on", facts.TEST_IMAGES, sum(split.test), split.tested),
        ),
    )
    folders = " and ".join(f"“{folder}”" for folder in facts.FOLDERS)
    yield Text(
        f"The report keeps them in two folders, {folders}. Here they are read from MNIST's own "
        "files; `python -m core export` writes the two folders."
    )
    yield Table(
        "How many images there are of each digit",
        ("digit", "to train on", "to test on"),
        tuple(
            row(str(digit), *counts)
            for digit, counts in enumerate(zip(split.training, split.test, strict=True))
        ),
    )
    validated = (
        f"{split.validated:,} other training images"
        if split.held_out
        else f"the same {split.validated:,} test images that it is tested on"
    )
    yield Text(
        f"{_which_digits(findings)}This network learned from {split.learned:,} images and was "
        f"validated on {validated}. All that follows is measured on {split.tested:,} test images."
    )


def _which_digits(findings: Findings) -> str:
    digits = findings.card.recipe.digits
    return "" if len(digits) == 10 else f"It knows only the digits {listed(digits)}. "


def on_network(findings: Findings) -> Iterable[Block]:
    """Its layers."""
    layers = facts.LAYERS
    report_s_size = sum(inputs * outputs + outputs for inputs, outputs in pairwise(layers))
    kinds = dict.fromkeys(map(dashed, findings.layers))
    networks = len(findings.layers)
    own = ", ".join(kinds) if networks == 1 else f"{networks} networks, {', '.join(kinds)}"
    yield Table(
        "The fully connected network",
        ("", REPORT, OURS),
        (
            ("units of each layer", dashed(layers), own),
            ("after each hidden layer", facts.ACTIVATION, "ReLU"),
            row("weights and biases", report_s_size, findings.size),
        ),
    )
    if networks > 1:
        yield Text("The probabilities of its networks are averaged, and attacked as one.")


def on_recipe(findings: Findings) -> Iterable[Block]:
    """The settings of its training."""
    card, recipe = findings.card, findings.card.recipe
    optimizers = {"sgd": "SGD", "momentum": "SGD with momentum", "adam": "Adam"}
    yield Table(
        "The settings of the training",
        ("", REPORT, OURS),
        (
            ("optimiser", facts.OPTIMIZER, optimizers[recipe.optimizer]),
            row("images a step", facts.BATCH_SIZE, recipe.batch_size),
            row("learning rate", facts.LEARNING_RATE, recipe.learning_rate),
            row("epochs", facts.EPOCHS, recipe.epochs),
            ("loss", facts.LOSS, "cross-entropy"),
            ("seed", "not named", str(recipe.seed)),
        ),
    )
    kept = ""
    if card.epochs_trained != recipe.epochs:
        kept = f" Of its epochs, number {card.epochs_trained} is the one that was kept."
    yield Text(f"{words.on_recipe(recipe)}{kept}")


def on_log(findings: Findings) -> Iterable[Block]:
    """Figures 1 and 2: the log, and where the validation loss is lowest."""
    theirs, log = facts.LOG, findings.card.log
    ours = [logged for logged in log if logged.member == 1]
    whose = "this network" if len(findings.layers) == 1 else "the first of its networks"
    yield Chart(
        "Figure 2: the loss over the epochs; the lowest validation loss is marked",
        loss_over_epochs({"the report": theirs, **({whose: ours} if ours else {})}),
    )
    yield Text(_on_lowest("The report's", theirs) + " The report does not remark on it.")
    if ours:
        own = "This network's" if len(findings.layers) == 1 else "The first network's"
        yield Text(_on_lowest(own, ours))
        if _made_harder(findings.card.recipe):
            yield Text(
                "Its training loss and accuracy are of the images as it learned from them: "
                "augmented, attacked, or read with units left out. That makes them harder. What "
                "can be held against the report's are the validation figures."
            )
    else:
        yield Text(
            "This network's file does not hold the log of its training, so the report's stands "
            "alone here. Who trains the same recipe on the Train page gets a file that does."
        )
    yield Text(
        "Where the validation loss rises while the training loss falls, a network learns its "
        "images by heart. It grows surer of its mistakes, which the loss counts and the accuracy "
        "does not. Early stopping keeps the epoch with the lowest validation loss."
    )
    yield Table(
        f"Figure 1: the log, the report's and that of {whose}" if ours else "Figure 1: the log",
        (
            "epoch",
            *(f"{measure}, {name}" for measure in _MEASURES for name in _sides(ours)),
        ),
        tuple(_epochs_beside_each_other(theirs, ours)),
    )
    if len(findings.layers) > 1 and ours:
        yield Table(
            "Each network's lowest validation loss",
            ("network", "epochs", "lowest validation loss", "in epoch"),
            tuple(_members_lowest(log)),
        )


_MEASURES = {
    "training loss": "train_loss",
    "training accuracy": "train_accuracy",
    "validation loss": "validation_loss",
    "validation accuracy": "validation_accuracy",
}


def _sides(ours: Sequence[LoggedEpoch]) -> tuple[str, ...]:
    return (REPORT, "here") if ours else (REPORT,)


def _epochs_beside_each_other(
    theirs: Sequence[LoggedEpoch], ours: Sequence[LoggedEpoch]
) -> Iterable[tuple[str, ...]]:
    """The rows of the log's table; where one log has ended, its cells are empty."""
    logs = (theirs, ours) if ours else (theirs,)
    for place in range(max(map(len, logs))):
        numbers = [
            f"{getattr(log[place], field):.4f}" if place < len(log) else ""
            for field in _MEASURES.values()
            for log in logs
        ]
        yield (str(place + 1), *numbers)


def _members_lowest(log: Sequence[LoggedEpoch]) -> Iterable[tuple[str, ...]]:
    for member in range(1, log[-1].member + 1):
        own = [logged for logged in log if logged.member == member]
        lowest = lowest_validation_loss(own)
        yield str(member), str(len(own)), f"{lowest.validation_loss:.4f}", str(lowest.epoch)


def _on_lowest(whose: str, log: Sequence[LoggedEpoch]) -> str:
    lowest, last = lowest_validation_loss(log), log[-1]
    said = (
        f"{whose} validation loss is lowest in epoch {lowest.epoch}: {lowest.validation_loss:.4f}"
    )
    if lowest.epoch == last.epoch:
        return f"{said}, the last one."
    rise = last.validation_loss / lowest.validation_loss - 1
    return (
        f"{said}. In the last one, epoch {last.epoch}, it is {last.validation_loss:.4f}, "
        f"{100 * rise:.0f}\N{NO-BREAK SPACE}% higher. The validation accuracy went from "
        f"{percent(lowest.validation_accuracy)} to {percent(last.validation_accuracy)}."
    )


def on_accuracies(findings: Findings) -> Iterable[Block]:
    """On training, validation and test images."""
    split, own = findings.split, findings.accuracies
    running = _running_accuracy(findings)
    rows: list[tuple[str, float | None, float, int]] = [
        ("training", facts.TRAIN_ACCURACY, own.train, split.learned),
        ("validation", facts.VALIDATION_ACCURACY, own.validation, split.validated),
        ("test", facts.TEST_ACCURACY, own.test, split.tested),
    ]
    if running is not None:
        rows[0] = ("training, counted in passing", rows[0][1], running, split.learned)
        rows.insert(1, ("training, measured afterwards", None, own.train, split.learned))
    yield Table(
        "The share of images that are read right",
        ("", REPORT, OURS, "difference", "of how many images"),
        tuple(
            (
                name,
                "not named" if theirs is None else percent(theirs),
                percent(ours),
                "" if theirs is None else _points(ours - theirs),
                f"{images:,}",
            )
            for name, theirs, ours, images in rows
        ),
    )
    if len(findings.card.recipe.digits) < 10:
        yield Text("The report's network knows all ten digits, which is harder.")
    else:
        yield Text(_why_others(findings))
    yield Text(
        "The report's validation and test accuracies are equal because they are of the same images"
        + (
            ". This network was validated on other images than those it is tested on."
            if split.held_out
            else ", and so they are here. Who chooses a network by them has nothing left to test "
            "it on."
        )
    )
    passing = (
        f"The report's training accuracy, {percent(facts.TRAIN_ACCURACY)}, is the last "
        "one of its log: each image was counted in passing, before the network learned from it."
    )
    if running is None:
        passing += " This network's is measured afterwards."
    yield Text(passing)
    yield from _accuracies_in_the_file(findings)


def _why_others(findings: Findings) -> str:
    """Why the accuracies are not the report's."""
    same = dataclasses.replace(findings.card.recipe, seed=0) == Recipe()
    recipe = (
        "The recipe is the same; what differs is chance" if same else "The recipe is another one"
    )
    return (
        f"{recipe}. The initial weights and the order of the images are drawn at random, and the "
        "report does not name its seed."
    )


def _running_accuracy(findings: Findings) -> float | None:
    """The training accuracy of the last epoch, taken while the weights still changed.

    None where there is no such number that could stand beside the report's.
    """
    last = [each for each in findings.card.log if each.epoch == findings.card.epochs_trained]
    comparable = len(findings.layers) == 1 and not _made_harder(findings.card.recipe)
    return last[0].train_accuracy if last and comparable else None


def _made_harder(recipe: Recipe) -> bool:
    """Whether the training changes its images or leaves out units: its log is of that, too."""
    return recipe.augmented or recipe.dropout > 0 or recipe.adversary != "none"


def _points(difference: float) -> str:
    return f"{100 * difference:+.2f} points".replace("-", "\N{MINUS SIGN}")


def _accuracies_in_the_file(findings: Findings) -> Iterable[Block]:
    """That the network's file says something else, where it does."""
    card, own = findings.card, findings.accuracies
    written = (card.train_accuracy, card.validation_accuracy, card.test_accuracy)
    if not np.allclose(written, (own.train, own.validation, own.test), rtol=0, atol=5e-5):
        yield Text(
            "The network's file has other accuracies: "
            f"{', '.join(map(percent, written))}. It was trained or measured on other images than "
            "MNIST's."
        )
