"""What images made on one network do to others, computed once for all who ask."""

from collections.abc import Callable, Hashable
from contextlib import nullcontext
from dataclasses import dataclass, replace

from core.attacks import Method, MinimalMethod, noise, within
from core.batches import sparing_a_core
from core.classifier import Classifier, FloatArray, IntArray
from core.data.mnist import Digits
from core.evaluation.rates import ATTACK_BATCH
from core.evaluation.transfer import AT_ONCE, Examples, Transfer, transfer
from core.measures import SCREEN
from core.serving.evaluations import MOST_WAITING, indices, noise_of_l2_norm
from core.serving.jobs import Computation, Jobs, Progress, Tell, in_shares
from core.serving.memory import Memory
from core.serving.networks import ServedNetwork
from core.serving.questions import ALL
from core.serving.turns import Turns

MOST_NETWORKS = 8
_FEW_AT_ONCE = 50  # images that a slow attack attacks before it can be stopped
_FIRST, _THEN = range(2)  # of what a person's page waits for, this is the order
_AT_ONCE = 0.4  # seconds to wait for all images before a sample is shown
_SAMPLE = 2.0  # seconds to wait for the sample
_STOPPED = 6.0  # seconds to wait for it if nothing else is being computed


@dataclass(frozen=True, eq=False)
class TransferQuestion:
    """An attack on each of several networks, tried on all of them.

    Attributes:
        chosen: the networks, each once.
        method: the attack.
        budget: in the norm of `norm`.
        target: the label that it aims for, if any; the attack must accept one.
        who: the person who asks.
        images: how many test images; None for as many as such an attack gets.
    """

    chosen: tuple[ServedNetwork, ...]
    method: Method
    budget: float
    target: int | None = None
    who: Hashable = None
    images: int | None = None

    @property
    def norm(self) -> str:
        """The norm of the budget, "linf" or "l2"."""
        return "linf" if self.method.norm == "linf" else "l2"

    @property
    def of(self) -> int:
        """How many test images are attacked; fewer than `ALL` are always the same ones."""
        return self.images or (1000 if self._is_long else ALL)

    @property
    def sample(self) -> "TransferQuestion":
        """The same question about a sample that takes a moment."""
        return replace(self, images=min(self.of, 100 if self._is_long else 1000))

    @property
    def is_sample(self) -> bool:
        """Whether it is about no more images than `sample`."""
        return self.of == self.sample.of

    @property
    def is_quick(self) -> bool:
        """Whether it takes seconds, rather than minutes."""
        return self.method.cost == "one step" or self.is_sample

    @property
    def at_once(self) -> int:
        """How many images are attacked in one call, which can't be stopped."""
        if self._is_long:
            return _FEW_AT_ONCE
        return AT_ONCE if self.method.cost == "one step" else ATTACK_BATCH

    @property
    def in_order(self) -> tuple[ServedNetwork, ...]:
        """The networks in an order that is the same for everybody."""
        return tuple(sorted(self.chosen, key=lambda each: each.name))

    @property
    def key(self) -> tuple[Hashable, ...]:
        """A key for the question, the same for everybody who asks, in whatever order."""
        networks = tuple((each.name, each.version) for each in self.in_order)
        return (networks, self.method.name, self.budget, self.target, self.of)

    @property
    def _is_long(self) -> bool:
        """Whether the attack takes a second for about a hundred images."""
        return self.method.cost == "slow" or isinstance(self.method, MinimalMethod)

    def attack(
        self, classifier: Classifier, x: FloatArray, y: IntArray, target: IntArray | None
    ) -> FloatArray:
        """Make adversarial images within the budget; see `core.evaluation.transfer.Make`."""
        if isinstance(self.method, MinimalMethod):
            return within(x, self.method.attack(classifier, x, y, target=target), self.budget)
        return self.method.attack(classifier, x, y, self.budget, target=target)

    def control(
        self, classifier: Classifier, x: FloatArray, y: IntArray, target: IntArray | None
    ) -> FloatArray:
        """Make images with random noise of the budget's size."""
        random = noise if self.norm == "linf" else noise_of_l2_norm
        return random(classifier, x, y, self.budget)


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found, of so many test images."""

    of: int
    found: Transfer

    def numbers(self, examples: Examples) -> IntArray:
        """Return the numbers of the test images that a cell shows."""
        return indices(self.of)[examples.places]


class Transfers:
    """Transfers of attacks, computed in the background and shared by all sessions."""

    def __init__(
        self,
        digits: Callable[[str], Digits],
        quick: Turns,
        long: Turns,
        *,
        memory: Memory | None = None,
        line: Memory | None = None,
    ) -> None:
        """Start empty.

        Args:
            digits: returns MNIST's "test" images.
            quick: the threads for what takes seconds.
            long: those for what takes minutes.
            memory: as for `Jobs`.
            line: as for `Jobs`.
        """
        self._digits = digits

        def jobs(turns: Turns, most_kept: int) -> Jobs:
            return Jobs(
                most_kept=most_kept,
                memory=memory,
                line=line,
                turns=turns,
                most_waiting=MOST_WAITING,
            )

        # One takes 2 MB, almost all of it the images that its cells show.
        self._quick, self._long = jobs(quick, 60), jobs(long, 30)

    def transfer(self, question: TransferQuestion) -> Computation:
        """Attack the images on each network, try them on all; results in an `Answer`."""
        digits, networks = self._digits, question.in_order

        def work(tell: Tell) -> Transfer:
            test = digits("test")
            # A slice copies nothing.
            some = slice(None) if question.of >= len(test) else indices(question.of)
            with nullcontext() if question.is_sample else sparing_a_core():
                return transfer(
                    [each.network for each in networks],
                    question.attack,
                    test.x[some],
                    test.y[some],
                    control=question.control,
                    target=question.target,
                    levels=SCREEN,
                    at_once=question.at_once,
                    on_progress=in_shares(tell, (len(networks) + 1) * question.of),
                )

        places = [networks.index(each) for each in question.chosen]
        return Computation(
            self._quick if question.is_quick else self._long,
            ("transfer", *question.key),
            work,
            question.who,
            finish=lambda found: Answer(question.of, found.reordered(places)),
            rank=_FIRST if question.is_sample else _THEN,
            needs=[each.network for each in networks],
        )

    def to_show(
        self, question: TransferQuestion, *, stopped: bool
    ) -> tuple[Progress, dict[int, Computation]]:
        """Return the answer if it is there, else a sample's, and what is still to come.

        If `stopped`, only the sample is attacked. What is still being computed is returned by its
        number of images.
        """
        whole, sample = self.transfer(question), self.transfer(question.sample)
        if not stopped and question.is_sample:
            progress = whole.look(wait=_SAMPLE)
            return progress, {} if progress.ended else {question.of: whole}
        # The sample gets all cores first.
        first = sample.look(wait=_STOPPED if stopped else _SAMPLE)
        if stopped or not first.ended:
            return first, {} if first.ended else {question.sample.of: sample}
        progress = whole.look(wait=_AT_ONCE)
        if progress.ended:
            return progress, {}
        return first, {question.of: whole}
