"""The few images on which most tests train."""

import pytest

from core.data.mnist import Digits
from tests.core.training.comparison import first


@pytest.fixture
def few(training_digits: Digits) -> Digits:
    """Some images to learn from."""
    return first(training_digits, 300)


@pytest.fixture
def others(test_digits: Digits) -> Digits:
    """Some images to validate on."""
    return first(test_digits, 100)
