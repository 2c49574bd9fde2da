"""What attacks make of the test set: computed in the background, once for all who ask."""

import uuid
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike

from core.attacks import Method, MinimalMethod, noise
from core.batches import sparing_a_core
from core.classifier import Classifier, FloatArray, IntArray
from core.data.mnist import Digits
from core.evaluation import robustness, sanity
from core.evaluation.rates import Evaluation, evaluate, evasion_curve, evasion_within, limited_to
from core.evaluation.similarity import similarity
from core.serving.jobs import DONE, FAILED, Computation, Jobs, Progress
from pages.parts.networks import ChosenNetwork
from pages.parts.subject import test_digits

ALL = 10_000
# In which the test images are taken into a sample, at random once for all.
ORDER = np.random.default_rng(0).permutation(ALL)
TRUSTED = 1000  # the checks attack these again and again
# What a slider on the page runs over, for each norm; a curve has a point at each.
BUDGETS = {"linf": np.linspace(0, 0.5, 51).round(2), "l2": np.linspace(0, 5, 51).round(1)}
_ONE_STEP = ("fgsm", "noise")  # a second for the curve of all images; of PGD it is a minute
_SLOW = ("carlini_wagner",)  # a hundredth of a second an image; of the others, a thousandth
# Seconds to wait for what is small, while the rest is awaited and once it has been stopped.
PATIENCE = {False: 0.3, True: 6.0}
_AT_ONCE = 0.4  # seconds that a page waits before it shows a sample
_SAMPLE_SECONDS = 2.0  # and for the sample


@dataclass(frozen=True, eq=False)
class Question:
    """An attack on a network and some test images.

    Attributes:
        chosen: the network.
        method: the attack.
        images: how many test images; fewer than `ALL` are a sample, always the same one.
    """

    chosen: ChosenNetwork
    method: Method
    images: int

    @property
    def key(self) -> tuple[Hashable, ...]:
        """What stands for it."""
        return (self.chosen.name, self.chosen.version, self.method.name, self.images)

    @property
    def norm(self) -> str:
        """The norm whose budget the page's slider is."""
        return "linf" if self.method.norm == "linf" else "l2"

    @property
    def sample(self) -> "Question":
        """The same of so few images that one can wait for it."""
        return replace(
            self, images=min(self.images, 100 if isinstance(self.method, MinimalMethod) else 500)
        )

    @property
    def beside(self) -> "Question":
        """The same of so many images as its curve is worth beside those of other attacks."""
        return replace(self, images=min(self.images, 1000)) if self.method.name in _SLOW else self

    @property
    def first_curve(self) -> "Question":
        """The same of so few images that one can wait for its curve."""
        return replace(
            self, images=min(self.images, 100 if isinstance(self.method, MinimalMethod) else 200)
        )


@st.cache_resource(show_spinner=False)
def _evaluations() -> Jobs:
    """Those that somebody waits for. Of all images, adversarial ones are 31 MB."""
    return Jobs(most_kept=8)


@st.cache_resource(show_spinner=False)
def _samples() -> Jobs:
    """Curves of samples or of one step, and checks, one after the other: the cores are few."""
    return Jobs(most_kept=400, workers=ThreadPoolExecutor(1))


@st.cache_resource(show_spinner=False)
def _long() -> ThreadPoolExecutor:
    """Where what takes a minute runs; it refines what is shown already, and spares a core."""
    return ThreadPoolExecutor(1)


@st.cache_resource(show_spinner=False)
def _curves() -> Jobs:
    """Of as many images as were asked for."""
    return Jobs(most_kept=200, workers=_long())


@st.cache_resource(show_spinner=False)
def _slow_evaluations() -> Jobs:
    """As large as the quick ones."""
    return Jobs(most_kept=4, workers=_long())


def _session() -> str:
    """What stands for the person who looks."""
    session: str = st.session_state.setdefault("session", uuid.uuid4().hex)
    return session


def indices(images: int) -> IntArray:
    """Which test images: all, or a random sample of them, the same for everybody."""
    if images >= ALL:
        return np.arange(ALL)
    return np.sort(ORDER[:images])


def evaluation_of(question: Question, budget: float) -> Computation:
    """An attack on the images within a budget of its norm; the result is an `Evaluation`."""
    method, network = question.method, question.chosen.network
    slow = method.name in _SLOW and question.images > question.sample.images
    jobs = _slow_evaluations() if slow else _evaluations()
    test = test_digits()

    def work(
        attack: Callable[[FloatArray, IntArray], FloatArray], tell: Callable[[float], None]
    ) -> Evaluation:
        x, y = _some(test, question.images)
        with sparing_a_core() if slow else nullcontext():
            return evaluate(network, attack, x, y, on_progress=_shares(tell, len(x)))

    if isinstance(method, MinimalMethod):
        minimal = method.attack
        return Computation(
            jobs,
            question.key,
            partial(work, lambda x, y: minimal(network, x, y)),
            who=_session(),
            finish=lambda evaluation: limited_to(evaluation, budget),
        )
    given = method.attack
    return Computation(
        jobs,
        (*question.key, budget),
        partial(work, lambda x, y: given(network, x, y, budget)),
        who=_session(),
    )


