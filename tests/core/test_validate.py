from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays, integer_dtypes

from core import validate


@given(arrays(np.float64, st.tuples(st.integers(0, 3), st.integers(0, 5))))
def test_images_are_taken_exactly_when_all_pixels_are_in_range(x: np.ndarray) -> None:
    if ((x >= 0) & (x <= 1)).all():
        np.testing.assert_array_equal(validate.images(x), x)
    else:
        with pytest.raises(ValueError, match=r"^x must be pixels in \[0, 1\]"):
            validate.images(x)


@pytest.mark.parametrize(
    ("given_type", "kept"),
    [
        (np.float16, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (int, np.float32),
    ],
)
def test_images_are_float32_or_float64(given_type: type, kept: type) -> None:
    assert validate.images(np.ones((2, 3), given_type)).dtype == kept


@given(arrays(integer_dtypes(), st.integers(0, 5)))
def test_labels_are_taken_exactly_when_they_are_digits(y: np.ndarray) -> None:
    if ((y >= 0) & (y <= 9)).all():
        np.testing.assert_array_equal(validate.labels(y, len(y)), y)
    else:
        with pytest.raises(ValueError, match="^y must be whole numbers from 0 to 9"):
            validate.labels(y, len(y))


def test_one_label_stands_for_all() -> None:
    assert validate.labels(4, 3).tolist() == [4, 4, 4]
    assert validate.labels([], 0).tolist() == []


@given(st.floats() | st.lists(st.floats(), max_size=3))
def test_budgets_are_taken_exactly_when_finite_and_not_negative(epsilon: Any) -> None:
    values = np.atleast_1d(epsilon)
    if values.size and np.isfinite(values).all() and values.min() >= 0:
        np.testing.assert_array_equal(validate.budgets(epsilon), epsilon)
    else:
        with pytest.raises(ValueError, match="^epsilon must"):
            validate.budgets(epsilon)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, None, "3", np.nan])
def test_a_whole_number_of_at_least_one(value: Any) -> None:
    assert validate.whole_number(np.int64(3), name="steps", least=1) == 3
    with pytest.raises(ValueError, match="^steps must be a whole number of at least 1"):
        validate.whole_number(value, name="steps", least=1)
