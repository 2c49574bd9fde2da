"""The lesson's answers and what it says one has seen, on measurements made up for each case."""

import re
from typing import Any

import numpy as np
import pytest

from core.attacks import LINF
from core.evaluation.path import AttackPath, Flip
from core.evaluation.robustness import Robustness
from core.presentation import lesson


def path(flip: float | None = 0.08, *, reaches: float | None = None, **changed: Any) -> AttackPath:
    """Return the path of a 7 that becomes a 3 at this ε."""
    budgets = len(LINF.budgets)
    return AttackPath(
        scale=LINF,
        x_adv=np.zeros((budgets, 784), np.float32),
        probabilities=np.eye(10)[np.full(budgets, 7)],
        l2_norm=np.zeros(budgets),
        flip=None if flip is None else Flip(flip, 7, 3, 1.0),
        reaches=reaches,
        **changed,
    )


def numbers(text: str) -> list[str]:
    """Return a sentence's numbers as they stand there."""
    return re.findall(r"\d+(?:[.,]\d+)*", text)


@pytest.mark.parametrize(
    ("epsilon", "answer"),
    [
        (0.0, "0.05 or less"),
        (0.05, "0.05 or less"),
        (0.0501, "0.05 to 0.1"),
        (0.1, "0.05 to 0.1"),
        (0.2, "0.1 to 0.2"),
        (0.5, "0.2 to 0.5"),
        (None, "not up to 0.5"),
    ],
)
def test_an_epsilon_lies_in_one_band(epsilon: float | None, answer: str) -> None:
    assert lesson.IN_BANDS[lesson.band(epsilon)] == answer


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.5, "1 in 2"),
        (0.03, "1 in 30"),
        (0.0012, "1 in 800"),
        (1e-6, "1 in 1,000,000"),
        (3e-9, "less than 1 in 10⁸"),
        (2e-13, "less than 1 in 10¹²"),
        (0.0, "nothing"),
    ],
)
def test_odds_are_never_larger_than_the_share_where_they_say_less(share: float, said: str) -> None:
    assert lesson.odds(share) == said
    if said.startswith("less"):
        power = said.split("10")[1].translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))
        assert share < 10.0 ** -int(power)


def test_a_guess_is_compared_with_what_was_measured() -> None:
    assert "Right" in lesson.on_guess(("a", "b"), 1, 1)
    wrong = lesson.on_guess(("a", "b"), 0, 1)
    assert "Right" not in wrong
    assert wrong.index("**a**") < wrong.index("**b**")
    assert "**b**" in lesson.on_guess(("a", "b"), None, 1)


@pytest.mark.parametrize(
    ("share", "answer"),
    [(0.6, 1), (0.95, 2), (0.995, 3), (0.99999, 3)],
)
def test_reading_says_how_sure_the_network_is(share: float, answer: int) -> None:
    probabilities = np.full(10, (1 - share) / 9)
    probabilities[7] = share
    outcome = lesson.on_reading(probabilities, 7, accuracy=0.9814)
    assert outcome.right == answer
    assert "98.1" in outcome.seen
    assert ("more than" in outcome.seen) == (share > 0.9999)


def test_a_digit_that_is_misread_is_the_first_answer() -> None:
    outcome = lesson.on_reading(np.eye(10)[8], 7, accuracy=0.98)
    assert outcome.right == 0
    assert "an 8" in outcome.seen


def test_a_flip_is_said_in_grey_levels() -> None:
    outcome = lesson.on_flip(path(0.0838), 7)
    assert lesson.IN_BANDS[outcome.right] == "0.05 to 0.1"
    assert numbers(outcome.seen) == ["0.084", "3", "21", "255", "7"]
    assert "less than one" in lesson.on_flip(path(0.0005), 7).seen
    assert lesson.on_flip(path(None), 7).right == len(lesson.IN_BANDS) - 1


@pytest.mark.parametrize(
    ("fooled", "answer", "direction"),
    [(0, 0, True), (1, 1, True), (10, 1, True), (11, 2, False), (50, 2, False), (51, 3, False)],
)
def test_noise_is_the_control(fooled: int, answer: int, direction: bool) -> None:
    outcome = lesson.on_noise(path(0.3), 0.1, fooled, None)
    assert outcome.right == answer
    assert ("direction" in outcome.seen) is direction
    assert "3.0 times" in outcome.seen


def test_noise_that_never_flips_and_a_size_of_zero_are_said() -> None:
    assert "never" in lesson.on_noise(path(None), 0.1, 0, None).seen
    assert "times" not in lesson.on_noise(path(0.3), 0.0, 0, None).seen


def test_a_target_is_reached_or_not() -> None:
    outcome = lesson.on_target(path(0.05, reaches=0.15), 7, 0)
    assert lesson.IN_BANDS[outcome.right] == "0.1 to 0.2"
    assert numbers(outcome.seen)[:2] == ["0.150", "0"]
    assert lesson.on_target(path(), 7, 0).right == len(lesson.IN_BANDS) - 1


@pytest.mark.parametrize(
    ("exact", "rounded", "answer"),
    [(0.1, 0.3, 1), (0.1, None, 1), (0.3, 0.1, 0), (0.1, 0.1, 2), (None, None, 2), (None, 0.1, 0)],
)
def test_the_gradient_that_needs_more_is_the_answer(
    exact: float | None, rounded: float | None, answer: int
) -> None:
    outcome = lesson.on_gradient(path(exact), path(rounded), None)
    assert outcome.right == answer
    assert outcome.seen.count("not up to") == [exact, rounded].count(None)


def test_a_robust_network_is_compared_with_the_standard_one() -> None:
    outcome = lesson.on_robust(path(0.06), path(0.24))
    assert lesson.IN_BANDS[outcome.right] == "0.2 to 0.5"
    assert "4.0 times" in outcome.seen
    assert "times" not in lesson.on_robust(path(None), path(0.24)).seen
    assert lesson.on_robust(path(0.06), path(None)).right == len(lesson.IN_BANDS) - 1


@pytest.mark.parametrize(("wrong", "answer"), [(100, 0), (280, 1), (400, 2), (900, 3)])
def test_the_cost_is_how_many_more_are_misread(wrong: int, answer: int) -> None:
    def measured(wrong: int, rate: float) -> Robustness:
        return Robustness(
            images=10_000,
            clean_accuracy=1 - wrong / 10_000,
            attacked=1000,
            epsilons=(0.1, 0.3),
            evasion_rates={"pgd": (rate, 0.98)},
            certified=None,
            accuracy_by_digit=(1.0,) * 10,
            mirrored_by_digit=(0.5,) * 10,
        )

    outcome = lesson.on_cost(measured(200, 0.7), measured(wrong, 0.17))
    assert outcome.right == answer
    said = numbers(outcome.seen)
    assert said[:3] == ["10,000", "200", str(wrong)]
    assert {"70.0", "17.0", "98.0"} <= set(said)
