"""What the attacks with a budget compute, and what every one of them keeps to."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core import batches
from core.attacks import (
    ATTACKS,
    BY_TITLE,
    FOLLOWED,
    METHODS,
    bim,
    fgsm,
    mi_fgsm,
    noise,
    pgd,
    pgd_l2,
    square_l2,
)
from core.attacks.problem import Attack
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks.mlp import MLP
from core.networks.torch_module import TorchClassifier
from tests.conftest import random_mlp
from tests.core.attacks import referee
from tests.core.attacks.budgeted import BUDGETED, every_attack
from tests.core.attacks.referee import misclassified
from tests.core.torch_twin import torch_twin

SQUARE = random_mlp((16, 24, 10), seed=3)  # for images of 4 × 4 pixels


def check(x: FloatArray, x_adv: FloatArray, epsilon: float, *, attack: Attack) -> None:
    in_l2 = attack in (pgd_l2, square_l2)
    referee.check(x, x_adv, **{"l2" if in_l2 else "linf": epsilon})


def autograd_attack(
    module: torch.nn.Module,
    x: FloatArray,
    goal: np.ndarray,
    epsilon: float,
    *,
    targeted: bool,
    steps: int,
    step_size: float,
    l2: bool = False,
    decay: float | None = None,
) -> FloatArray:
    """An iterated attack from the image itself, as its paper writes it, with autograd."""
    clean = torch.tensor(x)
    here, momentum = clean.clone(), torch.zeros_like(clean)
    for _ in range(steps):
        here.requires_grad_()
        loss = torch.nn.functional.cross_entropy(module(here), torch.tensor(goal), reduction="sum")
        (gradient,) = torch.autograd.grad(-loss if targeted else loss, here)
        if decay is not None:
            momentum = decay * momentum + gradient / gradient.abs().sum(dim=1, keepdim=True)
            gradient = momentum
        if l2:
            # Leave out the pixels that no step along the gradient can change.
            there = (here.detach() + 1e-9 * gradient.sign()).clamp(0, 1)
            gradient = gradient * (there != here)
        direction = gradient / gradient.norm(dim=1, keepdim=True) if l2 else gradient.sign()
        perturbation = here.detach() + step_size * direction - clean
        if l2:
            perturbation *= (epsilon / perturbation.norm(dim=1, keepdim=True)).clamp(max=1)
        else:
            perturbation = perturbation.clamp(-epsilon, epsilon)
        here = (clean + perturbation).clamp(0, 1)
    image: FloatArray = here.numpy()
    return image


@pytest.mark.parametrize("targeted", [False, True])
def test_attacks_are_autograd_s_in_float64(targeted: bool) -> None:
    network = random_mlp((784, 128, 64, 10), seed=0)
    module = torch_twin(network)
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 784)), rng.integers(0, 10, 40)
    target = (y + rng.integers(1, 10, 40)) % 10

    def check_attack(
        attack: Callable[..., FloatArray], epsilon: float, ours: dict[str, Any], **theirs: Any
    ) -> None:
        expected = autograd_attack(
            module, x, target if targeted else y, epsilon, targeted=targeted, **theirs
        )
        for classifier in (network, TorchClassifier(module)):
            x_adv = attack(classifier, x, y, epsilon, target=target if targeted else None, **ours)
            np.testing.assert_allclose(x_adv, expected, rtol=0, atol=1e-9)

    check_attack(fgsm, 0.1, {}, steps=1, step_size=0.1)
    few: dict[str, Any] = {"steps": 5, "step_size": 0.03}
    check_attack(bim, 0.1, few, **few)
    check_attack(pgd, 0.1, {**few, "random_start": False}, **few)
    for decay in (0.7, 1.0):
        settings = {"steps": 7, "decay": decay}
        check_attack(mi_fgsm, 0.1, settings, step_size=0.1 / 7, **settings)
    for epsilon, step_size in ((0.4, 0.3), (3.0, 1.0)):
        few = {"steps": 6, "step_size": step_size}
        check_attack(pgd_l2, epsilon, few, l2=True, **few)


def test_iterated_attacks_agree_where_their_settings_do(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:100], test_digits.y[:100]
    expected = bim(report_network, x, y, 0.1, steps=8, step_size=0.1 / 8)
    same = pgd(report_network, x, y, 0.1, steps=8, step_size=0.1 / 8, random_start=False)
    np.testing.assert_array_equal(same, expected)
    without_memory = mi_fgsm(report_network, x, y, 0.1, steps=8, decay=0)
    np.testing.assert_array_equal(without_memory, expected)


@pytest.mark.thorough
@every_attack
def test_the_referee_agrees(attack: Attack, report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:100], test_digits.y[:100]
    epsilons = [0.0, 0.07, 0.3, 1.0]
    several = attack(report_network, x, y, epsilons)
    assert several.shape == (4, 100, 784)
    np.testing.assert_array_equal(several[0], x)
    for epsilon, x_adv in zip(epsilons, several, strict=True):
        check(x, x_adv, epsilon, attack=attack)
        # Products of another size round differently. Signs hide that; an L2 step passes it on.
        tolerance = 1e-4 if attack is pgd_l2 else 0
        alone = attack(report_network, x, y, epsilon)
        np.testing.assert_allclose(x_adv, alone, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("attack", "epsilon", "share"),
    [(fgsm, 0.3, 0.15), (bim, 0.3, 0.8), (mi_fgsm, 0.3, 0.7), (pgd, 0.3, 0.9), (pgd_l2, 3, 0.9)],
)
def test_targeted_attacks_reach_their_targets(
    attack: Attack, epsilon: float, share: float, report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:200], test_digits.y[:200]
    target = (y + 1) % 10
    x_adv = attack(report_network, x, y, epsilon, target=target)
    assert 1 - misclassified(report_network, x_adv, target) > share
    # A single label stands for all.
    np.testing.assert_array_equal(
        attack(report_network, x[:18], y[:18], 0.1, target=3),
        attack(report_network, x[:18], y[:18], 0.1, target=np.full(18, 3)),
    )


def test_evasion_on_the_report_s_network(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:2000], test_digits.y[:2000]
    clean, *rates = (
        misclassified(report_network, x_adv, y)
        for x_adv in (
            x,
            *(attack(report_network, x, y, 0.1) for attack in (noise, fgsm, mi_fgsm, bim, pgd)),
        )
    )
    assert clean < rates[0] < 0.05 < 0.4 < rates[1]
    assert rates == sorted(rates)


def test_the_exact_gradient_evades_where_the_rounded_one_vanished(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:2000], test_digits.y[:2000]
    exact = fgsm(report_network, x, y, 0.3)
    flawed = fgsm(report_network, x, y, 0.3, gradient="float32_autograd")
    assert misclassified(report_network, exact, y) > 0.95
    assert 0.55 < misclassified(report_network, flawed, y) < 0.75


@every_attack
def test_batches_and_neighbours_make_no_difference(
    attack: Attack, report_network: MLP, test_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = referee.in_float64(report_network)
    x, y = test_digits.x[:30].astype(np.float64), test_digits.y[:30]
    together = attack(network, x, y, [0.05, 0.2])
    monkeypatch.setattr(batches, "BATCH", 9)
    np.testing.assert_allclose(attack(network, x, y, [0.05, 0.2]), together, atol=1e-9)
    np.testing.assert_allclose(attack(network, x[:1], y[:1], 0.2), together[1, :1], atol=1e-9)


def test_noise_is_as_large_as_a_step_in_every_pixel_and_decided_by_its_seed(
    report_network: MLP,
) -> None:
    grey = 0.5 + np.arange(20, dtype=np.float32)[:, None] * np.full(784, 1e-6, np.float32)
    perturbation = noise(report_network, grey, 0, 0.1, seed=5) - grey
    np.testing.assert_allclose(np.abs(perturbation), 0.1, atol=1e-6)
    assert abs(perturbation.mean()) < 0.005
    again, other = (noise(report_network, grey, 0, 0.1, seed=seed) - grey for seed in (5, 6))
    np.testing.assert_array_equal(again, perturbation)
    assert not np.array_equal(other, perturbation)


@pytest.mark.parametrize("attack", [pgd, pgd_l2])
def test_the_start_is_anywhere_in_the_ball_by_its_seed(
    attack: Callable[..., FloatArray], small_network: MLP
) -> None:
    # Images that differ by too little to matter, as equal ones would start at the same point.
    x = 0.5 + np.arange(4000)[:, None] * np.full(12, 1e-9)
    still: dict[str, Any] = {"steps": 1, "step_size": 0, "random_start": True}

    def start(seed: int) -> FloatArray:
        offsets = attack(small_network, x, 0, 0.4, **still, seed=seed) - x
        return np.asarray(offsets / 0.4)

    norm = np.linalg.norm(start(1), axis=1) if attack is pgd_l2 else np.abs(start(1)).max(axis=1)
    # In 12 dimensions, a ball of half the radius has 2⁻¹² of the volume.
    np.testing.assert_allclose(np.quantile(norm**12, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.03)
    np.testing.assert_allclose(start(1).mean(axis=0), 0, atol=0.05)
    np.testing.assert_array_equal(start(1), start(1))
    assert not np.array_equal(start(1), start(2))


def test_pgd_in_l2_takes_a_budget_above_1_and_uses_it_up(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:300], test_digits.y[:300]
    weaker, stronger = pgd_l2(report_network, x, y, [0.5, 2.0])
    check(x, stronger, 2.0, attack=pgd_l2)
    assert np.median(referee.norms(x, stronger)) > 1.8
    assert misclassified(report_network, weaker, y) < 0.3
    assert misclassified(report_network, stronger, y) > 0.9


@pytest.mark.parametrize("attack", [bim, mi_fgsm, pgd_l2])
def test_where_there_is_no_gradient_at_all_the_image_stays(
    attack: Callable[..., FloatArray],
) -> None:
    network = MLP((np.zeros((12, 10)),), (np.arange(10.0),))
    x = np.full((3, 12), 0.5)
    np.testing.assert_array_equal(attack(network, x, 9, 0.2), x)


def test_a_step_in_l2_is_whole_where_the_squares_of_the_gradient_vanish() -> None:
    network = MLP((np.array([[1e-30, -1e-30], [0, 0]], np.float32),), (np.zeros(2, np.float32),))
    x = np.full((1, 2), 0.5, np.float32)
    x_adv = pgd_l2(network, x, [0], 0.2, steps=1, step_size=0.1)
    np.testing.assert_allclose(x_adv, [[0.4, 0.5]], rtol=1e-6)


@pytest.mark.parametrize("target", [None, [1]])
def test_a_step_in_l2_is_spent_on_the_pixels_that_can_move(target: list[int] | None) -> None:
    # The first two pixels lead out of [0, 1], the next two back, and the last two further in.
    towards = np.array([-3.0, 3.0, 3.0, -3.0, 0.3, -0.4])
    network = MLP((np.stack([-towards, towards], axis=1),), (np.zeros(2),))
    x = np.array([[0.0, 1.0, 0.0, 1.0, 0.5, 0.5]])
    one = pgd_l2(network, x, [0], 9, target=target, steps=1, step_size=0.1)
    step = np.array([0.0, 0.0, *towards[2:]])
    np.testing.assert_allclose(one - x, [0.1 * step / np.linalg.norm(step)], atol=1e-12)
    # Where the first pixels arrive at a bound, the others take the whole of the next step.
    two = pgd_l2(network, x, [0], 9, target=target, steps=4, step_size=1)
    np.testing.assert_array_equal(two, [[0.0, 1.0, 1.0, 0.0, 1.0, 0.0]])


def test_where_no_pixel_can_move_in_l2_the_image_stays() -> None:
    network = MLP((np.array([[1.0, -1.0], [-1.0, 1.0]]),), (np.zeros(2),))
    x = np.array([[0.0, 1.0]])
    np.testing.assert_array_equal(pgd_l2(network, x, [0], 0.2), x)


def test_where_the_gradient_is_zero_the_pixel_stays() -> None:
    network = MLP((np.array([[1.0, -1.0], [0.0, 0.0]]),), (np.zeros(2),))
    x_adv = fgsm(network, np.array([[0.5, 0.5]]), [0], 0.1)
    np.testing.assert_allclose(x_adv, [[0.4, 0.5]])


@given(
    pixels=st.lists(st.floats(0, 1, width=32), min_size=16, max_size=16),
    label=st.integers(0, 9),
    ahead=st.none() | st.integers(1, 9),
    epsilon=st.floats(0, 1),
    name=st.sampled_from(list(BUDGETED)),
)
def test_any_image_any_budget(
    pixels: list[float],
    label: int,
    ahead: int | None,
    epsilon: float,
    name: str,
) -> None:
    x = np.array([pixels], np.float32)
    target = None if ahead is None else (label + ahead) % 10
    attack = BUDGETED[name]
    x_adv = attack(SQUARE, x, [label], epsilon, target=target)
    check(x, x_adv, epsilon, attack=attack)
    if epsilon == 0:
        np.testing.assert_array_equal(x_adv, x)


def test_the_registry_has_every_attack_once_with_what_a_page_needs() -> None:
    order = "fgsm bim mi_fgsm pgd strongest square noise pgd_l2 square_l2 deepfool "
    order += "carlini_wagner jsma"
    assert " ".join(METHODS) == order
    for name, method in METHODS.items():
        assert method.name == name == getattr(method.attack, "__name__", None)
        assert BY_TITLE[method.title] is method
        assert method.norm in ("linf", "l2", "l0")
        assert len(method.scale.budgets) > 100
        assert method.summary.endswith(".")
    assert list(ATTACKS) == ["fgsm", "bim", "mi_fgsm", "pgd", "strongest", "square", "noise"]
    untargeted = [name for name, method in METHODS.items() if not method.targeted]
    assert untargeted == ["noise", "deepfool"]
    assert set(METHODS) - {method.name for method in FOLLOWED.values()} == {"strongest"}
