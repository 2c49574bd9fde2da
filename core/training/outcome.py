"""The outcome of a training: the network to keep, and its card."""

from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from core.batches import BATCH
from core.classifier import IntArray
from core.data.mnist import Digits
from core.measures import predict
from core.networks import Card, LoggedEpoch, Network
from core.recipe import Recipe
from core.training import EpochResult, of_digits
from core.training.cost import A_SECOND, Advance, forward_work, pieces

_AFTER_STOP = 20 * A_SECOND  # multiply-adds for each accuracy of a training that was stopped


@dataclass(frozen=True)
class Epochs:
    """What is kept of the epochs so far; however many there were, at most two networks more.

    Attributes:
        log: the numbers of all epochs.
        last: the last epoch; None before the first one has ended.
        best: the first epoch with the highest validation accuracy.
    """

    log: tuple[LoggedEpoch, ...] = ()
    last: EpochResult | None = None
    best: EpochResult | None = None

    def after(self, result: EpochResult) -> "Epochs":
        """Return the epochs with one more."""
        best, accuracy = self.best, result.logged.validation_accuracy
        if best is None or accuracy > best.logged.validation_accuracy:
            best = result
        return Epochs((*self.log, result.logged), result, best)


def outcome(
    recipe: Recipe,
    epochs: Epochs,
    *,
    training: Digits,
    validation: Digits,
    test: Digits,
    seconds: float,
    today: str,
    stopped: bool,
    on_progress: Advance = lambda images: None,
) -> tuple[Network, Card]:
    """Return the network to keep after a training, and its card with the accuracies.

    Args:
        recipe: the recipe of the training.
        epochs: of the training; at least one has ended.
        training: the training images, as `core.training.split` returned them.
        validation: the validation images, likewise.
        test: test images of all digits; those of the recipe's digits are used.
        seconds: the duration of the training.
        today: the date, as YYYY-MM-DD.
        stopped: whether the training was stopped early. Then the epoch with the highest validation
            accuracy is kept, or the members so far of an ensemble. A training for the proof keeps
            its last epoch, of the largest ε: accuracy falls as ε grows. Where measuring a large
            network would take long, it is measured on the first of the images (see
            `Card.measured_on`).
        on_progress: called with the number of images measured since the last call, as in
            `core.training.loop.Engine.run`. What it raises ends the function.
    """
    last, best = epochs.last, epochs.best
    if last is None or best is None:
        raise ValueError("no epoch of the training has ended")
    network, epoch = last.kept, last.kept_epoch
    if stopped and recipe.members == 1 and recipe.adversary != "interval":
        network, epoch = best.network, best.logged.epoch
    test = of_digits(test, recipe.digits)
    work = forward_work(recipe) * len(network.members)
    largest = max(map(len, (training, validation, test)))
    most = max(1000, int(_AFTER_STOP / work)) if stopped else largest

    def accuracy(digits: Digits) -> float:
        count, correct = min(most, len(digits)), 0
        for rows in pieces(count, work, whole=BATCH):
            correct += int((predict(network, digits.x[rows]) == digits.y[rows]).sum())
            on_progress(rows.stop - rows.start)
        return correct / count

    card = Card(
        recipe=recipe,
        epochs_trained=epoch,
        created=today,
        train_accuracy=accuracy(training),
        validation_accuracy=accuracy(validation),
        test_accuracy=accuracy(test),
        train_seconds=round(seconds, 1),
        measured_on=most if most < largest else None,
    )
    with suppress(ValueError):  # the training diverged: a card holds no loss of NaN or infinity
        card = replace(card, log=epochs.log)
    return network, card


def learned_nothing(accuracy: float, y: IntArray) -> bool:
    """Return whether a network is no better than one that always gives the most frequent digit.

    With one digit alone there is nothing to tell apart, and the answer is False.

    Args:
        accuracy: on the images that it learned from, in [0, 1].
        y: `(N,)`, their labels.
    """
    counts = np.bincount(y)
    return bool(np.count_nonzero(counts) > 1 and accuracy <= counts.max() / counts.sum())


def log_lines(recipe: Recipe, logged: LoggedEpoch) -> str:
    """Return an epoch as the course report logs it, two lines."""
    member = f"Network [{logged.member}/{recipe.members}], " if recipe.members > 1 else ""
    head = f"{member}Epoch [{logged.epoch}/{recipe.epochs}], "
    return (
        f"{head}Train Loss: {logged.train_loss:.4f}, Train Accuracy: {logged.train_accuracy:.4f}\n"
        f"{head}Validation Loss: {logged.validation_loss:.4f}, "
        f"Validation Accuracy: {logged.validation_accuracy:.4f}"
    )
