"""Training: a generator that yields a report an epoch, on one of two engines.

The engines do the same steps. "compiled" (`core.training.compiled`) does one image at a time, and
only what is not multiplied by zero; "torch" (`core.training.pytorch`) does all the rest.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from core import checks
from core.classifier import FloatArray, IntArray
from core.digits import Digits
from core.losses import cross_entropy
from core.measures import logits
from core.mlp import MLP
from core.recipe import Recipe

ENGINES = ("compiled", "torch")

# How many images an engine is given between two signs of progress.
_STRETCH = 3000


class Engine(Protocol):
    """A network in the making."""

    def run(self, x: FloatArray, y: IntArray, order: IntArray) -> tuple[float, int]:
        """Train on the images in the given order, batch by batch.

        Args:
            x: `(N, 784)` float32 pixels.
            y: `(N,)` labels.
            order: rows of `x`, each as often as it is to be seen.

        Returns:
            The sum of the images' losses and how many were classified correctly, each of them
            before the step that it had a part in.
        """
        ...

    def network(self) -> MLP:
        """A copy of the network as it is now."""
        ...


@dataclass(frozen=True)
class EpochReport:
    """What one epoch came to.

    Attributes:
        epoch: counted from 1.
        train_loss, train_accuracy: means over the epoch, each image before its own step, as the
            report logs them.
        validation_loss, validation_accuracy: of the network as the epoch left it.
        network: that network.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    network: MLP


def train(
    recipe: Recipe,
    training: Digits,
    validation: Digits,
    *,
    engine: str | None = None,
    on_progress: Callable[[int], object] = lambda images: None,
) -> Generator[EpochReport, None, None]:
    """Train a network by a recipe; close the generator to stop.

    Args:
        recipe: the settings, the seed among them.
        training: images to learn from.
        validation: images to evaluate on after each epoch; nothing is learned from them.
        engine: "compiled" or "torch"; None for the compiled one where it covers the recipe.
        on_progress: told how many more images have been trained on, a few times a second.

    Yields:
        One report an epoch.

    Raises:
        ValueError: no such engine, or one that doesn't cover the recipe; no training or
            validation images.
    """
    learner = _engine(recipe, engine)
    if not len(training) or not len(validation):
        raise ValueError("training and validation must hold at least one image each")
    rng = np.random.default_rng([recipe.seed, 1])
    stretch = max(1, _STRETCH // recipe.batch_size) * recipe.batch_size
    for epoch in range(1, recipe.epochs + 1):
        order = rng.permutation(len(training))
        loss, correct = 0.0, 0
        for start in range(0, len(order), stretch):
            part = order[start : start + stretch]
            part_loss, part_correct = learner.run(training.x, training.y, part)
            loss += part_loss
            correct += part_correct
            on_progress(len(part))
        network = learner.network()
        validation_logits = logits(network, validation.x)
        yield EpochReport(
            epoch=epoch,
            train_loss=loss / len(order),
            train_accuracy=correct / len(order),
            validation_loss=float(cross_entropy(validation_logits, validation.y).mean()),
            validation_accuracy=float((validation_logits.argmax(axis=1) == validation.y).mean()),
            network=network,
        )


def initial_network(recipe: Recipe) -> MLP:
    """The untrained network: uniform in ±1/√inputs, as torch.nn.Linear starts."""
    rng = np.random.default_rng([recipe.seed, 0])
    sizes = (784, *recipe.hidden, checks.CLASSES)
    weights, biases = [], []
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        bound = 1 / np.sqrt(inputs)
        weights.append(rng.uniform(-bound, bound, (inputs, outputs)).astype(np.float32))
        biases.append(rng.uniform(-bound, bound, outputs).astype(np.float32))
    return MLP(tuple(weights), tuple(biases))


def _engine(recipe: Recipe, name: str | None) -> Engine:
    """The engine of that name, at the start of a run. Imported here: each brings a compiler."""
    covered = recipe.batch_size == 1
    if name not in (None, *ENGINES):
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, not {name!r}")
    if name == "compiled" and not covered:
        raise ValueError("engine: the compiled one trains with batch_size 1 only; take torch")
    if name == "torch" or not covered:
        from core.training.pytorch import TorchEngine

        return TorchEngine(initial_network(recipe), recipe)
    from core.training.compiled import CompiledEngine

    return CompiledEngine(initial_network(recipe), recipe)
