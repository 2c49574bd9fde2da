"""What a training came to: the network to keep, and its card."""

from collections.abc import Sequence

from core.data.mnist import Digits
from core.measures import accuracy
from core.networks import models
from core.recipe import Recipe
from core.training import EpochReport, of_digits


def outcome(
    recipe: Recipe,
    reports: Sequence[EpochReport],
    *,
    training: Digits,
    validation: Digits,
    test: Digits,
    seconds: float,
    today: str,
    stopped: bool,
) -> tuple[models.Network, models.Card]:
    """The network that a training leaves behind, measured.

    Args:
        recipe: what it was trained by.
        reports: all epochs, at least one.
        training: the images learned from, as `core.training.split` gave them.
        validation: those validated on.
        test: images that nothing was learned from; those of the recipe's digits count.
        seconds: how long it took.
        today: the date, as YYYY-MM-DD.
        stopped: whether somebody ended it early; then of a single network it is the epoch with
            the highest validation accuracy that is kept, and of an ensemble the members so far.
    """
    last = reports[-1]
    network, epoch = last.kept, last.kept_epoch
    if stopped and recipe.members == 1:
        best = max(reports, key=lambda report: report.validation_accuracy)
        network, epoch = best.network, best.epoch
    test = of_digits(test, recipe.digits)
    card = models.Card(
        recipe=recipe,
        epochs_trained=epoch,
        created=today,
        train_accuracy=accuracy(network, training.x, training.y),
        validation_accuracy=accuracy(network, validation.x, validation.y),
        test_accuracy=accuracy(network, test.x, test.y),
        train_seconds=round(seconds, 1),
        log=_log(reports),
    )
    return network, card


def _log(reports: Sequence[EpochReport]) -> tuple[models.LoggedEpoch, ...]:
    """The epochs' numbers; nothing of a training so far astray that they are none."""
    try:
        return tuple(
            models.LoggedEpoch(
                member=report.member,
                epoch=report.epoch,
                train_loss=report.train_loss,
                train_accuracy=report.train_accuracy,
                validation_loss=report.validation_loss,
                validation_accuracy=report.validation_accuracy,
            )
            for report in reports
        )
    except ValueError:  # a loss of infinity or NaN
        return ()


def log_lines(recipe: Recipe, report: EpochReport) -> str:
    """An epoch as the report logs it, two lines."""
    member = f"Network [{report.member}/{recipe.members}], " if recipe.members > 1 else ""
    head = f"{member}Epoch [{report.epoch}/{recipe.epochs}], "
    return (
        f"{head}Train Loss: {report.train_loss:.4f}, Train Accuracy: {report.train_accuracy:.4f}\n"
        f"{head}Validation Loss: {report.validation_loss:.4f}, "
        f"Validation Accuracy: {report.validation_accuracy:.4f}"
    )
