"""The measurements beside the course report, recomputed by other means."""

import json

import numpy as np
import pytest
import torch

from core.attacks import noise, pgd
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.evaluation import robustness
from core.evaluation.replication import EPSILONS, PASSES, PRECISION
from core.networks import MLP, Card
from core.presentation.course_report import facts
from core.presentation.course_report.findings import Findings, measure_report
from core.presentation.remedies import presets
from tests.core.presentation.course_report.conftest import FEW, first, predictions
from tests.core.torch_twin import torch_twin


def autograd_signs(network: MLP, images: Digits, *, exact: bool) -> FloatArray:
    """The signs of FGSM's step as torch has them.

    The exact ones are of log(1 / p_y - 1) in float64, which falls as p_y rises, as the
    cross-entropy does, and has no rounding to 1.
    """
    module = torch_twin(network).to(torch.float64 if exact else torch.float32)
    leaf = torch.tensor(images.x).to(torch.float64 if exact else torch.float32).requires_grad_()
    logits, y = module(leaf), torch.tensor(images.y)
    if exact:
        others = logits.masked_fill(torch.nn.functional.one_hot(y, 10).bool(), -torch.inf)
        loss = (others.logsumexp(1) - logits[torch.arange(len(y)), y]).sum()
    else:
        loss = torch.nn.functional.cross_entropy(logits, y, reduction="sum")
    (slope,) = torch.autograd.grad(loss, leaf)
    signs: FloatArray = slope.sign().numpy().astype(np.float32)
    return signs


@pytest.mark.thorough
def test_accuracies_are_those_of_a_plain_loop(
    findings: Findings, report_network: MLP, few: tuple[Digits, Digits]
) -> None:
    for ours, images in zip(
        (findings.accuracies.train, findings.accuracies.test), few, strict=True
    ):
        right = 0
        for start in range(0, len(images), 100):
            rows = slice(start, start + 100)
            right += (predictions(report_network, images.x[rows]) == images.y[rows]).sum()
        assert ours == right / len(images)
    assert findings.accuracies.validation == findings.accuracies.test
    assert findings.split.learned == 3 * FEW
    assert findings.split.validated == findings.split.tested == FEW


# Where a gradient has lost its largest term, torch's rounding differs from ours in some signs.
@pytest.mark.parametrize(
    ("gradient", "of_rate", "of_epsilon"),
    [("exact", 0.001, 0.001), ("float32_autograd", 0.01, 0.03)],
)
def test_the_epsilon_of_the_report_s_rate_is_that_of_a_scan(
    gradient: str,
    of_rate: float,
    of_epsilon: float,
    findings: Findings,
    report_network: MLP,
    few: tuple[Digits, Digits],
) -> None:
    test = few[1]
    signs = autograd_signs(report_network, test, exact=gradient == "exact")

    def rate(epsilon: float) -> float:
        x_adv = np.clip(test.x + np.float32(epsilon) * signs, 0, 1)
        return float((predictions(report_network, x_adv) != test.y).mean())

    ours = findings.evasion[gradient]
    expected = [rate(epsilon) for epsilon in EPSILONS[::5]]
    np.testing.assert_allclose(ours.rates[::5], expected, atol=of_rate)
    reported = facts.EVASION_RATE
    step = 0.004
    scanned = next(epsilon for epsilon in np.arange(0, 1, step) if rate(epsilon) >= reported)
    assert ours.epsilon is not None
    assert scanned - step - of_epsilon < ours.epsilon < scanned + PRECISION + of_epsilon
    assert rate(ours.epsilon - PRECISION - of_epsilon) < reported
    assert ours.epsilon == ours.attacked_at
    assert ours.evasion_rate == pytest.approx(rate(ours.attacked_at), abs=of_rate)
    assert ours.evasion_rate >= reported - of_rate
    assert ours.images == FEW


def test_a_gradient_vanishes_where_torch_s_does(
    findings: Findings, report_network: MLP, few: tuple[Digits, Digits]
) -> None:
    test = few[1]
    logits = torch.tensor(report_network.logits(test.x), requires_grad=True)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(test.y), reduction="sum")
    (slope,) = torch.autograd.grad(loss, logits)
    vanished = slope.numpy()[np.arange(FEW), test.y] == 0
    expected = np.bincount(test.y[vanished], minlength=10)
    ours = findings.evasion["float32_autograd"]
    np.testing.assert_allclose(ours.vanished, expected, atol=5)
    assert 0.5 < ours.vanished.sum() / FEW < 0.9
    assert 0.9 * ours.withstood < ours.withstood_vanished <= ours.withstood
    assert not findings.evasion["exact"].vanished.any()


