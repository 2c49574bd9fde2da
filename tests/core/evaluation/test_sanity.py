from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from core.attacks import fgsm, noise, pgd, strongest
from core.classifier import Classifier, FloatArray
from core.data.mnist import Digits
from core.evaluation import sanity
from core.evaluation.sanity import RUNS, Climb, Rounding, Sanity, measure
from core.networks.mlp import MLP
from tests.conftest import SHIPPED
from tests.core.evaluation.broken import Masked, Probabilities, Quantised, Scaled, noisy

# Float32 autograd's own flaw, which a confident network shows however well it is evaluated.
FLOAT32 = {"float32_gradient", "float32_attack"}


def failed(found: Sanity) -> set[str]:
    return {name for name, passed in found.passed.items() if not passed}


BROKEN: dict[str, tuple[Callable[[Classifier], Classifier], set[str]]] = {
    "probabilities": (Probabilities, {"logits"}),
    "logits / 1,000": (partial(Scaled, factor=1e-3), {"logits"}),
    "logits / 10": (partial(Scaled, factor=0.1), {"logits"}),
    "half noise": (partial(Masked, mask=noisy(0.5)), {"derivatives"}),
    "nine tenths noise": (partial(Masked, mask=noisy(0.9)), {"derivatives", "converged"}),
    "wrong sign": (
        partial(Masked, mask=lambda x, gradient: -gradient),
        {"derivatives", "loss", "converged", "unbounded"},
    ),
    "2 grey levels": (partial(Quantised, levels=2), {"derivatives"}),
    "256 grey levels": (partial(Quantised, levels=256), {"derivatives"}),
}


