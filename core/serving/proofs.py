"""What no attack can do to one digit, and the least that one does; better for those who wait."""

import hashlib
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from core.classifier import FloatArray
from core.measures import SCREEN, linf_norm, predict, rounded
from core.networks import MLP, Network, Sequential, Single
from core.serving.jobs import DONE, FAILED, STOPPED, Computation, Jobs, Progress, StoppedError, Tell
from core.serving.memory import Memory
from core.serving.networks import ServedNetwork
from core.serving.turns import Turns
from core.training.cost import number_from_environment

LIMIT = "SMALL_CHANGE_PROOF_SECONDS"  # the environment variable that holds the limit
# Of one core, for a closer look; the limit without the variable. The first second proves the most.
SECONDS = 4.0
ATTACKING = 1 / 2  # of that for the attack, where a proof is to follow; it rarely takes a tenth
# Multiply-adds of the attack between two looks at the clock: some hundredths of a second.
LOOK_AFTER = 5e8
# Multiply-adds of CROWN for one ε, of which a proof takes about ten. Up to the first number that is
# a tenth of a second, and each digit has a proof. Up to the second one it is some seconds, which
# nothing can interrupt, and somebody has to ask for it.
UNASKED = 1e8
MOST_PRODUCTS = 3e9
MOST_BYTES = 32 * 2**20  # of the parts into which a better proof cuts the images
MOST_WAITING = 400  # proofs of a kind, of all people together
TOO_LARGE = "A proof is not computed for a network of this size."
_AT_ONCE = 0.05  # seconds to wait for the first proof; meanwhile nothing else is done for a person


def limit() -> float:
    """Return how many seconds of a core a closer look may take, as the environment has it."""
    return number_from_environment(LIMIT, SECONDS)


@dataclass(frozen=True)
class Proved:
    """What is known of the images around a clean one.

    Attributes:
        epsilon: no budget below it flips the prediction; see `provable_budget`.
        found: the smallest budget that is known to flip it; see `budget_of`. inf if none is.
        after: the digit that the prediction then flips to; None if `found` is inf.
        finder: what found that: `ATTACK` or `SEARCH`; empty if `found` is inf.
        attacked: whether the strongest attack has been tried at all budgets.
        seconds: how long a better proof has been searched for; 0 without a search.
    """

    epsilon: float
    found: float = np.inf
    after: int | None = None
    finder: str = ""
    attacked: bool = False
    seconds: float = 0.0


ATTACK, SEARCH = "attack", "search"  # the strongest attack, and the search for a better proof


@dataclass(frozen=True)
class Standing:
    """How far a proof is.

    Attributes:
        proved: what is proved so far; None as long as that is nothing.
        ended: whether nothing more comes, unless somebody asks for a closer look.
        can_rise: whether somebody may ask for more now: a closer look, or the first proof of a
            large network.
        share: the share of the time for a closer look that is over, in [0, 1].
        ahead: how many others come before a closer look that waits.
        problem: one sentence on why nothing, or nothing more, is proved; else empty.
    """

    proved: Proved | None = None
    ended: bool = True
    can_rise: bool = False
    share: float = 0.0
    ahead: int = 0
    problem: str = ""


