"""All that decides a training run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np

from core import elementary, validate

OPTIMIZERS = ("sgd", "momentum", "adam")
SCHEDULES = ("constant", "step", "cosine")
ADVERSARIES = ("none", "fgsm", "pgd")
# What is drawn from the seed, each from a stream of its own.
STREAMS = ("initial weights", "order", "split", "dropout", "augmentation")
MOST_WEIGHTS = 8_000_000  # of all members, so that a file can be kept and a small server holds it


@dataclass(frozen=True)
class Recipe:
    """Settings of a training run by gradient descent; equal recipes, equal networks.

    The defaults are the course report's; each remedy is a change of a few of them.

    Attributes:
        hidden: units of each hidden layer, ReLU after each.
        epochs: passes over the training images, at most.
        batch_size: images a step.
        optimizer: "sgd", "momentum" (SGD with momentum 0.9) or "adam" (Kingma and Ba 2015).
        learning_rate: of each step, on the mean loss of its images, in the first epoch.
        schedule: "constant"; "step", a tenth after half of the epochs and again after three
            quarters; or "cosine", from epoch to epoch down to nearly 0 (Loshchilov and Hutter
            2017, equation 5, without restarts).
        weight_decay: λ; each step also takes off learning rate × λ of every weight, biases aside,
            the L2 penalty λ/2 · ‖w‖² (for Adam decoupled: Loshchilov and Hutter 2019).
        dropout: the share of hidden units that are shut at each step (Srivastava et al. 2014).
        batch_norm: whether sums are normalised over the batch before ReLU (Ioffe and Szegedy
            2015); folded into plain layers afterwards.
        rotation: degrees; each image is turned by up to so much, drawn anew each time.
        shift: pixels; each image is moved by up to so much in x and in y.
        scaling: a share; each image is made larger or smaller by up to so much.
        flip: whether half of the images are mirrored left to right.
        training_images: how many to learn from, drawn by the seed; 0 for all there are.
        held_out: how many of the training images are kept for validation; 0 to validate on the
            test images, as the report does.
        patience: after how many epochs without a lower validation loss training stops, and the
            best epoch is kept; 0 to train all epochs and keep the last.
        digits: which of them to learn; training images of others are left out.
        members: how many networks are trained, of which the probabilities are averaged.
        start: the name of the network to start from; "" for a fresh one.
        frozen: how many layers, from the pixels on, keep what they start with.
        adversary: "none"; "fgsm", every image attacked by one step from a random start (Wong,
            Rice and Kolter 2020); or "pgd", by seven small ones (Madry et al. 2018).
        adversary_epsilon: the attack's L∞ budget a pixel.
        seed: decides the initial weights, the order of the images, and all that is drawn.

    Raises:
        ValueError: a setting is out of its range, or two don't go together; the message names
            them.
    """

    hidden: tuple[int, ...] = (128, 64)
    epochs: int = 20
    batch_size: int = 1
    optimizer: str = "sgd"
    learning_rate: float = 0.01
    schedule: str = "constant"
    weight_decay: float = 0.0
    dropout: float = 0.0
    batch_norm: bool = False
    rotation: float = 0.0
    shift: float = 0.0
    scaling: float = 0.0
    flip: bool = False
    training_images: int = 0
    held_out: int = 0
    patience: int = 0
    digits: tuple[int, ...] = tuple(range(10))
    members: int = 1
    start: str = ""
    frozen: int = 0
    adversary: str = "none"
    adversary_epsilon: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for field in ("hidden", "digits"):
            if not isinstance(values := getattr(self, field), list | tuple):
                raise ValueError(f"{field} must be several whole numbers, not {values!r}")
            object.__setattr__(self, field, tuple(values))
        self._check_ranges()
        self._check_combinations()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each layer, from the pixels to the logits."""
        return (784, *self.hidden, validate.CLASSES)

    @property
    def reproducible(self) -> bool:
        """Whether every processor trains the same network, bit for bit, by this recipe.

        The compiled engine promises it for plain SGD, one image at a time. PyTorch trains all
        other recipes, and promises nothing of the kind.
        """
        return (
            self.batch_size == 1
            and self.optimizer == "sgd"
            and not self.batch_norm
            and self.adversary == "none"
        )

    @property
    def augmented(self) -> bool:
        """Whether images are changed before they are learned from."""
        return bool(self.rotation or self.shift or self.scaling or self.flip)

    def learning_rate_in(self, epoch: int) -> float:
        """The learning rate in an epoch, counted from 1."""
        done = (epoch - 1) / self.epochs
        if self.schedule == "step":
            return self.learning_rate * (0.1 if done >= 0.5 else 1) * (0.1 if done >= 0.75 else 1)
        if self.schedule == "cosine":
            return self.learning_rate * (1 + elementary.cos(math.pi * done)) / 2
        return self.learning_rate

    def random_stream(self, name: str) -> np.random.Generator:
        """Return the generator of the random numbers in `STREAMS` of that name."""
        return np.random.default_rng([self.seed, STREAMS.index(name)])

    def _check_ranges(self) -> None:
        if len(self.hidden) > 8:
            raise ValueError(f"hidden must be at most 8 layers, not {len(self.hidden)}")
        for units in self.hidden:
            _within("hidden", validate.whole_number(units, name="hidden", least=1), 1, 2048)
        object.__setattr__(self, "hidden", tuple(map(int, self.hidden)))
        for name, least, most in (
            ("epochs", 1, 1000),
            ("batch_size", 1, 10_000),
            ("training_images", 0, 10**7),
            ("held_out", 0, 10**7),
            ("patience", 0, 1000),
            ("members", 1, 20),
            ("frozen", 0, len(self.hidden)),
            ("seed", 0, 2**53),
        ):
            value = validate.whole_number(getattr(self, name), name=name, least=least)
            _within(name, value, least, most)
            object.__setattr__(self, name, value)  # NumPy's whole numbers can't be written as JSON
        if not (_is_number(self.learning_rate) and 0 < self.learning_rate <= 10):
            raise ValueError(
                f"learning_rate must be above 0 and at most 10, not {self.learning_rate!r}"
            )
        for name, largest in (
            ("weight_decay", 0.1),
            ("dropout", 0.9),
            ("rotation", 180),
            ("shift", 14),
            ("scaling", 0.5),
        ):
            _within(name, getattr(self, name), 0, largest)
        _within("adversary_epsilon", self.adversary_epsilon, 0.001, 1)
        for name, options in (
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("adversary", ADVERSARIES),
        ):
            if getattr(self, name) not in options:
                raise ValueError(
                    f"{name} must be one of {', '.join(options)}, not {getattr(self, name)!r}"
                )
        for name, kind, words in (
            ("batch_norm", bool, "true or false"),
            ("flip", bool, "true or false"),
            ("start", str, "a network's name"),
        ):
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"{name} must be {words}, not {getattr(self, name)!r}")
        for digit in self.digits:
            _within("digits", validate.whole_number(digit, name="digits", least=0), 0, 9)
        if not self.digits or sorted(set(self.digits)) != list(self.digits):
            raise ValueError("digits must be some of 0 to 9, each once and in rising order")

    def _check_combinations(self) -> None:
        weights = sum(a * b for a, b in pairwise(self.sizes))
        if weights * self.members > MOST_WEIGHTS:
            raise ValueError(
                f"hidden and members make {weights * self.members:,} weights, "
                f"more than {MOST_WEIGHTS:,}"
            )
        if self.learning_rate * self.weight_decay >= 1:
            raise ValueError(
                "learning_rate times weight_decay must be below 1: at 1 each step takes off all "
                "of the weights"
            )
        if self.batch_norm and self.batch_size < 2:
            raise ValueError(
                "batch_norm needs a batch_size of at least 2: of a single image there is no "
                "average to normalise by"
            )
        if self.patience and not self.held_out:
            raise ValueError(
                "patience needs held_out images: who stops by the test images learns from them"
            )
        if self.training_images and self.held_out >= self.training_images:
            raise ValueError(
                f"held_out must be fewer than the {self.training_images} training_images, "
                f"not {self.held_out}"
            )
        if self.frozen and not self.start:
            raise ValueError("frozen layers need a network to start from")
        if self.batch_norm and self.start:
            raise ValueError(
                "batch_norm can't start from a network: its plain layers know no averages"
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _within(name: str, value: float, least: float, most: float) -> None:
    """Raise unless `value` is a number from `least` to `most`."""
    if not (_is_number(value) and least <= value <= most):
        raise ValueError(f"{name} must be from {least} to {most}, not {value!r}")


_ADAM: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 0.002,
    "batch_size": 128,
    "schedule": "cosine",
}
_AUGMENTED: dict[str, Any] = {"rotation": 10, "shift": 1.5, "scaling": 0.1}

PRESETS: Mapping[str, Recipe] = MappingProxyType(
    {
        "report": Recipe(),
        "augmentation": Recipe(**_AUGMENTED),
        "dropout": Recipe(dropout=0.2),
        "weight-decay": Recipe(weight_decay=2e-4),
        "schedule": Recipe(schedule="cosine"),
        "adam": Recipe(**_ADAM),
        "early-stopping": Recipe(held_out=5000, patience=3),
        "ensemble": Recipe(members=5, epochs=10),
        "first-digits": Recipe(digits=(0, 1, 2, 3, 4), epochs=10),
        "few-images": Recipe(training_images=500),
        "transfer": Recipe(training_images=500, start="first-digits", frozen=1),
        "batch-norm": Recipe(batch_norm=True, batch_size=64, optimizer="momentum"),
        "adversarial-fgsm": Recipe(adversary="fgsm", epochs=15, **_ADAM),
        "adversarial-pgd": Recipe(adversary="pgd", epochs=7, **_ADAM),
        "all-together": Recipe(
            members=3,
            epochs=10,
            weight_decay=0.01,
            dropout=0.1,
            batch_norm=True,
            held_out=5000,
            patience=3,
            **_AUGMENTED,
            **_ADAM,
        ),
    }
)
