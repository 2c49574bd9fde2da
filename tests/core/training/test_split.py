"""Which images a recipe learns from, and on which it validates."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.mnist import Digits
from core.recipe import PRESETS, Recipe
from core.training import of_digits, split
from tests.core.training.comparison import REPORT


def numbered(count: int) -> Digits:
    """Return images whose first pixel tells their number, of the digits 0 to 9 in turn."""
    x = np.zeros((count, 784), np.float32)
    x[:, 0] = np.arange(count) / count
    return Digits(x, np.arange(count) % 10)


@st.composite
def splits(draw: st.DrawFn) -> Recipe:
    held_out = draw(st.integers(0, 60))
    return Recipe(
        training_images=draw(st.just(0) | st.integers(held_out + 1, 300)),
        held_out=held_out,
        digits=tuple(sorted(draw(st.sets(st.integers(0, 9), min_size=1)))),
        seed=draw(st.integers(0, 2**53)),
    )


def numbers(digits: Digits, count: int) -> set[int]:
    """Return which of the numbered images these are."""
    return {int(number) for number in (digits.x[:, 0] * count).round()}


@given(splits())
def test_a_split_is_of_the_digits_disjoint_and_of_the_right_sizes(recipe: Recipe) -> None:
    images, test = numbered(1000), numbered(50)
    training, validation = split(recipe, images, test)
    known = 100 * len(recipe.digits)
    used = min(known, recipe.training_images or known)
    assert len(training) == used - recipe.held_out
    learned = numbers(training, 1000)
    assert len(learned) == len(training)
    if recipe.held_out:
        held_out = numbers(validation, 1000)
        assert len(held_out) == len(validation) == recipe.held_out
        assert not learned & held_out
    else:
        assert numbers(validation, 50) == {n for n in range(50) if n % 10 in recipe.digits}
    for part, total in ((training, 1000), (validation, 1000 if recipe.held_out else 50)):
        assert set(part.y) <= set(recipe.digits)
        assert ((part.x[:, 0] * total).round() % 10 == part.y).all()


def test_a_split_is_drawn_by_the_seed() -> None:
    def learned(seed: int) -> list[float]:
        recipe = Recipe(training_images=100, held_out=20, seed=seed)
        return list(split(recipe, numbered(1000), numbered(50))[0].x[:, 0])

    assert learned(0) == learned(0)
    assert learned(0) != learned(1)


def test_the_report_learns_from_all_images_and_validates_on_the_test_images() -> None:
    images, test = numbered(1000), numbered(50)
    assert split(REPORT, images, test) == (images, test)


def test_transfer_learns_from_the_same_images_as_its_rival(training_digits: Digits) -> None:
    few, transferred = (
        split(PRESETS[name], training_digits, numbered(50))[0]
        for name in ("few-images", "transfer")
    )
    np.testing.assert_array_equal(few.x, transferred.x)
    assert len(few) == 500


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"held_out": 50}, "held_out leaves none of the 50 training"),
        ({"held_out": 60}, "held_out leaves none of the 50 training"),
        ({"held_out": 5, "digits": (3,)}, "held_out leaves none of the 5 training"),
    ],
)
def test_too_few_images_to_split_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        split(Recipe(**options), numbered(50), numbered(50))


def test_images_of_some_digits() -> None:
    images = numbered(30)
    assert of_digits(images, tuple(range(10))) is images
    some = of_digits(images, (1, 4))
    assert list(some.y) == [1, 4] * 3
    assert numbers(some, 30) == {1, 4, 11, 14, 21, 24}
