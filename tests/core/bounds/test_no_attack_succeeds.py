"""No attack of any kind ever succeeds within what is proved, on any network that is shipped."""

import numpy as np
import pytest
import torch

from core.classifier import FloatArray, IntArray
from core.data import mnist
from core.data.mnist import Digits
from core.networks import MLP, Network, Sequential
from core.networks.layers import Activation, Affine, AveragePooling, Convolution, Layer, MaxPooling
from tests.conftest import SHIPPED
from tests.core.bounds.assault import Proved, assault

IMAGES, SEEDS = 1000, 20  # with --thorough; otherwise
FEW, FEW_SEEDS = 4, 1
LARGE = 300_000  # multiply-adds; a network that takes more is attacked on fewer images


def images_for(network: Network, most: int) -> int:
    """Return on how many images of `most` a network is attacked."""
    work = sum(member.work for member in network.members)
    return most if work <= LARGE else max(2, most * LARGE // (2 * work))


@pytest.mark.thorough
@pytest.mark.parametrize("name", SHIPPED.names())
def test_no_attack_succeeds_within_what_is_proved(
    name: str, test_digits: Digits, request: pytest.FixtureRequest
) -> None:
    network, _ = SHIPPED.load(name)
    right = np.flatnonzero(network.logits(test_digits.x).argmax(axis=1) == test_digits.y)
    if request.config.getoption("--thorough"):
        rows, seeds = right[right < images_for(network, IMAGES)], SEEDS
    else:
        random = np.random.default_rng(list(name.encode()))
        rows = random.choice(right, images_for(network, FEW), replace=False)
        seeds = FEW_SEEDS
    check(network, test_digits.x[rows], test_digits.y[rows], seeds)


def check(network: Network, x: FloatArray, y: IntArray, seeds: int) -> None:
    proved = Proved.of(network, x, y)
    assert len(proved.x) > 0.9 * len(x)
    for attack, x_adv in assault(proved, seeds=seeds):
        assert not proved.refuted(x_adv).any(), attack


@pytest.mark.thorough
@pytest.mark.parametrize(("pooling", "function"), [("max", "relu"), ("average", "tanh")])
def test_so_it_is_for_convolutions(
    pooling: str, function: str, test_digits: Digits, request: pytest.FixtureRequest
) -> None:
    network = learned(pooling, function)
    right = np.flatnonzero(network.logits(test_digits.x[:200]).argmax(1) == test_digits.y[:200])
    assert len(right) > 150
    many = request.config.getoption("--thorough")
    rows = right[: 100 if many else FEW // 2]
    check(network, test_digits.x[rows], test_digits.y[rows], SEEDS if many else FEW_SEEDS)


def learned(pooling: str, function: str) -> Sequential:
    """Return a small convolutional network that has learned a little of MNIST."""
    digits = mnist.load("train")
    torch.manual_seed(0)
    bend = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[function]
    pool = {"max": torch.nn.MaxPool2d, "average": torch.nn.AvgPool2d}[pooling](2)
    first, second = torch.nn.Conv2d(1, 4, 5, stride=2, padding=2), torch.nn.Conv2d(4, 8, 3)
    last = torch.nn.Linear(8 * 25, 10)
    flat = torch.nn.Flatten()
    model = torch.nn.Sequential(first, bend(), pool, second, bend(), flat, last)
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    for start in range(0, 6400, 64):
        rows = slice(start, start + 64)
        logits = model(torch.tensor(digits.x[rows].reshape(-1, 1, 28, 28)))
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(logits, torch.tensor(digits.y[rows])).backward()
        optimiser.step()
    arrays = [each.detach().numpy() for each in model.parameters()]
    pooled: Layer = MaxPooling(2, 2) if pooling == "max" else AveragePooling(2, 2)
    return Sequential(
        (
            Convolution(arrays[0], arrays[1], stride=2, padding=2),
            Activation(function),
            pooled,
            Convolution(arrays[2], arrays[3]),
            Activation(function),
            Affine(arrays[4].T, arrays[5]),
        )
    )


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_attacks_refute_what_is_not_true(
    report_network: MLP, test_digits: Digits, norm: str
) -> None:
    """The test above could fail: a proof of ten times as much is refuted, in either norm."""
    proved = Proved.of(report_network, test_digits.x[:6], test_digits.y[:6])
    claimed = proved.times(10)
    other = {"linf": "l2", "l2": "linf"}[norm]
    claimed.epsilon[other][:] = 0
    refuted = {name for name, x_adv in assault(claimed, seeds=1) if claimed.refuted(x_adv).any()}
    assert {"linf": "PGD", "l2": "PGD (L2)"}[norm] in refuted
