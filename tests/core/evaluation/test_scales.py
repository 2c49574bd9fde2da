import numpy as np
import pytest

from core.attacks import METHODS, deepfool, fgsm, pgd_l2
from core.data.mnist import Digits
from core.evaluation.scales import L2, LINF, WAY, flip_norm, follow, random_flips, scale_of
from core.networks.mlp import MLP


@pytest.mark.parametrize(
    ("name", "scale"), [("fgsm", LINF), ("noise", LINF), ("pgd_l2", L2), ("deepfool", WAY)]
)
def test_each_attack_has_its_scale(name: str, scale: object) -> None:
    assert scale_of(METHODS[name]) is scale
    assert len(scale_of(METHODS[name]).budgets) == 101
    assert scale_of(METHODS[name]).budgets[0] == 0


def test_the_nearest_budget() -> None:
    assert LINF.nearest(0.1012) == pytest.approx(0.1)
    assert L2.nearest(1e9) == 5
    assert WAY.nearest(-1) == 0


def test_a_budget_is_the_attack_s_own(report_network: MLP, test_digits: Digits) -> None:
    x, label = test_digits.x[:1], int(test_digits.y[0])
    path = follow(report_network, METHODS["fgsm"], x, label, target=3)
    expected = fgsm(report_network, x, [label], LINF.budgets, target=3)[:, 0]
    np.testing.assert_array_equal(path.x_adv, expected)
    path = follow(report_network, METHODS["pgd_l2"], x, label)
    expected = pgd_l2(report_network, x, [label], L2.budgets)[:, 0]
    np.testing.assert_array_equal(path.x_adv, expected)
    assert (path.l2_norm <= L2.budgets + 1e-5).all()


def test_the_way_ends_at_what_was_found(report_network: MLP, test_digits: Digits) -> None:
    x, label = test_digits.x[:1], int(test_digits.y[0])
    found = deepfool(report_network, x, [label])
    path = follow(report_network, METHODS["deepfool"], x, label)
    np.testing.assert_array_equal(path.x_adv[0], x[0])
    np.testing.assert_array_equal(path.x_adv[100], found[0])
    np.testing.assert_allclose(path.x_adv[50], (x[0] + found[0]) / 2, atol=1e-6)
    assert path.flip is not None
    # DeepFool stops as soon as the prediction is another one, two hundredths beyond the boundary.
    assert path.flip.epsilon > 0.9
    whole = float(np.linalg.norm(found[0].astype(np.float64) - x[0]))
    assert flip_norm(WAY, path) == pytest.approx(path.flip.epsilon * whole)


def test_the_control_is_as_large_as_the_flip(report_network: MLP, test_digits: Digits) -> None:
    x, label = test_digits.x[:1], int(test_digits.y[0])
    for name in ("fgsm", "pgd_l2", "deepfool"):
        method = METHODS[name]
        path = follow(report_network, method, x, label)
        assert random_flips(report_network, scale_of(method), x, path) < 20


def test_without_a_flip_there_is_no_control(test_digits: Digits) -> None:
    sure = MLP((np.zeros((784, 10)),), (np.eye(10)[7],))
    path = follow(sure, METHODS["fgsm"], test_digits.x[:1], 7)
    assert path.flip is None
    assert random_flips(sure, LINF, test_digits.x[:1], path) == 0
    with pytest.raises(ValueError, match="flip"):
        flip_norm(LINF, path)
