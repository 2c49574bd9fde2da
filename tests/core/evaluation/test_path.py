import numpy as np
import pytest

from core.attacks import (
    FOLLOWED,
    L2,
    LINF,
    METHODS,
    WAY,
    MinimalMethod,
    Scale,
    bim,
    deepfool,
    fgsm,
    pgd_l2,
    towards,
)
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.evaluation import path as paths
from core.evaluation.path import AttackPath, follow, random_flips, trace
from core.losses import softmax
from core.measures import SCREEN
from core.networks.mlp import MLP


def of_digit(network: MLP, x: FloatArray, label: int, target: int | None = None) -> AttackPath:
    return follow(network, METHODS["fgsm"], x, label, target=target)


@pytest.mark.parametrize(
    ("name", "scale"), [("fgsm", LINF), ("noise", LINF), ("pgd_l2", L2), ("deepfool", WAY)]
)
def test_each_attack_has_its_scale(name: str, scale: Scale) -> None:
    assert METHODS[name].scale is scale


def test_the_nearest_budget() -> None:
    assert LINF.nearest(0.1012) == pytest.approx(0.1)
    assert L2.nearest(1e9) == 5
    assert WAY.nearest(-1) == 0


@pytest.mark.parametrize("budgets", [[0.1, 0.2], [0, 0.2, 0.1], [0, 0, 0.1], [0, np.nan], []])
def test_budgets_must_rise_from_zero(budgets: list[float]) -> None:
    with pytest.raises(ValueError, match="^budgets must"):
        Scale("linf", np.array(budgets), 1e-4)


def test_the_flip_is_the_first_of_a_dense_scan(report_network: MLP, test_digits: Digits) -> None:
    dense = np.arange(0, 5001) * LINF.resolution
    flipped = 0
    for index in range(20):
        x = test_digits.x[index : index + 1]
        before = int(report_network.logits(x).argmax())
        path = of_digit(report_network, x, before)
        scanned = report_network.logits(fgsm(report_network, x, [before], dense)[:, 0]).argmax(1)
        hits = np.flatnonzero(scanned != before)
        if path.flip is None:
            assert not hits.size
            continue
        flipped += 1
        assert path.flip.epsilon == pytest.approx(dense[hits[0]], abs=LINF.resolution)
        assert path.flip.before == before
        assert path.flip.after != before
        at_flip = fgsm(report_network, x, [before], path.flip.epsilon)
        assert int(report_network.logits(at_flip).argmax()) == path.flip.after
    assert flipped > 15


@pytest.mark.parametrize(("index", "target"), [(0, None), (0, 1), (8, None), (8, 0), (6, 2)])
def test_an_iterated_attack_flips_by_the_budget_of_its_flip(
    report_network: MLP, test_digits: Digits, index: int, target: int | None
) -> None:
    x, label = test_digits.x[[index]], int(test_digits.y[index])
    path = follow(report_network, METHODS["bim"], x, label, target=target, levels=SCREEN)
    assert path.flip is not None
    assert not path.straight
    dense = np.arange(0, path.flip.epsilon + 1e-9, LINF.resolution)
    shown = picture(bim(report_network, x, [label], dense, target=target)[:, 0])
    hits = np.flatnonzero(report_network.logits(shown).argmax(axis=1) != label)
    if (index, target) == (6, 2):  # it has flipped before, between two budgets of the scale
        assert dense[hits[0]] < path.flip.epsilon - 0.02
    at_flip = picture(bim(report_network, x, [label], path.flip.epsilon, target=target))
    assert int(report_network.logits(at_flip).argmax()) == path.flip.after != label


@pytest.mark.parametrize(
    ("name", "straight"),
    [
        ("fgsm", True),
        ("noise", True),
        ("deepfool", True),
        ("bim", False),
        ("mi_fgsm", False),
        ("pgd", False),
        ("pgd_l2", False),
    ],
)
def test_along_one_direction_a_path_is_straight(
    name: str, straight: bool, report_network: MLP, test_digits: Digits
) -> None:
    path = follow(report_network, METHODS[name], test_digits.x[:1], 7)
    assert path.straight is straight
    # Where no pixel is clipped, a straight path is a multiple of one perturbation.
    near = path.x_adv[1:4] - path.x_adv[0]
    free = ((path.x_adv[:5] > 0) & (path.x_adv[:5] < 1)).all(axis=0)
    if straight:
        np.testing.assert_allclose(near[2, free], 3 * near[0, free], atol=1e-5)
    else:
        assert np.abs(near[2, free] - 3 * near[0, free]).max() > 1e-4


def test_a_flip_worked_out_by_hand() -> None:
    # Logits are x and 1 - x: from 0.8, the decision is at 0.5, so ε = 0.3.
    network = MLP((np.array([[1.0, -1.0]]),), (np.array([0.0, 1.0]),))
    path = of_digit(network, np.array([[0.80003]]), 0)
    assert path.flip is not None
    assert 0.30003 - 1e-9 <= path.flip.epsilon <= 0.30003 + LINF.resolution
    assert (path.flip.before, path.flip.after) == (0, 1)
    assert path.predictions.tolist() == [0] * 61 + [1] * 40


