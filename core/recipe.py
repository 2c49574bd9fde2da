"""The settings of a training run, and the presets."""

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
ADVERSARIES = ("none", "fgsm", "pgd", "interval")
# Of a training for the proof: until when ε is 0, when it and the mix of the losses have reached
# their ends, as shares of all epochs, and the weight κ that the loss of the images then has.
WARM_UP, RAMPED_UP, KAPPA = 1 / 30, 0.2, 0.5
# Settings that change the training images; older programs don't know the later ones.
LATER_CHANGES = ("shear", "stretching", "elastic", "stroke_width", "hooks", "refit")
CHANGES = ("rotation", "shift", "scaling", "flip", *LATER_CHANGES)
LATER_SETTINGS = (*LATER_CHANGES, "convolutions")  # files leave them out where they are off
# The random numbers of a training; each kind has a stream of its own, from the same seed.
STREAMS = ("initial weights", "order", "split", "dropout", "augmentation")
MOST_WEIGHTS = 8_000_000  # of all members; a small server has to hold them
MOST_WORK = 50_000_000  # multiply-adds of all members for an image; LeNet-5 takes 0.4 million
MOST_HIDDEN = 8  # layers
MOST_UNITS = 2048  # of a hidden layer
SIDE = 28  # pixels of an image
KERNEL = 5  # pixels, the side of a convolution's kernels
POOL = 2  # pixels, the side of what is averaged after it
MOST_CONVOLUTIONS = 2  # a third would have one pixel left, and nothing to average
MOST_CHANNELS = 64
MOST_MEMBERS = 20


