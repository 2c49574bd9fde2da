"""A card, two networks, and how to compare networks: what the tests of files and library share."""

import numpy as np

from core.networks import Card, Ensemble, Network
from core.recipe import Recipe
from tests.conftest import random_mlp

CARD = Card(
    recipe=Recipe(hidden=(20,), epochs=3, seed=7),
    epochs_trained=2,
    created="2026-01-31",
    train_accuracy=0.9,
    validation_accuracy=0.8,
    test_accuracy=0.7,
)
NETWORK = random_mlp((784, 20, 10), seed=0, dtype=np.float32)
ENSEMBLE = Ensemble((NETWORK, random_mlp((784, 10), seed=1, dtype=np.float32)))


def assert_same(network: Network, expected: Network) -> None:
    """Fail unless both are the same, number by number."""
    assert type(network) is type(expected)
    for ours, theirs in zip(network.members, expected.members, strict=True):
        arrays = zip(ours.weights + ours.biases, theirs.weights + theirs.biases, strict=True)
        for one, other in arrays:
            np.testing.assert_array_equal(one, other)