def test_the_tables_of_labels_count_every_image(
    findings: Findings, report_network: MLP, few: tuple[Digits, Digits]
) -> None:
    test = few[1]
    clean = np.zeros((10, 10), int)
    for label, prediction in zip(test.y, predictions(report_network, test.x), strict=True):
        clean[label, prediction] += 1
    np.testing.assert_array_equal(findings.clean, clean)
    for each in findings.evasion.values():
        np.testing.assert_array_equal(each.confusion.sum(axis=1), clean.sum(axis=1))


def test_the_twins_are_the_first_of_each_digit(
    findings: Findings, report_network: MLP, few: tuple[Digits, Digits]
) -> None:
    twins, test = findings.twins, few[1]
    assert twins.y.tolist() == list(range(10))
    for digit, x in zip(twins.y, twins.x, strict=True):
        np.testing.assert_array_equal(x, test.x[list(test.y).index(digit)])
    difference = twins.x_adv.astype(np.float64) - twins.x
    np.testing.assert_allclose(twins.l2_norm, np.sqrt((difference**2).sum(axis=1)))
    assert np.abs(difference).max() <= findings.evasion["exact"].attacked_at + 1e-6
    np.testing.assert_array_equal(twins.before, predictions(report_network, twins.x))
    np.testing.assert_array_equal(twins.after, predictions(report_network, twins.x_adv))


def test_digits_are_as_similar_as_their_mean_images(
    findings: Findings, few: tuple[Digits, Digits]
) -> None:
    test = few[1]
    halves = {"whole": slice(0, 784), "upper": slice(0, 392), "lower": slice(392, 784)}
    for half, pixels in halves.items():
        for a, b in ((0, 9), (2, 7), (9, 4)):
            u, v = (
                sum(x[pixels].astype(float) for x, y in zip(test.x, test.y, strict=True) if y == d)
                for d in (a, b)
            )
            cosine = (u * v).sum() / np.sqrt((u**2).sum() * (v**2).sum())
            assert getattr(findings.similarity, half)[a, b] == pytest.approx(cosine)


def test_the_report_s_labels_are_looked_for_among_ours(
    findings: Findings, report_network: MLP, few: tuple[Digits, Digits]
) -> None:
    test = few[1]
    signs = autograd_signs(report_network, test, exact=True)
    epsilon = np.float32(findings.evasion["exact"].attacked_at)
    before = predictions(report_network, test.x)
    after = predictions(report_network, np.clip(test.x + epsilon * signs, 0, 1))
    assert [each.digit for each in findings.turned] == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    for each in findings.turned:
        right = [i for i in range(FEW) if test.y[i] == before[i] == each.digit]
        turned = sum(after[i] == each.label for i in right)
        assert each.images == len(right)
        assert each.label == facts.MISTAKEN[each.digit].label
        assert abs(each.turned - turned) <= 1
        assert (each.contributions is None) == (each.turned == 0)
        np.testing.assert_allclose(
            findings.means[each.digit], test.x[right].mean(axis=0), atol=1e-6
        )


def test_stronger_and_weaker_attacks_are_measured_at_the_same_epsilon(
    findings: Findings, report_network: MLP, few: tuple[Digits, Digits]
) -> None:
    test, epsilon = few[1], findings.evasion["exact"].attacked_at
    for name, attack in (("pgd", pgd), ("noise", noise)):
        x_adv = attack(report_network, test.x, test.y, epsilon)
        rate = (predictions(report_network, x_adv) != test.y).mean()
        assert findings.controls[name] == pytest.approx(rate, abs=1e-9)
    quicker = max(findings.evasion["exact"].evasion_rate, findings.controls["pgd"])
    assert quicker < findings.limits.found < 1
    assert findings.controls["noise"] < facts.EVASION_RATE < findings.controls["pgd"]


def test_the_trials_are_what_was_measured(findings: Findings) -> None:
    entries = json.loads(robustness.CACHE.read_bytes()).values()
    written = {entry["network"]: entry for entry in entries}
    assert list(findings.trials) == presets()
    for preset, trial in findings.trials.items():
        entry = written[preset]
        assert trial.clean_accuracy == entry["clean_accuracy"]
        assert list(trial.evasion_rates["pgd"]) == entry["evasion_rates"]["pgd"]


def test_progress_comes_to_its_end(
    report_network: MLP, card: Card, few: tuple[Digits, Digits]
) -> None:
    done: list[int] = []
    measure_report(report_network, card, few[0], first(few[1], 150), on_progress=done.append)
    assert sum(done) == PASSES * 150

    class Stopped(Exception):
        pass

    def stop(images: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        measure_report(report_network, card, *few, on_progress=stop)
