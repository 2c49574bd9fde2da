"""The networks trained elsewhere, and the referee of what attacks find on them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import foreign, foreign_networks
from core.data import mnist
from core.data.mnist import Digits
from core.measures import accuracy
from core.networks.torch_module import TorchClassifier
from tests.conftest import random_mlp
from tests.core.torch_twin import torch_twin


@pytest.mark.thorough
@pytest.mark.parametrize("name", foreign_networks.FOREIGN)
def test_a_network_learns_and_its_seed_decides_it(name: str, test_digits: Digits) -> None:
    digits = Digits(test_digits.x[:1500], test_digits.y[:1500])
    state = torch.random.get_rng_state()
    once, again = (
        foreign_networks.train(foreign_networks.FOREIGN[name], digits).eval() for _ in range(2)
    )
    assert torch.equal(torch.random.get_rng_state(), state)
    for one, other in zip(once.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    assert accuracy(TorchClassifier(once), digits.x, digits.y) > 0.8


def test_a_network_is_trained_once_and_then_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, test_digits: Digits
) -> None:
    few = Digits(test_digits.x[:300], test_digits.y[:300])
    asked = []

    def load(split: str) -> Digits:
        asked.append(split)
        return few

    monkeypatch.setattr(foreign_networks, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(mnist, "load", load)
    trained, read = (TorchClassifier(foreign_networks.load("deep")) for _ in range(2))
    assert asked == ["train"]
    assert len(list((tmp_path / "cache").iterdir())) == 1
    np.testing.assert_array_equal(read.logits(few.x), trained.logits(few.x))


def test_the_referee_judges_by_norm_range_and_prediction() -> None:
    network = random_mlp((784, 16, 10), seed=1)
    subject = foreign.Subject("random", network, torch_twin(network))
    x = np.random.default_rng(0).random((50, 784), np.float32) * 0.9
    clean = network.logits(x).argmax(axis=1)
    test = Digits(x, np.where(np.arange(50) < 10, (clean + 1) % 10, clean))
    assert foreign.l2_rate(subject, test, 1.0, x) == pytest.approx(0.2)
    farther = x.copy()
    farther[3, :400] += 0.06  # a norm of 1.2
    with pytest.raises(ValueError, match="L2"):
        foreign.l2_rate(subject, test, 1.0, farther)
    assert foreign.l2_rate(subject, test, 1.3, farther) >= 0.18
    with pytest.raises(ValueError, match="shape"):
        foreign.predictions(network, test, x[:, :700])
    for beyond in (-0.01, 1.01, np.nan):
        outside = x.copy()
        outside[7, 7] = beyond
        with pytest.raises(ValueError, match="pixels"):
            foreign.predictions(network, test, outside)


def test_one_image_of_a_thousand_behind_is_not_level() -> None:
    assert foreign.is_level(0.001)
    assert foreign.is_level(0.1 + 0.2 - 0.3)
    assert foreign.is_level(0.3 - (0.1 + 0.2))
    assert not foreign.is_level(0.912 - 0.913)
