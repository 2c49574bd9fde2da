"""Short trainings by every reproducible preset; print the SHA-256 of everything they compute.

With the argument `control`, print a sum that may depend on the processor instead.

The test beside this file runs it in processes that compile for other processors.
"""

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numba as nb
import numpy as np

from core.data import mnist
from core.data.mnist import Digits
from core.networks import Single
from core.recipe import PRESETS, Recipe
from core.training import EpochResult, split, train

STEPS = 3000
LATER = ("any-hand",)  # presets that are newer than the digest of the others


def short(recipe: Recipe) -> Recipe:
    """The recipe for 3,000 steps in at least three epochs; an ensemble keeps two members."""
    images = min(recipe.training_images or 1000, 1000)
    held_out = min(recipe.held_out, 300)
    return replace(
        recipe,
        training_images=images + held_out,
        held_out=held_out,
        epochs=STEPS // images,
        members=min(recipe.members, 2),
        patience=min(recipe.patience, 1),
    )


def results(presets: Sequence[str]) -> Iterator[tuple[str, EpochResult]]:
    """Every epoch of some presets, in their order."""
    training, test = mnist.load("train"), mnist.load("test")
    few = Digits(test.x[:500], test.y[:500])
    trained: dict[str, Single] = {}
    for preset in presets:
        own = short(PRESETS[preset])
        start = trained.get(own.start)
        for result in train(own, *split(own, training, few), start=start):
            trained[preset] = result.network
            yield preset, result


def digests() -> dict[str, str]:
    """Of the older presets together, and of each later one."""
    names = [name for name, recipe in PRESETS.items() if recipe.reproducible]
    older = [name for name in names if name not in LATER]
    return {"older": digest(older), **{name: digest([name]) for name in LATER}}


def digest(presets: Sequence[str]) -> str:
    """Of all weights, biases, losses and accuracies of some presets."""
    sha = hashlib.sha256()
    for preset, result in results(presets):
        sha.update(preset.encode())
        for array in result.network.arrays:
            sha.update(array.astype("<f4").tobytes())
        logged = result.logged
        losses = (logged.train_loss, logged.validation_loss)
        accuracies = (logged.train_accuracy, logged.validation_accuracy)
        sha.update(np.array(losses + accuracies, "<f8").tobytes())
    return sha.hexdigest()


@nb.njit(fastmath=True)
def careless_sum(x):  # type: ignore[no-untyped-def]
    """The control: a sum that the compiler may order as it likes."""
    total = np.float32(0)
    for value in x:
        total += value * value
    return total


def control() -> str:
    """Return the control's sum."""
    return float(careless_sum(np.random.default_rng(0).random(1001, np.float32))).hex()


if __name__ == "__main__":
    json.dump(control() if sys.argv[1:] == ["control"] else digests(), sys.stdout)