def test_a_prediction_that_never_changes_has_no_flip(test_digits: Digits) -> None:
    sure = MLP((np.zeros((784, 10)),), (np.eye(10)[7],))
    path = of_digit(sure, test_digits.x[:1], 7, target=3)
    assert (path.flip, path.reaches, path.random_flips) == (None, None, 0)


def test_a_path_holds_what_it_says(report_network: MLP, test_digits: Digits) -> None:
    x = test_digits.x[:1]
    path = follow(report_network, METHODS["pgd"], x, 7, target=3)
    np.testing.assert_array_equal(path.x_adv[0], x[0])
    assert path.x_adv.shape == (101, 784)
    np.testing.assert_allclose(path.probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(path.l2_norm, np.sqrt(((path.x_adv - x) ** 2).sum(1)), atol=1e-5)
    assert path.flip is not None
    assert path.reaches is not None
    assert path.reaches >= path.flip.epsilon
    on_grid = LINF.budgets[path.predictions == 3][0]
    assert on_grid - 0.005 <= path.reaches <= on_grid


def test_a_target_that_is_the_prediction_already_is_reached_at_once(
    report_network: MLP, test_digits: Digits
) -> None:
    # A 7 that somebody meant to be a 3, and that the network reads as a 7.
    assert of_digit(report_network, test_digits.x[:1], 3, target=7).reaches == 0


def test_a_budget_is_the_attack_s_own(report_network: MLP, test_digits: Digits) -> None:
    x = test_digits.x[:1]
    expected = fgsm(report_network, x, [7], LINF.budgets, target=3)[:, 0]
    np.testing.assert_array_equal(of_digit(report_network, x, 7, target=3).x_adv, expected)
    path = follow(report_network, METHODS["pgd_l2"], x, 7)
    np.testing.assert_array_equal(path.x_adv, pgd_l2(report_network, x, [7], L2.budgets)[:, 0])
    assert (path.l2_norm <= L2.budgets + 1e-5).all()
    assert path.random_flips < 20


def test_the_way_ends_at_what_was_found(report_network: MLP, test_digits: Digits) -> None:
    x = test_digits.x[:1]
    found = deepfool(report_network, x, [7])
    path = follow(report_network, METHODS["deepfool"], x, 7)
    np.testing.assert_array_equal(path.x_adv[0], x[0])
    np.testing.assert_array_equal(path.x_adv[100], found[0])
    np.testing.assert_allclose(path.x_adv[50], (x[0] + found[0]) / 2, atol=1e-6)
    assert path.flip is not None
    # DeepFool stops as soon as the prediction changes, 2 % beyond the boundary.
    assert path.flip.epsilon > 0.9
    assert path.random_flips < 20


def picture(image: FloatArray) -> FloatArray:
    """Save an image with 256 grey levels and read it again."""
    shown: FloatArray = (image * 255).round().astype(np.uint8) / np.float32(255)
    return shown


@pytest.mark.thorough
@pytest.mark.parametrize("name", [method.name for method in FOLLOWED.values()])
def test_with_levels_every_verdict_is_of_the_picture_that_is_shown(
    name: str, report_network: MLP, test_digits: Digits
) -> None:
    method = METHODS[name]
    for index in range(5):
        x = test_digits.x[index : index + 1]
        before = int(report_network.logits(x).argmax())
        path = follow(report_network, method, x, before, levels=256)
        np.testing.assert_array_equal(path.x_adv[0], x[0])
        np.testing.assert_array_equal(path.x_adv, picture(path.x_adv))
        seen = softmax(report_network.logits(path.x_adv))
        # Among other images the logits may be rounded otherwise.
        np.testing.assert_allclose(path.probabilities, seen, atol=1e-5)
        np.testing.assert_allclose(path.l2_norm, np.sqrt(((path.x_adv - x) ** 2).sum(1)), atol=1e-5)
        if path.flip is None:
            assert name == "noise"
            continue
        budget = np.array([path.flip.epsilon])
        if isinstance(method, MinimalMethod):
            exact = towards(x, method.on_one(report_network, x, [before]), budget)[0]
        else:
            exact = method.attack(report_network, x, [before], budget)[0]
        at_flip = picture(exact)
        assert int(report_network.logits(at_flip).argmax()) == path.flip.after != before
        assert path.flip.l2_norm == pytest.approx(np.sqrt(((at_flip - x) ** 2).sum()), abs=1e-5)


def test_the_flip_with_levels_is_the_first_of_a_dense_scan(
    report_network: MLP, test_digits: Digits
) -> None:
    dense = np.arange(0, 5001) * LINF.resolution
    for index in range(10):
        x = test_digits.x[index : index + 1]
        before = int(report_network.logits(x).argmax())
        path = follow(report_network, METHODS["fgsm"], x, before, levels=256)
        shown = picture(fgsm(report_network, x, [before], dense)[:, 0])
        hits = np.flatnonzero(report_network.logits(shown).argmax(axis=1) != before)
        assert path.flip is not None
        assert path.flip.epsilon == pytest.approx(dense[hits[0]], abs=1.001 * LINF.resolution)


def deciding_at(level: float) -> MLP:
    """Return a network of one pixel that sees a 1 above a grey level of 255, and a 0 below it."""
    return MLP((np.array([[0.0, 1.0]]),), (np.array([0.0, -level / 255]),))


def test_the_clean_image_is_judged_as_it_is_shown() -> None:
    network, x = deciding_at(127.2), np.array([[127.4 / 255]])
    assert follow(network, METHODS["fgsm"], x, 1).predictions[0] == 1
    path = follow(network, METHODS["fgsm"], x, 0, levels=256)
    assert path.predictions[0] == 0
    assert path.x_adv[0, 0] == pytest.approx(127 / 255)


def way_of_a_pixel(decision: float, found: float, levels: int | None) -> AttackPath:
    """Trace the way from the grey level 100 to the one that was found."""

    def attack(shares: FloatArray) -> FloatArray:
        pixels: FloatArray = (100 + shares[:, None] * (found - 100)) / 255
        return pixels

    return trace(deciding_at(decision), WAY, attack, levels=levels)


def test_beyond_its_end_the_way_finds_the_flip_that_rounding_undid() -> None:
    exact = way_of_a_pixel(119.3, 119.4, levels=None)
    assert exact.flip is not None
    assert exact.flip.epsilon == pytest.approx(19.3 / 19.4, abs=2 * WAY.resolution)
    path = way_of_a_pixel(119.3, 119.4, levels=256)
    assert path.predictions[WAY.budgets == 1] == 0
    assert path.flip is not None
    assert path.flip.epsilon == pytest.approx(19.5 / 19.4, abs=2 * WAY.resolution)
    assert path.flip.l2_norm == pytest.approx(20 / 255)
    assert not path.undone


def test_a_flip_between_two_grey_levels_is_undone_for_good() -> None:
    exact = way_of_a_pixel(100.2, 100.3, levels=None)
    assert exact.flip is not None
    assert not exact.undone
    path = way_of_a_pixel(100.2, 100.3, levels=256)
    assert (path.flip, path.random_flips, path.undone) == (None, 0, True)
    never = way_of_a_pixel(150, 100.3, levels=256)
    assert (never.flip, never.undone) == (None, False)


def test_the_random_control_is_rounded_too() -> None:
    x = np.array([[100 / 255]])
    assert random_flips(deciding_at(100.1), x, 0.4 / 255) > 30  # about half of them get lighter
    assert random_flips(deciding_at(100.1), x, 0.4 / 255, levels=256) == 0


def test_random_flips_by_a_plain_count(report_network: MLP, test_digits: Digits) -> None:
    x = test_digits.x[:1]
    assert random_flips(report_network, x, 0.05) == 0
    signs = np.random.default_rng(0).integers(0, 2, (100, 784), np.int8) * 2 - 1
    count = sum(
        int(report_network.logits(np.clip(x + np.float32(0.5) * sign, 0, 1)).argmax()) != 7
        for sign in signs.astype(np.float32)
    )
    assert random_flips(report_network, x, 0.5) == count > 0


@pytest.mark.parametrize(
    ("scale", "size"), [(LINF, 0.4), (L2, 0.4 / 2), (WAY, 0.4 / 1.05 * 1.6 / 2)]
)
def test_the_control_is_as_large_as_the_flip(
    scale: Scale, size: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, end = np.full(4, 0.1), np.full(4, 0.9)  # an L2 norm of 1.6 apart

    def attack(budgets: FloatArray) -> FloatArray:
        images: FloatArray = x + budgets[:, None] / scale.budgets[-1] * (end - x)
        return images

    at_the_flip = attack(np.array([0.4]))[0, 0]
    network = MLP((np.eye(4, 1) * [[1.0, 0.0]],), (np.array([0, at_the_flip - 1e-9]),))
    sizes: list[float] = []
    monkeypatch.setattr(paths, "random_flips", lambda network, x, size, **_: sizes.append(size))
    trace(network, scale, attack)
    assert sizes == [pytest.approx(size, abs=scale.resolution)]


@pytest.mark.thorough
def test_on_one_digit_carlini_and_wagner_flip_hardly_later_than_pgd(
    report_network: MLP, test_digits: Digits
) -> None:
    for index in (0, 1, 2, 3, 18, 19, 50, 84):
        x, label = test_digits.x[[index]], int(test_digits.y[index])
        carlini, pgd = (
            follow(report_network, METHODS[name], x, label, levels=SCREEN).flip
            for name in ("carlini_wagner", "pgd_l2")
        )
        assert carlini is not None and pgd is not None
        # On 256 grey levels, one of the two is sometimes rounded to the smaller change.
        assert carlini.l2_norm <= 1.05 * pgd.l2_norm
