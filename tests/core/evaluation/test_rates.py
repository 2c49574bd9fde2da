import threading
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import measures
from core.attacks import ATTACKS, deepfool, fgsm, noise, pgd
from core.classifier import Classifier, FloatArray, IntArray
from core.data.mnist import Digits
from core.evaluation.rates import (
    Evaluation,
    evaluate,
    evasion_curve,
    evasion_within,
    limited_to,
    smallest_budgets,
)
from core.networks.mlp import MLP


def of_known(before: list[int], after: list[int], l2_norm: list[float]) -> Evaluation:
    """Images of a 0, of which all is known that the rates look at."""
    nothing = np.zeros((len(before), 784))
    y = np.zeros(len(before), np.int64)
    return Evaluation(
        nothing, y, nothing, np.array(before), np.array(after), np.array(l2_norm, np.float64)
    )


def test_an_evaluation_by_a_plain_loop(report_network: MLP, test_digits: Digits) -> None:
    images = 1200
    x, y = test_digits.x[:images], test_digits.y[:images]
    done: list[int] = []
    found = evaluate(
        report_network,
        lambda x, y: fgsm(report_network, x, y, 0.1),
        x,
        y,
        on_progress=done.append,
    )
    assert found.images == sum(done) == images
    assert len(done) == 3
    misclassified = evaded = right = 0
    for place in range(images):
        before = int(report_network.logits(x[place : place + 1]).argmax())
        after = int(report_network.logits(found.x_adv[place : place + 1]).argmax())
        assert (found.before[place], found.after[place]) == (before, after)
        misclassified += after != y[place]
        right += before == y[place]
        evaded += before == y[place] != after
        norm = sum((found.x_adv[place].astype(float) - x[place].astype(float)) ** 2) ** 0.5
        assert found.l2_norm[place] == pytest.approx(norm, rel=1e-12)
    assert found.clean_accuracy == right / images
    assert found.evasion_rate == misclassified / images
    assert found.evasion_rate_of_correct == evaded / right
    assert found.l2_norm.dtype == np.float64
    np.testing.assert_array_equal(found.x_adv, fgsm(report_network, x, y, 0.1))


def test_with_levels_the_bytes_of_a_picture_are_judged(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:600], test_digits.y[:600]
    exact = deepfool(report_network, x, y)
    found = evaluate(report_network, partial(deepfool, report_network), x, y, levels=256)
    shown = (exact * 255).round().astype(np.uint8) / np.float32(255)
    np.testing.assert_array_equal(found.x_adv, shown)
    np.testing.assert_array_equal(found.x, x)
    np.testing.assert_array_equal(found.after, report_network.logits(shown).argmax(axis=1))
    np.testing.assert_allclose(found.l2_norm, np.sqrt(((shown - x) ** 2).sum(axis=1)), rtol=1e-4)
    # DeepFool ends just across the boundary: rounding brings many images back.
    assert (evaluate(report_network, partial(deepfool, report_network), x, y)).evasion_rate == 1
    assert 0.5 < found.evasion_rate < 0.8


def test_a_curve_with_levels_is_of_rounded_images(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:300], test_digits.y[:300]
    epsilons = [0.0, 0.4 / 255, 0.1]  # the second is rounded back to nothing
    rates = evasion_curve(report_network, fgsm, x, y, epsilons, levels=256)
    exact = evasion_curve(report_network, fgsm, x, y, epsilons)
    assert rates[1] == rates[0] == exact[0]
    rounded = measures.rounded(fgsm(report_network, x, y, 0.1), 256)
    assert rates[2] == measures.evasion_rate(report_network, rounded, y)


def test_where_nothing_was_right_before_no_rate_of_it_is_given() -> None:
    wrong = of_known([1, 2], [0, 2], [0, 0])
    assert wrong.evasion_rate_of_correct is None
    assert wrong.evasion_rate == 0.5
    assert wrong.clean_accuracy == 0


@pytest.mark.parametrize("name", ATTACKS)
def test_a_budget_of_zero_changes_nothing(
    name: str, report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:600], test_digits.y[:600]
    found = evaluate(report_network, lambda x, y: ATTACKS[name](report_network, x, y, 0.0), x, y)
    np.testing.assert_array_equal(found.x_adv, x)
    np.testing.assert_array_equal(found.after, found.before)
    assert not found.l2_norm.any()
    np.testing.assert_array_equal(found.misclassified, ~found.correct_before)


