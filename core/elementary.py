"""Exponential, logarithm, sine and cosine that give the same bits on every processor.

A platform's own mathematical library may differ from another's in the last bit, and one such bit
makes another network of the same recipe. IEEE 754 fixes the results of additions, products and
quotients; these functions use nothing else, in a fixed order. They take Python floats, float64
arrays, and, compiled by Numba, numbers in a loop.
"""

from math import factorial
from typing import TypeVar

from core.classifier import FloatArray

Real = TypeVar("Real", float, FloatArray)

LEAST = -104.0  # exp(-104) is less than half of the smallest float32 above 0
LN2 = 0.6931471805599453
_EXP = tuple(1 / factorial(n) for n in range(13, -1, -1))  # Taylor coefficients, highest first
_ATANH = tuple(1 / n for n in range(23, 0, -2))
_COS = tuple((-1) ** n / factorial(2 * n) for n in range(16, -1, -1))
_SIN = tuple((-1) ** n / factorial(2 * n + 1) for n in range(16, -1, -1))


def exp(x: FloatArray, out: FloatArray) -> None:
    """Fill `out` with e to the power of each number of `x`, `(N,)`, to a relative error of 1e-13.

    exp(x) = exp(x / 256) ** 256, a Taylor polynomial and eight squarings, each for all numbers at
    once. The numbers must be at most 0; those below `LEAST` count as `LEAST`.
    """
    size = len(x)
    for i in range(size):
        out[i] = 0.0
    for coefficient in _EXP:
        for i in range(size):
            out[i] = out[i] * (max(x[i], LEAST) / 256) + coefficient
    for _ in range(8):
        for i in range(size):
            out[i] *= out[i]


def log(x: float) -> float:
    """Return the natural logarithm of `x`, a finite number above 0, to an error of 1e-14.

    log(x) = 2 artanh((x - 1) / (x + 1)) for x from 3/4 to 3/2, where halving or doubling brings it.
    """
    doublings = 0
    while x > 1.5:
        x *= 0.5
        doublings += 1
    while x < 0.75:
        x *= 2.0
        doublings -= 1
    ratio = (x - 1) / (x + 1)
    square = ratio * ratio
    series = 0.0
    for coefficient in _ATANH:
        series = series * square + coefficient
    return doublings * LN2 + 2 * ratio * series


def cos(x: Real) -> Real:
    """Return the cosine of `x`, from -π to π, to an error of 1e-14."""
    return _horner(_COS, x * x)


def sin(x: Real) -> Real:
    """Return the sine of `x`, from -π to π, to an error of 1e-14."""
    return x * _horner(_SIN, x * x)


def _horner(coefficients: tuple[float, ...], x: Real) -> Real:
    value = x * 0.0
    for coefficient in coefficients:
        value = value * x + coefficient
    return value
