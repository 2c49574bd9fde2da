import numpy as np
import pytest

from core.attacks import L2, LINF, METHODS, WATCHED, WATCHED_MINIMAL
from core.data.mnist import Digits
from core.evaluation.path import follow
from core.evaluation.walk import can_be_recorded, record
from core.networks.mlp import MLP
from tests.core.attacks import referee

SCREEN = 256
recorded = [name for name, method in METHODS.items() if can_be_recorded(method)]


def rounded(x: np.ndarray) -> np.ndarray:
    """Round to a screen's levels, as a picture file does."""
    return (x * 255).round().astype(np.uint8) / np.float32(255)


@pytest.mark.parametrize("name", recorded)
@pytest.mark.parametrize("target", [None, 3])
def test_the_walk_ends_at_the_image_of_the_path_bit_for_bit(
    name: str, target: int | None, report_network: MLP, test_digits: Digits
) -> None:
    method = METHODS[name]
    target = target if method.targeted else None
    x, label = test_digits.x[:1], int(test_digits.y[0])
    path = follow(report_network, method, x, label, target=target, levels=SCREEN)
    for place in (13, 60, 100):
        epsilon = float(path.scale.budgets[place])
        walk = record(
            report_network, method, x, label, epsilon=epsilon, target=target, levels=SCREEN
        )
        end = path.x_adv[100 if name in WATCHED_MINIMAL else place]
        np.testing.assert_array_equal(walk.shown[-1], end)
        assert walk.epsilon == (None if name in WATCHED_MINIMAL else epsilon)
        assert not walk.gave_up


@pytest.mark.parametrize("name", recorded)
def test_the_numbers_of_a_walk_are_those_of_its_images(
    name: str, report_network: MLP, test_digits: Digits
) -> None:
    x, label = test_digits.x[:1], int(test_digits.y[0])
    walk = record(report_network, METHODS[name], x, label, epsilon=0.2, levels=SCREEN)
    np.testing.assert_array_equal(walk.shown, rounded(walk.x_adv))
    np.testing.assert_array_equal(walk.clean, rounded(x)[0])
    network = referee.in_float64(report_network)
    logits = network.logits(walk.shown)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(walk.probabilities, p, atol=1e-4)
    np.testing.assert_allclose(walk.loss, -np.log(p[:, label]), atol=1e-3)
    change = np.abs(walk.x_adv.astype(np.float64) - walk.clean)
    distance = {
        "linf": change.max(axis=1),
        "l2": np.sqrt((change**2).sum(axis=1)),
        "l0": (change > 0).sum(axis=1),
    }[METHODS[name].norm]
    np.testing.assert_allclose(walk.distance, distance, rtol=1e-6)
    seen = referee.predictions(report_network, walk.shown)
    np.testing.assert_array_equal(walk.predictions, seen)
    assert walk.before == label
    flipped = np.flatnonzero(seen != label)
    assert walk.flip == (flipped[0] if flipped.size else None)


def test_a_target_is_what_the_loss_is_of(report_network: MLP, test_digits: Digits) -> None:
    x, label = test_digits.x[:1], int(test_digits.y[0])
    walk = record(report_network, METHODS["pgd"], x, label, epsilon=0.3, target=3, levels=SCREEN)
    assert walk.predictions[-1] == 3
    np.testing.assert_allclose(walk.loss, -np.log(walk.probabilities[:, 3]), atol=1e-6)
    assert walk.loss[0] > 1 > walk.loss[-1]


def test_pixels_that_are_brought_back_are_counted(report_network: MLP, test_digits: Digits) -> None:
    x, label = test_digits.x[:1], int(test_digits.y[0])
    walk = record(report_network, METHODS["bim"], x, label, epsilon=0.1)
    beyond = (walk.moved < np.maximum(walk.clean - np.float32(0.1), 0)) | (
        walk.moved > np.minimum(walk.clean + np.float32(0.1), 1)
    )
    np.testing.assert_array_equal(walk.taken_back, beyond.sum(axis=1))
    assert walk.taken_back[0] == 0 < walk.taken_back[1]
    np.testing.assert_array_equal(walk.x_adv[0], walk.clean)


def test_without_a_budget_nothing_moves(report_network: MLP, test_digits: Digits) -> None:
    x, label = test_digits.x[:1], int(test_digits.y[0])
    for name in WATCHED:
        walk = record(report_network, METHODS[name], x, label, epsilon=0, levels=SCREEN)
        np.testing.assert_array_equal(walk.x_adv, np.broadcast_to(walk.clean, walk.x_adv.shape))
        assert walk.flip is None
        assert walk.distance.max() == 0


def test_an_attack_that_finds_nothing_has_given_up(test_digits: Digits) -> None:
    deaf = MLP((np.zeros((784, 10), np.float32),), (np.arange(10, dtype=np.float32),))
    walk = record(deaf, METHODS["deepfool"], test_digits.x[:1], 9, epsilon=1)
    assert not walk.gave_up  # it ends where it began: nothing moves it
    assert len(walk.x_adv) == 51
    # Only the step from 7 to 8 tenths of one pixel's light is felt, and not enough.
    weight = np.zeros((784, 10), np.float32)
    weight[0, 8] = 1e-3
    bounded = MLP((weight,), (np.arange(10, dtype=np.float32),))
    walk = record(bounded, METHODS["deepfool"], np.zeros((1, 784), np.float32), 9, epsilon=1)
    assert walk.gave_up
    assert walk.flip is None


@pytest.mark.parametrize("name", ["fgsm", "noise"])
def test_an_attack_of_one_step_has_no_walk(
    name: str, report_network: MLP, test_digits: Digits
) -> None:
    assert not can_be_recorded(METHODS[name])
    with pytest.raises(ValueError, match=r"^method must .* fgsm|noise"):
        record(report_network, METHODS[name], test_digits.x[:1], 7, epsilon=0.1)


def test_the_budget_is_the_nearest_of_the_scale(report_network: MLP, test_digits: Digits) -> None:
    x = test_digits.x[:1]
    assert record(report_network, METHODS["bim"], x, 7, epsilon=0.1511).epsilon == LINF.budgets[30]
    assert record(report_network, METHODS["pgd_l2"], x, 7, epsilon=9).epsilon == L2.budgets[-1]