@pytest.mark.parametrize("attack", [fgsm, partial(pgd, steps=3, random_start=False)])
@pytest.mark.parametrize("images", [1, 255, 600])
def test_a_curve_is_what_each_budget_alone_comes_to(
    attack: partial[FloatArray], images: int, report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:images], test_digits.y[:images]
    epsilons = [0.0, 0.05, 0.1, 0.3]
    done: list[int] = []
    rates = evasion_curve(report_network, attack, x, y, epsilons, on_progress=done.append)
    assert sum(done) == images
    expected = [
        float((report_network.logits(attack(report_network, x, y, e)).argmax(axis=1) != y).mean())
        for e in epsilons
    ]
    # Products of other sizes round otherwise: one image of 600 may be on the edge.
    np.testing.assert_allclose(rates, expected, rtol=0, atol=1 / 600)
    np.testing.assert_array_equal(evasion_curve(report_network, attack, x, y, 0.1), rates[2:3])


def test_an_image_has_the_same_noise_wherever_it_is_attacked(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:1500], test_digits.y[:1500]
    epsilon = 0.3
    at_once = noise(report_network, x, y, epsilon)
    batches = evaluate(report_network, lambda x, y: noise(report_network, x, y, epsilon), x, y)
    np.testing.assert_array_equal(batches.x_adv, at_once)
    curve = evasion_curve(report_network, noise, x, y, [epsilon])
    # Products of other sizes round otherwise: an image may be on the edge.
    assert curve[0] == pytest.approx(batches.evasion_rate, abs=2 / 1500)


def test_within_budgets_by_hand() -> None:
    found = of_known(
        #      evaded, evaded, never, wrong already, wrong already and then right
        before=[0, 0, 0, 3, 3],
        after=[1, 2, 0, 3, 0],
        l2_norm=[1.5, 0.5, 9.0, 0.0, 4.0],
    )
    rates = evasion_within(found, [0, 0.5, 1, 1.5, 100])
    np.testing.assert_allclose(rates, [0.4, 0.6, 0.6, 0.8, 0.8])
    np.testing.assert_allclose(evasion_within(found, 0.5), [0.6])


labels = st.integers(0, 9)


images = st.lists(st.tuples(labels, labels, st.floats(0, 10)), min_size=1, max_size=30)


@given(
    images=images,
    budgets=st.lists(st.floats(0, 12), min_size=2, max_size=10),
)
def test_a_larger_budget_never_misleads_fewer(
    images: list[tuple[int, int, float]], budgets: list[float]
) -> None:
    found = of_known(*map(list, zip(*images, strict=True)))
    rates = evasion_within(found, sorted(budgets))
    assert (np.diff(rates) >= 0).all()
    assert rates[0] >= (~found.correct_before).mean()
    assert evasion_within(found, 100.0)[0] == np.mean(
        [before != 0 or after != 0 for before, after, _ in images]
    )


@given(images=images, budget=st.floats(0, 12))
def test_what_needs_more_than_it_may_spend_stays_as_it_is(
    images: list[tuple[int, int, float]], budget: float
) -> None:
    found = of_known(*map(list, zip(*images, strict=True)))
    limited = limited_to(found, budget)
    for place, (before, after, norm) in enumerate(images):
        assert limited.after[place] == (after if norm <= budget else before)
        assert limited.l2_norm[place] == (norm if norm <= budget else 0)
    np.testing.assert_array_equal(limited.before, found.before)


class StoppedError(Exception):
    """What a page raises when its viewer has left."""


@pytest.mark.parametrize("curve", [False, True])
def test_progress_can_end_the_work(curve: bool, report_network: MLP, test_digits: Digits) -> None:
    attacked: list[int] = []
    told = threading.Event()

    def attack(x: FloatArray, y: IntArray) -> FloatArray:
        attacked.append(len(x))
        if curve:  # then the caller is told in another thread
            told.wait()
        return x

    def stop(images: int) -> None:
        assert not told.is_set()
        told.set()
        raise StoppedError

    with pytest.raises(StoppedError):
        if curve:
            evasion_curve(
                report_network,
                lambda classifier, x, y, epsilon, target=None: attack(x, y)[None],
                test_digits.x,
                test_digits.y,
                [0.1],
                on_progress=stop,
            )
        else:
            evaluate(report_network, attack, test_digits.x, test_digits.y, on_progress=stop)
    assert sum(attacked) < len(test_digits)


