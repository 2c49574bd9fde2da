"""What was done to the pixels becomes part of the first layer."""

import numpy as np
import pytest

from core.classifier import FloatArray
from core.networks.foreign import PIXELS
from tests.conftest import random_mlp

NETWORK = random_mlp((784, 20, 10), seed=0, dtype=np.float32)
X = np.random.default_rng(0).random((30, 784), np.float32)


def prepared(key: str, x: FloatArray) -> FloatArray:
    """Return what somebody's own program gives the network, from white on black in [0, 1]."""
    x = x.astype(np.float64)
    if "transposed" in key:
        x = x.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    if "inverted" in key:
        x = 1 - x
    kind = key.rpartition("-")[2]
    if kind == "mnist":
        return (x - 0.1307) / 0.3081
    return {"raw": x, "centred": 2 * x - 1, "255": 255 * x}[kind]


@pytest.mark.parametrize("key", PIXELS)
def test_a_folded_network_has_the_same_logits(key: str) -> None:
    folded = PIXELS[key].folded(NETWORK)
    expected = random_mlp((784, 20, 10), seed=0).logits(prepared(key, X))
    assert folded.dtype == np.float32 and folded.sizes == NETWORK.sizes
    np.testing.assert_allclose(folded.logits(X), expected, atol=2e-5 * np.abs(expected).max())


def test_the_simplest_comes_first_and_each_is_another_one() -> None:
    assert next(iter(PIXELS)) == "raw"
    assert PIXELS["raw"].folded(NETWORK).weights[0].tobytes() == NETWORK.weights[0].tobytes()
    assert len(PIXELS) == 16 == len({pixels.words for pixels in PIXELS.values()})
