"""Attacks on MNIST's test images and on one digit, each computed once for all who ask."""

from collections.abc import Callable, Hashable
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from core.attacks import METHODS, Method, MinimalMethod, Searched, noise
from core.batches import sparing_a_core
from core.classifier import Classifier, FloatArray, IntArray
from core.data.mnist import Digits
from core.evaluation import sanity
from core.evaluation.certainty import Certainty, certainty, multiply_adds
from core.evaluation.path import AttackPath, follow
from core.evaluation.plane import Surroundings, around, place_to_map
from core.evaluation.rates import (
    Evaluation,
    evaluate,
    evasion_curve,
    evasion_within,
    limited_to,
    smallest_budgets,
)
from core.evaluation.remarkable import Remarkable, remarkable
from core.evaluation.similarity import similarity
from core.evaluation.walk import Walk, can_be_recorded, record
from core.measures import SCREEN
from core.serving.cache import Cache
from core.serving.jobs import DONE, Computation, Jobs, Progress, Tell, in_shares
from core.serving.memory import Memory
from core.serving.networks import ServedNetwork
from core.serving.questions import (
    ALL,
    BUDGETS,
    FEW_PROOFS,
    QUICK_WORK,
    Curve,
    Question,
    provable,
    searched,
    shipped_curve,
)
from core.serving.turns import Turns

ORDER = np.random.default_rng(0).permutation(ALL)  # a sample is the first images in this order
CHECKED = 1000  # images that the checks attack, several times each
MOST_WAITING = 400  # computations of a kind, of all people together
# Of what a person's page waits for, this is the order.
_FIRST, _THEN, _CURVES, _CHECKS = range(4)
_AT_ONCE = 0.4  # seconds to wait for all images before a sample is shown
_SAMPLE = 2.0  # seconds to wait for the sample
_SMALL = 0.3  # seconds to wait for a sample's curve, and for the checks
_STOPPED = 6.0  # seconds to wait for them if nothing else is being computed


