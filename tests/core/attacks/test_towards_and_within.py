"""The way to an image that an attack has found, and which of them a budget covers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.attacks import towards, within
from core.classifier import FloatArray
from tests.core.attacks.referee import check

pixel_rows = st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4)


@given(
    pixels=pixel_rows,
    other_pixels=pixel_rows,
    share=st.floats(0, 2),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_the_way_begins_and_ends_where_it_should(
    pixels: list[float], other_pixels: list[float], share: float, dtype: type
) -> None:
    x: FloatArray = np.array([pixels], dtype)
    found: FloatArray = np.array([other_pixels], dtype)
    start, between, end = towards(x, found, [0, share, 1])
    np.testing.assert_array_equal(start, x)
    np.testing.assert_array_equal(end, found)
    check(x, between)
    line = np.clip(x + share * (found - x), 0, 1)
    np.testing.assert_allclose(between, line, rtol=0, atol=1e-6)


def test_within_a_budget_are_those_whose_norm_it_covers() -> None:
    x = np.zeros((3, 4))
    found = np.array([[0.3, 0.4, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]])  # of norms 0.5, 0 and 2
    np.testing.assert_array_equal(within(x, found, 1), [found[0], found[1], x[2]])
    several = within(x, found, [0.0, 0.49, 0.51, 2.0])
    assert several.shape == (4, 3, 4)
    np.testing.assert_array_equal(several[0], x)
    np.testing.assert_array_equal(several[1], x)
    np.testing.assert_array_equal(several[2], [found[0], x[1], x[2]])
    np.testing.assert_array_equal(several[3], found)


def test_bad_arguments_of_towards_and_within_are_named() -> None:
    x = np.zeros((2, 4))
    for shares in ([0.5, np.inf], [-0.1], []):
        with pytest.raises(ValueError, match="^shares must"):
            towards(x, x, shares)
    with pytest.raises(ValueError, match="^found must"):
        towards(x, x[:1], [0.5])
    with pytest.raises(ValueError, match="^found must"):
        within(x, x + 2, 0.5)
    with pytest.raises(ValueError, match="^x must"):
        within(x[0], x[0], 0.5)
    with pytest.raises(ValueError, match="^epsilon must"):
        within(x, x, -1)
