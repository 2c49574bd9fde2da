"""The smallest change of one image that is known to flip its prediction on a screen."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core import validate
from core.attacks import Attack, fgsm, strongest
from core.classifier import Classifier, FloatArray, IntArray
from core.measures import SCREEN, linf_norm, predict, rounded

TRIES = 32  # budgets that the strongest attack tries at once


@dataclass(frozen=True, eq=False)
class Misread:
    """A picture near a clean one, on 256 grey levels, in which the network sees another digit.

    Attributes:
        levels: by how many levels a pixel changes at most, from 1 to 255.
        image: `(1, 784)`, its pixels in [0, 1].
        label: the digit that the network sees in it.
    """

    levels: int
    image: FloatArray
    label: int


def nearest_misread(
    classifier: Classifier, x: FloatArray, *, safe: int = 0, most: int = (SCREEN - 1) // 2
) -> Iterator[Misread | None]:
    """Search for the smallest change at which `core.attacks.strongest` flips a prediction.

    On a screen a change has a whole number of grey levels. One FGSM at all levels takes a
    millisecond and says where to look. Then each round of the strongest attack tries up to `TRIES`
    levels as one batch, between the largest that failed and the smallest that worked so far. What
    it finds is rounded to grey levels. One round settles it for most images. A smaller change may
    flip the prediction all the same: an attack that fails proves nothing.

    Args:
        classifier: the network.
        x: `(1, 784)`, the clean image, pixels in [0, 1]; it is rounded to grey levels first.
        safe: how many levels are known to flip nothing; at least 0.
        most: the largest change to try, in levels, at most 255.

    Yields:
        After FGSM and after each round the smallest change found so far; None if there is none.

    Raises:
        ValueError: an argument is out of range, or as `strongest` does.
    """
    safe = validate.whole_number(safe, name="safe", least=0)
    most = validate.whole_number(most, name="most", least=0)
    if most > SCREEN - 1:
        raise ValueError(f"most must be at most {SCREEN - 1} levels, not {most}")
    clean = rounded(validate.images(x), SCREEN)
    label = predict(classifier, clean)

    def nearest_of(attack: Attack, tries: IntArray) -> Misread | None:
        x_adv = rounded(attack(classifier, clean, label, tries / (SCREEN - 1))[:, 0], SCREEN)
        seen = predict(classifier, x_adv)
        levels = np.round(linf_norm(clean, x_adv) * (SCREEN - 1)).astype(int)
        flips = np.flatnonzero((seen != label) & (levels > 0))
        if not flips.size:
            return None
        place = flips[levels[flips].argmin()]
        return Misread(int(levels[place]), x_adv[place, None], int(seen[place]))

    if most <= safe:
        return
    nearest, failed = nearest_of(fgsm, np.arange(safe + 1, most + 1)), safe
    yield nearest
    while (reached := nearest.levels if nearest else most + 1) - failed > 1:
        tries = np.unique(np.linspace(failed + 1, reached - 1, TRIES).round()).astype(int)
        if (closer := nearest_of(strongest, tries)) is not None:
            nearest = closer
        failed = max([failed, *tries[tries < (nearest.levels if nearest else most + 1)]])
        yield nearest
