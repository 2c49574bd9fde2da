import numpy as np
import pytest

from core.attacks import fgsm, pgd
from core.attacks.problem import Attack
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.evaluation.path import RESOLUTION, Path, random_flips, trace
from core.networks.mlp import MLP

GRID = np.linspace(0, 0.5, 101)


def of_digit(
    network: MLP, attack: Attack, x: FloatArray, label: int, target: int | None = None
) -> Path:
    return trace(
        network,
        lambda epsilons: attack(network, x, [label], epsilons, target=target)[:, 0],
        GRID,
        target=target,
    )


def test_the_flip_is_the_first_of_a_dense_scan(report_network: MLP, test_digits: Digits) -> None:
    dense = np.arange(0, 5001) * RESOLUTION
    flipped = 0
    for index in range(60):
        x = test_digits.x[index : index + 1]
        before = int(report_network.logits(x).argmax())
        path = of_digit(report_network, fgsm, x, before)
        scanned = report_network.logits(fgsm(report_network, x, [before], dense)[:, 0]).argmax(1)
        hits = np.flatnonzero(scanned != before)
        if path.flip is None:
            assert not hits.size
            continue
        flipped += 1
        assert path.flip.epsilon == pytest.approx(dense[hits[0]], abs=RESOLUTION)
        assert path.flip.before == before
        assert path.flip.after != before
        at_flip = fgsm(report_network, x, [before], path.flip.epsilon)
        assert int(report_network.logits(at_flip).argmax()) == path.flip.after
    assert flipped > 50


def test_a_flip_worked_out_by_hand() -> None:
    # Logits are x and 1 - x: from 0.8, the decision is at 0.5, so ε = 0.3.
    network = MLP((np.array([[1.0, -1.0]]),), (np.array([0.0, 1.0]),))
    path = of_digit(network, fgsm, np.array([[0.80003]]), 0)
    assert path.flip is not None
    assert path.flip.epsilon == pytest.approx(0.30003, abs=RESOLUTION)
    assert path.flip.epsilon >= 0.30003 - 1e-9
    assert (path.flip.before, path.flip.after) == (0, 1)
    assert path.predictions.tolist() == [0] * 61 + [1] * 40


def test_a_prediction_that_never_changes_has_no_flip() -> None:
    network = MLP((np.array([[1.0, -1.0]]),), (np.array([9.0, 0.0]),))
    path = of_digit(network, fgsm, np.array([[0.8]]), 0)
    assert path.flip is None
    assert path.reaches is None


def test_a_path_holds_what_it_says(report_network: MLP, test_digits: Digits) -> None:
    x = test_digits.x[:1]
    path = of_digit(report_network, pgd, x, 7, target=3)
    np.testing.assert_array_equal(path.x_adv[0], x[0])
    assert path.x_adv.shape == (101, 784)
    np.testing.assert_allclose(path.probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(path.l2_norm, np.sqrt(((path.x_adv - x) ** 2).sum(1)), atol=1e-5)
    assert path.flip is not None
    assert path.reaches is not None
    assert path.reaches >= path.flip.epsilon
    on_grid = GRID[path.predictions == 3][0]
    assert on_grid - 0.005 <= path.reaches <= on_grid


def test_a_target_that_it_is_already_is_reached_at_once(
    report_network: MLP, test_digits: Digits
) -> None:
    assert of_digit(report_network, fgsm, test_digits.x[:1], 7, target=7).reaches == 0


@pytest.mark.parametrize("epsilons", [[0.1, 0.2], [0, 0.2, 0.1], [0, 0, 0.1], [0, np.nan], []])
def test_budgets_must_rise_from_zero(epsilons: list[float], report_network: MLP) -> None:
    with pytest.raises(ValueError, match="^epsilons must"):
        trace(report_network, lambda budgets: np.zeros((len(budgets), 784)), epsilons)


def test_random_flips_by_a_plain_count(report_network: MLP, test_digits: Digits) -> None:
    x = test_digits.x[:1]
    assert random_flips(report_network, x, 0.05) == 0
    strong = random_flips(report_network, x, 0.5)
    signs = np.random.default_rng(0).integers(0, 2, (100, 784), np.int8) * 2 - 1
    count = sum(
        int(report_network.logits(np.clip(x + np.float32(0.5) * sign, 0, 1)).argmax()) != 7
        for sign in signs.astype(np.float32)
    )
    assert strong == count > 0
