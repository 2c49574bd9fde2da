from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from core.attacks import fgsm, noise
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.evaluation.sanity import RUNS, Check, checks
from core.networks.mlp import MLP

NOISE, STEPS, RISING, UNBOUNDED, GRADIENT, ROUNDED, WOULD_DO = (
    "Random noise is weaker than FGSM",
    "FGSM is no stronger than PGD",
    "A larger ε misleads more often",
    "Without a bound, nearly every image is misclassified",
    "The gradient is there to follow",
    "Float32 autograd's gradient has not vanished",
    "Float32 autograd's gradient misleads as often as the exact one",
)


@dataclass(frozen=True)
class Masked:
    """The report's network, with a gradient that something is done to on its way to the pixels."""

    network: MLP
    mask: Callable[[FloatArray, FloatArray], FloatArray]

    def logits(self, x: FloatArray) -> FloatArray:
        """See `Classifier`."""
        return self.network.logits(x)

    def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """See `Classifier`."""
        logits, pull_back = self.network.vjp(x)
        return logits, lambda cotangent: self.mask(x, pull_back(cotangent))


def failed(found: tuple[Check, ...]) -> set[str]:
    assert [check.title for check in found] == [
        NOISE, STEPS, RISING, UNBOUNDED, GRADIENT, ROUNDED, WOULD_DO
    ]  # fmt: skip
    return {check.title for check in found if not check.passed}


def test_on_the_report_s_network_only_the_rounded_gradient_fails(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:2000], test_digits.y[:2000]
    done: list[int] = []
    found = checks(report_network, x, y, 0.3, on_progress=done.append)
    assert sum(done) == RUNS * 2000
    assert failed(found) == {ROUNDED, WOULD_DO}
    finding = {check.title: check.finding for check in found}

    def percent(attack: Callable[..., FloatArray], **settings: str) -> str:
        x_adv = np.concatenate(
            [attack(report_network, x[r], y[r], 0.3, **settings) for r in blocks]
        )
        wrong = (report_network.logits(x_adv).argmax(axis=1) != y).mean()
        return f"{100 * wrong:.1f}\N{NO-BREAK SPACE}%"

    blocks = [slice(start, start + 512) for start in range(0, 2000, 512)]
    rounded, exact = percent(fgsm, gradient="float32_autograd"), percent(fgsm)
    assert finding[WOULD_DO] == (
        f"At ε = 0.3, FGSM with float32 autograd's gradient has {rounded} of all 2,000 images "
        f"misclassified, with the exact one {exact}."
    )
    assert finding[NOISE] == (
        f"At ε = 0.3, noise has {percent(noise)} of all 2,000 images misclassified, FGSM {exact}."
    )
    # In float32 1 + s, of which the log is taken, is 1 where s is at most half of 1's last place.
    logits = report_network.logits(x).astype(np.float64)
    others = np.exp(logits - logits[np.arange(2000), y][:, None])
    others[np.arange(2000), y] = 0
    lost = others.sum(axis=1) < 2**-24
    assert 0.5 < lost.mean() < 0.9
    said = int(finding[ROUNDED].split("for ")[1].split(" of all")[0].replace(",", ""))
    assert abs(said - lost.sum()) < 20  # it is float32 that decides those next to the border


def test_a_network_of_huge_weights_deceives_float32_autograd_alone(
    report_network: MLP, test_digits: Digits
) -> None:
    *hidden, last = report_network.weights
    sure = MLP(
        (*hidden, last * 1000), (*report_network.biases[:-1], report_network.biases[-1] * 1000)
    )
    found = checks(sure, test_digits.x[:500], test_digits.y[:500], 0.1)
    assert failed(found) == {ROUNDED, WOULD_DO}
    assert "the true label's term is 0 for 0 of all 500 images" in found[4].finding
    lost = int(found[5].finding.split("pixel's gradient is 0 for ")[1].split(" of")[0])
    assert lost > 400


def test_without_a_gradient_noise_is_stronger_and_nothing_works(
    report_network: MLP, test_digits: Digits
) -> None:
    network = Masked(report_network, lambda x, gradient: np.zeros_like(gradient))
    found = checks(network, test_digits.x[:500], test_digits.y[:500], 0.3)
    assert failed(found) == {NOISE, UNBOUNDED, GRADIENT, ROUNDED}
    assert (
        "0 in every pixel for 500 of all 500 images (100.0\N{NO-BREAK SPACE}%)" in found[4].finding
    )


def test_a_gradient_that_misleads_on_the_way_makes_steps_weaker_than_one(
    report_network: MLP, test_digits: Digits
) -> None:
    def turned(x: FloatArray, gradient: FloatArray) -> FloatArray:
        """Downhill instead of up, once the corner, which is black in every digit, is lit."""
        gradient[x[:, 0] > 0.05] *= -1
        gradient[:, 0] = 1
        return gradient

    found = checks(Masked(report_network, turned), test_digits.x[:500], test_digits.y[:500], 0.2)
    assert failed(found) >= {STEPS, UNBOUNDED}
    assert NOISE not in failed(found)


def test_a_gradient_that_misleads_far_away_makes_a_larger_budget_worse(
    report_network: MLP, test_digits: Digits
) -> None:
    def turned(x: FloatArray, gradient: FloatArray) -> FloatArray:
        gradient[x[:, 0] > 0.25] *= -1
        gradient[:, 0] = 1
        return gradient

    found = checks(Masked(report_network, turned), test_digits.x[:500], test_digits.y[:500], 0.2)
    assert failed(found) >= {RISING, UNBOUNDED}
    assert STEPS not in failed(found)


@pytest.mark.parametrize("epsilon", [0, -0.1, 1.1, np.nan, [0.1, 0.2]])
def test_a_bad_budget_is_named(epsilon: float, report_network: MLP) -> None:
    with pytest.raises(ValueError, match="^epsilon must be"):
        checks(report_network, np.zeros((1, 784)), np.zeros(1, int), epsilon)
