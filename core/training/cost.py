"""What a training will cost in work and memory, and the limits of a server for it.

Work is counted in multiply-adds as if no pixel and no hidden unit were 0. That is more than the
compiled engine does, which skips zeros. What takes other time is counted as the multiply-adds that
take as long. Constants were measured on ordinary processors.
"""

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from core import validate
from core.data.mnist import Digits
from core.recipe import Recipe

Advance = Callable[[int], object]  # called with a number of images

A_SECOND = 5e9  # multiply-adds, the most between two looks for Stop
SPEED = 1e10  # multiply-adds a second that an ordinary core makes
IMAGES_A_RUN = 3000  # at most, in one call of an engine's `run`; random changes are drawn for them
PGD_STEPS = 7
_STEP = 5e6  # multiply-adds in the time of a step's overhead, in PyTorch
_A_CONVOLUTION = 6e6  # the same, for each convolution
_A_MAP_UNIT = 60  # the same, for each unit of a convolution, on the way there or back
_A_WEIGHT = {"sgd": 10, "momentum": 20, "adam": 60}  # the same, for each weight that a step changes
_AUGMENTATION = 3e5  # the same, for each image that is changed
_EPOCH = 20  # the same, for each weight: the network is copied and checked
_PIXELS = 784 * 4  # bytes of an image


@dataclass(frozen=True)
class Cost:
    """What a training costs at most, about.

    Attributes:
        work: in multiply-adds, in all.
        step: the same, of the largest step, which nothing can interrupt.
        memory: in bytes, beside the images that all trainings share.
    """

    work: float
    step: float
    memory: float

    @property
    def seconds(self) -> float:
        """How long it takes an ordinary core."""
        return self.work / SPEED


@dataclass(frozen=True)
class Limits:
    """What one training may cost on a server.

    Attributes:
        seconds: of an ordinary core as estimated, and later by the clock.
        memory: in bytes.
    """

    seconds: float = 3600
    memory: float = 512e6

    @classmethod
    def from_environment(cls) -> "Limits":
        """Return the limits in SMALL_CHANGE_TRAINING_SECONDS and SMALL_CHANGE_TRAINING_MB.

        A variable that is missing, or no number above 0, leaves the default.
        """
        default = cls()
        return cls(
            seconds=number_from_environment("SMALL_CHANGE_TRAINING_SECONDS", default.seconds),
            memory=1e6 * number_from_environment("SMALL_CHANGE_TRAINING_MB", default.memory / 1e6),
        )

    def check(self, cost: Cost) -> None:
        """Raise if a training would cost too much.

        Raises:
            ValueError: it would; the message has the numbers.
        """
        if cost.seconds > self.seconds or cost.memory > self.memory:
            raise ValueError(
                f"This training would take about {cost.seconds:,.0f} s ({cost.work:.1e} "
                f"multiply-adds) and {cost.memory / 1e6:,.0f} MB; this server allows "
                f"{self.seconds:,.0f} s and {self.memory / 1e6:,.0f} MB. Take fewer epochs, images "
                "or networks, or smaller layers or batches."
            )
        if cost.step > A_SECOND:
            raise ValueError(
                f"One step of this training would take {cost.step:.1e} multiply-adds; this server "
                f"allows {A_SECOND:.1e}. Take smaller batches or layers."
            )


