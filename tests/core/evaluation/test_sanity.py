from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from core.attacks import fgsm, noise, pgd
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.evaluation.sanity import RUNS, Rounding, Sanity, measure
from core.networks.mlp import MLP


@dataclass(frozen=True)
class Masked:
    """The report's network, with a function applied to its pixel gradient."""

    network: MLP
    mask: Callable[[FloatArray, FloatArray], FloatArray]

    def logits(self, x: FloatArray) -> FloatArray:
        """See `Classifier`."""
        return self.network.logits(x)

    def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """See `Classifier`."""
        logits, pull_back = self.network.vjp(x)
        return logits, lambda cotangent: self.mask(x, pull_back(cotangent))


def failed(found: Sanity) -> set[str]:
    return {name for name, passed in found.passed.items() if not passed}


@pytest.mark.thorough
def test_on_the_report_s_network_only_the_rounded_gradient_fails(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:1000], test_digits.y[:1000]
    done: list[int] = []
    found = measure(report_network, x, y, 0.3, on_progress=done.append)
    assert sum(done) == RUNS * 1000
    assert failed(found) == {"float32_gradient", "float32_attack"}
    assert found.images == 1000
    assert [budget for budget, _ in found.pgd] == [0.15, 0.3, 0.6]

    def misclassified(attack: Callable[..., FloatArray], **settings: str) -> int:
        parts = [slice(0, 512), slice(512, 1000)]
        x_adv = np.concatenate(
            [attack(report_network, x[rows], y[rows], 0.3, **settings) for rows in parts]
        )
        return int((report_network.logits(x_adv).argmax(axis=1) != y).sum())

    assert found.noise == misclassified(noise)
    assert found.fgsm == misclassified(fgsm)
    assert found.fgsm_float32 == misclassified(fgsm, gradient="float32_autograd")
    x_adv = np.concatenate(
        [pgd(report_network, x[:512], y[:512], 0.3), pgd(report_network, x[512:], y[512:], 0.3)]
    )
    right = report_network.logits(x).argmax(axis=1) == y
    misled = right & (report_network.logits(x_adv).argmax(axis=1) != y)
    bytes_of_it = (x_adv * 255).round().astype(np.uint8)
    read = report_network.logits(bytes_of_it / np.float32(255)).argmax(axis=1)
    assert found.pgd_rounding == Rounding(int(misled.sum()), int((misled & (read != y)).sum()))
    # In float32 the log is taken of 1 + s, which is 1 if s is at most half of 1's last place.
    logits = report_network.logits(x).astype(np.float64)
    others = np.exp(logits - logits[np.arange(1000), y][:, None])
    others[np.arange(1000), y] = 0
    lost = int((others.sum(axis=1) < 2**-24).sum())
    assert 500 < lost < 900
    assert abs(found.float32.label_term - lost) < 20  # float32 decides the images at the border


def test_a_network_of_huge_weights_deceives_float32_autograd_alone(
    report_network: MLP, test_digits: Digits
) -> None:
    *hidden, last = report_network.weights
    sure = MLP(
        (*hidden, last * 1000), (*report_network.biases[:-1], report_network.biases[-1] * 1000)
    )
    found = measure(sure, test_digits.x[:500], test_digits.y[:500], 0.1)
    assert failed(found) == {"float32_gradient", "float32_attack"}
    assert found.exact.label_term == 0
    assert found.float32.pixels > 400


def test_without_a_gradient_noise_is_stronger_and_nothing_works(
    report_network: MLP, test_digits: Digits
) -> None:
    network = Masked(report_network, lambda x, gradient: np.zeros_like(gradient))
    found = measure(network, test_digits.x[:500], test_digits.y[:500], 0.3)
    assert failed(found) == {"noise", "unbounded", "gradient", "float32_gradient"}
    assert found.exact.pixels == found.float32.either == 500


def test_a_gradient_that_misleads_on_the_way_makes_steps_weaker_than_one(
    report_network: MLP, test_digits: Digits
) -> None:
    def turned(x: FloatArray, gradient: FloatArray) -> FloatArray:
        """Go downhill once the corner, which is black in every digit, is lit."""
        gradient[x[:, 0] > 0.05] *= -1
        gradient[:, 0] = 1
        return gradient

    found = measure(Masked(report_network, turned), test_digits.x[:500], test_digits.y[:500], 0.2)
    assert failed(found) >= {"steps", "unbounded"}
    assert "noise" not in failed(found)


def test_a_gradient_that_misleads_far_away_makes_a_larger_budget_worse(
    report_network: MLP, test_digits: Digits
) -> None:
    def turned(x: FloatArray, gradient: FloatArray) -> FloatArray:
        gradient[x[:, 0] > 0.25] *= -1
        gradient[:, 0] = 1
        return gradient

    found = measure(Masked(report_network, turned), test_digits.x[:500], test_digits.y[:500], 0.2)
    assert failed(found) >= {"budget", "unbounded"}
    assert "steps" not in failed(found)


def test_changes_of_a_fraction_of_a_grey_level_do_not_survive_rounding(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:1000], test_digits.y[:1000]
    tiny = measure(report_network, x, y, 0.4 / 255)  # each pixel is rounded back to what it was
    assert tiny.fgsm_rounding.misled > 0
    assert tiny.fgsm_rounding.survive == tiny.pgd_rounding.survive == 0
    assert "rounding" in failed(tiny)


@pytest.mark.parametrize(
    ("misled", "survive", "passed"), [(0, 0, True), (10, 9, True), (10, 8, False), (1, 0, False)]
)
def test_nine_of_ten_misled_images_are_to_survive(misled: int, survive: int, passed: bool) -> None:
    assert Rounding(misled, survive).passed is passed


@pytest.mark.parametrize("epsilon", [0, -0.1, 1.1, np.nan, [0.1, 0.2]])
def test_a_bad_budget_is_named(epsilon: float, report_network: MLP) -> None:
    with pytest.raises(ValueError, match="^epsilon must be"):
        measure(report_network, np.zeros((1, 784)), np.zeros(1, int), epsilon)
