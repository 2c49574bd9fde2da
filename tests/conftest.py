"""What tests of several folders need: the data, the shipped network, and small ones."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.data import mnist
from core.data.mnist import Digits
from core.networks import LIBRARY, MLP, Library

SHIPPED = Library(Path(__file__).parent.parent / "models")  # whatever `library` does to LIBRARY


@pytest.fixture(scope="session")
def training_digits() -> Digits:
    """MNIST's 60,000 training images."""
    return mnist.load("train")


@pytest.fixture(scope="session")
def test_digits() -> Digits:
    """MNIST's 10,000 test images."""
    return mnist.load("test")


@pytest.fixture(scope="session")
def report_network() -> MLP:
    """The network that is shipped."""
    network, _ = SHIPPED.load("report")
    assert isinstance(network, MLP)
    return network


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """The library that core and the pages use, with an empty folder for this test alone."""
    with pytest.MonkeyPatch.context() as patch:  # its own: a test may undo `monkeypatch`
        patch.setitem(vars(LIBRARY), "folder", tmp_path)  # setattr refuses: it is frozen
        yield LIBRARY


@pytest.fixture(scope="session")
def small_network() -> MLP:
    """An untrained float64 network of 12 pixels, not confident of anything."""
    return random_mlp((12, 9, 7, 10), seed=3)


def random_mlp(sizes: tuple[int, ...], *, seed: int, dtype: type = np.float64) -> MLP:
    """A network with normally distributed weights and biases."""
    rng = np.random.default_rng(seed)
    pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
    return MLP(
        tuple((rng.normal(size=pair) / np.sqrt(pair[0])).astype(dtype) for pair in pairs),
        tuple(rng.normal(size=pair[1]).astype(dtype) for pair in pairs),
    )
