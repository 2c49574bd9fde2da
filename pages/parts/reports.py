"""The course report beside a network: measured in the background, once for all who ask."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import streamlit as st

from core.data import mnist
from core.data.mnist import Digits
from core.presentation.course_report import PASSES, Findings, measure_report
from core.serving.jobs import Jobs, Progress
from core.training import of_digits
from pages.parts.networks import ChosenNetwork


@st.cache_resource(show_spinner="Reading MNIST's training digits …")
def training_digits() -> Digits:
    """MNIST's training set, once for all sessions."""
    return mnist.load("train")


@st.cache_resource(show_spinner=False)
def reports() -> Jobs:
    """What has been measured, for all sessions; the images in it are few."""
    return Jobs(most_kept=40, workers=ThreadPoolExecutor(1))


def look(chosen: ChosenNetwork, train: Digits, test: Digits, *, wait: float = 0.0) -> Progress:
    """How far the measurement of a network is; its result is the `Findings`."""

    def work(tell: Callable[[float], None]) -> Findings:
        images = PASSES * len(of_digits(test, chosen.card.recipe.digits))
        done = 0

        def more(count: int) -> None:
            nonlocal done
            done += count
            tell(min(done / images, 1.0))

        return measure_report(chosen.network, chosen.card, train, test, on_progress=more)

    return reports().ask((chosen.name, chosen.version), work, wait=wait)
