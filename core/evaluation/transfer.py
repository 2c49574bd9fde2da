"""Which attack fools which network: images made on one network, tried on others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import measures, validate
from core.batches import BATCH, in_batches
from core.classifier import Classifier, FloatArray, IntArray, Scorer

# Images that are attacked in one call, enough to keep a few cores busy. They take 6 MB.
AT_ONCE = 8 * BATCH
SHOWN = 10  # images of each cell that are kept

# An attack on a classifier, from images `(B, 784)`, labels `(B,)` and targets, `(B,)` or None.
Make: TypeAlias = Callable[[Classifier, FloatArray, IntArray, IntArray | None], FloatArray]


@dataclass(frozen=True, eq=False)
class Examples:
    """The first images of a cell that fooled the network on which they were tried.

    Attributes:
        places: `(M,)`, the images' indices, rising; M is at most `SHOWN`.
        x_adv: `(M, 784)`, the adversarial images.
        own: `(M,)`, the predictions by the network on which they were made; by the one on which
            they were tried where they are the control's.
        after: `(M,)`, the predictions by the network on which they were tried.
    """

    places: IntArray
    x_adv: FloatArray
    own: IntArray
    after: IntArray


@dataclass(frozen=True, eq=False)
class Transfer:
    """What images that were made on each of K networks do to all of them.

    A cell's row is the network on which images were made, or K for the control, which knows no
    network. Its column is the network on which they were tried. On the diagonal the attack knows
    the network.

    Attributes:
        images: how many were attacked, N.
        target: the label that the attack aimed for; None for any other than the true one.
        right: `(K,)`, how many of the N each network classifies correctly before.
        counted: `(K + 1, K)`, how many of them both networks do; of the control, the column's.
        fooled: `(K + 1, K)`, how many of these are misclassified afterwards; with a target, are
            taken for it.
        examples: of each cell.
    """

    images: int
    target: int | None
    right: IntArray
    counted: IntArray
    fooled: IntArray
    examples: tuple[tuple[Examples, ...], ...]

    @property
    def rates(self) -> FloatArray:
        """The evasion rates, `(K + 1, K)`: fooled / counted; NaN where none is counted."""
        rates: FloatArray = np.full(self.counted.shape, np.nan)
        return np.divide(self.fooled, self.counted, out=rates, where=self.counted > 0)

    def reordered(self, places: Sequence[int]) -> "Transfer":
        """Return the same for some of the networks, by their indices, in that order."""
        columns = np.array(places, np.int64)
        rows = np.append(columns, len(self.right))
        return Transfer(
            self.images,
            self.target,
            self.right[columns],
            self.counted[np.ix_(rows, columns)],
            self.fooled[np.ix_(rows, columns)],
            tuple(tuple(self.examples[row][column] for column in columns) for row in rows),
        )


def transfer(
    classifiers: Sequence[Classifier],
    attack: Make,
    x: ArrayLike,
    y: ArrayLike,
    *,
    control: Make,
    target: int | None = None,
    levels: int | None = None,
    at_once: int = AT_ONCE,
    on_progress: Callable[[int], object] = lambda images: None,
) -> Transfer:
    """Attack every image on each network once, and try what comes out on all networks.

    That images made on one network fool another was found by Szegedy and others, 2014, "Intriguing
    properties of neural networks", section 4. Papernot, McDaniel and Goodfellow, 2016,
    "Transferability in Machine Learning", section 3, has such a matrix.

    Args:
        classifiers: K networks, at least one.
        attack: makes adversarial images on a network.
        x: `(N, 784)` clean images, pixels in [0, 1].
        y: `(N,)` true labels.
        control: the same as `attack` without knowledge of a network: it gets the first one, which
            it is to ignore, and no targets.
        target: a label to aim for. Images of that label are left out.
        levels: the grey levels to which adversarial images are rounded before they are tried; see
            `core.measures.rounded`.
        at_once: how many images are attacked in one call of `attack`, at least 1.
        on_progress: called after each call of `attack` and of `control` with the number of its
            images, in all (K + 1) N. An exception that it raises ends the work.

    Raises:
        ValueError: an argument is not as above, no image is left, or the attack does not return one
            image in [0, 1] for each that it was given.
    """
    x = validate.images(x)
    y = validate.labels(y, len(x))
    if not classifiers:
        raise ValueError("classifiers must hold at least one network")
    kept = np.arange(len(x))
    if target is not None:
        kept = np.flatnonzero(y != validate.labels([target], 1, name="target")[0])
    if not len(kept):
        raise ValueError("x must hold at least one image, of another label than the target")
    tally = _Tally(len(classifiers), target, levels, x[:0].copy())
    makers: list[tuple[Classifier, Make]] = [(each, attack) for each in classifiers]
    makers.append((classifiers[0], control))
    at_once = validate.whole_number(at_once, name="at_once", least=1)
    for start in range(0, len(kept), at_once):
        places = kept[start : start + at_once]
        clean, labels = x[places], y[places]
        targets = None if target is None else np.full(len(places), target)
        right = _predictions(classifiers, clean) == labels
        tally.right += right.sum(axis=1)
        for row, (classifier, make) in enumerate(makers):
            aim = targets if row < len(classifiers) else None
            x_adv = np.asarray(make(classifier, clean, labels, aim))
            if x_adv.shape != clean.shape:
                raise ValueError(f"attack must return {clean.shape}, not {x_adv.shape}")
            after = _predictions(classifiers, x_adv, levels)
            tally.add(row, places, x_adv, right, after, labels)
            on_progress(len(places))
    return tally.result(len(kept))


class _Tally:
    """The counts and the examples so far."""

    def __init__(
        self, networks: int, target: int | None, levels: int | None, none: FloatArray
    ) -> None:
        self.right = np.zeros(networks, np.int64)
        self._networks, self._target = networks, target
        self._levels, self._none = levels, none  # no images, of the right shape and dtype
        self._counted = np.zeros((networks + 1, networks), np.int64)
        self._fooled = np.zeros_like(self._counted)
        # Of each cell's images: place, pixels, the maker's prediction, the column's.
        self._kept: list[list[list[tuple[int, FloatArray, int, int]]]] = [
            [[] for _ in range(networks)] for _ in range(networks + 1)
        ]

    def add(
        self,
        row: int,
        places: IntArray,
        x_adv: FloatArray,
        right: NDArray[np.bool_],
        after: IntArray,
        y: IntArray,
    ) -> None:
        """Count the images that were made for a row, given `(K, B)` right before and after."""
        is_control = row == self._networks
        counted = right if is_control else right & right[row]
        reached = after != y if self._target is None else after == self._target
        fooled = counted & reached
        self._counted[row] += counted.sum(axis=1)
        self._fooled[row] += fooled.sum(axis=1)
        for column, kept in enumerate(self._kept[row]):
            own = after[column if is_control else row]
            for each in np.flatnonzero(fooled[column])[: SHOWN - len(kept)]:
                pixels = measures.rounded(x_adv[each], self._levels).copy()
                kept.append((int(places[each]), pixels, int(own[each]), int(after[column, each])))

    def result(self, images: int) -> Transfer:
        """Return what was counted."""
        examples = tuple(tuple(map(self._examples, row)) for row in self._kept)
        return Transfer(images, self._target, self.right, self._counted, self._fooled, examples)

    def _examples(self, kept: list[tuple[int, FloatArray, int, int]]) -> Examples:
        places, own, after = (np.array([each[at] for each in kept], np.int64) for at in (0, 2, 3))
        x_adv = np.stack([each[1] for each in kept]) if kept else self._none
        return Examples(places, x_adv, own, after)


def _predictions(
    classifiers: Sequence[Scorer], x: FloatArray, levels: int | None = None
) -> IntArray:
    """Return the prediction of each image, rounded to levels, by each network, `(K, B)`."""
    found = np.empty((len(classifiers), len(x)), np.int64)

    def predict(rows: slice) -> None:
        some = measures.rounded(x[rows], levels)  # stays in the cache for all networks
        validate.pixels(some)
        for each, out in zip(classifiers, found, strict=True):
            out[rows] = each.logits(some).argmax(axis=1)

    in_batches(predict, len(x))
    return found
