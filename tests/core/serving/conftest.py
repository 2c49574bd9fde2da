"""A small MNIST, and a queue of trainings on it."""

from collections.abc import Callable, Iterator

import pytest

from core.data.mnist import Digits
from core.serving.trainings import Trainings
from tests.core.serving.runs import Clock, stop


@pytest.fixture
def few(training_digits: Digits, test_digits: Digits) -> Callable[[str], Digits]:
    """The loader of a small MNIST."""

    def load(split: str) -> Digits:
        images = training_digits if split == "train" else test_digits
        return Digits(images.x[:6000], images.y[:6000])

    return load


@pytest.fixture
def queue(few: Callable[[str], Digits]) -> Iterator[Trainings]:
    """A queue that ends with the test. Its time stands still: nobody loses a place in it."""
    queue = Trainings(load=few, clock=Clock())
    yield queue
    for run in list(queue._jobs._jobs):
        stop(queue, str(run))