def test_bad_arguments_are_named(report_network: MLP) -> None:
    def attack(x: FloatArray, y: IntArray) -> FloatArray:
        return x

    x, y = np.zeros((3, 784), np.float32), np.zeros(3, np.int64)
    with pytest.raises(ValueError, match="^x must be pixels"):
        evaluate(report_network, attack, x + 2, y)
    with pytest.raises(ValueError, match="^x must hold at least one image"):
        evaluate(report_network, attack, x[:0], y[:0])
    with pytest.raises(ValueError, match="^y must be 3 labels"):
        evaluate(report_network, attack, x, y[:2])
    with pytest.raises(ValueError, match=r"^attack must return \(3, 784\), not \(2, 784\)"):
        evaluate(report_network, lambda x, y: x[:2], x, y)
    with pytest.raises(ValueError, match=r"must be pixels in \[0, 1\]"):
        evaluate(report_network, lambda x, y: x - 1, x, y)
    with pytest.raises(ValueError, match="^x must hold at least one image"):
        evasion_curve(report_network, fgsm, x[:0], y[:0], 0.1)
    with pytest.raises(ValueError, match="^epsilons must be finite"):
        evasion_curve(report_network, fgsm, x, y, [0.1, -0.1])
    with pytest.raises(ValueError, match="^budgets must be finite"):
        evasion_within(of_known([0], [0], [0]), np.nan)


def test_an_attack_s_own_error_reaches_the_caller(report_network: MLP) -> None:
    bad = partial(pgd, steps=0)
    with pytest.raises(ValueError, match="^steps must"):
        evasion_curve(report_network, bad, np.zeros((700, 784)), np.zeros(700, int), [0.1])


def test_the_smallest_budget_of_each_image_by_a_plain_loop(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:700], test_digits.y[:700]
    budgets = [0.1, 0.0, 0.05, 0.2, 0.15]
    calls: list[tuple[int, float]] = []  # images and the budget
    done: list[int] = []

    def counted(classifier: Classifier, x: Any, y: Any, epsilon: Any, **more: Any) -> FloatArray:
        calls.append((len(x), float(epsilon)))
        return fgsm(classifier, x, y, epsilon, **more)

    found = smallest_budgets(report_network, counted, x, y, budgets, on_progress=done.append)
    assert sum(done) == 700
    misled = {
        budget: report_network.logits(fgsm(report_network, x, y, budget)).argmax(axis=1) != y
        for budget in budgets
    }
    for place in range(700):
        expected = np.inf
        for budget in sorted(budgets, reverse=True):
            if not misled[budget][place]:
                break
            expected = budget
        assert found[place] == expected
    assert set(found) == {*budgets, np.inf}
    # Nobody is attacked again within a smaller budget than the one that it withstood.
    asked = {budget: sum(n for n, each in calls if each == budget) for budget in budgets}
    withstood = {0.2: np.inf, 0.15: 0.2, 0.1: 0.15, 0.05: 0.1, 0.0: 0.05}
    assert asked[0.2] == 700
    for budget, former in list(withstood.items())[1:]:
        assert asked[budget] == (found <= former).sum()


def test_the_smallest_budgets_are_of_rounded_images(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:100], test_digits.y[:100]
    found = smallest_budgets(report_network, fgsm, x, y, [0.0, 0.4 / 255, 0.1], levels=256)
    rounded = measures.rounded(fgsm(report_network, x, y, 0.1), 256)
    assert (found <= 0.1).mean() == measures.evasion_rate(report_network, rounded, y)
    assert not (found == 0.4 / 255).any()  # it is rounded back to nothing
    with pytest.raises(ValueError, match="at least one image"):
        smallest_budgets(report_network, fgsm, x[:0], y[:0], [0.1])
