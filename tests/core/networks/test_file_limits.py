"""How large a network and its log may be, in a file and in a recipe."""

import dataclasses
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from core.networks import (
    MLP,
    Ensemble,
    Library,
    LoggedEpoch,
    Network,
    NetworkFileError,
    file,
    load_file,
    parse,
    save_file,
)
from core.networks.file import MAX_BYTES, to_bytes
from core.recipe import MOST_WEIGHTS, Recipe
from tests.core.networks.samples import CARD, NETWORK, ours, saved


def flat(units: int, *, inputs: int = 784, dtype: type = np.float32) -> MLP:
    """A network of zeros with one hidden layer."""
    return MLP(
        (np.zeros((inputs, units), dtype), np.zeros((units, 10), dtype)),
        (np.zeros(units, dtype), np.zeros(10, dtype)),
    )


def scaled(factor: float) -> MLP:
    """A network with such weights in both layers."""
    return MLP(
        (np.full((784, 2), factor, np.float32), np.full((2, 10), factor, np.float32)),
        (np.zeros(2, np.float32), np.zeros(10, np.float32)),
    )


def deep(hidden: int) -> MLP:
    """A network of zeros with so many hidden layers of one unit."""
    sizes = list(pairwise([784, *[1] * hidden, 10]))
    return MLP(
        tuple(np.zeros(each, np.float32) for each in sizes),
        tuple(np.zeros(each[1], np.float32) for each in sizes),
    )


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (flat(2049), "2,049"),
        (flat(0), "1 to 2,048 units"),
        (deep(9), "9 hidden layers, more than 8"),
        (scaled(1e10), "so large"),
        (scaled(1e38), "so large"),
        (Ensemble((flat(2048),) * 6), "9,756,672 weights, more than 8,000,000"),
        (flat(5, inputs=100), "100 inputs to 10 outputs"),
        (flat(5, dtype=np.float64), "float64"),
        (Ensemble((flat(5),) * 21), "21 members, more than 20"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(tmp_path: Path, network: Network, said: str) -> None:
    with pytest.raises(NetworkFileError, match=rf"^This network can't be saved: .*{said}.*\.$"):
        save_file(tmp_path / "odd.safetensors", network, CARD)
    with pytest.raises(NetworkFileError, match=said):
        Library(tmp_path).keep("odd", network, CARD)
    assert not list(tmp_path.iterdir())


def many_layers(count: int) -> bytes:
    """A file of so many layers of one unit."""
    shapes = [(784, 1), *[(1, 1)] * (count - 2), (1, 10)]
    return saved(
        {
            f"layers.{layer}.{part}": np.zeros(shape[start:], np.float32)
            for layer, shape in enumerate(shapes)
            for part, start in (("weight", 0), ("bias", 1))
        },
        **ours(),
    )


def test_a_file_of_very_many_layers_is_refused_before_they_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = many_layers(20_000)
    assert len(content) > 3e6
    monkeypatch.setattr(safetensors.numpy, "load", None)  # it would raise a TypeError
    monkeypatch.setattr(file, "MLP", None)
    with pytest.raises(NetworkFileError, match="not a safetensors|40,000 arrays, .* at most 440"):
        parse(content, "deep")
    with pytest.raises(NetworkFileError, match="1,000 arrays, .* at most 440"):
        parse(many_layers(500), "deep")
    monkeypatch.undo()
    with pytest.raises(NetworkFileError, match="98 hidden layers, more than 8"):
        parse(many_layers(99), "deep")


def test_the_longest_log_fits(tmp_path: Path) -> None:
    recipe = Recipe(hidden=(8,), epochs=1000, members=20)
    log = tuple(
        LoggedEpoch(member, epoch, 1 / 3, 2 / 3, 1 / 7, 6 / 7)
        for member in range(1, 21)
        for epoch in range(1, 1001)
    )
    card = dataclasses.replace(CARD, recipe=recipe, log=log)
    save_file(tmp_path / "long.safetensors", NETWORK, card)
    assert load_file(tmp_path / "long.safetensors")[1] == card


def test_the_largest_network_of_a_recipe_is_saved_and_read_again() -> None:
    sizes = list(pairwise([784, *[1150] * 6, 400, 10]))
    network = MLP(
        tuple(np.zeros(each, np.float32) for each in sizes),
        tuple(np.zeros(each[1], np.float32) for each in sizes),
    )
    recipe = Recipe(hidden=network.sizes[1:-1], epochs=1000)
    assert 7.9e6 < sum(weight.size for weight in network.weights) <= MOST_WEIGHTS
    log = tuple(LoggedEpoch(1, epoch, 1 / 3, 2 / 3, 1 / 7, 6 / 7) for epoch in range(1, 1001))
    content = to_bytes(network, dataclasses.replace(CARD, recipe=recipe, log=log))
    assert len(content) < MAX_BYTES
    assert parse(content, "large")[1].recipe == recipe
