"""Arguments that are always a mistake: every attack refuses them with one sentence."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from core.attacks import (
    METHODS,
    MinimalMethod,
    apgd,
    carlini_wagner_nearest,
    fab,
)
from core.classifier import FloatArray
from core.networks.mlp import MLP
from tests.conftest import random_mlp

SMALL = random_mlp((16, 9, 10), seed=3)

# Each attack as a function of a classifier, x, y and settings.
CALLS: dict[str, Callable[..., FloatArray]] = {
    name: method.attack for name, method in METHODS.items()
}
NEW: dict[str, Callable[..., FloatArray]] = {"apgd": apgd}
CALLS |= NEW
CALLS |= {"carlini_wagner_nearest": carlini_wagner_nearest, "fab": fab}
LINF = [name for name, method in METHODS.items() if method.norm == "linf"] + list(NEW)
WITH_TARGETS = [name for name in CALLS if name != "deepfool"]
WITH_GRADIENTS = [name for name in CALLS if name not in ("noise", "square", "square_l2")]
MINIMAL = [name for name, method in METHODS.items() if isinstance(method, MinimalMethod)]
MINIMAL += ["carlini_wagner_nearest", "fab"]


def call(name: str, classifier: Any, x: FloatArray, y: Any, **settings: Any) -> FloatArray:
    if name not in MINIMAL:
        settings = {"epsilon": 0.1} | settings
    return CALLS[name](classifier, x, y, **settings)


def images(n: int = 6) -> FloatArray:
    return np.random.default_rng(0).random((n, 16))


def one_sentence(error: pytest.ExceptionInfo[ValueError]) -> bool:
    said = str(error.value)
    return "\n" not in said and len(said) < 200


@pytest.mark.parametrize("name", LINF)
@pytest.mark.parametrize("epsilon", [25, 1.001, [0.1, 8.0], np.nan, [0.1, np.nan], -0.1, np.inf])
def test_a_budget_beyond_the_range_of_a_pixel(name: str, epsilon: Any) -> None:
    with pytest.raises(ValueError, match="^epsilon must") as error:
        call(name, SMALL, images(), np.arange(6), epsilon=epsilon)
    assert one_sentence(error)


@pytest.mark.parametrize("name", LINF)
def test_the_whole_range_of_a_pixel_is_a_budget(name: str) -> None:
    assert call(name, SMALL, images(), np.arange(6), epsilon=[0, 1]).shape == (2, 6, 16)


@pytest.mark.parametrize("name", WITH_TARGETS)
@pytest.mark.parametrize("target", [4, [1, 2, 3, 4, 4, 0]])
def test_a_target_that_is_the_true_label(name: str, target: Any) -> None:
    with pytest.raises(ValueError, match=r"^target must .*x\[4\] is a 4") as error:
        call(name, SMALL, images(), np.arange(6), target=target)
    assert one_sentence(error)


@dataclass
class Broken:
    """A network whose gradient has one number that is none, at one pixel of one image."""

    number: float

    def logits(self, x: FloatArray) -> FloatArray:
        """Return the sound network's."""
        return SMALL.logits(x)

    def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """Return the sound network's, with one number of the gradient replaced."""
        logits, pull_back = SMALL.vjp(x)

        def broken(cotangent: FloatArray) -> FloatArray:
            gradient = pull_back(cotangent)
            gradient[-1, 3] = self.number
            return gradient

        return logits, broken


@pytest.mark.parametrize("name", WITH_GRADIENTS)
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_a_number(name: str, number: float) -> None:
    x = images()
    y = SMALL.logits(x).argmax(axis=1)
    with pytest.raises(ValueError, match="^the network's gradient is not a number") as error:
        call(name, Broken(number), x, y)
    assert one_sentence(error)


@pytest.mark.parametrize("name", WITH_GRADIENTS)
def test_a_gradient_whose_squares_overflow_is_one_of_numbers(name: str) -> None:
    large = 1e25
    network = MLP(
        ((SMALL.weights[0] * large).astype(np.float32), SMALL.weights[1].astype(np.float32)),
        tuple(bias.astype(np.float32) for bias in SMALL.biases),
    )
    x = images().astype(np.float32)
    y = network.logits(x).argmax(axis=1)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        x_adv = call(name, network, x, y)
    assert np.isfinite(x_adv).all()
