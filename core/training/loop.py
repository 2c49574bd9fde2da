"""The training loop: batches in random order, epoch by epoch, member by member.

Both engines take the same steps. "compiled" (`core.training.compiled`) trains on one image at a
time and skips products with zero; "torch" (`core.training.pytorch`) covers all recipes.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.classifier import FloatArray, IntArray
from core.data.mnist import Digits
from core.networks import MLP, Ensemble, LoggedEpoch, Network, Single
from core.recipe import Recipe
from core.training.cost import IMAGES_A_RUN, Advance
from core.training.start import check_start, initial_network

ENGINES = ("compiled", "torch")


class Engine(Protocol):
    """A network in training."""

    def run(
        self,
        x: FloatArray,
        y: IntArray,
        order: IntArray,
        learning_rate: float,
        mask: NDArray[np.bool_] | None = None,
        advance: Advance = lambda images: None,
        *,
        done: float = 1.0,
    ) -> tuple[float, int]:
        """Train on the images in the given order, batch by batch.

        Args:
            x: `(N, 784)` float32 pixels.
            y: `(N,)` labels.
            order: `(M,)` rows of `x`.
            learning_rate: of each step.
            mask: `(M, hidden units)`, the units that dropout keeps for each image; None without
                dropout.
            advance: called with the number of images trained on since the last call, so often that
                at most `core.training.cost.A_SECOND` multiply-adds lie between two calls, unless a
                single step takes more. What it raises ends the run.
            done: the share of the network's training that lies behind it (see `Recipe.proof_at`).

        Returns:
            The sum of the losses and the number of correct predictions. Each image counts as
            before its own step, with dropout, as its adversary has changed it. In a training for
            the proof a prediction is correct if it is proved to stay so within ε.
        """
        ...

    def evaluate(
        self, x: FloatArray, y: IntArray, advance: Advance = lambda images: None
    ) -> tuple[float, int]:
        """Return the sum of the losses and the number of correct predictions; don't train.

        `advance` is called as in `run`, with the number of images evaluated.
        """
        ...

    def network(self) -> Single:
        """Return a copy of the network as it is now.

        Raises:
            ValueError: a weight or bias is not finite.
        """
        ...


@dataclass(frozen=True)
class EpochResult:
    """The numbers of one epoch, and the networks at its end.

    Attributes:
        logged: the epoch's place in the training, its losses and its accuracies.
        network: the member at the end of the epoch.
        kept_member: the network to keep as this member if training ends here: `network`, or with
            early stopping that of the epoch with the lowest validation loss.
        kept_epoch: the epoch of `kept_member`, counted from 1.
        earlier: the networks kept as the ensemble's earlier members.
    """

    logged: LoggedEpoch
    network: Single
    kept_member: Single
    kept_epoch: int
    earlier: tuple[Single, ...] = ()

    @property
    def kept(self) -> Network:
        """The network to keep if training ends here: the ensemble so far, or the one network."""
        return Ensemble((*self.earlier, self.kept_member)) if self.earlier else self.kept_member


def split(recipe: Recipe, training: Digits, test: Digits) -> tuple[Digits, Digits]:
    """Return a recipe's training images and validation images.

    Args:
        recipe: decides on the digits, the number of images, and the number held out.
        training: all training images.
        test: images to validate on if the recipe holds none out.

    Raises:
        ValueError: there are too few images.
    """
    rng = recipe.random_stream("split")
    known = np.flatnonzero(np.isin(training.y, recipe.digits))
    if recipe.training_images or recipe.held_out:
        known = rng.permutation(known)[: recipe.training_images or None]
    learned, held_out = np.split(known, [max(0, len(known) - recipe.held_out)])
    if not len(learned):
        raise ValueError(f"held_out leaves none of the {len(known)} training images to learn from")
    if recipe.held_out:
        validation = Digits(training.x[held_out], training.y[held_out])
    else:
        validation = of_digits(test, recipe.digits)
    if len(learned) < len(training):
        training = Digits(training.x[learned], training.y[learned])
    return training, validation


def of_digits(images: Digits, digits: tuple[int, ...]) -> Digits:
    """Return the images of some digits only."""
    wanted = np.isin(images.y, digits)
    return images if wanted.all() else Digits(images.x[wanted], images.y[wanted])


def train(
    recipe: Recipe,
    training: Digits,
    validation: Digits,
    *,
    start: Single | None = None,
    engine: str | None = None,
    on_progress: Advance = lambda images: None,
) -> Generator[EpochResult, None, None]:
    """Train a network by a recipe; close the generator to stop.

    With the compiled engine, a `Recipe.reproducible` recipe gives the same network, bit for bit, on
    every processor. PyTorch does not promise this.

    Args:
        recipe: the settings, including the seed.
        training: images to learn from (see `split`).
        validation: images to evaluate on after each epoch. They decide when to stop if the recipe
            has patience, and nothing else.
        start: the network that `recipe.start` names.
        engine: "compiled" or "torch"; None for the compiled one if it covers the recipe.
        on_progress: called repeatedly with the number of images trained on since the last call, 0
            while the network is evaluated; see `Engine.run`. What it raises ends the training.

    Yields:
        The epochs of one member after the other.

    Raises:
        ValueError: `engine` is unknown or doesn't cover the recipe; there are no training or
            validation images; `start` is missing or has other layers; or the training diverged.
    """
    if not len(training) or not len(validation):
        raise ValueError("training and validation must hold at least one image each")
    earlier: tuple[Single, ...] = ()
    for member in range(1, recipe.members + 1):
        own = replace(recipe, seed=recipe.seed + member - 1)
        learner = _engine(own, start, engine)
        for result in _train_one(own, member, learner, training, validation, on_progress):
            yield replace(result, earlier=earlier)
        earlier = *earlier, result.kept_member


def _train_one(
    recipe: Recipe,
    member: int,
    learner: Engine,
    training: Digits,
    validation: Digits,
    on_progress: Advance,
) -> Generator[EpochResult, None, None]:
    """Train one member."""
    order_rng, dropout_rng, augmentation_rng = map(
        recipe.random_stream, ("order", "dropout", "augmentation")
    )
    size = max(1, IMAGES_A_RUN // recipe.batch_size) * recipe.batch_size
    best: EpochResult | None = None
    for epoch in range(1, recipe.epochs + 1):
        order = order_rng.permutation(len(training))
        loss, correct = 0.0, 0
        for first in range(0, len(order), size):
            rows = order[first : first + size]
            done = len(rows)
            x, y = training.x, training.y
            mask = _mask(recipe, done, dropout_rng)
            if recipe.augmented:
                from core.training.augmentation import augment

                x, y = augment(x[rows], y[rows], recipe, augmentation_rng), y[rows]
                rows = np.arange(done)
            rate = recipe.learning_rate_in(epoch)
            behind = (epoch - 1 + first / len(order)) / recipe.epochs
            more_loss, more_correct = learner.run(x, y, rows, rate, mask, on_progress, done=behind)
            loss += more_loss
            correct += more_correct
        try:
            network = learner.network()
        except ValueError:  # which a network raises for weights that are not finite
            raise ValueError(
                f"training diverged in epoch {epoch}: the weights are no longer finite; "
                "try a smaller learning_rate"
            ) from None
        validation_loss, validation_correct = learner.evaluate(
            validation.x, validation.y, lambda images: on_progress(0)
        )
        logged = LoggedEpoch(
            member=member,
            epoch=epoch,
            train_loss=loss / len(order),
            train_accuracy=correct / len(order),
            validation_loss=validation_loss / len(validation),
            validation_accuracy=validation_correct / len(validation),
        )
        result = EpochResult(logged, network, kept_member=network, kept_epoch=epoch)
        if recipe.patience:
            if best is None or logged.validation_loss < best.logged.validation_loss:
                best = result
            result = replace(result, kept_member=best.network, kept_epoch=best.kept_epoch)
        yield result
        if best is not None and epoch - best.kept_epoch >= recipe.patience:
            return


def _mask(recipe: Recipe, images: int, rng: np.random.Generator) -> NDArray[np.bool_] | None:
    """Draw the hidden units that dropout keeps, `(images, hidden units)`; None without dropout."""
    if not recipe.dropout:
        return None
    draws = rng.random((images, sum(recipe.hidden)), np.float32)
    mask: NDArray[np.bool_] = draws >= recipe.dropout
    return mask


def _engine(recipe: Recipe, start: Single | None, name: str | None) -> Engine:
    """Return a new engine by its name. Each takes long to import, so that happens here."""
    if name not in (None, *ENGINES):
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, not {name!r}")
    if (start is None) == bool(recipe.start):
        raise ValueError(f"start must be the network that the recipe names: {recipe.start!r}")
    if start is not None:
        check_start(start, recipe)
    network = start or initial_network(recipe)
    if name == "compiled" and not recipe.reproducible:
        raise ValueError(
            'engine: "compiled" is for plain SGD with batch_size 1 and no convolutions; '
            'take "torch"'
        )
    if name == "torch" or not isinstance(network, MLP) or not recipe.reproducible:
        from core.training.pytorch import TorchEngine

        return TorchEngine(network, recipe)
    from core.training.compiled import CompiledEngine

    return CompiledEngine(network, recipe)
