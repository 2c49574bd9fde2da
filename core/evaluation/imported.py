"""Which network a file of another program means, and how it reads pixels: accuracies tell.

A file of weights doesn't say what was done to the pixels before the first layer, so each usual way
is tried. Accuracy alone doesn't tell numbers from 0 to 1 from those from 0 to 255: where biases are
small, the logits are in the same order for both. But they are far larger for one than for the
other. So between these two cross-entropy decides. Training has made it small for the right input.
The larger one makes the network far too sure of its mistakes, the smaller one of nothing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from core import measures
from core.data.mnist import Digits
from core.losses import cross_entropy
from core.networks import MLP, Card, NetworkFileError, Origin
from core.networks.foreign import PIXELS, Found, Reading

TRIED = 1000  # training images, and as many test images
LEAST_ACCURACY = 0.9
# By each input, the one that differs from it by a factor alone.
_TWINS = {
    f"{start}{kind}": f"{start}{other}"
    for start in ("", "inverted-", "transposed-", "transposed-inverted-")
    for kind, other in (("raw", "255"), ("255", "raw"))
}
MEASURED_ON = 10_000  # images of each kind, for the card


@dataclass(frozen=True, eq=False)
class Choice:
    """One way to read a file, and how well the network does then.

    Attributes:
        reading: the network.
        pixels: the key in `PIXELS` of the network's input.
        accuracy: on the first `TRIED` training images, in [0, 1].
        loss: the mean cross-entropy on the first `TRIED` test images, which the network has
            probably not learned from. Not measured, and infinite, below `LEAST_ACCURACY`.
    """

    reading: Reading
    pixels: str
    accuracy: float
    loss: float

    @property
    def network(self) -> MLP:
        """The network of pixels in [0, 1]."""
        return PIXELS[self.pixels].folded(self.reading.network)


def choices(
    found: Found,
    train: Digits,
    test: Digits,
    name: str,
    *,
    pixels: str | None = None,
    on_progress: Callable[[float], object] = lambda share: None,
) -> tuple[Choice, ...]:
    """Return the ways to read a file with which the network classifies digits, the best first.

    For each input it is the reading with the highest accuracy. They are in the order of the
    accuracy, but of two inputs that differ by a factor alone, the one with the smaller loss is
    first.

    Args:
        found: what the file holds.
        train: training images, of which the first `TRIED` are used.
        test: test images, likewise.
        name: what to call the file in an error.
        pixels: the key of the only input to try; None for all.
        on_progress: receives the share of the work that is done, from 0 to 1.

    Raises:
        NetworkFileError: no way reaches `LEAST_ACCURACY`. The message names the best accuracy and
            what was assumed.
        ValueError: `pixels` is no key of `PIXELS`.
    """
    if pixels is not None and pixels not in PIXELS:
        raise ValueError(f"input must be one of {', '.join(PIXELS)}, not {pixels!r}")
    keys = list(PIXELS) if pixels is None else [pixels]
    tried = []
    for number, key in enumerate(keys):
        each = [_tried(reading, key, train, test) for reading in found.readings]
        tried.append(max(each, key=lambda choice: choice.accuracy))
        on_progress((number + 1) / len(keys))
    good = tuple(choice for choice in _ranked(tried) if choice.accuracy >= LEAST_ACCURACY)
    if not good:
        most = max(tried, key=lambda choice: choice.accuracy)
        raise NetworkFileError(f"{name} can't be used: {_why_not(found, most)}")
    return good


def _tried(reading: Reading, pixels: str, train: Digits, test: Digits) -> Choice:
    """Measure one way to read a file."""
    network = PIXELS[pixels].folded(reading.network)
    accuracy = measures.accuracy(network, train.x[:TRIED], train.y[:TRIED])
    if accuracy < LEAST_ACCURACY:
        return Choice(reading, pixels, accuracy, math.inf)
    logits = measures.logits(network, test.x[:TRIED])
    loss = float(cross_entropy(logits, test.y[:TRIED]).mean())
    return Choice(reading, pixels, accuracy, loss)


def _ranked(tried: list[Choice]) -> list[Choice]:
    """Return the choices in the order of `choices`; of equal ones, the earlier input first."""
    by_input = {choice.pixels: choice for choice in tried}

    def rank(choice: Choice) -> tuple[float, bool]:
        twin = by_input.get(_TWINS.get(choice.pixels, ""))
        if twin is None or choice.loss <= twin.loss:
            return choice.accuracy, True
        return min(choice.accuracy, twin.accuracy), False

    return sorted(tried, key=rank, reverse=True)


def imported(choice: Choice, found: Found, train: Digits, test: Digits, *, today: str) -> Card:
    """Return the card of the network that a choice stands for.

    Args:
        choice: see `choices`.
        found: what the file holds.
        train: training images; the network's accuracies are measured on the first `MEASURED_ON`.
        test: test images; likewise.
        today: the date, as YYYY-MM-DD.
    """
    network = choice.network
    own, other = (
        measures.accuracy(network, digits.x[:MEASURED_ON], digits.y[:MEASURED_ON])
        for digits in (train, test)
    )
    return Card(
        recipe=None,
        epochs_trained=0,
        created=today,
        train_accuracy=own,
        validation_accuracy=other,
        test_accuracy=other,
        measured_on=MEASURED_ON if max(len(train), len(test)) > MEASURED_ON else None,
        origin=Origin(found.program, choice.pixels),
    )


def _why_not(found: Found, best: Choice) -> str:
    """Say why a network is not taken."""
    sizes = "-".join(map(str, best.reading.network.sizes))
    assumed = (
        "The file's own operators were followed"
        if found.sure
        else f"ReLU after each layer but the last was assumed, in the order {sizes}"
    )
    limits = "" if found.sure else " A network of tanh, sigmoid or another order can't be read."
    return (
        f"at best, it classifies {best.accuracy:.1%} of {TRIED:,} training images correctly, and "
        f"{LEAST_ACCURACY:.0%} are needed. {assumed}, with pixels as {PIXELS[best.pixels].words}."
        f"{limits}"
    )
