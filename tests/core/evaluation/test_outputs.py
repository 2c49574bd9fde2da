import math
from collections.abc import Callable

import numpy as np
import pytest

from core.classifier import Classifier, FloatArray
from core.data.mnist import Digits
from core.evaluation.outputs import (
    Derivatives,
    look_at_derivatives,
    look_at_outputs,
    look_for_vanished,
)
from core.losses import softmax
from core.networks.layers import AveragePooling, MaxPooling
from core.networks.mlp import MLP
from tests.conftest import random_mlp
from tests.core.evaluation.broken import Masked, Probabilities, Quantised, Scaled, noisy
from tests.core.networks.lenet import lenet


def test_confidence_is_the_mean_probability_of_right_answers(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:300], test_digits.y[:300]
    found = look_at_outputs(report_network, x, y)
    logits = report_network.logits(x).astype(np.float64)
    right = logits.argmax(axis=1) == y
    assert found.correct == right.sum() < 300
    assert found.confidence == pytest.approx(softmax(logits)[right].max(axis=1).mean())
    assert found.probabilities == 0


def test_a_constant_added_to_logits_changes_nothing_but_scaling_and_softmax_do(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:300], test_digits.y[:300]
    weights, biases = report_network.weights, report_network.biases
    lifted = MLP(weights, (*biases[:-1], biases[-1] + np.float32(5)))
    logits = look_at_outputs(report_network, x, y)
    assert look_at_outputs(lifted, x, y).confidence == pytest.approx(logits.confidence, abs=1e-4)
    assert look_at_outputs(Scaled(report_network, 1e-3), x, y).confidence < 0.11
    probabilities = look_at_outputs(Probabilities(report_network), x, y)
    assert probabilities.probabilities == 300
    assert probabilities.confidence < math.e / (math.e + 9)  # of an output of 1 and nine of 0


def test_a_network_that_is_never_right_is_not_called_unsure(
    report_network: MLP, test_digits: Digits
) -> None:
    wrong = (report_network.logits(test_digits.x[:20]).argmax(axis=1) + 1) % 10
    found = look_at_outputs(report_network, test_digits.x[:20], wrong)
    assert (found.correct, found.confidence) == (0, 1)


def test_a_vanished_gradient_is_counted(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:300], test_digits.y[:300]
    half = Masked(report_network, lambda x, gradient: gradient * (x[:, 400:401] > 0.5))
    found = look_for_vanished(half, x, y, "exact")
    assert found.pixels == found.either == (x[:, 400] <= 0.5).sum()
    assert found.label_term == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(784, 10), (784, 300, 200, 100, 10), (784, 2000, 10)])
def test_the_true_derivatives_agree(
    sizes: tuple[int, ...], dtype: type, test_digits: Digits
) -> None:
    network = random_mlp(sizes, seed=1, dtype=dtype)
    x: FloatArray = test_digits.x[:300].astype(dtype)
    found = look_at_derivatives(network, x, test_digits.y[:300])
    assert min(found.gradient, found.random) >= 295


@pytest.mark.parametrize("pooling", [MaxPooling, AveragePooling])
@pytest.mark.parametrize("function", ["relu", "tanh"])
def test_the_true_derivatives_of_convolutions_agree(
    pooling: type, function: str, test_digits: Digits
) -> None:
    network = lenet(pooling=pooling, function=function)
    found = look_at_derivatives(network, test_digits.x[:300], test_digits.y[:300])
    assert min(found.gradient, found.random) >= 290
    wrong = Masked(network, lambda x, gradient: gradient / 2)
    found = look_at_derivatives(wrong, test_digits.x[:300], test_digits.y[:300])
    assert max(found.gradient, found.random) < 200


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e3, 1e6])
def test_the_scale_of_the_logits_does_not_matter(
    factor: float, report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:300], test_digits.y[:300]
    found = look_at_derivatives(Scaled(report_network, factor), x, y)
    assert min(found.gradient, found.random) >= 295


WRONG: dict[str, Callable[[Classifier], Classifier]] = {
    "opposite": lambda network: Masked(network, lambda x, gradient: -gradient),
    "0": lambda network: Masked(network, lambda x, gradient: 0 * gradient),
    "half as large": lambda network: Masked(network, lambda x, gradient: gradient / 2),
    "of another image": lambda network: Masked(network, lambda x, gradient: gradient[::-1].copy()),
    "a tenth noise": lambda network: Masked(network, noisy(0.1)),
    "half noise": lambda network: Masked(network, noisy(0.5)),
    "2 grey levels": lambda network: Quantised(network, 2),
    "16 grey levels": lambda network: Quantised(network, 16),
    "256 grey levels": lambda network: Quantised(network, 256),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_derivatives_do_not_agree(
    name: str, report_network: MLP, test_digits: Digits
) -> None:
    found = look_at_derivatives(
        WRONG[name](report_network), test_digits.x[:300], test_digits.y[:300]
    )
    assert min(found.gradient, found.random) < 200


def test_a_gradient_that_is_right_for_the_loss_alone_is_caught_too(
    report_network: MLP, test_digits: Digits
) -> None:
    class OneCotangent:
        """A network whose pull-back ignores all but the two largest terms of a cotangent."""

        def logits(self, x: FloatArray) -> FloatArray:
            return report_network.logits(x)

        def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
            logits, pull_back = report_network.vjp(x)

            def pull(cotangent: FloatArray) -> FloatArray:
                kept = cotangent.copy()
                small = np.abs(kept).argsort(axis=1)[:, :-2]
                np.put_along_axis(kept, small, 0, axis=1)
                return pull_back(kept)

            return logits, pull

    found = look_at_derivatives(OneCotangent(), test_digits.x[:300], test_digits.y[:300])
    assert found.gradient > found.random
    assert found.random < 150


def test_an_image_without_a_slope_agrees_with_a_gradient_of_0(test_digits: Digits) -> None:
    constant = MLP((np.zeros((784, 10), np.float32),), (np.arange(10, dtype=np.float32),))
    found = look_at_derivatives(constant, test_digits.x[:30], test_digits.y[:30])
    assert found == Derivatives(gradient=30, random=30)
