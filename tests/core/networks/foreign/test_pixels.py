"""What was done to the pixels becomes part of the network."""

import numpy as np
import pytest

from core.classifier import FloatArray
from core.networks import Sequential
from core.networks.foreign import PIXELS
from core.networks.layers import Activation, Affine
from core.networks.limits import fault
from tests.conftest import random_mlp
from tests.core.networks.lenet import lenet
from tests.core.networks.samples import assert_same

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


@pytest.mark.parametrize("key", PIXELS)
def test_a_convolutional_network_reads_the_same_pixels(key: str) -> None:
    """Padding surrounds the prepared pixels with 0, so nothing goes into the convolution."""
    folded = PIXELS[key].folded(lenet())
    expected = lenet(dtype=np.float64).logits(prepared(key, X))
    assert isinstance(folded, Sequential) and fault(folded) == ""
    np.testing.assert_allclose(folded.logits(X), expected, atol=2e-5 * np.abs(expected).max())
    again = PIXELS["mnist"].folded(folded)
    assert len(again.layers) == len(lenet().layers) + 1 if isinstance(again, Sequential) else False


def test_a_perceptron_of_layers_has_no_further_layer() -> None:
    layers = (Affine(*NETWORK.arrays[::2]), Activation("tanh"), Affine(*NETWORK.arrays[1::2]))
    folded = PIXELS["inverted-mnist"].folded(Sequential(layers))
    assert isinstance(folded, Sequential) and len(folded.layers) == 3
    expected = Sequential(layers).logits(prepared("inverted-mnist", X).astype(np.float32))
    np.testing.assert_allclose(folded.logits(X), expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("key", PIXELS)
def test_prepared_pixels_are_what_its_own_program_makes(key: str) -> None:
    np.testing.assert_allclose(PIXELS[key].prepared(X), prepared(key, X), rtol=1e-5, atol=1e-5)


def test_the_simplest_comes_first_and_each_is_another_one() -> None:
    assert next(iter(PIXELS)) == "raw"
    assert_same(PIXELS["raw"].folded(NETWORK), NETWORK)
    assert len(PIXELS) == 16 == len({pixels.words for pixels in PIXELS.values()})
