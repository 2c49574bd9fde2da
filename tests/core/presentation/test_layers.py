import numpy as np
import pytest

from core.networks import Ensemble, Network, Sequential
from core.networks.layers import Activation, Affine
from core.presentation.layers import on_activations, on_layers
from tests.conftest import random_mlp
from tests.core.networks.lenet import lenet

LENET, SMALL = lenet(), random_mlp((784, 20, 10), seed=0, dtype=np.float32)
AFFINE = [Affine(weight, bias) for weight, bias in zip(SMALL.weights, SMALL.biases, strict=True)]
TANH = Sequential((AFFINE[0], Activation("tanh"), AFFINE[1]))
LAST = Affine(np.ones((1176, 10), np.float32), np.ones(10, np.float32))
ONE = Sequential((*LENET.layers[:3], LAST))


@pytest.mark.parametrize(
    ("network", "layers", "activations"),
    [
        (SMALL, "784-20-10", "ReLU"),
        (random_mlp((784, 10), seed=0, dtype=np.float32), "784-10", "no activation"),
        (TANH, "784-20-10", "tanh"),
        (LENET, "convolutions of 6 and 16 channels, then 120-84-10", "ReLU"),
        (
            Sequential(
                (
                    *LENET.layers[:3],
                    Affine(np.ones((1176, 10), np.float32), np.ones(10, np.float32)),
                )
            ),
            "a convolution of 6 channels, then 10",
            "ReLU",
        ),
        (Ensemble((SMALL, SMALL, SMALL)), "3 networks, 784-20-10", "ReLU"),
        (
            Ensemble((SMALL, LENET, TANH)),
            "3 networks, 784-20-10; convolutions of 6 and 16 channels, then 120-84-10",
            "ReLU and tanh",
        ),
    ],
)
def test_layers_and_activations(network: Network, layers: str, activations: str) -> None:
    assert on_layers(network) == layers
    assert on_activations(network) == activations
