"""Weaker and stronger versions of what an attack without a budget found."""

import numpy as np
from numpy.typing import ArrayLike

from core import validate
from core.classifier import FloatArray
from core.measures import l2_norm


def towards(x: ArrayLike, found: ArrayLike, shares: ArrayLike) -> FloatArray:
    """Return the images on the straight line from clean images to those that an attack found.

    Args:
        x: `(N, 784)` clean images.
        found: `(N, 784)` adversarial images.
        shares: `(S,)` fractions of the way, at least 0; above 1 they lead beyond `found`.

    Returns:
        `(S, N, 784)` of the dtype of `x`, pixels clipped to [0, 1]; exactly `x` for a share of 0,
        exactly `found` for 1.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """
    x, found = _pair(x, found)
    parts = np.atleast_1d(validate.budgets(shares, name="shares")).astype(x.dtype)
    parts = parts[:, None, None]
    # x + share · (found − x) would not end exactly at `found`, because of rounding.
    way = (1 - parts) * x + parts * found
    return np.clip(way, 0, 1, out=way)


def within(x: ArrayLike, found: ArrayLike, epsilon: ArrayLike) -> FloatArray:
    """Return the image found where its L2 norm is within the budget, else the clean image.

    Args:
        x: `(N, 784)` clean images.
        found: `(N, 784)` adversarial images.
        epsilon: the L2 budget, or `(E,)` of them.

    Returns:
        `(N, 784)` for one budget, `(E, N, 784)` for several, as an `Attack` returns.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """
    x, found = _pair(x, found)
    affordable = l2_norm(x, found) <= validate.budgets(epsilon)[..., None]
    return np.where(affordable[..., None], found, x)


def _pair(x: ArrayLike, found: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return both arrays, checked, in the dtype of `x`."""
    x, found = validate.images(x), validate.images(found, name="found")
    if found.shape != x.shape:
        raise ValueError(f"found must be of the shape of x, {x.shape}, not {found.shape}")
    return x, found.astype(x.dtype, copy=False)