def evaluation_to_show(
    question: Question, budget: float, *, stopped: bool
) -> tuple[Progress, Computation | None]:
    """The evaluation where it can be had at once, else a sample's, and what is to be waited for.

    Args:
        question: what is asked.
        budget: of the question's norm.
        stopped: whether the sample is to do.
    """
    whole, sample = (evaluation_of(each, budget) for each in (question, question.sample))
    if stopped or question.method.name in _SLOW:  # the sample has the cores for itself
        first = sample.look(wait=_SAMPLE_SECONDS)
        if first.state not in (DONE, FAILED):
            return first, sample
        if stopped:
            return first, None
    progress = whole.look(wait=_AT_ONCE)
    if progress.state in (DONE, FAILED):
        return progress, None
    return sample.look(wait=_SAMPLE_SECONDS), whole


def curve_of(question: Question, norm: str) -> Computation:
    """The evasion rates over `BUDGETS[norm]`; the result is an array of them."""
    method, network = question.method, question.chosen.network
    if isinstance(method, MinimalMethod):
        whole = evaluation_of(question, np.inf)
        return replace(whole, finish=lambda found: evasion_within(found, BUDGETS[norm]))
    given = noise_of_l2_norm if (method.name, norm) == ("noise", "l2") else method.attack
    quick = method.name in _ONE_STEP or question.images == question.first_curve.images
    test = test_digits()

    def work(tell: Callable[[float], None]) -> FloatArray:
        x, y = _some(test, question.images)
        with nullcontext() if quick else sparing_a_core():
            return evasion_curve(
                network, given, x, y, BUDGETS[norm], on_progress=_shares(tell, len(x))
            )

    jobs = _samples() if quick else _curves()
    return Computation(jobs, ("curve", norm, *question.key), work, who=_session())


@dataclass(frozen=True, eq=False)
class Curve:
    """Evasion rates over budgets.

    Attributes:
        budgets: `(E,)`, rising.
        rates: `(E,)`, misclassified / all `images`.
        images: how many test images they are of.
    """

    budgets: FloatArray
    rates: FloatArray
    images: int


def curve_to_show(
    question: Question, norm: str, *, stopped: bool
) -> tuple[Curve | None, Computation | None]:
    """The best curve that can be had at once, and what is to be waited for.

    The first one came with the network, if it is a shipped one, or is a sample's.
    """
    whole = None if stopped else curve_of(question, norm)
    if whole is not None and (progress := whole.look()).state == DONE:
        return Curve(BUDGETS[norm], progress.result, question.images), None
    if norm == "linf" and (first := _shipped_curve(question)) is not None:
        return first, whole
    few = question.first_curve
    found = curve_of(few, norm).look(wait=PATIENCE[stopped])
    if found.state == DONE:
        return Curve(BUDGETS[norm], found.result, few.images), whole
    return None, whole or curve_of(few, norm)


def _shipped_curve(question: Question) -> Curve | None:
    """Of all images, where it came with a shipped network."""
    try:
        known = _cached(question.chosen)
    except robustness.RobustnessFileError:
        return None
    if known is None or question.images < ALL or question.method.name not in known.evasion_rates:
        return None
    rates = np.array(known.evasion_rates[question.method.name])
    return Curve(np.array(known.epsilons), rates, known.images)


def checks_of(chosen: ChosenNetwork, epsilon: float) -> Computation:
    """The checks of what the rates are worth; the result is a `sanity.Sanity`."""
    test = test_digits()

    def work(tell: Callable[[float], None]) -> sanity.Sanity:
        x, y = _some(test, TRUSTED)
        report = _shares(tell, sanity.RUNS * TRUSTED)
        return sanity.measure(chosen.network, x, y, epsilon, on_progress=report)

    key = ("checks", chosen.name, chosen.version, epsilon)
    return Computation(_samples(), key, work, who=_session())


@st.cache_resource(max_entries=4, show_spinner=False)
def likeness(images: int) -> FloatArray:
    """How alike the ten digits are among so many test images; see `core.evaluation.similarity`."""
    return similarity(*_some(test_digits(), images))


def noise_of_l2_norm(
    classifier: Classifier,
    x: ArrayLike,
    y: ArrayLike,
    epsilon: ArrayLike,
    *,
    target: ArrayLike | None = None,
) -> FloatArray:
    """Random signs with an L2 norm of `epsilon` before they are clipped to [0, 1]."""
    pixels = np.shape(x)[1]
    return noise(classifier, x, y, np.asarray(epsilon) / np.sqrt(pixels), target=target)


@st.cache_resource(max_entries=60, show_spinner=False)
def _known_by_digest(name: str, version: int, _network: Any) -> robustness.Robustness | None:
    return robustness.cached(_network)


def _cached(chosen: ChosenNetwork) -> robustness.Robustness | None:
    """What the shipped file of measurements has of a network."""
    known: robustness.Robustness | None = _known_by_digest(
        chosen.name, chosen.version, chosen.network
    )
    return known


def _some(test: Digits, images: int) -> tuple[FloatArray, IntArray]:
    """That many of the test images, and their labels."""
    if images >= len(test):
        return test.x, test.y
    chosen = indices(images)
    return test.x[chosen], test.y[chosen]


def _shares(tell: Callable[[float], None], images: int) -> Callable[[int], None]:
    """From images that are done, again and again, to the share of all of them."""
    done = 0

    def more(count: int) -> None:
        nonlocal done
        done += count
        tell(done / images)

    return more
