"""Measurements of whole networks: their robustness, and the course report's figures."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from core.batches import sparing_a_core
from core.classifier import FloatArray, IntArray
from core.data.mnist import Digits
from core.evaluation.robustness import PASSES, Robustness, every_tenth, measure, mirrored
from core.evaluation.shipped import MeasuredFileError
from core.measures import accuracy, accuracy_by_digit, first_of_each, predict
from core.serving.cache import Cache
from core.serving.jobs import Computation, Jobs, Progress, Tell, in_shares
from core.serving.memory import Memory
from core.serving.networks import ServedNetwork
from core.serving.turns import Turns

if TYPE_CHECKING:
    from core.presentation.course_report.findings import Findings

MOST_WAITING = 100  # measurements of a kind, of all people together
_AT_ONCE = 0.5  # seconds to wait for a report before its progress is shown


@dataclass(frozen=True, eq=False)
class Mirrored:
    """A network's predictions for mirrored digits.

    Attributes:
        x: `(10, 784)`, the first test image of each digit, mirrored.
        seen: `(10,)`, the predictions for these.
        upright, flipped: `(10,)`, the accuracy on each digit's test images, unchanged and
            mirrored, in [0, 1].
        accuracy: the accuracy on all mirrored test images, in [0, 1].
    """

    x: FloatArray
    seen: IntArray
    upright: FloatArray
    flipped: FloatArray
    accuracy: float


class Measurements:
    """Measurements of networks, shared by all sessions; one at a time."""

    def __init__(
        self,
        digits: Callable[[str], Digits],
        *,
        memory: Memory | None = None,
        line: Memory | None = None,
    ) -> None:
        """Start empty; `digits` returns MNIST's images, for the others see `Jobs`."""
        self._digits = digits
        turns = Turns(name="measurements")
        one_by_one = partial(Jobs, memory=memory, line=line, turns=turns, most_waiting=MOST_WAITING)
        self._robustness = one_by_one(most_kept=200)
        self._reports = one_by_one(most_kept=40)
        self._accuracies = Cache(200, memory)
        self._mirrored = Cache(20, memory)

    def robustness(self, served: ServedNetwork, *, who: Hashable) -> Computation:
        """Attack and prove test images at every ε; results in a `Robustness`."""
        digits = self._digits

        def work(tell: Tell) -> Robustness:
            test = digits("test")
            on_progress = in_shares(tell, PASSES * len(every_tenth(test)))
            with sparing_a_core():
                return measure(served.network, test, on_progress=on_progress)

        return Computation(self._robustness, served.digest, work, who, needs=served.network)

    def known_robustness(self, served: ServedNetwork) -> Robustness | None:
        """Return what was measured since the server started, else what is shipped, else None.

        Raises:
            MeasuredFileError: the shipped file is damaged or can't be read.
        """
        found: Robustness | None = self._robustness.result(served.digest)
        return found or served.shipped

    def _known(self, served: ServedNetwork) -> Robustness | None:
        """Return the same; None if the shipped file can't be used."""
        try:
            return self.known_robustness(served)
        except MeasuredFileError:
            return None

    def accuracy(self, served: ServedNetwork) -> float:
        """Return the accuracy on all test images, in [0, 1]."""
        if known := self._known(served):
            return known.clean_accuracy

        def measured() -> float:
            test = self._digits("test")
            return accuracy(served.network, test.x, test.y)

        return self._accuracies.get(served.digest, measured)

    def mirrored(self, served: ServedNetwork) -> Mirrored:
        """Return a network's predictions for mirrored digits."""

        def measured() -> Mirrored:
            test = self._digits("test")
            ten = mirrored(test.x[first_of_each(test.y)])
            if known := self._known(served):
                upright = np.array(known.accuracy_by_digit)
                flipped = np.array(known.mirrored_by_digit)
            else:
                upright = accuracy_by_digit(served.network, test.x, test.y)
                flipped = accuracy_by_digit(served.network, mirrored(test.x), test.y)
            of_each = np.bincount(test.y, minlength=10)
            return Mirrored(
                x=ten,
                seen=predict(served.network, ten),
                upright=upright,
                flipped=flipped,
                accuracy=float(of_each @ flipped) / len(test),
            )

        return self._mirrored.get(served.digest, measured)

    def report_to_show(
        self, served: ServedNetwork, *, who: Hashable
    ) -> tuple[Progress, Computation]:
        """Measure on a network what the course report measured; results in `Findings`."""
        # See `ServedNetwork.shipped_report`.
        from core.evaluation.replication import PASSES
        from core.presentation.course_report.findings import measure_report

        digits = self._digits

        def work(tell: Tell) -> "Findings":
            train, test = digits("train"), digits("test")
            on_progress = in_shares(tell, PASSES * len(test))
            network, card = served.network, served.card
            with sparing_a_core():
                return measure_report(network, card, train, test, on_progress=on_progress)

        key = (served.name, served.version)
        computation = Computation(self._reports, key, work, who, needs=served.network)
        return computation.look(wait=_AT_ONCE), computation