@pytest.fixture
def checks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the strongest attack, which takes long and decides no check."""
    monkeypatch.setattr(sanity, "TRIED", 0)


@pytest.mark.usefixtures("checks_alone")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_classifier_fails_what_the_network_passes(
    name: str, report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:100], test_digits.y[:100]
    broken, caught_by = BROKEN[name]
    assert failed(measure(broken(report_network), x, y, 0.1)) - FLOAT32 >= caught_by


@pytest.mark.usefixtures("checks_alone")
def test_of_ten_steps_those_that_are_too_short_fail(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:100], test_digits.y[:100]

    def with_steps_of(size: float) -> Sanity:
        return measure(report_network, x, y, 0.1, iterated=partial(pgd, steps=10, step_size=size))

    assert not failed(with_steps_of(0.25 * 0.1)) - FLOAT32
    short = with_steps_of(0.1 * 0.1)  # its ten steps lead as far as ε
    assert failed(short) - FLOAT32 == {"converged"}
    assert short.climb.higher == 100
    assert failed(with_steps_of(0.01 * 0.1)) - FLOAT32 == {"steps", "unbounded", "converged"}


@pytest.mark.thorough
@pytest.mark.usefixtures("checks_alone")
@pytest.mark.parametrize("epsilon", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("name", SHIPPED.names())
def test_a_shipped_network_fails_for_float32_autograd_alone(
    name: str, epsilon: float, test_digits: Digits
) -> None:
    network, _ = SHIPPED.load(name)
    found = measure(network, test_digits.x[:100], test_digits.y[:100], epsilon)
    assert failed(found) <= FLOAT32


@pytest.mark.parametrize(
    ("late", "rise", "converged"),
    [(0.0, 1.0, True), (0.2, 1.0, True), (0.3, 1.0, False), (0.0, 0.0, False), (-1, -5, False)],
)
def test_a_loss_has_to_rise_and_to_have_risen(late: float, rise: float, converged: bool) -> None:
    assert Climb(0, rise, late).converged is converged


def test_what_the_strongest_attack_finds_beyond_pgd(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:200], test_digits.y[:200]
    found = measure(report_network, x, y, 0.12)
    misled = report_network.logits(pgd(report_network, x, y, 0.12)).argmax(axis=1) != y
    left = np.flatnonzero(~misled)
    x_adv = strongest(report_network, x[left], y[left], 0.12)
    assert found.beyond.withstood == found.beyond.tried == len(left)
    assert found.beyond.found == (report_network.logits(x_adv).argmax(axis=1) != y[left]).sum() > 0
    assert found.beyond_pgd == found.beyond.found / 200


def test_of_many_that_withstand_pgd_some_all_over_are_tried(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:100], test_digits.y[:100]
    fooled = [
        report_network.logits(attack(report_network, x, y, 0.08)).argmax(axis=1) != y
        for attack in (pgd, strongest)
    ]
    last = np.argsort(fooled[1] & ~fooled[0], kind="stable")  # those that only one fools
    done: list[int] = []
    found = measure(report_network, x[last], y[last], 0.08, on_progress=done.append)
    assert found.beyond.withstood > found.beyond.tried == 20
    assert found.beyond.found > 0
    share = found.beyond.found / 20
    assert found.beyond_pgd == pytest.approx(found.beyond.withstood / 100 * share)
    assert sum(done) == RUNS * 100


def test_where_nothing_withstands_pgd_there_is_nothing_beyond(
    report_network: MLP, test_digits: Digits
) -> None:
    done: list[int] = []
    x, y = test_digits.x[:50], test_digits.y[:50]
    found = measure(report_network, x, y, 0.5, on_progress=done.append)
    assert (found.beyond.withstood, found.beyond.tried, found.beyond_pgd) == (0, 0, 0)
    assert sum(done) == RUNS * 50


@pytest.mark.thorough
def test_on_the_report_s_network_only_the_rounded_gradient_fails(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:1000], test_digits.y[:1000]
    done: list[int] = []
    found = measure(report_network, x, y, 0.3, on_progress=done.append)
    assert sum(done) == RUNS * 1000
    assert failed(found) == FLOAT32
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


@pytest.mark.usefixtures("checks_alone")
def test_a_network_of_huge_weights_deceives_float32_autograd_alone(
    report_network: MLP, test_digits: Digits
) -> None:
    *hidden, last = report_network.weights
    sure = MLP(
        (*hidden, last * 1000), (*report_network.biases[:-1], report_network.biases[-1] * 1000)
    )
    found = measure(sure, test_digits.x[:500], test_digits.y[:500], 0.1)
    assert failed(found) == FLOAT32
    assert found.exact.label_term == 0
    assert found.float32.pixels > 400


@pytest.mark.usefixtures("checks_alone")
def test_without_a_gradient_noise_is_stronger_and_nothing_works(
    report_network: MLP, test_digits: Digits
) -> None:
    network = Masked(report_network, lambda x, gradient: np.zeros_like(gradient))
    found = measure(network, test_digits.x[:500], test_digits.y[:500], 0.3)
    assert failed(found) == {
        *("noise", "unbounded", "loss", "converged", "derivatives", "gradient"),
        "float32_gradient",
    }
    assert found.exact.pixels == found.float32.either == 500


@pytest.mark.usefixtures("checks_alone")
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


@pytest.mark.usefixtures("checks_alone")
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


@pytest.mark.usefixtures("checks_alone")
def test_changes_of_a_fraction_of_a_grey_level_do_not_survive_rounding(
    report_network: MLP, test_digits: Digits
) -> None:
    epsilon = 0.4 / 255  # each pixel is rounded back to what it was
    x_adv = fgsm(report_network, test_digits.x, test_digits.y, epsilon)
    predicted = [report_network.logits(x).argmax(axis=1) for x in (test_digits.x, x_adv)]
    misled = (predicted[0] == test_digits.y) & (predicted[1] != test_digits.y)
    some = np.append(np.flatnonzero(misled), np.arange(100))
    tiny = measure(report_network, test_digits.x[some], test_digits.y[some], epsilon)
    assert tiny.fgsm_rounding.misled > 0
    assert tiny.fgsm_rounding.survive == tiny.pgd_rounding.survive == 0
    assert "rounding" in failed(tiny)


@pytest.mark.parametrize(
    ("misled", "survive", "passed"),
    [
        (0, 0, True),
        (1, 0, False),
        (4, 3, True),  # as many as chance allows
        (4, 2, False),
        (19, 17, True),
        (1000, 900, True),
        (1000, 870, False),
    ],
)
def test_nine_of_ten_misled_images_are_to_survive(misled: int, survive: int, passed: bool) -> None:
    assert Rounding(misled, survive).passed is passed


@pytest.mark.parametrize("epsilon", [0, -0.1, 1.1, np.nan, [0.1, 0.2]])
def test_a_bad_budget_is_named(epsilon: float, report_network: MLP) -> None:
    with pytest.raises(ValueError, match="^epsilon must be"):
        measure(report_network, np.zeros((1, 784)), np.zeros(1, int), epsilon)
