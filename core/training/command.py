"""Training in a terminal: the report's log, a progress bar, and a file at the end."""

import os
import tempfile
from pathlib import Path

from tqdm import tqdm

from core import digits, models
from core.measures import accuracy
from core.recipe import Recipe
from core.training import EpochReport, train


def train_and_save(recipe: Recipe, out: Path, *, engine: str | None, today: str) -> None:
    """Train by a recipe, print each epoch as the report does, and save the network.

    The last epoch is saved, as in the report. Ctrl-C ends the training early, and then it is the
    epoch with the best validation accuracy so far.

    Args:
        recipe: the settings.
        out: the file to write.
        engine: as in `core.training.train`.
        today: the date for the card, as YYYY-MM-DD.

    Raises:
        ValueError: `out` can't be written, which is found out before the training; or as in
            `train` and in `core.digits.load`.
        OSError: the disk filled up meanwhile.
        KeyboardInterrupt: it was stopped before the first epoch ended; nothing is saved.
    """
    _check_writable(out)
    training, test = digits.load("train"), digits.load("test")
    reports: list[EpochReport] = []
    with tqdm(total=recipe.epochs * len(training), unit=" images", unit_scale=True) as bar:
        try:
            for report in train(recipe, training, test, engine=engine, on_progress=bar.update):
                reports.append(report)
                bar.write(_log_lines(report, recipe.epochs))
            kept = reports[-1]
        except KeyboardInterrupt:
            if not reports:
                raise
            kept = max(reports, key=lambda report: report.validation_accuracy)
            bar.write(f"Stopped; keeping epoch {kept.epoch}, the best so far")

    test_accuracy = accuracy(kept.network, test.x, test.y)
    card = models.Card(
        recipe=recipe,
        epochs_trained=kept.epoch,
        created=today,
        train_accuracy=accuracy(kept.network, training.x, training.y),
        validation_accuracy=kept.validation_accuracy,
        test_accuracy=test_accuracy,
    )
    models.save(out, kept.network, card)
    print(f"Training accuracy:   {card.train_accuracy:.2%}")
    print(f"Validation accuracy: {card.validation_accuracy:.2%}")
    print(f"Test accuracy:       {card.test_accuracy:.2%}")
    print("(Validation and test are the same 10,000 images, as in the report.)")
    print(f"Saved as {os.path.relpath(out)}")


def _check_writable(out: Path) -> None:
    """Raise now what saving would raise after the training."""
    if out.is_dir():
        raise ValueError(f"{out} is a folder; name a file to write")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise ValueError(f"{out} can't be written: {error.strerror}") from None


def _log_lines(report: EpochReport, epochs: int) -> str:
    """An epoch as the report logs it."""
    head = f"Epoch [{report.epoch}/{epochs}], "
    return (
        f"{head}Train Loss: {report.train_loss:.4f}, Train Accuracy: {report.train_accuracy:.4f}\n"
        f"{head}Validation Loss: {report.validation_loss:.4f}, "
        f"Validation Accuracy: {report.validation_accuracy:.4f}"
    )
