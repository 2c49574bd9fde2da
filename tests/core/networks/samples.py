"""A card, two networks and their files: what the tests of files and library share."""

import json
from dataclasses import asdict

import numpy as np
import safetensors.numpy

from core.networks import Card, Ensemble, Network, Origin
from core.recipe import Recipe
from tests.conftest import random_mlp

RECIPE = Recipe(hidden=(20,), epochs=3, seed=7)
CARD = Card(
    recipe=RECIPE,
    epochs_trained=2,
    created="2026-01-31",
    train_accuracy=0.9,
    validation_accuracy=0.8,
    test_accuracy=0.7,
)
CARD_TEXT = json.dumps(
    {
        field: value
        for field, value in asdict(CARD).items()
        if field not in ("log", "measured_on", "origin")
    }
)
IMPORTED = Card(
    recipe=None,
    epochs_trained=0,
    created="2026-01-31",
    train_accuracy=0.9,
    validation_accuracy=0.8,
    test_accuracy=0.8,
    origin=Origin("PyTorch", "mnist"),
)
NETWORK = random_mlp((784, 20, 10), seed=0, dtype=np.float32)
ENSEMBLE = Ensemble((NETWORK, random_mlp((784, 10), seed=1, dtype=np.float32)))


def assert_same(network: Network, expected: Network) -> None:
    """Fail unless both are the same, number by number."""
    assert type(network) is type(expected)
    for ours, theirs in zip(network.members, expected.members, strict=True):
        assert getattr(ours, "outline", ()) == getattr(theirs, "outline", ())
        for one, other in zip(ours.arrays, theirs.arrays, strict=True):
            np.testing.assert_array_equal(one, other)


def saved(tensors: dict[str, np.ndarray], **about: str) -> bytes:
    """Return a file of these arrays that says this about itself."""
    content: bytes = safetensors.numpy.save(tensors, about or None)
    return content


def ours(**changes: str) -> dict[str, str]:
    """Return what our files say about themselves, but for the changes."""
    return {
        "format": "mlp",
        "version": "1",
        "card": CARD_TEXT,
        **changes,
    }


def layers(**changes: np.ndarray) -> dict[str, np.ndarray]:
    """Return a network's arrays; a change is named like layers_0_bias."""
    tensors = {
        "layers.0.weight": np.zeros((784, 10), np.float32),
        "layers.0.bias": np.zeros(10, np.float32),
    }
    return {**tensors, **{name.replace("_", "."): value for name, value in changes.items()}}
