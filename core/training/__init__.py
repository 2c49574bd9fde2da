"""Training: a generator that yields a report an epoch, on one of two engines.

The engines do the same steps. "compiled" (`core.training.compiled`) does one image at a time, and
only what is not multiplied by zero; "torch" (`core.training.pytorch`) does all the rest.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core import validate
from core.classifier import FloatArray, IntArray
from core.data.mnist import Digits
from core.losses import cross_entropy
from core.measures import logits
from core.networks import LIBRARY, MLP, Ensemble, LoggedEpoch
from core.recipe import Recipe

ENGINES = ("compiled", "torch")

# How many images an engine is given between two signs of progress.
_STRETCH = 3000

# What is drawn from the recipe's seed, each from a stream of its own.
_INITIAL_WEIGHTS, _ORDER, _SPLIT, _DROPOUT, _AUGMENTATION = range(5)


class Engine(Protocol):
    """A network in the making."""

    def run(
        self,
        x: FloatArray,
        y: IntArray,
        order: IntArray,
        learning_rate: float,
        open_units: NDArray[np.bool_] | None = None,
    ) -> tuple[float, int]:
        """Train on the images in the given order, batch by batch.

        Args:
            x: `(N, 784)` float32 pixels.
            y: `(N,)` labels.
            order: `(M,)` rows of `x`, each as often as it is to be seen.
            learning_rate: of each step.
            open_units: `(M, hidden units)`, which of them dropout leaves open for each image; None
                without dropout.

        Returns:
            The sum of the images' losses and how many were classified correctly, each of them
            before the step that it had a part in, with dropout's units shut.
        """
        ...

    def network(self) -> MLP:
        """A copy of the network as it is now."""
        ...


@dataclass(frozen=True)
class EpochReport:
    """One epoch: its numbers, and the networks at its end.

    Attributes:
        logged: the epoch's place in the training, its losses and its accuracies.
        network: the member at the end of the epoch.
        kept_member: what to keep of this member if training ends here: `network`, or with early
            stopping the member of the epoch with the lowest validation loss.
        kept_epoch: the epoch of `kept_member`, counted from 1.
        earlier: what was kept of the ensemble's members before this one.
    """

    logged: LoggedEpoch
    network: MLP
    kept_member: MLP
    kept_epoch: int
    earlier: tuple[MLP, ...] = ()

    @property
    def kept(self) -> MLP | Ensemble:
        """The network to keep if training ends here: the ensemble so far, or the one network."""
        return Ensemble((*self.earlier, self.kept_member)) if self.earlier else self.kept_member


def split(recipe: Recipe, training: Digits, test: Digits) -> tuple[Digits, Digits]:
    """The images that a recipe learns from, and those it is validated on.

    Args:
        recipe: says which digits, how many images, and how many held out.
        training: all images there are to learn from.
        test: images to validate on where the recipe holds none out.

    Raises:
        ValueError: there are too few images.
    """
    rng = np.random.default_rng([recipe.seed, _SPLIT])
    known = np.flatnonzero(np.isin(training.y, recipe.digits))
    if recipe.training_images or recipe.held_out:
        known = rng.permutation(known)[: recipe.training_images or None]
    learned, held_out = np.split(known, [max(0, len(known) - recipe.held_out)])
    if not len(learned):
        raise ValueError(f"held_out: of {len(known)} training images none is left to learn from")
    if recipe.held_out:
        validation = Digits(training.x[held_out], training.y[held_out])
    else:
        validation = of_digits(test, recipe.digits)
    if len(learned) < len(training):
        training = Digits(training.x[learned], training.y[learned])
    return training, validation


def of_digits(images: Digits, digits: tuple[int, ...]) -> Digits:
    """The images of some digits only."""
    wanted = np.isin(images.y, digits)
    return images if wanted.all() else Digits(images.x[wanted], images.y[wanted])


def train(
    recipe: Recipe,
    training: Digits,
    validation: Digits,
    *,
    start: MLP | None = None,
    engine: str | None = None,
    on_progress: Callable[[int], object] = lambda images: None,
) -> Generator[EpochReport, None, None]:
    """Train a network by a recipe; close the generator to stop.

    Args:
        recipe: the settings, the seed among them.
        training: images to learn from (see `split`).
        validation: images to evaluate on after each epoch; nothing is learned from them but, where
            the recipe has patience, when to stop.
        start: the network that `recipe.start` names.
        engine: "compiled" or "torch"; None for the compiled one where it covers the recipe.
        on_progress: told how many more images have been trained on, a few times a second.

    Yields:
        One report an epoch, of one member after the other.

    Raises:
        ValueError: no such engine, or one that doesn't cover the recipe; no training or
            validation images; a start that is missing or of other layers.
    """
    if not len(training) or not len(validation):
        raise ValueError("training and validation must hold at least one image each")
    earlier: tuple[MLP, ...] = ()
    for member in range(1, recipe.members + 1):
        own = replace(recipe, seed=recipe.seed + member - 1)
        learner = _engine(own, start, engine)
        for report in _train_one(own, member, learner, training, validation, on_progress):
            yield replace(report, earlier=earlier)
        earlier = *earlier, report.kept_member


def _train_one(
    recipe: Recipe,
    member: int,
    learner: Engine,
    training: Digits,
    validation: Digits,
    on_progress: Callable[[int], object],
) -> Generator[EpochReport, None, None]:
    """Train one member."""
    order_rng, dropout_rng, augmentation_rng = (
        np.random.default_rng([recipe.seed, stream]) for stream in (_ORDER, _DROPOUT, _AUGMENTATION)
    )
    stretch = max(1, _STRETCH // recipe.batch_size) * recipe.batch_size
    best: EpochReport | None = None
    for epoch in range(1, recipe.epochs + 1):
        order = order_rng.permutation(len(training))
        rate = recipe.learning_rate_in(epoch)
        loss, correct = 0.0, 0
        for first in range(0, len(order), stretch):
            part = order[first : first + stretch]
            x, y, rows = training.x, training.y, part
            open_units = _open_units(recipe, len(part), dropout_rng)
            if recipe.augmented:
                from core.training.augmentation import augment

                x, y = augment(x[part], recipe, augmentation_rng), y[part]
                rows = np.arange(len(part))
            part_loss, part_correct = learner.run(x, y, rows, rate, open_units)
            loss += part_loss
            correct += part_correct
            on_progress(len(part))
        try:
            network = learner.network()
        except ValueError:  # which a network of NaN is
            raise ValueError(
                f"training diverged in epoch {epoch}: the weights grew beyond all bounds; "
                "a smaller learning_rate helps"
            ) from None
        validation_logits = logits(network, validation.x)
        logged = LoggedEpoch(
            member=member,
            epoch=epoch,
            train_loss=loss / len(order),
            train_accuracy=correct / len(order),
            validation_loss=float(cross_entropy(validation_logits, validation.y).mean()),
            validation_accuracy=float((validation_logits.argmax(axis=1) == validation.y).mean()),
        )
        report = EpochReport(logged, network, kept_member=network, kept_epoch=epoch)
        if recipe.patience:
            if best is None or logged.validation_loss < best.logged.validation_loss:
                best = report
            report = replace(report, kept_member=best.network, kept_epoch=best.kept_epoch)
        yield report
        if best is not None and epoch - best.kept_epoch >= recipe.patience:
            return


def _open_units(recipe: Recipe, images: int, rng: np.random.Generator) -> NDArray[np.bool_] | None:
    """Which hidden units dropout leaves open, `(images, hidden units)`; None without dropout."""
    if not recipe.dropout:
        return None
    draws = rng.random((images, sum(recipe.hidden)), np.float32)
    open_units: NDArray[np.bool_] = draws >= recipe.dropout
    return open_units


def initial_network(recipe: Recipe) -> MLP:
    """The untrained network: uniform in ±1/√inputs, as torch.nn.Linear starts."""
    rng = np.random.default_rng([recipe.seed, _INITIAL_WEIGHTS])
    sizes = (784, *recipe.hidden, validate.CLASSES)
    weights, biases = [], []
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        bound = 1 / np.sqrt(inputs)
        weights.append(rng.uniform(-bound, bound, (inputs, outputs)).astype(np.float32))
        biases.append(rng.uniform(-bound, bound, outputs).astype(np.float32))
    return MLP(tuple(weights), tuple(biases))


def check_start(network: MLP, recipe: Recipe) -> None:
    """Refuse a network to start from whose layers are not the recipe's.

    Raises:
        ValueError: it is one.
    """
    own, wanted = network.sizes, (784, *recipe.hidden, validate.CLASSES)
    if own != wanted:
        own_layers, wanted_layers = ("-".join(map(str, sizes)) for sizes in (own, wanted))
        raise ValueError(
            f"start: {recipe.start} has the layers {own_layers}, the recipe {wanted_layers}"
        )


def load_start(recipe: Recipe) -> MLP | None:
    """Read the network that a recipe starts from; return None for a fresh start.

    Raises:
        ValueError: there is no such network, it is an ensemble, or it has other layers.
    """
    if not recipe.start:
        return None
    network, _ = LIBRARY.load(recipe.start)
    if not isinstance(network, MLP):
        raise ValueError(f"start: {recipe.start} is an ensemble; start from a single network")
    check_start(network, recipe)
    return network


def _engine(recipe: Recipe, start: MLP | None, name: str | None) -> Engine:
    """The engine of that name, at the start of a run. Imported here: each brings a compiler."""
    if name not in (None, *ENGINES):
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, not {name!r}")
    if (start is None) == bool(recipe.start):
        raise ValueError(f"start must be the network that the recipe names: {recipe.start!r}")
    network = start or initial_network(recipe)
    check_start(network, recipe)
    if name == "torch":
        return _torch_engine(network, recipe)
    from core.training.compiled import CompiledEngine

    if CompiledEngine.covers(recipe):
        return CompiledEngine(network, recipe)
    if name == "compiled":
        raise ValueError("engine: the compiled one is for plain SGD with batch_size 1; take torch")
    return _torch_engine(network, recipe)


def _torch_engine(network: MLP, recipe: Recipe) -> Engine:
    from core.training.pytorch import TorchEngine

    return TorchEngine(network, recipe)
