"""What a step of the lesson is shown on: one's own digit, or one of MNIST's instead."""

from dataclasses import dataclass

import numpy as np

from core.attacks import METHODS, Method
from core.evaluation.path import AttackPath
from core.evaluation.replication import Replication
from core.evaluation.shipped import MeasuredFileError
from core.losses import doubt, float32_autograd_cotangent
from core.measures import logits
from core.presentation import words
from core.serving.networks import ServedNetwork
from pages.parts.server import server
from pages.parts.subject import Subject, label_of, of_test_set

STAND_IN = 0  # a test digit: a 7


@dataclass(frozen=True, eq=False)
class Case:
    """What a step is shown on.

    Attributes:
        subject: the digit.
        label: what it is.
        standard: the network under attack.
        instead: why it is not the digit that one has drawn; empty if it is.
        plays: whether the slider moves once by itself, because nobody wants to guess.
    """

    subject: Subject
    label: int
    standard: ServedNetwork
    instead: str = ""
    plays: bool = False

    @property
    def a_digit(self) -> str:
        """The label with its article."""
        return words.with_article(self.label)

    def path(
        self, method: Method, *, network: ServedNetwork | None = None, target: int | None = None
    ) -> AttackPath:
        """Follow the digit along the budgets of an attack."""
        attacked = network or self.standard
        return server().evaluations.path(attacked, method, self.subject.x, self.label, target)


def stand_in(standard: ServedNetwork, why: str) -> Case:
    """Return one of MNIST's test digits, for a step that can't be shown on one's own.

    Raises:
        DataFileError: MNIST can't be read.
    """
    subject = of_test_set(STAND_IN)
    label = label_of(subject, 0)
    return Case(subject, label, standard, f"{why} This is one of MNIST's test digits.")


def is_misread(case: Case) -> str:
    """Say that the network misreads a digit without any attack, if it does."""
    if int(logits(case.standard.network, case.subject.x).argmax()) == case.label:
        return ""
    return "The network misreads your digit without any attack."


def is_too_unsure(case: Case) -> str:
    """Say that a digit is misread, or that float32 loses nothing of its gradient, if so."""
    found = logits(case.standard.network, case.subject.x)
    if float32_autograd_cotangent(found, np.array([case.label]))[0, case.label] == 0:
        return ""
    return is_misread(case) or (
        "On your digit float32 loses nothing: the network is not sure enough of it."
    )


def is_never_unfit(case: Case) -> str:
    """Let any digit be shown."""
    return ""


def doubt_of(case: Case) -> float:
    """Return the probability that the network leaves for all other digits."""
    found = logits(case.standard.network, case.subject.x)
    return float(doubt(found, np.array([case.label]))[0])


def fooling_size(case: Case) -> float:
    """Return the ε at which FGSM flips the prediction; 0.1 if it does not."""
    flip = case.path(METHODS["fgsm"]).flip
    return 0.1 if flip is None else flip.epsilon


def aim(case: Case) -> int:
    """Return the digit that the question asks for."""
    return 0 if case.label else 1


def measured(network: ServedNetwork) -> Replication | None:
    """Return what was measured on all test images, if it is known and can be read."""
    try:
        return network.shipped_report
    except MeasuredFileError:  # the course report's page says so
        return None