@dataclass(frozen=True)
class Recipe:
    """The settings of a training run by gradient descent.

    The defaults are the course report's; each remedy changes a few of them.

    Attributes:
        convolutions: channels of each convolution of 5 × 5 before the hidden layers; none for a
            perceptron. ReLU and the mean of each 2 × 2 follow. A frame of two rows and columns of
            zeros keeps the first one's images at 28 × 28. With (6, 16) and hidden layers of (120,
            84) this is nearly LeNet-5 (LeCun et al. 1998), with ReLU for its sigmoids.
        hidden: units of each hidden layer, ReLU after each.
        epochs: the largest number of passes over the training images.
        batch_size: the number of images in a step.
        optimizer: "sgd", "momentum" (SGD with momentum 0.9) or "adam" (Kingma and Ba 2015).
        learning_rate: of each step in the first epoch, on the mean loss of its images; above 0.
        schedule: "constant"; "step", a tenth after half of the epochs and again after three
            quarters; or "cosine", from epoch to epoch down to nearly 0 (Loshchilov and Hutter
            2017, equation 5, without restarts).
        weight_decay: λ of the L2 penalty λ/2 · ‖w‖² on the weights, not the biases: each step also
            takes off learning rate × λ of every weight (for Adam decoupled: Loshchilov and Hutter
            2019).
        dropout: the share of units of the hidden layers that each step drops (Srivastava et al.
            2014); convolutions keep theirs.
        batch_norm: whether sums are normalised over the batch before ReLU (Ioffe and Szegedy
            2015). Afterwards this is folded into plain layers.
        rotation: the largest angle in degrees by which an image is turned; drawn anew each time,
            like the following.
        shift: the largest distance in pixels by which an image is moved, in x and in y.
        scaling: the largest share by which an image is made larger or smaller.
        shear: the largest slant, as the sideways shift of a row for each row above the middle.
        stretching: the largest share by which an image is made wider or narrower, and
            independently taller or flatter.
        elastic: the largest standard deviation, in pixels, of smooth random shifts of all pixels
            (Simard, Steinkraus and Platt 2003).
        stroke_width: the largest share by which strokes are made a pixel thicker or thinner on
            each side.
        hooks: the share of the 1s that get a hook, and half of those a foot, and of the 7s that get
            a bar, as many Europeans write them.
        refit: whether an image that is changed is then fitted again as MNIST's digits were: 20
            pixels for the longer side, the centre of mass in the middle. What `scaling` and `shift`
            do comes on top.
        flip: whether half of the images are mirrored left to right.
        training_images: how many images to learn from, drawn by the seed; 0 for all.
        held_out: how many of the training images are kept for validation; 0 to validate on the
            test images, as the report does.
        patience: the number of epochs without a lower validation loss after which training stops
            and the best epoch is kept; 0 to train all epochs and keep the last.
        digits: the digits to learn; training images of others are left out.
        members: the number of networks, whose probabilities are averaged.
        start: the name of the network to start from; "" for a fresh one.
        frozen: the number of convolutions and other layers, counted from the pixels, that don't
            learn.
        adversary: the attack on every training image: "none"; "fgsm", one step from a random start
            (Wong, Rice and Kolter 2020); or "pgd", seven small steps (Madry et al. 2018). With
            "interval" no attack is made: the network learns from bounds on what every perturbation
            could do (Gowal et al. 2018; see `core.training.proof`).
        adversary_epsilon: the attack's L∞ budget in pixel units; for "interval" that of the
            perturbations, which begins at 0 (see `proof_at`).
        seed: decides everything that is random: initial weights, order of the images and so on.

    Raises:
        ValueError: a setting is out of its range, or two contradict each other; the message names
            them.
    """

    convolutions: tuple[int, ...] = ()
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
    shear: float = 0.0
    stretching: float = 0.0
    elastic: float = 0.0
    stroke_width: float = 0.0
    hooks: float = 0.0
    refit: bool = False
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
        for field in ("hidden", "digits", "convolutions"):
            if not isinstance(values := getattr(self, field), list | tuple):
                raise ValueError(f"{field} must be several whole numbers, not {values!r}")
            object.__setattr__(self, field, tuple(values))
        self._check_ranges()
        self._check_combinations()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each layer from the pixels, or the last convolution's means, to the logits."""
        inputs = SIDE**2
        for _, outputs, side in self.maps:
            inputs = outputs * (side // POOL) ** 2
        return (inputs, *self.hidden, validate.CLASSES)

    @property
    def maps(self) -> tuple[tuple[int, int, int], ...]:
        """Of each convolution: its channels, its output's, and the side of that before the mean."""
        found: list[tuple[int, int, int]] = []
        channels, side = 1, SIDE
        for outputs in self.convolutions:
            side = side // POOL - KERNEL + 1 if found else side
            found.append((channels, outputs, side))
            channels = outputs
        return tuple(found)

    @property
    def weights(self) -> int:
        """The number of one member's weights, without the biases."""
        kernels = sum(KERNEL**2 * inputs * outputs for inputs, outputs, _ in self.maps)
        return kernels + sum(inputs * outputs for inputs, outputs in pairwise(self.sizes))

    @property
    def work(self) -> int:
        """The number of multiply-adds for one member's logits: a kernel is used at every place."""
        return self.weights + sum(
            KERNEL**2 * inputs * outputs * (side**2 - 1) for inputs, outputs, side in self.maps
        )

    @property
    def reproducible(self) -> bool:
        """Whether every processor trains the same network, bit for bit, by this recipe.

        The compiled engine does, for plain SGD on one image at a time. PyTorch, which trains by all
        other recipes, does not.
        """
        return (
            self.batch_size == 1
            and self.optimizer == "sgd"
            and not self.batch_norm
            and self.adversary == "none"
            and not self.convolutions
        )

    @property
    def augmented(self) -> bool:
        """Whether the training images are changed at random."""
        return any(getattr(self, name) for name in CHANGES)

    def learning_rate_in(self, epoch: int) -> float:
        """Return the learning rate in an epoch, counted from 1."""
        done = (epoch - 1) / self.epochs
        if self.schedule == "step":
            return self.learning_rate * (0.1 if done >= 0.5 else 1) * (0.1 if done >= 0.75 else 1)
        if self.schedule == "cosine":
            return self.learning_rate * (1 + elementary.cos(math.pi * done)) / 2
        return self.learning_rate

    def proof_at(self, done: float) -> tuple[float, float]:
        """Return ε and κ of a training for the proof; see `core.training.proof`.

        As in Gowal et al. 2018 (section 4 and its authors' program, where training takes 60,000
        steps): for the first 2,000, ε is 0 and κ is 1, so that the network learns the images
        themselves. In the next 10,000, ε grows and κ falls to 0.5, both linearly.

        Args:
            done: the share of this network's training that lies behind it, in [0, 1].
        """
        ramp = min(max((done - WARM_UP) / (RAMPED_UP - WARM_UP), 0.0), 1.0)
        return ramp * self.adversary_epsilon, 1 - ramp * (1 - KAPPA)

    def random_stream(self, name: str) -> np.random.Generator:
        """Return a generator at the start of one of the `STREAMS`."""
        return np.random.default_rng([self.seed, STREAMS.index(name)])

    def _check_ranges(self) -> None:
        if len(self.hidden) > MOST_HIDDEN:
            raise ValueError(f"hidden must be at most {MOST_HIDDEN} layers, not {len(self.hidden)}")
        if len(self.convolutions) > MOST_CONVOLUTIONS:
            raise ValueError(
                f"convolutions must be no more than {MOST_CONVOLUTIONS} numbers of channels, not "
                f"{len(self.convolutions)}: no image is left for another one"
            )
        # Whole numbers of NumPy can't be written as JSON, so Python's take their place.
        for name, bounds in _SEVERAL.items():
            several = tuple(_whole_number(name, each, *bounds) for each in getattr(self, name))
            object.__setattr__(self, name, several)
        layers = len(self.convolutions) + len(self.hidden)
        for name, bounds in {**_WHOLE_NUMBERS, "frozen": (0, layers)}.items():
            object.__setattr__(self, name, _whole_number(name, getattr(self, name), *bounds))
        for name, (least, most) in _NUMBERS.items():
            _within(name, getattr(self, name), least, most)
        for name, options in _OPTIONS.items():
            if getattr(self, name) not in options:
                raise ValueError(
                    f"{name} must be one of {', '.join(options)}, not {getattr(self, name)!r}"
                )
        for name, dtype, words in (
            ("batch_norm", bool, "true or false"),
            ("refit", bool, "true or false"),
            ("flip", bool, "true or false"),
            ("start", str, "a network's name"),
        ):
            if not isinstance(getattr(self, name), dtype):
                raise ValueError(f"{name} must be {words}, not {getattr(self, name)!r}")

        if self.start:  # it comes from files, too
            try:
                named = validate.network_name(self.start) == self.start
            except ValueError:
                named = False
            if not named:
                raise ValueError(f"start must be a network's name, not {self.start[:40]!r}")

    def _check_combinations(self) -> None:
        weights, work = self.members * self.weights, self.members * self.work
        most, few = MOST_WEIGHTS, self.training_images
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, not {self.learning_rate!r}")
        if not self.digits or sorted(set(self.digits)) != list(self.digits):
            raise ValueError("digits must be some of 0 to 9, each once and in rising order")
        if weights > most:
            raise ValueError(f"hidden and members make {weights:,} weights, more than {most:,}")
        if self.convolutions and work > MOST_WORK:
            raise ValueError(
                f"convolutions and members make {work:,} multiplications for an image, more than "
                f"{MOST_WORK:,}"
            )
        if self.learning_rate * self.weight_decay >= 1:
            raise ValueError("learning_rate times weight_decay must be below 1: no weight is left")
        if self.batch_norm and self.batch_size < 2:
            raise ValueError("batch_norm needs a batch_size of at least 2: one image has no mean")
        if self.patience and not self.held_out:
            raise ValueError("patience needs held_out images: test images must not decide the end")
        if few and self.held_out >= few:
            raise ValueError(f"held_out must be fewer than the {few} training_images")
        if self.frozen and not self.start:
            raise ValueError("frozen layers need a network to start from")
        if self.batch_norm and self.start:
            raise ValueError("batch_norm can't start from a network: its file has no means")
        if self.adversary == "interval":
            for name, reason in _NOT_FOR_A_PROOF.items():
                if getattr(self, name):
                    raise ValueError(f"{name} can't be combined with adversary interval: {reason}")


# The smallest and the largest value of settings.
_SEVERAL = {"hidden": (1, MOST_UNITS), "digits": (0, 9), "convolutions": (1, MOST_CHANNELS)}
_WHOLE_NUMBERS = {
    "epochs": (1, 1000),
    "batch_size": (1, 10_000),
    "training_images": (0, 10**7),
    "held_out": (0, 10**7),
    "patience": (0, 1000),
    "members": (1, MOST_MEMBERS),
    "seed": (0, 2**53),
}
_NUMBERS = {
    "learning_rate": (0, 10),
    "weight_decay": (0, 0.1),
    "dropout": (0, 0.9),
    "rotation": (0, 180),
    "shift": (0, 14),
    "scaling": (0, 0.5),
    "shear": (0, 1),
    "stretching": (0, 0.5),
    "elastic": (0, 5),
    "stroke_width": (0, 1),
    "hooks": (0, 1),
    "adversary_epsilon": (0.001, 1),
}
_NOT_FOR_A_PROOF = {
    "dropout": "its bounds are those of the network with all units",
    "batch_norm": "its bounds are those of one image, whatever the batch",
    "patience": "the loss of the validation images rises while ε grows",
    "convolutions": "its training bounds affine layers alone",
}
_OPTIONS = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "adversary": ADVERSARIES}