class Proofs:
    """Proofs about single images, shared by all sessions.

    What is proved of an image is that its prediction, as the network computes it, is the same for
    all images within ε in L∞. CROWN takes some milliseconds for most networks, so each digit gets
    it. A closer look begins only when somebody asks for it: the strongest attack searches for the
    smallest change that flips the prediction, then branch and bound proves more for as long as one
    lets it. Each of the two takes one core and works on one image at a time: each person's in turn.
    """

    def __init__(
        self,
        *,
        memory: Memory | None = None,
        line: Memory | None = None,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        """Start empty.

        Args:
            memory: what bounds the bytes of the proofs, as in `Jobs`.
            line: the same for what those need that have not ended.
            seconds: how long a closer look may take.
            clock: what measures that, called in the thread that works.
        """
        self._seconds, self._clock = seconds, clock

        def jobs(name: str, most_kept: int) -> Jobs:
            return Jobs(
                most_kept=most_kept,
                memory=memory,
                line=line,
                turns=Turns(name=name),
                most_waiting=MOST_WAITING,
            )

        self._first, self._closer = jobs("proofs", 2000), jobs("closer looks", 400)

    @staticmethod
    def key(chosen: ServedNetwork, x: FloatArray) -> str:
        """Return a key for the proof about an image, `(1, 784)`, the same for everybody."""
        image = np.ascontiguousarray(x, np.float32).tobytes()
        about = repr((chosen.name, chosen.version)).encode()
        return hashlib.sha1(about + image, usedforsecurity=False).hexdigest()

    def standing(
        self, chosen: ServedNetwork, x: FloatArray, *, who: Hashable, closer: bool = False
    ) -> Standing:
        """Look at what is known of an image, `(1, 784)`; begin to prove it if nobody has.

        Args:
            chosen: the network.
            x: the image on 256 grey levels, pixels in [0, 1].
            who: who looks.
            closer: whether somebody has asked for more than there is.
        """
        network, key = chosen.network, self.key(chosen, x)
        cost = products(network)
        if cost > MOST_PRODUCTS:
            return Standing(problem=TOO_LARGE)
        if cost > UNASKED and not closer and self._first.state(key) in (None, STOPPED):
            return Standing(can_rise=True)
        work = _first_proof(network, x)
        first = Computation(self._first, key, work, who, needs=network).look(wait=_AT_ONCE)
        if not first.ended:
            return Standing(ended=False)
        if first.state != DONE:
            return Standing(problem=_sentence(first.error))
        if not closer:
            return _together(first.result, self._closer.look(key, who=who))
        look = _CloserLook(network, x, first.result, self._seconds, self._clock)
        return _together(
            first.result, Computation(self._closer, key, look, who, needs=network).look()
        )

    def leave(self, key: str, *, who: Hashable) -> None:
        """Stop looking at the proofs of a key; what nobody looks at any more ends."""
        for jobs in (self._first, self._closer):
            jobs.leave(key, who=who)


def products(network: Network) -> float:
    """Return how many multiply-adds CROWN takes for one image and ε, at most."""
    return float(sum(map(_products_of, network.members)))


def _products_of(member: Single) -> int:
    """Return the same for one member.

    Each hidden layer after the first has two rows of coefficients a unit, the last one a label.
    They go back through all layers before it.
    """
    if isinstance(member, Sequential):
        from core.bounds import cost  # the page that draws starts without it

        return cost.multiply_adds(member)
    total = through = 0
    last = len(member.sizes) - 2
    for layer, (inputs, units) in enumerate(pairwise(member.sizes)):
        through += inputs * units
        rows = units if layer == last else 2 * units * (layer > 0)
        total += rows * through
    return total


def provable_budget(epsilon: float) -> float:
    """Return the largest budget below which a proof holds for the pictures on a screen, too.

    An adversarial image is rounded to 256 grey levels before it is judged. Of a budget below
    k + 1/2 levels it then has at most k. So a proof for ε holds up to k + 1/2 levels, where k is
    the number of whole levels in ε, and not beyond ε itself.
    """
    levels = SCREEN - 1
    return min(epsilon, float(np.floor(levels * epsilon) + 0.5) / levels)


def budget_of(levels: int) -> float:
    """Return the smallest budget that leads to changes of so many grey levels on a screen.

    It is half a level less, as rounding adds as much. So a change that flips the prediction is
    found at no smaller budget than is proved to flip nothing.
    """
    return (levels - 0.5) / (SCREEN - 1)


def _first_proof(network: Network, x: FloatArray) -> Callable[[Tell], Proved]:
    """Return the work that proves by CROWN what it can."""

    def work(tell: Tell) -> Proved:
        from core.bounds import certified_epsilon  # the page that draws starts without it

        tell(0.0)
        (epsilon,) = certified_epsilon(network, x, predict(network, x))
        return Proved(provable_budget(float(epsilon)))

    return work


class _TimeIsUpError(Exception):
    """The time for a part of a closer look is over."""


class _CloserLook:
    """The work that brings closer what is proved and what is found, until the time is up.

    If it is stopped, what was known until then is its result.
    """

    def __init__(
        self,
        network: Network,
        x: FloatArray,
        first: Proved,
        seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._network, self._x, self._known = network, x, first
        self._seconds, self._clock = seconds, clock

    def __call__(self, tell: Tell) -> Proved:
        tell(0.0)
        self._began, self._label = self._clock(), int(predict(self._network, self._x)[0])
        network = self._network
        # Branch and bound is for one perceptron.
        share = ATTACKING if isinstance(network, MLP) else 1.0
        with suppress(StoppedError):  # what is known is known
            with suppress(_TimeIsUpError):
                self._attack(share * self._seconds, tell)
            if isinstance(network, MLP):
                with suppress(_TimeIsUpError):
                    self._prove(network, tell)
        return self._known

    def _attack(self, most: float, tell: Tell) -> None:
        """Search for the smallest change at which the strongest attack flips the prediction."""
        from core.evaluation.nearest import nearest_misread

        def look() -> None:
            self._go_on(self._taken(), most, tell)

        safe = int((SCREEN - 1) * self._known.epsilon)
        for nearest in nearest_misread(_Watched(self._network, look), self._x, safe=safe):
            if nearest is not None:
                self._take(nearest.levels, nearest.label, ATTACK)
            look()
        self._known = replace(self._known, attacked=True)

    def _prove(self, network: MLP, tell: Tell) -> None:
        """Prove more by branch and bound; note what that finds on its way."""
        from core.bounds import refine  # the page that draws starts without it

        # The picture that was found is as far away as its levels say, half a level more.
        nearest, found = None, self._known.found + 0.5 / (SCREEN - 1)
        for proof in refine(network, self._x[0], self._label, found=found, most_bytes=MOST_BYTES):
            if proof.nearest is not nearest:
                nearest = proof.nearest
                self._look_at(np.asarray(nearest)[None])
            taken = self._taken()
            epsilon = max(self._known.epsilon, provable_budget(proof.proved))
            self._known = replace(self._known, epsilon=epsilon, seconds=taken)
            self._go_on(taken, self._seconds, tell)

    def _look_at(self, image: FloatArray) -> None:
        """Take a misread image, `(1, 784)`, if it is misread on 256 grey levels, too."""
        image = rounded(image, SCREEN)
        seen = int(predict(self._network, image)[0])
        if seen != self._label:
            levels = round(float(linf_norm(self._x, image)[0]) * (SCREEN - 1))
            self._take(levels, seen, SEARCH)

    def _take(self, levels: int, after: int, finder: str) -> None:
        """Take a change that flips the prediction if it is the smallest one so far."""
        if (found := budget_of(levels)) < self._known.found:
            self._known = replace(self._known, found=found, after=after, finder=finder)

    def _taken(self) -> float:
        """Return the seconds so far."""
        return self._clock() - self._began

    def _go_on(self, taken: float, most: float, tell: Tell) -> None:
        """Report what is known after so many seconds; raise if they are `most` or more."""
        if taken >= most:
            raise _TimeIsUpError
        tell(taken / self._seconds, self._known)


class _Watched:
    """A network that calls a function now and then while an attack works with it."""

    def __init__(self, network: Network, look: Callable[[], None]) -> None:
        self._network, self._look = network, look
        self._since = 0.0  # multiply-adds
        self._work = sum(member.work for member in network.members)

    def logits(self, x: FloatArray) -> FloatArray:
        """Return the network's logits; see `Classifier`."""
        self._count(len(x))
        return self._network.logits(x)

    def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """Return the network's logits and pull-back; see `Classifier`."""
        self._count(2 * len(x))
        return self._network.vjp(x)

    def _count(self, passes: int) -> None:
        self._since += passes * self._work
        if self._since >= LOOK_AFTER:
            self._since = 0
            self._look()


def _together(first: Proved, closer: Progress | None) -> Standing:
    """Return the standing of an image with a first proof and, perhaps, a closer look."""
    if closer is None:
        return Standing(first, can_rise=True)
    return Standing(
        closer.result or first,
        ended=closer.ended,
        can_rise=closer.ended and closer.state != DONE,
        share=closer.share,
        ahead=closer.ahead,
        problem=_sentence(closer.error) if closer.state == FAILED else "",
    )


def _sentence(text: str) -> str:
    """Return an error's message as a sentence."""
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""
