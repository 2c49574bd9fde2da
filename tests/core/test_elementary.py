"""The elementary functions beside mpmath."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import elementary

mpmath.mp.dps = 40


def exp(x: float) -> float:
    out = np.empty(1)
    elementary.exp(np.array([x]), out)
    return float(out[0])


@given(st.floats(elementary.LEAST, 0))
def test_exp(x: float) -> None:
    exact = mpmath.exp(mpmath.mpf(x))
    assert abs(exp(x) - exact) <= 1e-13 * exact


def test_exp_is_exact_at_0_and_0_in_float32_at_its_least() -> None:
    assert exp(0.0) == exp(-0.0) == 1
    assert exp(-1e9) == exp(-np.inf) == exp(elementary.LEAST) > 0
    assert np.float32(exp(elementary.LEAST)) == 0


@given(st.floats(1e-300, 1e300))
def test_log(x: float) -> None:
    exact = mpmath.log(mpmath.mpf(x))
    assert abs(elementary.log(x) - exact) <= 1e-15 * max(1, abs(exact))


@pytest.mark.parametrize("x", [1.0, 10.0, 1e100])
def test_log_of_what_the_loss_asks_for(x: float) -> None:
    assert elementary.log(x) == pytest.approx(float(mpmath.log(x)), rel=1e-15, abs=0)


@given(st.floats(-np.pi, np.pi))
def test_cos_and_sin(x: float) -> None:
    assert abs(elementary.cos(x) - mpmath.cos(mpmath.mpf(x))) <= 1e-14
    assert abs(elementary.sin(x) - mpmath.sin(mpmath.mpf(x))) <= 1e-14


def test_arrays_give_what_numbers_give() -> None:
    x = np.linspace(-np.pi, np.pi, 101)
    np.testing.assert_array_equal(elementary.cos(x), [elementary.cos(float(each)) for each in x])
    np.testing.assert_array_equal(elementary.sin(x), [elementary.sin(float(each)) for each in x])
