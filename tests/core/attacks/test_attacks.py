from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core import batches
from core.attacks import (
    ATTACKS,
    BY_TITLE,
    METHODS,
    BudgetMethod,
    bim,
    fgsm,
    mi_fgsm,
    noise,
    pgd,
    pgd_l2,
)
from core.attacks.problem import Attack
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks.mlp import MLP
from core.networks.torch_module import TorchClassifier
from tests.conftest import random_mlp
from tests.core.torch_twin import torch_twin

BUDGETED = {
    name: method.attack for name, method in METHODS.items() if isinstance(method, BudgetMethod)
}
every_attack = pytest.mark.parametrize("attack", BUDGETED.values(), ids=BUDGETED)
gradient_attack = pytest.mark.parametrize("attack", [fgsm, bim, mi_fgsm, pgd, pgd_l2])


def referee(x: FloatArray, x_adv: FloatArray, epsilon: float, *, attack: Attack) -> None:
    """What every adversarial image must satisfy, recomputed from the images alone."""
    assert x_adv.shape == x.shape
    assert x_adv.dtype == x.dtype
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1
    perturbation = x_adv.astype(np.float64) - x
    if attack is pgd_l2:
        assert np.sqrt((perturbation**2).sum(axis=1)).max() <= epsilon + 1e-6
    else:
        assert np.abs(perturbation).max() <= epsilon + 1e-7


def misclassified(network: MLP, x: FloatArray, y: np.ndarray) -> float:
    hidden = x
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        hidden = np.maximum(hidden @ weight + bias, 0)
    logits = hidden @ network.weights[-1] + network.biases[-1]
    return float((logits.argmax(axis=1) != y).mean())


