"""The course report's sections on the data, the network and its training."""

import dataclasses
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby, pairwise, zip_longest

import numpy as np

from core.evaluation.seeds import Spread, known_spread
from core.evaluation.shipped import MeasuredFileError
from core.networks import LoggedEpoch
from core.presentation import recipe_words, words
from core.presentation.course_report import facts
from core.presentation.course_report.charts import loss_over_epochs, lowest_validation_loss
from core.presentation.course_report.content import (
    OURS,
    REPORT,
    Block,
    Chart,
    Table,
    dashed,
    listed,
    percent,
    row,
)
from core.presentation.course_report.findings import Findings
from core.presentation.layers import on_activations, on_layers
from core.recipe import Recipe

UNKNOWN = "not known"


def on_data(findings: Findings) -> Iterable[Block]:
    """Show how many images there are, and what they are used for."""
    split, digits = findings.split, findings.card.digits
    known = findings.card.recipe is not None
    yield Table(
        "How MNIST's images are divided",
        ("", REPORT, "MNIST's files", OURS),
        (
            (
                *row("to train on", facts.TRAINING_IMAGES, sum(split.training)),
                f"{split.learned:,}" if known else UNKNOWN,
            ),
            row("to test on", facts.TEST_IMAGES, sum(split.test), split.tested),
        ),
    )
    folders = " and ".join(f"“{folder}”" for folder in facts.FOLDERS)
    yield (
        f"The report keeps the images in two folders, {folders}. This program reads MNIST's own "
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
    if not known:
        yield (
            "Another program trained this network. It is not known which images it learned from. "
            f"Here it is measured on all {split.learned:,} training images, and its attacks on "
            f"{split.tested:,} test images."
        )
        return
    it = "This network"
    if len(digits) < 10:
        it = f"This network knows only the digits {listed(digits)}. It"
    validated = (
        f"{split.validated:,} other training images"
        if split.held_out
        else f"the same {split.validated:,} test images that it is tested on"
    )
    yield (
        f"{it} learned from {split.learned:,} images and was validated on {validated}. The attacks "
        f"below are measured on {split.tested:,} test images."
    )


def on_network(findings: Findings) -> Iterable[Block]:
    """Show the network's layers."""
    report_s_size = sum(inputs * outputs + outputs for inputs, outputs in pairwise(facts.LAYERS))
    members = findings.network.members
    yield Table(
        "The layers of the network",
        ("", REPORT, OURS),
        (
            ("units of each layer", dashed(facts.LAYERS), on_layers(findings.network)),
            ("after each hidden layer", facts.ACTIVATION, on_activations(findings.network)),
            row("weights and biases", report_s_size, findings.network.parameter_count),
        ),
    )
    if len(members) > 1:
        yield "The probabilities of these networks are averaged. Attacks target the average."


def on_recipe(findings: Findings) -> Iterable[Block]:
    """Show the settings of the training."""
    card, recipe = findings.card, findings.card.recipe
    yield Table(
        "The settings of the training",
        ("", REPORT, OURS),
        (
            ("optimiser", facts.OPTIMIZER, _setting(recipe, "optimizer")),
            ("batch size", f"{facts.BATCH_SIZE}", _setting(recipe, "batch_size")),
            ("learning rate", f"{facts.LEARNING_RATE}", _setting(recipe, "learning_rate")),
            ("epochs", f"{facts.EPOCHS}", _setting(recipe, "epochs")),
            ("loss", facts.LOSS, "cross-entropy" if recipe else UNKNOWN),
            ("seed", "not given", str(recipe.seed) if recipe else UNKNOWN),
        ),
    )
    if recipe is None:
        yield words.on_origin(card)
        return
    kept = ""
    if card.epochs_trained != recipe.epochs:
        kept = f" The weights are those of epoch {card.epochs_trained}."
    yield f"{recipe_words.on_recipe(recipe)}{kept}"


def _setting(recipe: Recipe | None, field: str) -> str:
    """Return one of a recipe's settings as a cell."""
    if recipe is None:
        return UNKNOWN
    value = getattr(recipe, field)
    optimizers = {"sgd": "SGD", "momentum": "SGD with momentum", "adam": "Adam"}
    return optimizers[value] if field == "optimizer" else f"{value:,}"


def on_log(findings: Findings) -> Iterable[Block]:
    """Show Figures 1 and 2: the log, and where the validation loss is lowest."""
    log = findings.card.log
    ours = [logged for logged in log if logged.member == 1]
    alone = len(findings.network.members) == 1
    logs: dict[str, Sequence[LoggedEpoch]] = {REPORT: facts.LOG}
    if ours:
        logs[OURS if alone else "the first of its networks"] = ours
    yield Chart(
        "Figure 2: the loss over the epochs; the lowest validation loss is marked",
        loss_over_epochs(logs),
    )
    yield _on_lowest("The report's", facts.LOG) + " The report does not comment on this."
    if ours:
        yield _on_lowest("This network's" if alone else "The first network's", ours)
    else:
        yield (
            "This network's file has no log of its training, so only the report's log is shown. "
            "The file of a network that is trained on the Train page has a log."
        )
    if ours and _made_harder(findings.card.recipe):
        yield (
            "Its training loss and accuracy are measured during training, on images that are "
            "augmented or attacked, or with hidden units switched off. This makes the images "
            "harder to classify. Only its validation figures can be compared with the report's."
        )
    yield (
        "If the validation loss rises while the training loss falls, the network is memorising its "
        "training images. It becomes surer of its mistakes: this raises the loss, but not the "
        "number of mistakes. Early stopping keeps the epoch with the lowest validation loss."
    )
    columns = (REPORT, "here")[: len(logs)]
    yield Table(
        f"Figure 1: the log of {' and of '.join(logs)}",
        ("epoch", *(f"{measure}, {name}" for measure in _MEASURES for name in columns)),
        tuple(_rows_of_epochs(tuple(logs.values()))),
    )
    if ours and not alone:
        yield Table(
            "Each network's lowest validation loss",
            ("network", "epochs", "lowest validation loss", "in epoch"),
            tuple(_rows_of_members(log)),
        )


_MEASURES = {
    "training loss": "train_loss",
    "training accuracy": "train_accuracy",
    "validation loss": "validation_loss",
    "validation accuracy": "validation_accuracy",
}


def _rows_of_epochs(logs: Sequence[Sequence[LoggedEpoch]]) -> Iterable[tuple[str, ...]]:
    """Yield a row for each epoch; after the end of a log, its cells are empty."""
    for number, epochs in enumerate(zip_longest(*logs), start=1):
        numbers = [
            f"{getattr(epoch, field):.4f}" if epoch else ""
            for field in _MEASURES.values()
            for epoch in epochs
        ]
        yield (str(number), *numbers)


def _rows_of_members(log: Sequence[LoggedEpoch]) -> Iterable[tuple[str, ...]]:
    """Yield a row for each member of an ensemble."""
    for member, epochs in groupby(log, key=lambda logged: logged.member):
        own = list(epochs)
        lowest = lowest_validation_loss(own)
        yield str(member), str(len(own)), f"{lowest.validation_loss:.4f}", str(lowest.epoch)


def _on_lowest(whose: str, log: Sequence[LoggedEpoch]) -> str:
    """Say in which epoch a log's validation loss is lowest, and what came after."""
    lowest, last = lowest_validation_loss(log), log[-1]
    said = (
        f"{whose} validation loss is lowest in epoch {lowest.epoch}: {lowest.validation_loss:.4f}."
    )
    if lowest.epoch == last.epoch:
        return f"{said} That is the last epoch."
    rise = last.validation_loss / lowest.validation_loss - 1
    return (
        f"{said} In the last epoch, {last.epoch}, it is {last.validation_loss:.4f}, "
        f"{words.percent(rise, 0)} higher. Between the two, the validation accuracy went from "
        f"{percent(lowest.validation_accuracy)} to {percent(last.validation_accuracy)}."
    )


def on_accuracies(findings: Findings) -> Iterable[Block]:
    """Show the accuracies on training, validation and test images."""
    split, own, card = findings.split, findings.accuracies, findings.card
    running = _running_accuracy(findings)
    rows: list[tuple[str, float | None, float, int]] = [
        ("training", facts.TRAIN_ACCURACY, own.train, split.learned),
        ("validation", facts.VALIDATION_ACCURACY, own.validation, split.validated),
        ("test", facts.TEST_ACCURACY, own.test, split.tested),
    ]
    if running is not None:
        rows[:1] = [
            ("training, during the epoch", facts.TRAIN_ACCURACY, running, split.learned),
            ("training, after it", None, own.train, split.learned),
        ]
    yield Table(
        "The share of images that are classified correctly",
        ("", REPORT, OURS, "difference", "of how many images"),
        tuple(
            (
                name,
                "not given" if theirs is None else percent(theirs),
                percent(ours),
                "" if theirs is None else _points(ours, theirs),
                f"{images:,}",
            )
            for name, theirs, ours, images in rows
        ),
    )
    yield _why_others(card.recipe)
    yield (
        "The report's validation and test accuracies are equal because they are measured on the "
        "same images. "
        + (
            "This network was validated and tested on different images."
            if split.held_out
            else "The same is true here. If these images help to choose a network, none are left "
            "for an unbiased test."
        )
    )
    yield (
        f"The report's training accuracy, {percent(facts.TRAIN_ACCURACY)}, is the last one of its "
        "log: it was counted during the epoch, on each image just before the network learned from "
        "it." + (" This network's is measured after training." if running is None else "")
    )
    written = (card.train_accuracy, card.validation_accuracy, card.test_accuracy)
    same = np.allclose(written, (own.train, own.validation, own.test), rtol=0, atol=5e-5)
    if card.measured_on is None and not same:
        yield (
            f"The network's file states other accuracies: {', '.join(map(percent, written))}. It "
            "was trained or measured on images other than MNIST's."
        )


def _why_others(recipe: Recipe | None) -> str:
    """Say why the accuracies differ from the report's."""
    if recipe is None:
        return "Another program trained this network. Its recipe is not known."
    if len(recipe.digits) < 10:
        return "The report's network knows all ten digits, which is harder."
    unknown = (
        "The report does not give its seed, its preprocessing, how it drew its first weights, or "
        "its framework. Any of these may make a difference."
    )
    if dataclasses.replace(recipe, seed=0) != Recipe():
        return f"The recipe is a different one. {unknown}"
    with suppress(MeasuredFileError):
        if spread := known_spread(recipe):
            unknown += f" {_on_chance(spread)}"
    return f"The recipe is the same as far as the report describes it. {unknown}"


def _on_chance(spread: Spread) -> str:
    """Say whether the report's test accuracy is one that another seed gives here."""
    low, high = spread.clean_accuracy
    said = (
        f"The test accuracies of {spread.networks} networks of this recipe, each with another "
        f"seed, are {percent(low)} to {percent(high)}. The report's is "
        f"{percent(facts.TEST_ACCURACY)}"
    )
    if low <= facts.TEST_ACCURACY <= high:
        return f"{said}, so the seed alone could explain the difference."
    return f"{said}, outside this range, so the seed alone hardly explains the difference."


def _running_accuracy(findings: Findings) -> float | None:
    """Return the last epoch's training accuracy, counted while the weights changed.

    None if there is no such number, or it can't be compared with the report's.
    """
    last = [each for each in findings.card.log if each.epoch == findings.card.epochs_trained]
    comparable = len(findings.network.members) == 1 and not _made_harder(findings.card.recipe)
    return last[0].train_accuracy if last and comparable else None


def _made_harder(recipe: Recipe | None) -> bool:
    """Return whether the images are harder to classify during training than after it."""
    if recipe is None:
        return False
    return recipe.augmented or recipe.dropout > 0 or recipe.adversary != "none"


def _points(ours: float, theirs: float) -> str:
    """Return the difference of two shares, which `percent` shows."""
    return f"{words.signed(words.points(ours, theirs, 2), 2)} points"
