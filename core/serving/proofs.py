"""What no attack can do to one digit: proved once for all who ask, better for those who wait."""

import hashlib
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from core.classifier import FloatArray
from core.measures import SCREEN, linf_norm, predict, rounded
from core.networks import MLP, Network
from core.serving.jobs import DONE, FAILED, STOPPED, Computation, Jobs, Progress, StoppedError, Tell
from core.serving.memory import Memory
from core.serving.networks import ServedNetwork
from core.serving.turns import Turns
from core.training.cost import number_from_environment

if TYPE_CHECKING:
    from core.bounds import Proof

LIMIT = "SMALL_CHANGE_PROOF_SECONDS"  # the environment variable that holds the limit
# Of one core, for a better proof; the limit without the variable. The first second proves the most.
SECONDS = 4.0
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
    """Return how many seconds of a core a better proof may take, as the environment has it."""
    return number_from_environment(LIMIT, SECONDS)


@dataclass(frozen=True)
class Proved:
    """What is known of the images around a clean one.

    Attributes:
        epsilon: no budget below it flips the prediction; see `provable_budget`.
        found: the L∞ norm of the smallest change that the search has seen to flip the prediction,
            on 256 grey levels; inf if there is none.
        seconds: how long the search has taken so far; 0 without one.
    """

    epsilon: float
    found: float = np.inf
    seconds: float = 0.0


@dataclass(frozen=True)
class Standing:
    """How far a proof is.

    Attributes:
        proved: what is proved so far; None as long as that is nothing.
        ended: whether nothing more comes, unless somebody asks for a better proof.
        can_rise: whether somebody may ask for more now: a better proof, or the first one of a large
            network.
        share: the share of the time for a better proof that is over, in [0, 1].
        ahead: how many others come before a better proof that waits.
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
    it. Branch and bound takes as long as one lets it. So it begins only when somebody asks for it.
    Each of the two takes one core, and works on one image at a time: each person's in turn.
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
            seconds: how long a better proof may take.
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

        self._first, self._better = jobs("proofs", 2000), jobs("better proofs", 400)

    @staticmethod
    def key(chosen: ServedNetwork, x: FloatArray) -> str:
        """Return a key for the proof about an image, `(1, 784)`, the same for everybody."""
        image = np.ascontiguousarray(x, np.float32).tobytes()
        about = repr((chosen.name, chosen.version)).encode()
        return hashlib.sha1(about + image, usedforsecurity=False).hexdigest()

    def standing(
        self, chosen: ServedNetwork, x: FloatArray, *, who: Hashable, better: bool = False
    ) -> Standing:
        """Look at what is proved of an image, `(1, 784)`; begin to prove it if nobody has.

        Args:
            chosen: the network.
            x: the image, pixels in [0, 1].
            who: who looks.
            better: whether somebody has asked for more than there is.
        """
        network, key = chosen.network, self.key(chosen, x)
        cost = products(network)
        if cost > MOST_PRODUCTS:
            return Standing(problem=TOO_LARGE)
        if cost > UNASKED and not better and self._first.state(key) in (None, STOPPED):
            return Standing(can_rise=True)
        work = _first_proof(network, x)
        first = Computation(self._first, key, work, who, needs=network).look(wait=_AT_ONCE)
        if not first.ended:
            return Standing(ended=False)
        if first.state != DONE:
            return Standing(problem=_sentence(first.error))
        if not isinstance(network, MLP):  # branch and bound is for one perceptron
            return Standing(first.result)
        return _together(first.result, self._look(network, x, key, who, better))

    def _look(
        self, network: MLP, x: FloatArray, key: str, who: Hashable, begin: bool
    ) -> Progress | None:
        """Look at a better proof, and begin it if that is wanted; None if there is none."""
        if not begin:
            return self._better.look(key, who=who)
        work = _better_proof(network, x, self._seconds, self._clock)
        return Computation(self._better, key, work, who, needs=network).look()

    def leave(self, key: str, *, who: Hashable) -> None:
        """Stop looking at the proofs of a key; what nobody looks at any more ends."""
        for jobs in (self._first, self._better):
            jobs.leave(key, who=who)


def products(network: Network) -> float:
    """Return how many multiply-adds CROWN takes for one image and ε, at most.

    Each hidden layer after the first has two rows of coefficients a unit, the last one a label.
    They go back through all layers before it.
    """
    total = 0.0
    for member in (network,) if isinstance(network, MLP) else network.members:
        through, last = 0.0, len(member.sizes) - 2
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


def _first_proof(network: Network, x: FloatArray) -> Callable[[Tell], Proved]:
    """Return the work that proves by CROWN what it can."""

    def work(tell: Tell) -> Proved:
        from core.bounds import certified_epsilon  # the page that draws starts without it

        tell(0.0)
        (epsilon,) = certified_epsilon(network, x, predict(network, x))
        return Proved(provable_budget(float(epsilon)))

    return work


def _better_proof(
    network: MLP, x: FloatArray, seconds: float, clock: Callable[[], float]
) -> Callable[[Tell], Proved]:
    """Return the work that proves more by branch and bound, until the time is up.

    If it is stopped, what was proved until then is its result.
    """

    def work(tell: Tell) -> Proved:
        from core.bounds import refine

        tell(0.0)
        label = int(predict(network, x)[0])
        began, best, nearest = clock(), Proved(0.0), None
        try:
            for proof in refine(network, x[0], label, most_bytes=MOST_BYTES):
                found = best.found
                if proof.nearest is not nearest:
                    nearest = proof.nearest
                    found = min(found, _on_screen(network, x, proof, label))
                taken = clock() - began
                best = Proved(provable_budget(proof.proved), found, taken)
                if taken >= seconds:
                    break
                tell(taken / seconds, best)
        except StoppedError:  # what is proved is proved
            pass
        return best

    return work


def _on_screen(network: MLP, x: FloatArray, proof: "Proof", label: int) -> float:
    """Return the distance of a proof's misread image on 256 grey levels; inf if it is read well."""
    image = rounded(np.asarray(proof.nearest)[None], SCREEN)
    return float(linf_norm(x, image)[0]) if predict(network, image)[0] != label else np.inf


def _together(first: Proved, better: Progress | None) -> Standing:
    """Return the standing of an image with a first proof and, perhaps, a better one."""
    if better is None:
        return Standing(first, can_rise=True)
    return Standing(
        better.result if better.result and better.result.epsilon >= first.epsilon else first,
        ended=better.ended,
        can_rise=better.ended and better.state != DONE,
        share=better.share,
        ahead=better.ahead,
        problem=_sentence(better.error) if better.state == FAILED else "",
    )


def _sentence(text: str) -> str:
    """Return an error's message as a sentence."""
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""