def torch_fgsm(
    module: torch.nn.Module, x: FloatArray, goal: np.ndarray, epsilon: float, *, targeted: bool
) -> FloatArray:
    """FGSM as autograd has it."""
    leaf = torch.tensor(x, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(module(leaf), torch.tensor(goal), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, leaf)
    step = -epsilon if targeted else epsilon
    stepped: FloatArray = (leaf + step * gradient.sign()).clamp(0, 1).detach().numpy()
    return stepped


def torch_pgd(
    module: torch.nn.Module,
    x: FloatArray,
    goal: np.ndarray,
    epsilon: float,
    *,
    targeted: bool,
    steps: int,
    step_size: float,
) -> FloatArray:
    """PGD from the image itself, as autograd has it."""
    clean = torch.tensor(x)
    here = clean.clone()
    for _ in range(steps):
        here.requires_grad_()
        loss = torch.nn.functional.cross_entropy(module(here), torch.tensor(goal), reduction="sum")
        (gradient,) = torch.autograd.grad(loss, here)
        moved = here.detach() + (-step_size if targeted else step_size) * gradient.sign()
        here = torch.clamp(torch.clamp(moved, clean - epsilon, clean + epsilon), 0, 1)
    image: FloatArray = here.numpy()
    return image


def torch_mi_fgsm(
    module: torch.nn.Module,
    x: FloatArray,
    goal: np.ndarray,
    epsilon: float,
    *,
    targeted: bool,
    steps: int,
    decay: float,
) -> FloatArray:
    """Algorithm 1 of the paper, as autograd has it."""
    clean = torch.tensor(x)
    here, momentum = clean.clone(), torch.zeros_like(clean)
    for _ in range(steps):
        here.requires_grad_()
        loss = torch.nn.functional.cross_entropy(module(here), torch.tensor(goal), reduction="sum")
        (gradient,) = torch.autograd.grad(-loss if targeted else loss, here)
        momentum = decay * momentum + gradient / gradient.abs().sum(dim=1, keepdim=True)
        moved = here.detach() + epsilon / steps * momentum.sign()
        here = torch.clamp(torch.clamp(moved, clean - epsilon, clean + epsilon), 0, 1)
    image: FloatArray = here.numpy()
    return image


def torch_pgd_l2(
    module: torch.nn.Module,
    x: FloatArray,
    goal: np.ndarray,
    epsilon: float,
    *,
    targeted: bool,
    steps: int,
    step_size: float,
) -> FloatArray:
    """PGD in the L2 ball from the image itself, as autograd has it."""
    clean = torch.tensor(x)
    here = clean.clone()
    for _ in range(steps):
        here.requires_grad_()
        loss = torch.nn.functional.cross_entropy(module(here), torch.tensor(goal), reduction="sum")
        (gradient,) = torch.autograd.grad(-loss if targeted else loss, here)
        moved = here.detach() + step_size * gradient / gradient.norm(dim=1, keepdim=True)
        perturbation = moved - clean
        perturbation *= (epsilon / perturbation.norm(dim=1, keepdim=True)).clamp(max=1)
        here = (clean + perturbation).clamp(0, 1)
    image: FloatArray = here.numpy()
    return image


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_every_classifier_gives_autograd_s_images_in_float64(targeted: bool, seed: int) -> None:
    network = random_mlp((784, 128, 64, 10), seed=seed)
    module = torch_twin(network)
    rng = np.random.default_rng(seed)
    x, y, target = rng.random((40, 784)), rng.integers(0, 10, 40), rng.integers(0, 10, 40)
    goal = target if targeted else y
    wanted = target if targeted else None
    expected_fgsm = torch_fgsm(module, x, goal, 0.1, targeted=targeted)
    expected_pgd = torch_pgd(module, x, goal, 0.1, targeted=targeted, steps=5, step_size=0.03)
    for classifier in (network, TorchClassifier(module)):
        ours = fgsm(classifier, x, y, 0.1, target=wanted)
        np.testing.assert_allclose(ours, expected_fgsm, rtol=0, atol=1e-9)
        ours = pgd(
            classifier, x, y, 0.1, target=wanted, steps=5, step_size=0.03, random_start=False
        )
        np.testing.assert_allclose(ours, expected_pgd, rtol=0, atol=1e-9)
        ours = bim(classifier, x, y, 0.1, target=wanted, steps=5, step_size=0.03)
        np.testing.assert_allclose(ours, expected_pgd, rtol=0, atol=1e-9)


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_momentum_and_the_l2_norm_give_autograd_s_images_in_float64(
    targeted: bool, seed: int
) -> None:
    network = random_mlp((784, 128, 64, 10), seed=seed)
    module = torch_twin(network)
    rng = np.random.default_rng(seed)
    x, y, target = rng.random((40, 784)), rng.integers(0, 10, 40), rng.integers(0, 10, 40)
    goal = target if targeted else y
    wanted = target if targeted else None
    for decay in (0.7, 1.0):
        np.testing.assert_allclose(
            mi_fgsm(network, x, y, 0.1, target=wanted, steps=7, decay=decay),
            torch_mi_fgsm(module, x, goal, 0.1, targeted=targeted, steps=7, decay=decay),
            rtol=0,
            atol=1e-9,
        )
    for epsilon, step_size in ((0.4, 0.3), (3.0, 1.0)):
        np.testing.assert_allclose(
            pgd_l2(
                network,
                x,
                y,
                epsilon,
                target=wanted,
                steps=6,
                step_size=step_size,
                random_start=False,
            ),
            torch_pgd_l2(module, x, goal, epsilon, targeted=targeted, steps=6, step_size=step_size),
            rtol=0,
            atol=1e-9,
        )


def test_bim_is_pgd_from_the_image_itself(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:100], test_digits.y[:100]
    np.testing.assert_array_equal(
        bim(report_network, x, y, 0.1, steps=8, step_size=0.02),
        pgd(report_network, x, y, 0.1, steps=8, step_size=0.02, random_start=False),
    )


def test_momentum_that_forgets_everything_is_bim(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:100], test_digits.y[:100]
    np.testing.assert_array_equal(
        mi_fgsm(report_network, x, y, 0.1, steps=8, decay=0),
        bim(report_network, x, y, 0.1, steps=8, step_size=0.1 / 8),
    )


@every_attack
def test_the_referee_agrees(attack: Attack, report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:300], test_digits.y[:300]
    epsilons = [0.0, 0.07, 0.3, 1.0]
    several = attack(report_network, x, y, epsilons)
    assert several.shape == (4, 300, 784)
    for epsilon, x_adv in zip(epsilons, several, strict=True):
        referee(x, x_adv, epsilon, attack=attack)
        # Signs hide the rounding of other products than with one budget; an L2 step passes it on.
        tolerance = 1e-4 if attack is pgd_l2 else 0
        alone = attack(report_network, x, y, epsilon)
        np.testing.assert_allclose(x_adv, alone, rtol=0, atol=tolerance)


@every_attack
def test_a_budget_of_zero_gives_the_image_back(
    attack: Attack, report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:50], test_digits.y[:50]
    np.testing.assert_array_equal(attack(report_network, x, y, 0.0), x)


@pytest.mark.parametrize(
    ("attack", "share"), [(fgsm, 0.15), (bim, 0.8), (mi_fgsm, 0.7), (pgd, 0.9)]
)
def test_targeted_attacks_reach_their_targets(
    attack: Attack, share: float, report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:200], test_digits.y[:200]
    target = (y + 1) % 10
    reached = 1 - misclassified(
        report_network, attack(report_network, x, y, 0.3, target=target), target
    )
    assert reached > share
    # A single label stands for all.
    np.testing.assert_array_equal(
        attack(report_network, x, y, 0.1, target=3),
        attack(report_network, x, y, 0.1, target=np.full(200, 3)),
    )


def test_evasion_on_the_report_s_network(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x, test_digits.y
    rates = {
        name: misclassified(report_network, x_adv, y)
        for name, x_adv in {
            "clean": x,
            "noise": noise(report_network, x, y, 0.1),
            "fgsm": fgsm(report_network, x, y, 0.1),
            "mi_fgsm": mi_fgsm(report_network, x, y, 0.1),
            "bim": bim(report_network, x, y, 0.1),
            "pgd": pgd(report_network, x, y, 0.1),
        }.items()
    }
    assert rates["fgsm"] < rates["mi_fgsm"] < rates["bim"]
    assert rates["clean"] < rates["noise"] < 0.05 < 0.4 < rates["fgsm"] < rates["pgd"]


def test_the_exact_gradient_evades_where_the_rounded_one_vanished(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x, test_digits.y
    exact = misclassified(report_network, fgsm(report_network, x, y, 0.3), y)
    flawed = misclassified(
        report_network, fgsm(report_network, x, y, 0.3, gradient="float32_autograd"), y
    )
    assert exact > 0.95
    assert 0.55 < flawed < 0.75


@every_attack
def test_batches_and_neighbours_make_no_difference(
    attack: Attack, report_network: MLP, test_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = MLP(
        tuple(weight.astype(np.float64) for weight in report_network.weights),
        tuple(bias.astype(np.float64) for bias in report_network.biases),
    )
    x, y = test_digits.x[:70].astype(np.float64), test_digits.y[:70]
    together = attack(network, x, y, [0.05, 0.2])
    monkeypatch.setattr(batches, "BATCH", 9)
    np.testing.assert_allclose(attack(network, x, y, [0.05, 0.2]), together, atol=1e-9)
    np.testing.assert_allclose(attack(network, x[:1], y[:1], 0.2), together[1, :1], atol=1e-9)


def test_noise_is_as_large_as_a_step_in_every_pixel_and_decided_by_its_seed(
    report_network: MLP,
) -> None:
    grey = np.full((20, 784), 0.5, np.float32)
    perturbation = noise(report_network, grey, 0, 0.1, seed=5) - grey
    np.testing.assert_allclose(np.abs(perturbation), 0.1, atol=1e-6)
    assert abs(perturbation.mean()) < 0.005
    np.testing.assert_array_equal(
        noise(report_network, grey, 0, 0.1, seed=5), noise(report_network, grey, 0, 0.1, seed=5)
    )
    assert not np.array_equal(perturbation, noise(report_network, grey, 0, 0.1, seed=6) - grey)


def test_pgd_starts_anywhere_in_the_ball_by_its_seed(small_network: MLP) -> None:
    x = np.full((500, 12), 0.5)
    start = pgd(small_network, x, 0, 0.2, steps=1, step_size=0.0, seed=1)
    offsets = (start - x) / 0.2
    assert offsets.min() < -0.98
    assert offsets.max() > 0.98
    assert abs(offsets.mean()) < 0.05
    np.testing.assert_array_equal(
        start, pgd(small_network, x, 0, 0.2, steps=1, step_size=0, seed=1)
    )
    assert not np.array_equal(start, pgd(small_network, x, 0, 0.2, steps=1, step_size=0, seed=2))


def test_pgd_in_l2_takes_a_budget_above_1_and_uses_it_up(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:300], test_digits.y[:300]
    weaker, stronger = pgd_l2(report_network, x, y, [0.5, 2.0])
    referee(x, stronger, 2.0, attack=pgd_l2)
    assert np.median(np.linalg.norm(stronger.astype(np.float64) - x, axis=1)) > 1.8
    assert misclassified(report_network, weaker, y) < 0.3
    assert misclassified(report_network, stronger, y) > 0.9
    target = (y + 1) % 10
    towards = pgd_l2(report_network, x, y, 3.0, target=target)
    assert 1 - misclassified(report_network, towards, target) > 0.9


def test_pgd_in_l2_starts_anywhere_in_the_ball_by_its_seed(small_network: MLP) -> None:
    x = np.full((4000, 12), 0.5)

    def start(seed: int) -> FloatArray:
        return pgd_l2(small_network, x, 0, 0.4, steps=1, step_size=0, seed=seed)

    radius = np.linalg.norm(start(1) - x, axis=1) / 0.4
    # Of a ball in 12 dimensions, half the radius holds 2⁻¹² of the volume.
    np.testing.assert_allclose(np.quantile(radius**12, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.03)
    np.testing.assert_allclose((start(1) - x).mean(axis=0), 0, atol=0.01)
    np.testing.assert_array_equal(start(1), start(1))
    assert not np.array_equal(start(1), start(2))


@pytest.mark.parametrize("attack", [bim, mi_fgsm, pgd_l2])
def test_where_there_is_no_gradient_at_all_the_image_stays(
    attack: Callable[..., FloatArray],
) -> None:
    network = MLP((np.zeros((12, 10)),), (np.arange(10.0),))
    x = np.full((3, 12), 0.5)
    settings = {"random_start": False} if attack is pgd_l2 else {}
    np.testing.assert_array_equal(attack(network, x, 9, 0.2, **settings), x)


def test_a_step_in_l2_is_whole_where_the_squares_of_the_gradient_vanish() -> None:
    network = MLP((np.array([[1e-30, -1e-30], [0, 0]], np.float32),), (np.zeros(2, np.float32),))
    x = np.full((1, 2), 0.5, np.float32)
    x_adv = pgd_l2(network, x, [0], 0.2, steps=1, step_size=0.1, random_start=False)
    np.testing.assert_allclose(x_adv, [[0.4, 0.5]], rtol=1e-6)


def test_where_the_gradient_is_zero_the_pixel_stays() -> None:
    network = MLP((np.array([[1.0, -1.0], [0.0, 0.0]]),), (np.zeros(2),))
    x_adv = fgsm(network, np.array([[0.5, 0.5]]), [0], 0.1)
    np.testing.assert_allclose(x_adv, [[0.4, 0.5]])


@pytest.mark.parametrize("attack", [bim, mi_fgsm, pgd, pgd_l2])
@pytest.mark.parametrize("targeted", [False, True])
def test_the_best_iterate_is_the_one_that_a_search_through_all_of_them_finds(
    attack: Callable[..., FloatArray], targeted: bool, small_network: MLP
) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.random((40, 12)), rng.integers(0, 10, 40)
    goal = (y + 3) % 10 if targeted else None

    def run(**settings: Any) -> FloatArray:
        return attack(small_network, x, y, 0.3, target=goal, **settings)

    iterates = [run(steps=1, step_size=0)] + [run(steps=n, step_size=0.2) for n in range(1, 7)]
    found = run(steps=6, step_size=0.2, keep_best=True)
    chosen = []
    for row, image in enumerate(found):
        leads = []
        for iterate in iterates:
            logits = small_network.logits(iterate[row : row + 1])[0]
            label = y[row] if goal is None else goal[row]
            lead = logits[label] - max(np.delete(logits, label))
            leads.append(lead if goal is None else -lead)
        chosen.append(int(np.argmin(leads)))
        np.testing.assert_allclose(image, iterates[chosen[-1]][row], atol=1e-12)
    assert len(set(chosen)) > 2  # neither always the first nor always the last


@settings(max_examples=60, deadline=None)
@given(
    attack=st.sampled_from([bim, mi_fgsm, pgd, pgd_l2]),
    seed=st.integers(0, 1000),
    targeted=st.booleans(),
    epsilon=st.floats(0.01, 1),
    step_size=st.floats(0.01, 1),
    steps=st.integers(1, 8),
    more=st.integers(1, 8),
)
def test_the_best_iterate_never_evades_less_with_more_steps(
    small_network: MLP,
    attack: Callable[..., FloatArray],
    seed: int,
    targeted: bool,
    epsilon: float,
    step_size: float,
    steps: int,
    more: int,
) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.random((20, 12)), rng.integers(0, 10, 20)
    goal = rng.integers(0, 10, 20) if targeted else None

    def evades(count: int) -> np.ndarray:
        x_adv = attack(
            small_network,
            x,
            y,
            epsilon,
            target=goal,
            steps=count,
            step_size=step_size,
            keep_best=True,
        )
        labels = small_network.logits(x_adv).argmax(axis=1)
        return np.asarray(labels != y if goal is None else labels == goal)

    fewer, most = evades(steps), evades(steps + more)
    assert (most | ~fewer).all()


def test_the_last_iterate_may_evade_less_which_is_why_one_keeps_the_best(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:500], test_digits.y[:500]

    def rate(*, keep_best: bool) -> float:
        x_adv = pgd(report_network, x, y, 0.1, steps=10, step_size=0.1, keep_best=keep_best)
        referee(x, x_adv, 0.1, attack=pgd)
        return misclassified(report_network, x_adv, y)

    assert rate(keep_best=True) > rate(keep_best=False) + 0.01


def test_no_images_are_no_trouble(report_network: MLP) -> None:
    for attack in BUDGETED.values():
        nothing = attack(report_network, np.zeros((0, 784)), np.zeros(0, int), [0.1, 0.2])
        assert nothing.shape == (2, 0, 784)


@settings(max_examples=40, deadline=None)
@given(
    pixels=st.lists(st.floats(0, 1, width=32), min_size=12, max_size=12),
    label=st.integers(0, 9),
    target=st.none() | st.integers(0, 9),
    epsilon=st.floats(0, 1),
    name=st.sampled_from(list(BUDGETED)),
)
def test_any_image_any_budget(
    small_network: MLP,
    pixels: list[float],
    label: int,
    target: int | None,
    epsilon: float,
    name: str,
) -> None:
    x = np.array([pixels], np.float32)
    attack = BUDGETED[name]
    x_adv = attack(small_network, x, [label], epsilon, target=target)
    referee(x, x_adv, epsilon, attack=attack)
    if epsilon == 0:
        np.testing.assert_array_equal(x_adv, x)


BAD_ARGUMENTS: list[tuple[str, dict[str, Any]]] = [
    ("x", {"x": np.zeros(784)}),
    ("x", {"x": np.zeros((2, 28, 28))}),
    ("x", {"x": np.full((2, 784), 1.01)}),
    ("x", {"x": np.full((2, 784), -0.01)}),
    ("x", {"x": np.full((2, 784), np.nan)}),
    ("x", {"x": np.full((2, 784), 255, np.uint8)}),
    ("x", {"x": [["a"] * 784] * 2}),
    ("x", {"x": [[0.0], [0.0, 1.0]]}),
    ("y", {"y": [1, 2, 3]}),
    ("y", {"y": [1, 10]}),
    ("y", {"y": [-1, 1]}),
    ("y", {"y": [0.5, 1.0]}),
    ("y", {"y": [[1], [2]]}),
    ("target", {"target": 10}),
    ("target", {"target": [1, 2, 3]}),
    ("epsilon", {"epsilon": -0.1}),
    ("epsilon", {"epsilon": np.nan}),
    ("epsilon", {"epsilon": [0.1, np.inf]}),
    ("epsilon", {"epsilon": []}),
    ("epsilon", {"epsilon": [[0.1]]}),
    ("epsilon", {"epsilon": "0.1"}),
]


@every_attack
@pytest.mark.parametrize(("name", "bad"), BAD_ARGUMENTS)
def test_a_bad_argument_is_named(
    attack: Callable[..., FloatArray], name: str, bad: dict[str, Any], report_network: MLP
) -> None:
    arguments: dict[str, Any] = {"x": np.zeros((2, 784)), "y": [1, 2], "epsilon": 0.1, **bad}
    with pytest.raises(ValueError, match=rf"^{name} must"):
        attack(report_network, **arguments)


@gradient_attack
def test_images_of_another_size_are_refused(attack: Attack, report_network: MLP) -> None:
    with pytest.raises(ValueError, match="^x must"):
        attack(report_network, np.zeros((2, 783)), [1, 2], 0.1)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("steps", {"steps": 0}),
        ("steps", {"steps": 2.5}),
        ("steps", {"steps": True}),
        ("step_size", {"step_size": -1}),
        ("seed", {"seed": -1}),
        ("gradient", {"gradient": "none"}),
    ],
)
def test_a_bad_setting_of_pgd_is_named(name: str, bad: dict[str, Any], report_network: MLP) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must"):
        pgd(report_network, np.zeros((2, 784)), [1, 2], 0.1, **bad)


@pytest.mark.parametrize("attack", [bim, mi_fgsm, pgd_l2])
@pytest.mark.parametrize(
    ("name", "bad"),
    [("steps", 0), ("step_size", -1), ("step_size", [0.1, 0.1]), ("gradient", "none")],
)
def test_a_bad_setting_of_an_iterated_attack_is_named(
    attack: Callable[..., FloatArray], name: str, bad: object, report_network: MLP
) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must"):
        attack(report_network, np.zeros((2, 784)), [1, 2], [0.1, 0.2], **{name: bad})


def test_a_bad_decay_and_a_bad_seed_are_named(report_network: MLP) -> None:
    for decay in (-0.1, np.nan, [1.0, 1.0]):
        with pytest.raises(ValueError, match="^decay must"):
            mi_fgsm(report_network, np.zeros((2, 784)), [1, 2], 0.1, decay=decay)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="^seed must"):
        pgd_l2(report_network, np.zeros((2, 784)), [1, 2], 0.1, seed=-1)


def test_the_registry_has_every_attack_once_with_what_a_page_needs() -> None:
    order = "fgsm bim mi_fgsm pgd noise pgd_l2 deepfool carlini_wagner jsma"
    assert " ".join(METHODS) == order
    for name, method in METHODS.items():
        assert method.name == name
        assert BY_TITLE[method.title] is method
        assert method.norm in ("linf", "l2", "l0")
        assert method.scale.budgets.shape == (101,)
        assert method.summary.endswith(".")
    assert list(ATTACKS) == ["fgsm", "bim", "mi_fgsm", "pgd", "noise"]
    assert {name for name, method in METHODS.items() if not method.targeted} == {
        "noise",
        "deepfool",
    }


def test_a_seed_of_noise_is_checked(report_network: MLP) -> None:
    with pytest.raises(ValueError, match="^seed must"):
        noise(report_network, np.zeros((2, 784)), [1, 2], 0.1, seed=-1)
