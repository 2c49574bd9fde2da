"""The saliency-map attack against the paper's own loops and autograd."""

import numpy as np
import pytest
import torch

from core.attacks import jsma
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks.mlp import MLP
from tests.conftest import random_mlp
from tests.core.attacks.referee import check, predictions
from tests.core.torch_twin import torch_twin


def test_jsma_makes_few_pixels_white_and_leaves_the_others(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:100], test_digits.y[:100]
    for target, share in ((None, 0.145), ((y + 1) % 10, 0.145), (None, 0.01)):
        x_adv = jsma(report_network, x, y, target=target, pixel_share=share)
        changed = x_adv != x
        assert changed.any()
        assert (changed.sum(axis=1) <= share * 784).all()
        assert (x_adv[changed] == 1).all()


def slow_jsma(
    module: torch.nn.Module, x: FloatArray, label: int, pairs: int, *, targeted: bool
) -> FloatArray:
    """One image's saliency-map attack as the paper writes it, every pair looked at."""
    here = torch.tensor(x)
    for turn in range(pairs + 1):
        if (int(module(here[None]).argmax()) == label) == targeted:
            return here.numpy()
        if turn == pairs:
            break
        jacobian = torch.autograd.functional.jacobian(lambda z: module(z[None])[0], here)
        jacobian *= 1 - here
        best, largest = None, 0.0
        for p in range(len(here)):
            for q in range(p):
                if here[p] == 1 or here[q] == 1:
                    continue
                alpha = float(jacobian[label, p] + jacobian[label, q])
                beta = float(jacobian[:, p].sum() + jacobian[:, q].sum()) - alpha
                if not targeted:
                    alpha, beta = -alpha, -beta
                if alpha > 0 and beta < 0 and -alpha * beta > largest:
                    best, largest = (p, q), -alpha * beta
        if best is None:
            break
        here[list(best)] = 1
    return x


@pytest.mark.parametrize("targeted", [False, True])
def test_jsma_takes_the_pairs_that_a_look_at_all_of_them_takes(targeted: bool) -> None:
    network = random_mlp((16, 24, 10), seed=7)  # which some images mislead and others don't
    module = torch_twin(network)
    x = (np.random.default_rng(4).random((40, 16)) * 0.6).round(1)
    y = predictions(network, x)
    labels = network.logits(x).argsort(axis=1)[:, -2] if targeted else y
    target = labels if targeted else None
    x_adv = jsma(network, x, y, target=target, pixel_share=0.7, saliency="product")
    expected = [
        slow_jsma(module, image, int(label), 5, targeted=targeted)
        for image, label in zip(x, labels, strict=True)
    ]
    np.testing.assert_array_equal(x_adv, expected)
    assert 0 < (x_adv != x).any(axis=1).sum() < 40


@pytest.mark.parametrize("targeted", [False, True])
def test_the_lead_is_raised_by_the_two_pixels_that_autograd_names(targeted: bool) -> None:
    random = random_mlp((16, 24, 10), seed=7)
    network = MLP(random.weights, tuple(0.1 * bias for bias in random.biases))
    module = torch_twin(network)
    x = (np.random.default_rng(4).random((40, 16)) * 0.6).round(1)
    y = predictions(network, x)
    labels = network.logits(x).argsort(axis=1)[:, -2] if targeted else y
    target = labels if targeted else None
    share = 2 / 16  # one pair
    x_adv = jsma(network, x, y, target=target, pixel_share=share)
    found = 0
    for image, moved, label in zip(x, x_adv, labels, strict=True):
        here = torch.tensor(image, requires_grad=True)
        logits = module(here[None])[0]
        others = torch.cat([logits[:label], logits[label + 1 :]])
        weights = (others / (others.max() - logits[label]).abs()).softmax(dim=0).detach()
        lead = logits[label] - (weights * others).sum()
        (gradient,) = torch.autograd.grad(lead if targeted else -lead, here)
        expected = image.copy()
        expected[((1 - here) * gradient).argsort(descending=True)[:2].numpy()] = 1
        after = int(predictions(network, expected[None])[0])
        reached = after == label if targeted else after != label
        np.testing.assert_array_equal(moved, expected if reached else image)
        found += reached
    assert 0 < found < 40


def test_the_lead_needs_fewer_pixels_than_the_product(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:40], test_digits.y[:40]
    target = (y + 1) % 10
    for goal in (None, target):
        changed, arrived = [], []
        for saliency in ("product", "lead"):
            x_adv = jsma(report_network, x, y, target=goal, saliency=saliency)
            check(x, x_adv)
            assert (x_adv[x_adv != x] == 1).all()
            after = predictions(report_network, x_adv)
            arrived.append(after != y if goal is None else after == target)
            changed.append((x_adv != x).sum(axis=1))
        assert arrived[1].mean() >= arrived[0].mean()
        both = arrived[0] & arrived[1]
        assert changed[1][both].mean() < 0.95 * changed[0][both].mean()


@pytest.mark.parametrize("targeted", [False, True])
def test_the_lead_is_the_same_for_logits_that_are_scaled_and_shifted(
    report_network: MLP, test_digits: Digits, targeted: bool
) -> None:
    x, y = test_digits.x[:30].astype(np.float64), test_digits.y[:30]
    weights = tuple(weight.astype(np.float64) for weight in report_network.weights)
    biases = tuple(bias.astype(np.float64) for bias in report_network.biases)
    wide = MLP(weights, biases)
    other = MLP((*weights[:-1], 1e-3 * weights[-1]), (*biases[:-1], 1e-3 * biases[-1] + 0.5))
    target = (y + 4) % 10 if targeted else None
    expected = jsma(wide, x, y, target=target)
    np.testing.assert_array_equal(jsma(other, x, y, target=target), expected)
    assert (expected != x).any(axis=1).mean() > 0.9


@pytest.mark.parametrize("saliency", ["product", "lead"])
def test_a_network_that_answers_the_same_to_all_images_leaves_them_as_they_are(
    saliency: str,
) -> None:
    network = MLP((np.zeros((16, 10)),), (np.zeros(10),))
    x = np.random.default_rng(0).random((5, 16))
    for y, target in ((0, None), (0, 3)):
        x_adv = jsma(network, x, np.full(5, y), target=target, saliency=saliency)
        np.testing.assert_array_equal(x_adv, x)
