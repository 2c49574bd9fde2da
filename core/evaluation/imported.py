"""Which network a file of another program means, and how it reads pixels: accuracies tell.

A file of weights doesn't say what was done to the pixels before the first layer, so each usual way
is tried. Nor does a state dict hold padding, pooling or activations: it has many readings. All are
tried on few images, the best of them on more.

Accuracy alone doesn't tell numbers from 0 to 1 from those from 0 to 255: where biases are
small, the logits are in the same order for both. But they are far larger for one than for the
other. So between these cross-entropy decides. Training has made it small for the right input.
The larger one makes the network far too sure of its mistakes, the smaller one of nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core import measures
from core.batches import one_thread_a_product
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.losses import cross_entropy
from core.networks import Card, NetworkFileError, Origin, Single
from core.networks.foreign import PIXELS, Found, Reading

TRIED = 1000  # training images, and as many test images
LEAST_ACCURACY = 0.9
_SCREENED = 32  # training images on which readings are tried first
_AT_ONCE = 16  # of them; their arrays stay near the processor
_LIKELY = 8  # readings that are tried with every input
_FINALISTS = 2  # readings that are tried with every input, whatever the others reach
_MOST_MEASURED, _LEAST_MEASURED = 16, 3  # readings with an input, tried on `TRIED` images
_SPREAD = 3.0  # of the logits for the loss that decides between equal accuracies on them
_PROMISING = 0.75  # accuracy on the first few images, to be tried on more
_CLEAR = 0.95  # accuracy on them that makes it needless to try further inputs
_MOST_WORK = 3e10  # multiply-adds of all that is tried; several seconds
# Below the first accuracy less likely readings with ReLU are tried, below the second others.
_GOOD, _FAIR = 0.98, 0.95
_LARGE = "255"  # how the key of an input ends that is far larger than the others
MEASURED_ON = 10_000  # images of each kind, for the card


@dataclass(frozen=True, eq=False)
class Choice:
    """One way to read a file, and how well the network does then.

    Attributes:
        reading: the network.
        pixels: the key in `PIXELS` of the network's input.
        accuracy: on the first `TRIED` training images, in [0, 1].
        loss: the mean cross-entropy on the first `TRIED` test images, which the network has
            probably not learned from. Only measured, and finite, where it decides.
    """

    reading: Reading
    pixels: str
    accuracy: float
    loss: float = math.inf

    @property
    def network(self) -> Single:
        """The network of pixels in [0, 1]."""
        return PIXELS[self.pixels].folded(self.reading.network)


def choices(
    found: Found, train: Digits, test: Digits, name: str, *, pixels: str | None = None
) -> tuple[Choice, ...]:
    """Return the ways to read a file with which the network classifies digits, the best first.

    They are in the order of the accuracy, but of pixels from 0 to 255 and another input, the one
    with the smaller loss is first. Of readings that give the same logits there is the likeliest.

    Args:
        found: what the file holds.
        train: training images, of which the first `TRIED` are used.
        test: test images, likewise.
        name: what to call the file in an error.
        pixels: the key of the only input to try; None for all.

    Raises:
        NetworkFileError: no way reaches `LEAST_ACCURACY`. The message names the best accuracy and
            what was tried.
        ValueError: `pixels` is no key of `PIXELS`.
    """
    if pixels is not None and pixels not in PIXELS:
        raise ValueError(f"input must be one of {', '.join(PIXELS)}, not {pixels!r}")
    keys = list(PIXELS) if pixels is None else [pixels]
    search = _Search(keys, train)
    usual, others = found.readings, found.others
    for likely, unlikely, enough in (
        (usual[:_LIKELY], (), 1.0),
        ((), usual[_LIKELY:], _GOOD),
        (others[:_LIKELY], others[_LIKELY:], _FAIR),
    ):
        if (likely or unlikely) and search.best() < enough:
            search.look(likely, unlikely)
    tried = search.finalists()
    good = [choice for choice in tried if choice.accuracy >= LEAST_ACCURACY]
    if not good:
        most = max(tried, key=lambda choice: choice.accuracy)
        raise NetworkFileError(f"{name} can't be used: {_why_not(found, most)}")
    return tuple(_ranked(_with_losses(good, test)))


_Pair = tuple[Reading, str]  # with the key of an input


@dataclass(frozen=True, eq=False)
class _Screened:
    """What a reading with an input gives for the first `_SCREENED` training images."""

    accuracy: float
    loss: float
    logits: FloatArray


class _Search:
    """Readings with inputs, tried on few training images, the best of them on more."""

    def __init__(self, keys: Sequence[str], train: Digits) -> None:
        self._keys, self._train = keys, train
        self._inputs = list(keys)  # the best one first
        self._screened: dict[_Pair, _Screened] = {}
        self._measured: dict[_Pair, Choice] = {}
        self._place: dict[Reading, int] = {}  # the likeliest one first
        self._prepared: dict[str, FloatArray] = {}
        self._work = 0.0

    def look(self, likely: Sequence[Reading], unlikely: Sequence[Reading]) -> None:
        """Try readings: the likely ones with all inputs, others with the two best of these."""
        for reading in (*likely, *unlikely):
            self._place.setdefault(reading, len(self._place))
        best: dict[str, float] = {}
        for number, key in enumerate(self._keys if likely else ()):
            best[key] = max(self._screen(reading, key) for reading in likely)
            if number and max(best.values()) >= _CLEAR:
                break
        if best:
            self._inputs = sorted(best, key=lambda key: -best[key])
        for key in self._inputs[:2]:
            for reading in unlikely:
                self._screen(reading, key)
        for reading in list(dict.fromkeys(reading for reading, _ in self._ranked()))[:_FINALISTS]:
            for key in self._keys:
                self._screen(reading, key)

    def best(self) -> float:
        """Return the best accuracy on `TRIED` images so far, in [0, 1]."""
        pairs = self._ranked()[:_LEAST_MEASURED]
        return max((self._measure(pair).accuracy for pair in pairs), default=0.0)

    def finalists(self) -> list[Choice]:
        """Return the best readings and inputs, measured on `TRIED` images; the likeliest first."""
        ranked = self._ranked()
        promising = sum(self._screened[pair].accuracy >= _PROMISING for pair in ranked)
        affordable = int(_MOST_WORK / TRIED / max(ranked[0][0].network.work, 1))
        count = max(min(promising, affordable, _MOST_MEASURED), _LEAST_MEASURED)
        found: list[tuple[Choice, FloatArray]] = []
        for pair in sorted(ranked[:count], key=lambda pair: self._place[pair[0]]):
            choice, logits = self._measure(pair), self._screened[pair].logits
            if not any(_same(choice, logits, *other) for other in found):
                found.append((choice, logits))
        return [choice for choice, _ in found]

    def _screen(self, reading: Reading, key: str) -> float:
        """Return the accuracy on `_SCREENED` images; 0 where that would be too much work."""
        if known := self._screened.get((reading, key)):
            return known.accuracy
        if self._work > _MOST_WORK:
            return 0.0
        self._work += reading.network.work * _SCREENED
        if key not in self._prepared:
            self._prepared[key] = PIXELS[key].prepared(self._train.x[:_SCREENED])
        x, y = self._prepared[key], self._train.y[:_SCREENED]
        parts = [x[start : start + _AT_ONCE] for start in range(0, len(x), _AT_ONCE)]
        with one_thread_a_product, np.errstate(all="ignore"):
            logits = np.concatenate([reading.network.logits(part) for part in parts])
            # Of equal spread: large logits say that the input is large, not that it is right.
            even = _SPREAD * logits / max(float(logits.std()), 1e-30)
            loss = float(cross_entropy(even, y).mean())
        accuracy = float((logits.argmax(axis=1) == y).mean())
        self._screened[reading, key] = _Screened(accuracy, loss, logits)
        return accuracy

    def _ranked(self) -> list[_Pair]:
        """Return all that was tried, the best first, of equal ones the likeliest."""

        def rank(pair: _Pair) -> tuple[float, float]:
            screened = self._screened[pair]
            return -screened.accuracy, round(screened.loss, 4)

        return sorted(self._screened, key=rank)

    def _measure(self, pair: _Pair) -> Choice:
        """Return the accuracy on `TRIED` images."""
        if pair not in self._measured:
            reading, key = pair
            x, y = self._train.x[:TRIED], self._train.y[:TRIED]
            accuracy = measures.accuracy(PIXELS[key].folded(reading.network), x, y)
            self._measured[pair] = Choice(reading, key, accuracy)
        return self._measured[pair]


def _same(choice: Choice, logits: FloatArray, other: Choice, others: FloatArray) -> bool:
    """Return whether two readings give the same logits."""
    if (choice.pixels, choice.accuracy) != (other.pixels, other.accuracy):
        return False
    size = np.abs(others).max()
    return bool(np.abs(logits - others).max() <= 1e-4 * size)


def _with_losses(good: Sequence[Choice], test: Digits) -> list[Choice]:
    """Measure the losses where one input of a reading is far larger than another."""

    def measured(choice: Choice) -> Choice:
        if not _rivals(choice, good):
            return choice
        logits = measures.logits(choice.network, test.x[:TRIED])
        return replace(choice, loss=float(cross_entropy(logits, test.y[:TRIED]).mean()))

    return [measured(choice) for choice in good]


def _ranked(good: Sequence[Choice]) -> list[Choice]:
    """Return the choices in the order of `choices`; of equal ones, the earlier one first."""

    def rank(choice: Choice) -> tuple[float, bool]:
        better = [each.accuracy for each in _rivals(choice, good) if _loss(each) < _loss(choice)]
        return min([choice.accuracy, *better]), not better

    return sorted(good, key=rank, reverse=True)


def _rivals(choice: Choice, good: Sequence[Choice]) -> list[Choice]:
    """Return the same reading's choices that differ by how large the input is."""
    large = choice.pixels.endswith(_LARGE)
    start = choice.pixels.rpartition("-")[0]
    return [
        each
        for each in good
        if each.reading is choice.reading
        and each.pixels.rpartition("-")[0] == start
        and each.pixels.endswith(_LARGE) != large
    ]