def estimate(recipe: Recipe, training: Digits, test: Digits) -> Cost:
    """Return what a training will cost.

    Args:
        recipe: the settings.
        training: all training images, of which the recipe takes some.
        test: all test images.
    """
    known = sum(int((training.y == digit).sum()) for digit in recipe.digits)
    taken = min(recipe.training_images or known, known)
    learned = max(1, taken - recipe.held_out)
    batch = min(recipe.batch_size, learned)
    # Each image after the attack, and for each step what it takes beside its images.
    per_image = work_of_an_image(recipe) + (_AUGMENTATION if recipe.augmented else 0)
    steps = -(-learned // batch)
    epoch = learned * per_image + steps * (work_of_a_step(recipe, 0))
    epoch += forward_work(recipe) * (recipe.held_out or len(test)) + recipe.weights * _EPOCH
    measured = (taken + 2 * len(test)) * forward_work(recipe)
    copied = 0 if learned == len(training) else taken * _PIXELS
    return Cost(
        work=recipe.members * (recipe.epochs * epoch + measured),
        step=work_of_a_step(recipe, batch),
        memory=copied + _memory(recipe, batch, learned),
    )


def _memory(recipe: Recipe, batch: int, learned: int) -> float:
    """Return the bytes that a training takes for networks, batches and its log."""
    hidden, network = sum(recipe.hidden), 4 * recipe.weights
    units = 4 * hidden + 3 * _map_units(recipe)
    run = min(learned, max(1, IMAGES_A_RUN // batch) * batch)
    kept = 5 if recipe.reproducible else 14  # PyTorch: gradients, Adam's means, float64 copies
    bounded = recipe.adversary == "interval"  # absolute weights; lower and upper bounds
    # The start, the best and the last epoch; the members that are done.
    networks = network * (kept + (3 if bounded else 0) + 4 + recipe.members - 1)
    images = run * _PIXELS * (8 if recipe.augmented else 2)
    masks = run * hidden * 13 if recipe.dropout else 0
    activations = 0 if recipe.reproducible else batch * 8 * (units + _PIXELS)
    activations *= 2 if bounded else 1
    log = 500 * recipe.members * recipe.epochs
    return float(networks + images + masks + activations + log)


def forward_work(recipe: Recipe) -> int:
    """Return the multiply-adds for one member's logits of an image."""
    return recipe.work + _A_MAP_UNIT * _map_units(recipe)


def _map_units(recipe: Recipe) -> int:
    """Return the number of the convolutions' units, before the mean."""
    return sum(outputs * side**2 for _, outputs, side in recipe.maps)


def work_of_an_image(recipe: Recipe) -> int:
    """Return the multiply-adds that training on one image takes.

    The gradients by the weights and by the units take as many each as a forward pass. An attack's
    step needs no gradient by the weights.
    """
    attack = {"fgsm": 2, "pgd": 2 * PGD_STEPS}.get(recipe.adversary, 0)
    return attack * forward_work(recipe) + _after_attack(recipe)


def _after_attack(recipe: Recipe) -> int:
    """Return the multiply-adds of training on one image, after the attack on it.

    In a training for the proof there is no attack. Three times as much are the image, the middle of
    its bounds and their radius; the last radius is that of each pair of labels.
    """
    if recipe.adversary == "interval":
        pairs = recipe.sizes[-2] * validate.CLASSES**2
        return 9 * forward_work(recipe) + 3 * pairs
    return 3 * forward_work(recipe)


def work_of_a_step(recipe: Recipe, images: int) -> float:
    """Return the multiply-adds of a step on so many images, after the attack on them."""
    work = float(images * _after_attack(recipe))
    if recipe.reproducible:
        return work
    overhead = _STEP * (3 if recipe.adversary == "interval" else 1)
    overhead += _A_CONVOLUTION * len(recipe.convolutions)
    return work + overhead + _A_WEIGHT[recipe.optimizer] * recipe.weights


def pieces(images: int, work: float, *, whole: int = 1) -> Iterator[slice]:
    """Yield slices that together cover range(images), each of at most `A_SECOND`.

    Args:
        images: the number of images.
        work: multiply-adds for each image.
        whole: the slices are multiples of so many images, also if that takes longer.
    """
    size = max(whole, int(A_SECOND / work) // whole * whole)
    for first in range(0, images, size):
        yield slice(first, min(first + size, images))


class Pace:
    """Calls `advance` so often that at most `A_SECOND` of work lies between two calls.

    Attributes:
        images: how many were trained on since the last call.
    """

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._work = 0.0
        self.images = 0

    def begin(self, work: float) -> None:
        """Note that so many multiply-adds come next, which nothing can interrupt."""
        if self._work + work > A_SECOND:
            self._advance(self.images)
            self._work, self.images = 0.0, 0
        self._work += work


def number_from_environment(name: str, default: float) -> float:
    """Return the number above 0 in an environment variable, else the default."""
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = 0.0
    if value > 0:
        return value
    logging.getLogger(__name__).warning("%s must be a number above 0, not %.40r", name, text)
    return default
