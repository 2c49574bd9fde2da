"""The outcome of a training: the network to keep, and its card."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from core.classifier import IntArray
from core.data.mnist import Digits
from core.measures import accuracy
from core.networks import Card, LoggedEpoch, Network
from core.recipe import Recipe
from core.training import EpochResult, of_digits


def outcome(
    recipe: Recipe,
    results: Sequence[EpochResult],
    *,
    training: Digits,
    validation: Digits,
    test: Digits,
    seconds: float,
    today: str,
    stopped: bool,
) -> tuple[Network, Card]:
    """Return the network to keep after a training, and its card with the accuracies.

    Args:
        recipe: the recipe of the training.
        results: of all epochs, at least one.
        training: the training images, as `core.training.split` returned them.
        validation: the validation images, likewise.
        test: test images of all digits; those of the recipe's digits are used.
        seconds: the duration of the training.
        today: the date, as YYYY-MM-DD.
        stopped: whether the training was stopped early. Then the epoch with the highest validation
            accuracy is kept, or the members so far of an ensemble.
    """
    last = results[-1]
    network, epoch = last.kept, last.kept_epoch
    if stopped and recipe.members == 1:
        best = max(results, key=lambda result: result.logged.validation_accuracy)
        network, epoch = best.network, best.logged.epoch
    test = of_digits(test, recipe.digits)
    card = Card(
        recipe=recipe,
        epochs_trained=epoch,
        created=today,
        train_accuracy=accuracy(network, training.x, training.y),
        validation_accuracy=accuracy(network, validation.x, validation.y),
        test_accuracy=accuracy(network, test.x, test.y),
        train_seconds=round(seconds, 1),
    )
    with suppress(ValueError):  # the training diverged: a card holds no loss of NaN or infinity
        card = replace(card, log=tuple(result.logged for result in results))
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
