"""What attacks make of the test set: computed in the background, once for all who ask."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike

from core import robustness
from core.attacks import Method, noise
from core.classifier import Classifier, FloatArray, IntArray
from core.digits import Digits
from core.evaluation import Evaluation, evaluate, evasion_curve, evasion_within, limited_to
from core.explanations import similarity
from core.jobs import DONE, FAILED, Jobs, Progress
from core.trust import RUNS, Check, checks
from pages.parts.networks import ChosenNetwork
from pages.parts.subject import test_digits

ALL = 10_000
TRUSTED = 1000  # the checks attack these again and again
# What a slider on the page runs over, for each norm; a curve has a point at each.
BUDGETS = {"linf": np.linspace(0, 0.5, 51).round(2), "l2": np.linspace(0, 5, 51).round(1)}
_ONE_STEP = ("fgsm", "noise")  # a second for the curve of all images; of PGD it is a minute
_AT_ONCE = 0.4  # seconds that a page waits before it shows a sample
_SAMPLE_SECONDS = 6.0  # and for the sample


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
        return replace(self, images=min(self.images, 100 if self.method.minimal else 500))

    @property
    def for_curve(self) -> "Question":
        """The same of so many images as its curve is worth: of many steps, a sample has to do."""
        return (
            self if self.method.name in _ONE_STEP else replace(self, images=min(self.images, 1000))
        )

    @property
    def for_first_curve(self) -> "Question":
        """The same of so few images that one can wait for its curve."""
        return replace(self, images=min(self.images, 100 if self.method.minimal else 200))


@st.cache_resource(show_spinner=False)
def _evaluations() -> Jobs:
    """Of all images, adversarial ones are 31 MB."""
    return Jobs(most_kept=8)


@st.cache_resource(show_spinner=False)
def _curves() -> Jobs:
    """What one does not wait for, one after the other."""
    return Jobs(most_kept=200, workers=1)


@st.cache_resource(show_spinner=False)
def _samples() -> Jobs:
    """What one can wait for: curves of samples, and checks."""
    return Jobs(most_kept=400)


def indices(images: int) -> IntArray:
    """Which test images: all, or a random sample of them, the same for everybody."""
    if images >= ALL:
        return np.arange(ALL)
    return np.sort(np.random.default_rng(0).permutation(ALL)[:images])


def look(question: Question, budget: float, *, wait: float = 0.0) -> Progress:
    """How far the evaluation at a budget is; its result is an `Evaluation`."""
    method, network = question.method, question.chosen.network
    if method.attack is not None:
        given = method.attack
        key = (*question.key, budget)

        def attack(x: FloatArray, y: IntArray) -> FloatArray:
            return given(network, x, y, budget)

    else:
        assert method.minimal is not None
        minimal = method.minimal
        key = question.key

        def attack(x: FloatArray, y: IntArray) -> FloatArray:
            return minimal(network, x, y)

    test = test_digits()

    def work(tell: Callable[[float], None]) -> Evaluation:
        x, y = _some(test, question.images)
        return evaluate(network, attack, x, y, on_progress=_shares(tell, len(x)))

    progress = _evaluations().ask(key, work, wait=wait)
    if progress.state == DONE and method.minimal is not None:
        return replace(progress, result=limited_to(progress.result, budget))
    return progress


def evaluation_to_show(
    question: Question, budget: float, *, stopped: bool
) -> tuple[Progress, Progress | None]:
    """The evaluation where it can be had at once, else a sample's, and where the whole one stands.

    Args:
        question: what is asked.
        budget: of the question's norm.
        stopped: whether the sample is to do.

    Returns:
        The one to show, and the one to wait for, if any.
    """
    if stopped:
        return look(question.sample, budget, wait=_SAMPLE_SECONDS), None
    whole = look(question, budget, wait=_AT_ONCE)
    if whole.state in (DONE, FAILED):
        return whole, None
    return look(question.sample, budget, wait=_SAMPLE_SECONDS), whole


def look_at_curve(question: Question, norm: str, *, wait: float = 0.0) -> Progress:
    """How far the evasion rates over `BUDGETS[norm]` are; the result is an array of them."""
    method, network = question.method, question.chosen.network
    if method.minimal is not None:
        whole = look(question, np.inf, wait=wait)
        if whole.state == DONE:
            return replace(whole, result=evasion_within(whole.result, BUDGETS[norm]))
        return whole
    given = noise_of_l2_norm if (method.name, norm) == ("noise", "l2") else method.attack
    assert given is not None
    test = test_digits()

    def work(tell: Callable[[float], None]) -> FloatArray:
        x, y = _some(test, question.images)
        return evasion_curve(network, given, x, y, BUDGETS[norm], on_progress=_shares(tell, len(x)))

    jobs = _curves() if question.images > question.for_first_curve.images else _samples()
    return jobs.ask(("curve", norm, *question.key), work, wait=wait)


def shipped_curve(question: Question) -> tuple[FloatArray, FloatArray] | None:
    """Budgets and rates on all images, where they came with a shipped network."""
    try:
        known = _cached(question.chosen)
    except robustness.RobustnessFileError:
        return None
    if known is None or question.images < ALL or question.method.name not in known.evasion_rates:
        return None
    return np.array(known.epsilons), np.array(known.evasion_rates[question.method.name])


def look_at_checks(chosen: ChosenNetwork, epsilon: float, *, wait: float = 0.0) -> Progress:
    """How far the checks of what the rates are worth are; the result is a tuple of `Check`."""
    test = test_digits()

    def work(tell: Callable[[float], None]) -> tuple[Check, ...]:
        x, y = _some(test, TRUSTED)
        return checks(chosen.network, x, y, epsilon, on_progress=_shares(tell, RUNS * TRUSTED))

    return _samples().ask(("checks", chosen.name, chosen.version, epsilon), work, wait=wait)


@st.cache_resource(max_entries=4, show_spinner=False)
def likeness(images: int) -> FloatArray:
    """How alike the ten digits are among so many test images; see `core.explanations`."""
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