def _loss(choice: Choice) -> float:
    """Return the loss, larger for the large input, which has to be clearly better.

    It saturates tanh and sigmoid, which changes little.
    """
    return choice.loss * (1.5 if choice.pixels.endswith(_LARGE) else 1.0)


def by_reading(tried: Sequence[Choice]) -> list[list[Choice]]:
    """Return the choices of each reading, in the order of `choices`."""
    found: dict[Reading, list[Choice]] = {}
    for choice in tried:
        found.setdefault(choice.reading, []).append(choice)
    return list(found.values())


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
    said = [
        f"at best, it classifies {best.accuracy:.1%} of {TRIED:,} training images correctly, and "
        f"{LEAST_ACCURACY:.0%} are needed."
    ]
    pixels = f"with pixels as {PIXELS[best.pixels].words}"
    if found.sure:
        said.append(f"The file's own operators were followed, {pixels}.")
        return " ".join(said)
    count = len(found.readings) + len(found.others)
    if count > 1:
        said.append(
            f"That was the best of {count} readings, with ReLU, tanh or sigmoid: "
            f"{best.reading.how or 'the layers in the order of the file'}, {pixels}."
        )
    else:
        said.append(f"That was {pixels}.")
    said.append("If its layers are others, bring it as ONNX, which holds them.")
    return " ".join(said)
