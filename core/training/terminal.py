"""Training in a terminal: the course report's log, a progress bar, and a file at the end."""

import os
import time
from pathlib import Path

from tqdm import tqdm

from core import files
from core.data import folders, mnist
from core.networks import LIBRARY, save_file
from core.networks.library import check_name
from core.recipe import Recipe
from core.training import EpochResult, load_start, split, train
from core.training.outcome import log_lines, outcome


def train_and_save(
    recipe: Recipe,
    out: Path | str,
    *,
    engine: str | None,
    data: Path | None = None,
    today: str,
) -> None:
    """Train by a recipe, print each epoch as the course report does, and save the network.

    Ctrl-C ends the training. See `core.training.outcome.outcome` for the epoch that is saved.

    Args:
        recipe: the settings.
        out: the file to write, or a name to keep the network under.
        engine: as in `core.training.train`.
        data: folders of pictures to train and test on; None for MNIST.
        today: the date for the card, as YYYY-MM-DD.

    Raises:
        ValueError: `out` can't be written, which is checked before the training; or as in
            `train`, `core.data.mnist.load` and `core.data.folders.load`.
        OSError: the file can't be written after all.
        KeyboardInterrupt: the training was stopped before the first epoch ended.
    """
    if isinstance(out, Path):
        files.check_writable(out)
    else:
        out = check_name(out)
    start = load_start(recipe)
    if data is None:
        everything, test = mnist.load("train"), mnist.load("test")
    else:
        everything, test = folders.load(data)
    training, validation = split(recipe, everything, test)

    results: list[EpochResult] = []
    stopped = False
    began = time.monotonic()
    images = recipe.members * recipe.epochs * len(training)
    with tqdm(total=images, unit=" images", unit_scale=True) as bar:
        try:
            for result in train(
                recipe, training, validation, start=start, engine=engine, on_progress=bar.update
            ):
                results.append(result)
                bar.write(log_lines(recipe, result.logged))
        except KeyboardInterrupt:
            if not results:
                raise
            stopped = True
        network, card = outcome(
            recipe,
            results,
            training=training,
            validation=validation,
            test=test,
            seconds=time.monotonic() - began,
            today=today,
            stopped=stopped,
        )
        if stopped:
            bar.write(f"Stopped; keeping epoch {card.epochs_trained}, the best so far")

    if isinstance(out, Path):
        save_file(out, network, card)
    else:
        out = LIBRARY.path(LIBRARY.keep(out, network, card))
    print(f"Training accuracy:   {card.train_accuracy:.2%}")
    print(f"Validation accuracy: {card.validation_accuracy:.2%}")
    print(f"Test accuracy:       {card.test_accuracy:.2%}")
    if not recipe.held_out:
        print(f"(Validation and test are the same {len(validation):,} images, as in the report.)")
    print(f"Saved as {os.path.relpath(out)}")
