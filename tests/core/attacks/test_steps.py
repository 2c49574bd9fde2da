"""What an attack tells of its steps is what it did: the last one is its answer, bit for bit."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from core import batches
from core.attacks import METHODS, WATCHED, WATCHED_MINIMAL, MinimalMethod, Step, deepfool, jsma
from core.attacks.steps import WatchedAttack, WatchedMinimalAttack
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks.mlp import MLP
from tests.core.attacks import referee

watched_attack = pytest.mark.parametrize("attack", WATCHED.values(), ids=WATCHED)
watched_minimal = pytest.mark.parametrize("attack", WATCHED_MINIMAL.values(), ids=WATCHED_MINIMAL)
EPSILONS = [0.0, 0.1, 0.3]


def recorded(attack: Callable[..., FloatArray], *args: Any, **settings: Any) -> Any:
    """Return an attack's answer, flattened to rows, and the steps of each row in order."""
    steps: list[Step] = []
    answer = attack(*args, watch=steps.append, **settings)
    answer = answer.reshape(-1, answer.shape[-1])
    rows: list[list[tuple[FloatArray, ...]]] = [[] for _ in answer]
    for step in steps:
        arrays = (step.move, step.moved, step.x_adv)
        assert all(array.shape == (len(step.rows), answer.shape[-1]) for array in arrays)
        for row, *each in zip(step.rows, *arrays, strict=True):
            assert len(rows[row]) == step.number  # none is missing, none comes twice
            rows[row].append(tuple(each))
    return answer, rows


@watched_attack
@pytest.mark.parametrize("target", [None, 3])
def test_the_last_step_is_the_answer_and_watching_changes_nothing(
    attack: WatchedAttack, target: int | None, report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:5], test_digits.y[:5]
    unwatched = attack(report_network, x, y, EPSILONS, target=target)
    answer, rows = recorded(attack, report_network, x, y, EPSILONS, target=target)
    np.testing.assert_array_equal(answer, unwatched.reshape(-1, 784))
    for row, steps in enumerate(rows):
        assert len(steps) == (41 if attack.__name__.startswith("pgd") else 11)  # type: ignore[attr-defined]
        np.testing.assert_array_equal(steps[-1][2], answer[row])


@watched_attack
def test_each_step_leads_from_the_one_before_and_is_brought_back(
    attack: WatchedAttack, report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:5], test_digits.y[:5]
    norm = "l2" if attack is WATCHED["pgd_l2"] else "linf"
    _, rows = recorded(attack, report_network, x, y, EPSILONS)
    projections = 0
    for row, ((move, moved, before), *steps) in enumerate(rows):
        epsilon, clean = EPSILONS[row // 5], x[row % 5 : row % 5 + 1]
        assert not move.any()
        np.testing.assert_array_equal(moved, before)
        starts_at_random = attack is WATCHED["pgd"] and epsilon > 0
        assert (before != clean[0]).any() == starts_at_random
        sizes = []
        for move, moved, after in steps:
            np.testing.assert_array_equal(moved, before + move)
            referee.check(clean, after[None], **{norm: epsilon})
            # The projection takes back, and never goes beyond what was taken.
            assert (np.abs(after - clean[0]) <= np.abs(moved - clean[0]) + 1e-6).all()
            projections += int((after != moved).any())
            sizes.append(np.linalg.norm(move) if norm == "l2" else np.abs(move).max())
            before = after
        np.testing.assert_allclose(sizes, sizes[0], rtol=1e-4)
    assert projections > 10


@watched_attack
def test_the_best_iterate_is_among_the_steps(attack: WatchedAttack, small_network: MLP) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.random((40, 12)), rng.integers(0, 10, 40)
    settings = {"steps": 6, "step_size": 0.2, "keep_best": True}
    answer, rows = recorded(attack, small_network, x, y, 0.3, **settings)
    places = [
        [np.array_equal(image, x_adv) for _, _, x_adv in steps].index(True)
        for image, steps in zip(answer, rows, strict=True)
    ]
    assert len(set(places)) > 2


@watched_minimal
def test_the_last_step_of_a_minimal_attack_is_its_answer(
    attack: WatchedMinimalAttack, report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:40], test_digits.y[:40]
    unwatched = attack(report_network, x, y)
    answer, rows = recorded(attack, report_network, x, y)
    np.testing.assert_array_equal(answer, unwatched)
    for image, clean, steps in zip(answer, x, rows, strict=True):
        (move, moved, before), *later = steps
        np.testing.assert_array_equal(before, clean)
        assert not move.any()
        for move, moved, after in later:
            assert move.any()
            np.testing.assert_allclose(moved, before + move, atol=1e-6)
            np.testing.assert_array_equal(after, np.clip(moved, 0, 1))
            before = after
        np.testing.assert_array_equal(before, image)
    numbers = {len(steps) for steps in rows}
    assert 2 <= min(numbers) < max(numbers)


@pytest.mark.parametrize(("attack", "setting"), [(deepfool, "steps"), (jsma, "pixel_share")])
def test_where_a_minimal_attack_gives_up_its_answer_is_the_clean_image(
    attack: WatchedMinimalAttack, setting: str, report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:10], test_digits.y[:10]
    few = {"steps": 1, "pixel_share": 3 / 784}[setting]
    answer, rows = recorded(attack, report_network, x, y, **{setting: few})
    left = [np.array_equal(image, clean) for image, clean in zip(answer, x, strict=True)]
    assert sum(left) > 5
    for given_up, image, steps in zip(left, answer, rows, strict=True):
        assert len(steps) == 2  # it did make its step
        assert np.array_equal(steps[-1][2], image) is not given_up


def test_many_images_are_told_of_by_several_threads_each_once(
    report_network: MLP, test_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH", 4)
    lock, seen = threading.Lock(), np.zeros((11, 30), int)

    def count(step: Step) -> None:
        with lock:
            seen[step.number, step.rows] += 1

    WATCHED["bim"](report_network, test_digits.x[:10], test_digits.y[:10], EPSILONS, watch=count)
    np.testing.assert_array_equal(seen, 1)


def test_every_attack_of_several_steps_can_be_watched() -> None:
    iterated = {name for name, method in METHODS.items() if method.cost == "iterated"}
    assert iterated == {*WATCHED, *WATCHED_MINIMAL}
    for name, attack in {**WATCHED, **WATCHED_MINIMAL}.items():
        assert METHODS[name].attack is attack
        assert isinstance(METHODS[name], MinimalMethod) == (name in WATCHED_MINIMAL)