def _within(name: str, value: float, least: float, most: float) -> None:
    """Raise unless `value` is a number from `least` to `most`."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and least <= value <= most):
        raise ValueError(f"{name} must be from {least} to {most}, not {value!r}")


def _whole_number(name: str, value: int, least: int, most: int) -> int:
    """Return `value`; raise unless it is a whole number from `least` to `most`."""
    number = validate.whole_number(value, name=name, least=least)
    _within(name, number, least, most)
    return number


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
        "convolutional": Recipe(convolutions=(6, 16), hidden=(120, 84), epochs=15, **_ADAM),
        "adversarial-fgsm": Recipe(adversary="fgsm", epochs=15, **_ADAM),
        "adversarial-pgd": Recipe(adversary="pgd", epochs=7, **_ADAM),
        "certified": Recipe(adversary="interval", adversary_epsilon=0.11, epochs=60, **_ADAM),
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
        # Its distortions were chosen by digits of other writers, which it never learned from.
        "any-hand": Recipe(
            hidden=(512, 256),
            members=2,
            epochs=40,
            schedule="cosine",
            rotation=10,
            shift=1,
            scaling=0.1,
            shear=0.3,
            stretching=0.3,
            elastic=1.5,
            stroke_width=1,
            hooks=0.5,
            refit=True,
        ),
    }
)
