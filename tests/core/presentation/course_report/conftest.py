"""Findings of several kinds of networks, measured once for all tests of the course report."""

import dataclasses

import numpy as np
import pytest

from core.classifier import FloatArray, IntArray
from core.data.mnist import Digits
from core.networks import LIBRARY, MLP, Card, Ensemble, LoggedEpoch
from core.presentation.course_report.findings import Findings, measure_report
from core.recipe import Recipe
from tests.conftest import random_mlp

FEW = 1000  # test images, to save time


def first(images: Digits, count: int) -> Digits:
    return Digits(images.x[:count], images.y[:count])


def predictions(network: MLP, x: FloatArray) -> IntArray:
    """One layer after the other, all images at once."""
    out = x
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        out = np.maximum(out @ weight + bias, 0)
    labels: IntArray = (out @ network.weights[-1] + network.biases[-1]).argmax(axis=1)
    return labels


def of_kind(card: Card, **recipe: object) -> Card:
    return dataclasses.replace(card, recipe=Recipe(**recipe), log=())  # type: ignore[arg-type]


def constant(label: int) -> MLP:
    """A network that sees the same digit in every image."""
    bias = np.zeros(10, np.float32)
    bias[label] = 5
    return MLP((np.zeros((784, 10), np.float32),), (bias,))


@pytest.fixture(scope="session")
def few(training_digits: Digits, test_digits: Digits) -> tuple[Digits, Digits]:
    return first(training_digits, 3 * FEW), first(test_digits, FEW)


@pytest.fixture(scope="session")
def card() -> Card:
    return LIBRARY.load("report")[1]


@pytest.fixture(scope="session")
def findings(report_network: MLP, card: Card, few: tuple[Digits, Digits]) -> Findings:
    return measure_report(report_network, card, *few)


@pytest.fixture(scope="session")
def never_fooled(card: Card, few: tuple[Digits, Digits]) -> Findings:
    return measure_report(constant(3), of_kind(card, digits=(3,)), *few)


@pytest.fixture(scope="session")
def always_fooled(card: Card, few: tuple[Digits, Digits]) -> Findings:
    return measure_report(constant(5), of_kind(card, digits=(3, 4)), *few)


@pytest.fixture(scope="session")
def together(report_network: MLP, card: Card, few: tuple[Digits, Digits]) -> Findings:
    """An ensemble of two with images held out; its members' logs differ in length."""
    recipe = Recipe(members=2, epochs=9, held_out=100, patience=2, start="first-digits")
    log = [
        LoggedEpoch(member, epoch, 1 / epoch, 0.9, 0.2 + abs(epoch - lowest) / 10, 0.8)
        for member, epochs, lowest in ((1, 5, 3), (2, 9, 7))
        for epoch in range(1, epochs + 1)
    ]
    network = Ensemble((report_network, random_mlp((784, 20, 10), seed=1, dtype=np.float32)))
    own = dataclasses.replace(card, recipe=recipe, log=tuple(log), epochs_trained=7)
    return measure_report(network, own, few[0], first(few[1], 300))


@pytest.fixture(params=["findings", "never_fooled", "always_fooled", "together"])
def of_any_kind(request: pytest.FixtureRequest) -> Findings:
    found: Findings = request.getfixturevalue(request.param)
    return found