class Evaluations:
    """What attacks do, computed in the background and shared by all sessions."""

    def __init__(
        self,
        digits: Callable[[str], Digits],
        *,
        memory: Memory | None = None,
        line: Memory | None = None,
    ) -> None:
        """Start empty; `digits` returns MNIST's "test" images, for the others see `Jobs`."""
        self._memory, self._line = memory or Memory(), line or Memory()
        samples = Cache(8, memory)  # by the number of images, so that evaluations share them

        # It refers to no evaluations, so running work that holds it doesn't keep them alive.
        def some(images: int) -> tuple[FloatArray, IntArray]:
            return samples.get(images, lambda: _some(digits("test"), images))

        self._digits, self._some = digits, some
        # Two threads for what takes a moment, one for what takes a minute: so a core stays free.
        self.quick, self.long = Turns(2, name="quick"), Turns(name="long")
        # An evaluation of all images holds 31 MB of adversarial images, so few are kept. One of a
        # sample holds 1.6 MB, and a class asks for as many as it has people.
        self._samples = self._jobs(self.quick, most_kept=64)
        self._evaluations = self._jobs(self.quick, most_kept=8)
        self._slow_evaluations = self._jobs(self.long, most_kept=4)
        self._small = self._jobs(self.quick, most_kept=400)
        self._curves = self._jobs(self.long, most_kept=200)
        self._proofs = self._jobs(self.long, most_kept=64)
        self._similarities = Cache(4, memory)
        self._paths = Cache(128, memory)
        self._remarkable = Cache(20, memory)
        self._walks = Cache(32, memory)
        self._maps = Cache(32, memory)

    def _jobs(self, turns: Turns, *, most_kept: int) -> Jobs:
        return Jobs(
            most_kept=most_kept,
            memory=self._memory,
            line=self._line,
            turns=turns,
            most_waiting=MOST_WAITING,
        )

    def evaluation(self, question: Question, budget: float) -> Computation:
        """Attack the images within a budget of the question's norm; results in an `Evaluation`."""
        method, network = question.method, question.chosen.network
        is_sample = question.images == question.sample.images
        slow = method.cost == "slow" and not is_sample
        some, levels = self._some, question.levels

        def attack(x: FloatArray, y: IntArray) -> FloatArray | Searched:
            if isinstance(method, MinimalMethod):
                return method.attack(network, x, y)
            if method.counted is not None:
                return method.counted(network, x, y, budget)
            return method.attack(network, x, y, budget)

        def work(tell: Tell) -> Evaluation:
            x, y = some(question.images)
            with sparing_a_core() if slow else nullcontext():
                on_progress = in_shares(tell, len(x))
                return evaluate(network, attack, x, y, levels=levels, on_progress=on_progress)

        all_images = self._slow_evaluations if slow else self._evaluations
        whole = Computation(
            self._samples if is_sample else all_images,
            (*question.key, budget),
            work,
            question.who,
            rank=_FIRST if is_sample else _THEN,
            needs=network,
        )
        if not isinstance(method, MinimalMethod):
            return whole
        return replace(whole, key=question.key, finish=lambda found: limited_to(found, budget))

    def evaluation_to_show(
        self, question: Question, budget: float, *, stopped: bool
    ) -> tuple[Progress, dict[int, Computation]]:
        """Return the evaluation if it is quick, else a sample's, and what is still to come.

        If `stopped`, only the sample is evaluated. What is still being computed is returned by its
        number of images.
        """
        whole, sample = (self.evaluation(each, budget) for each in (question, question.sample))
        to_come = {question.sample.images: sample}
        if stopped or question.method.cost == "slow":  # the sample gets all cores first
            first = sample.look(wait=_SAMPLE)
            if not first.ended:
                return first, to_come
            if stopped:
                return first, {}
        progress = whole.look(wait=_AT_ONCE)
        if progress.ended:
            return progress, {}
        first = sample.look(wait=_SAMPLE)
        return first, {question.images: whole} | ({} if first.ended else to_come)

    def curve(self, question: Question, norm: str) -> Computation:
        """Compute the evasion rates at `BUDGETS[norm]`; results in an array `(E,)`."""
        method, network = question.method, question.chosen.network
        if isinstance(method, MinimalMethod):
            whole = self.evaluation(question, np.inf)
            return replace(whole, finish=lambda found: evasion_within(found, BUDGETS[norm]))
        given = noise_of_l2_norm if (method.name, norm) == ("noise", "l2") else method.attack
        quick = method.cost == "one step" or question.images == question.first_curve.images
        slow = method.cost == "slow"
        some, levels = self._some, question.levels

        def work(tell: Tell) -> FloatArray:
            x, y = some(question.images)
            measure = smallest_budgets if slow else evasion_curve
            with nullcontext() if quick else sparing_a_core():
                on_progress = in_shares(tell, len(x))
                found = measure(
                    network, given, x, y, BUDGETS[norm], levels=levels, on_progress=on_progress
                )
            return (found <= BUDGETS[norm][:, None]).mean(axis=1) if slow else found

        jobs = self._small if quick else self._curves
        key = ("curve", norm, *question.key)
        return Computation(jobs, key, work, question.who, rank=_CURVES, needs=network)

    def curve_to_show(
        self, question: Question, norm: str, *, stopped: bool
    ) -> tuple[Curve | None, Computation | None]:
        """Return the best curve that is there at once, and what is still to come.

        Until the curve is computed, that is the one shipped with the network, or a sample's.
        """
        whole = None if stopped else self.curve(question, norm)
        if whole is not None and (progress := whole.look()).state == DONE:
            return Curve(BUDGETS[norm], progress.result, question.images), None
        if norm == "linf" and (first := shipped_curve(question)) is not None:
            return first, whole
        few = question.first_curve
        found = self.curve(few, norm).look(wait=_STOPPED if stopped else _SMALL)
        if found.state == DONE:
            return Curve(BUDGETS[norm], found.result, few.images), whole
        return None, whole or self.curve(few, norm)

    def proofs(self, question: Question, images: int) -> Computation:
        """Prove how far so many test images keep their label; results in a `Certainty`."""
        network, norm, some = question.chosen.network, question.norm, self._some
        quick = images * multiply_adds(network) <= QUICK_WORK

        def prove(tell: Tell) -> Certainty:
            x, y = some(images)
            with nullcontext() if quick else sparing_a_core():
                return certainty(network, x, y, norm=norm, on_progress=in_shares(tell, len(x)))

        key = ("proofs", norm, question.chosen.name, question.chosen.version, images)
        jobs = self._small if quick else self._proofs
        return Computation(jobs, key, prove, question.who, rank=_CURVES, needs=network)

    def proofs_to_show(
        self, question: Question, images: int, *, stopped: bool
    ) -> tuple[Certainty | None, Computation | None]:
        """Return proofs for so many images, or for a sample so far, and what is still to come.

        Where the network is too large for so many, there are fewer; see `provable`.
        """
        images = min(images, provable(question.chosen))
        if not images:
            return None, None
        whole, few = (self.proofs(question, each) for each in (images, min(images, FEW_PROOFS)))
        if not stopped and (progress := whole.look()).state == DONE:
            return progress.result, None
        found = few.look(wait=_STOPPED if stopped else _SMALL)
        if found.state == DONE:
            return found.result, None if stopped else whole
        return None, few if stopped else whole

    def checks_to_show(
        self, chosen: ServedNetwork, epsilon: float, *, who: Hashable, stopped: bool
    ) -> tuple[Progress, Computation]:
        """Check whether the rates can be trusted; results in a `core.evaluation.sanity.Sanity`."""
        some = self._some

        def work(tell: Tell) -> sanity.Sanity:
            x, y = some(CHECKED)
            on_progress = in_shares(tell, sanity.RUNS * CHECKED)
            return sanity.measure(chosen.network, x, y, epsilon, on_progress=on_progress)

        key = ("checks", chosen.name, chosen.version, epsilon)
        computation = Computation(self._small, key, work, who, rank=_CHECKS, needs=chosen.network)
        return computation.look(wait=_STOPPED if stopped else _SMALL), computation

    def similarity(self, images: int) -> FloatArray:
        """Return the similarity of the ten digits in a sample, `(10, 10)`."""
        return self._similarities.get(images, lambda: similarity(*self._some(images)))

    def path(
        self, chosen: ServedNetwork, method: Method, x: FloatArray, label: int, target: int | None
    ) -> AttackPath:
        """Follow one image along the budgets of an attack, rounded to the levels of a screen.

        See `core.evaluation.path.follow`.
        """
        return self._paths.get(
            _key(chosen, method, x, label, target),
            lambda: follow(chosen.network, method, x, label, target=target, levels=SCREEN),
        )

    def walk(
        self,
        chosen: ServedNetwork,
        method: Method,
        x: FloatArray,
        label: int,
        target: int | None,
        epsilon: float,
    ) -> Walk | None:
        """Record the steps to the image of `path` at a budget of the method's scale.

        None for an attack that takes one step. See `core.evaluation.walk.record`.
        """
        if not can_be_recorded(method):
            return None
        return self._walks.get(
            (*_key(chosen, method, x, label, target), epsilon),
            lambda: record(
                chosen.network, method, x, label, epsilon=epsilon, target=target, levels=SCREEN
            ),
        )

    def surroundings(
        self,
        chosen: ServedNetwork,
        method: Method,
        x: FloatArray,
        label: int,
        target: int | None,
        epsilon: float,
        *,
        random: bool,
    ) -> Surroundings | None:
        """Map what the network sees around the digit; None if the attack changes nothing.

        See `core.evaluation.plane.around`, which may raise ValueError.
        """
        path = self.path(chosen, method, x, label, target)
        place = place_to_map(path, epsilon)
        if place is None:
            return None
        budget = float(path.scale.budgets[place])
        return self._maps.get(
            (*_key(chosen, method, x, label, target), budget, random),
            lambda: around(
                chosen.network,
                method,
                path,
                place,
                random=random,
                walk=self.walk(chosen, method, x, label, target, budget),
            ),
        )

    def remarkable(self, chosen: ServedNetwork) -> Remarkable:
        """Return the test images that are worth a look, under FGSM with the budgets of its slider.

        It takes a second or some, once for each network; of a large one it looks at a sample.
        """

        def find() -> Remarkable:
            test, rows = self._digits("test"), indices(searched(chosen))
            budgets = METHODS["fgsm"].scale.budgets[1:]
            found = remarkable(chosen.network, test.x[rows], test.y[rows], budgets, levels=SCREEN)
            return found.among(rows)

        return self._remarkable.get((chosen.name, chosen.version), find)


def indices(images: int) -> IntArray:
    """Return the indices of a sample of so many test images, in rising order."""
    return np.sort(ORDER[:images])


def noise_of_l2_norm(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    target: ArrayLike | None = None,
) -> FloatArray:
    """Add random signs with an L2 norm of `epsilon`, and clip to [0, 1]."""
    pixels = np.shape(x)[1]
    return noise(classifier, x, y, np.asarray(epsilon) / np.sqrt(pixels), target=target)


def _key(
    chosen: ServedNetwork, method: Method, x: FloatArray, label: int, target: int | None
) -> tuple[Hashable, ...]:
    """Return a key for an attack on one image."""
    return (chosen.name, chosen.version, method.name, x.tobytes(), label, target)


def _some(test: Digits, images: int) -> tuple[FloatArray, IntArray]:
    """Return the images and labels of a sample of the test set."""
    if images >= len(test):
        return test.x, test.y
    chosen = indices(images)
    return test.x[chosen], test.y[chosen]
