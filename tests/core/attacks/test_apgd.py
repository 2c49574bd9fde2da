import math
from typing import Any

import numpy as np
import pytest
import torch

from core.attacks import apgd, pgd
from core.attacks.draws import uniform
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks.mlp import MLP
from tests.conftest import random_mlp
from tests.core.attacks.referee import check, predictions
from tests.core.test_losses import torch_dlr
from tests.core.torch_twin import torch_twin

LOSSES = ("cross_entropy", "dlr", "margin")


def torch_loss(loss: str, logits: torch.Tensor, y: int, target: int | None) -> torch.Tensor:
    if loss == "dlr":
        return torch_dlr(logits, y, target)
    if loss == "cross_entropy":
        probabilities = logits.log_softmax(dim=0)
        return -probabilities[y] if target is None else probabilities[target]
    if target is None:
        return torch.cat([logits[:y], logits[y + 1 :]]).max() - logits[y]
    return logits[target] - torch.cat([logits[:target], logits[target + 1 :]]).max()


def slow_apgd(
    module: torch.nn.Module,
    x: FloatArray,
    y: int,
    target: int | None,
    start: FloatArray,
    *,
    loss: str,
    epsilon: float,
    steps: int,
) -> FloatArray:
    """One image's algorithm 1, written as in the paper, one quantity an iterate, with autograd."""
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    checkpoints = [math.ceil(share * steps - 1e-9) for share in shares if share < 1]
    clean = torch.tensor(x)

    def project(z: torch.Tensor) -> torch.Tensor:
        return torch.minimum(torch.maximum(z, clean - epsilon), clean + epsilon).clamp(0, 1)

    def f(z: torch.Tensor) -> tuple[float, torch.Tensor, bool]:
        z = z.clone().requires_grad_()
        logits = module(z[None])[0]
        value = torch_loss(loss, logits, y, target)
        (gradient,) = torch.autograd.grad(value, z)
        label = int(logits.argmax())
        return float(value.detach()), gradient, label != y if target is None else label == target

    points = [project(torch.tensor(start))]
    values = [-math.inf]
    etas, bests = [2 * epsilon], [-math.inf]
    eta, best, best_value, rises = 2 * epsilon, points[0], -math.inf, 0
    for k in range(steps + 1):
        value, gradient, reached = f(points[k])
        if reached:
            return points[k].numpy()
        rises += value > values[k]
        if value > best_value:
            best, best_value = points[k], value
        values.append(value)
        if k == steps:
            break
        if k in checkpoints and k > 0:
            since = k - checkpoints[checkpoints.index(k) - 1]
            stalled = rises < 0.75 * since or (
                len(etas) > 1 and etas[-1] == etas[-2] and bests[-1] == best_value
            )
            bests.append(best_value)
            if stalled:
                eta /= 2
                points[k], values[k + 1] = best, best_value
                gradient = f(best)[1]
            etas.append(eta)
            rises = 0
        z = project(points[k] + eta * gradient.sign())
        if k > 0:
            z = project(points[k] + 0.75 * (z - points[k]) + 0.25 * (points[k] - points[k - 1]))
        points.append(z)
    return best.numpy()


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_it_is_the_paper_s_algorithm(loss: str, targeted: bool) -> None:
    random = random_mlp((16, 24, 24, 10), seed=7)
    network = MLP(random.weights, tuple(0.1 * bias for bias in random.biases))
    module = torch_twin(network)
    x = np.random.default_rng(4).random((24, 16))
    y = predictions(network, x)
    target = network.logits(x).argsort(axis=1)[:, -3] if targeted else None
    epsilon, steps = 0.2, 41
    x_adv = apgd(network, x, y, epsilon, target=target, loss=loss, steps=steps, seed=3)
    for row in range(24):
        start = x[row] + epsilon * uniform(3, "apgd 0", x[[row]])[0]
        goal = None if target is None else int(target[row])
        expected = slow_apgd(
            module, x[row], int(y[row]), goal, start, loss=loss, epsilon=epsilon, steps=steps
        )
        np.testing.assert_allclose(x_adv[row], expected, rtol=0, atol=1e-9)
    after = predictions(network, x_adv)
    assert 0 < (after != y if target is None else after == target).sum() < 24


@pytest.mark.parametrize("loss", LOSSES)
def test_the_referee_agrees(loss: str, report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:60].copy(), test_digits.y[:60]
    epsilons = [0.0, 0.05, 0.2]
    several = apgd(report_network, x, y, epsilons, loss=loss, steps=15)
    np.testing.assert_array_equal(x, test_digits.x[:60])
    np.testing.assert_array_equal(several[0], x)
    for epsilon, x_adv in zip(epsilons, several, strict=True):
        check(x, x_adv, linf=epsilon)
    assert (predictions(report_network, several[2]) != y).mean() > 0.9


def test_it_misleads_more_than_pgd_and_more_starts_never_fewer(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:300], test_digits.y[:300]

    def wrong(x_adv: FloatArray) -> np.ndarray:
        return np.asarray(predictions(report_network, x_adv) != y)

    once, thrice = (wrong(apgd(report_network, x, y, 0.1, restarts=n)) for n in (1, 3))
    assert once.mean() > wrong(pgd(report_network, x, y, 0.1)).mean() + 0.01
    assert (thrice | ~once).all()
    assert thrice.sum() > once.sum()


def test_a_target_is_reached(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:100], test_digits.y[:100]
    target = (y + 1) % 10
    for loss in LOSSES:
        x_adv = apgd(report_network, x, y, 0.3, target=target, loss=loss, steps=30)
        after = predictions(report_network, x_adv)
        assert (after == target).mean() > (0.75 if loss == "dlr" else 0.9)
        assert (after != y).mean() > 0.97


def test_one_image_has_one_start_whatever_it_comes_with(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:40], test_digits.y[:40]
    # Steps of no budget leave the start as it is drawn.
    together = apgd(report_network, x, y, 0.1, steps=1)
    again = apgd(report_network, x[::-1].copy(), y[::-1].copy(), 0.1, steps=1)[::-1]
    np.testing.assert_allclose(again, together, atol=1e-6)
    other = apgd(report_network, x, y, 0.1, steps=1, seed=1)
    assert (other != together).any()
    wide = apgd(report_network, x.astype(np.float64), y, 0.1, steps=1)
    np.testing.assert_allclose(wide, together, atol=1e-6)


def test_no_images_are_no_trouble(report_network: MLP) -> None:
    assert apgd(report_network, np.zeros((0, 784)), np.zeros(0, int), [0.1]).shape == (1, 0, 784)


@pytest.mark.parametrize(
    ("name", "bad"),
    [("loss", "hinge"), ("steps", 0), ("restarts", 0), ("restarts", 1.5), ("seed", -1)],
)
def test_a_bad_setting_is_named(name: str, bad: Any, report_network: MLP) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must"):
        apgd(report_network, np.zeros((2, 784)), [1, 2], 0.1, **{name: bad})
