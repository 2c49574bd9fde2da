import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from core import measures, models
from core.digits import Digits
from core.mlp import MLP
from core.models import Card, ModelFileError
from core.recipe import PRESETS, Recipe
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


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "mine.safetensors"
    models.save(path, NETWORK, CARD)
    network, card = models.load(path)
    assert card == CARD
    for ours, saved in zip(
        network.weights + network.biases, NETWORK.weights + NETWORK.biases, strict=True
    ):
        np.testing.assert_array_equal(ours, saved)
    assert [file.name for file in path.parent.iterdir()] == ["mine.safetensors"]
    # Any other reader of the format finds plain affine layers.
    assert set(safetensors.numpy.load_file(path)) == {
        f"layers.{layer}.{part}" for layer in (0, 1) for part in ("weight", "bias")
    }


def test_the_shipped_network_is_the_report_s(test_digits: Digits, training_digits: Digits) -> None:
    network, card = models.load(models.path_of("report"))
    assert network.sizes == (784, 128, 64, 10)
    assert card.recipe == PRESETS["report"] == Recipe((128, 64), 20, 1, 0.01)
    assert card.epochs_trained == 20
    test_accuracy = measures.accuracy(network, test_digits.x, test_digits.y)
    train_accuracy = measures.accuracy(network, training_digits.x, training_digits.y)
    assert (card.test_accuracy, card.train_accuracy) == (test_accuracy, train_accuracy)
    assert train_accuracy >= 0.995
    assert test_accuracy >= 0.9747


def test_a_save_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.safetensors"
    models.save(path, NETWORK, CARD)
    before = path.read_bytes()

    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        models.save(path, NETWORK, dataclasses.replace(CARD, epochs_trained=3))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def saved(tensors: dict[str, np.ndarray], **about: str) -> bytes:
    return safetensors.numpy.save(tensors, about or None)


def ours(**changes: str) -> dict[str, str]:
    return {
        "format": "mlp",
        "version": "1",
        "card": json.dumps(dataclasses.asdict(CARD)),
        **changes,
    }


def layers(**changes: np.ndarray) -> dict[str, np.ndarray]:
    tensors = {
        "layers.0.weight": np.zeros((784, 10), np.float32),
        "layers.0.bias": np.zeros(10, np.float32),
    }
    return {**tensors, **{name.replace("_", "."): value for name, value in changes.items()}}


FOREIGN = {
    "empty": (b"", "no safetensors file"),
    "text": (b"no model at all, just words", "no safetensors file"),
    "pickle": (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94.", "no safetensors file"),
    "foreign": (saved(layers()), "not saved by this program"),
    "foreign with metadata": (saved(layers(), format="pt"), "not saved by this program"),
    "later version": (saved(layers(), **ours(version="2")), "format is 2, this program reads 1"),
    "card cut": (saved(layers(), **ours(card="{")), "header"),
    "card of another kind": (saved(layers(), **ours(card="[]")), "header"),
    "card with a bad recipe": (
        saved(layers(), **ours(card=json.dumps(dataclasses.asdict(CARD)).replace("[20]", "[-1]"))),
        "header",
    ),
    "NaN": (saved(layers(layers_0_bias=np.full(10, np.nan, np.float32)), **ours()), "not finite"),
    "wrong shape": (saved(layers(layers_0_bias=np.zeros(9, np.float32)), **ours()), "shape"),
    "eleven classes": (
        saved(
            layers(
                layers_0_weight=np.zeros((784, 11), np.float32),
                layers_0_bias=np.zeros(11, np.float32),
            ),
            **ours(),
        ),
        "784 inputs to 11 outputs",
    ),
    "integers": (saved(layers(layers_0_weight=np.zeros((784, 10), np.int32)), **ours()), "float"),
    "double precision": (
        saved({name: value.astype(float) for name, value in layers().items()}, **ours()), "float32"
    ),
    "a tensor too many": (saved(layers(extra=np.zeros(1, np.float32)), **ours()), "extra"),
    "no tensors": (saved({}, **ours()), "at least one"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "said"), FOREIGN.values(), ids=FOREIGN)
def test_other_files_are_refused_in_a_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "strange.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=rf"^strange.safetensors can't be used: .*{said}.*\.$"):
        models.load(path)


def test_missing_unreadable_and_enormous_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="there is no such file"):
        models.load(tmp_path / "nothing.safetensors")
    with pytest.raises(ModelFileError, match="can't be read"):
        models.load(tmp_path)
    enormous = tmp_path / "enormous.safetensors"
    with enormous.open("wb") as file:
        file.truncate(models.MAX_BYTES + 1)
    with pytest.raises(ModelFileError, match="larger than 64 MB"):
        models.load(enormous)


REPORT = models.path_of("report").read_bytes()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(REPORT) - 1))
def test_a_file_cut_short_anywhere_is_refused(length: int) -> None:
    with pytest.raises(ModelFileError):
        models.parse(REPORT[:length], "cut.safetensors")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2000), st.integers(0, 255))
def test_a_file_with_a_wrong_byte_is_refused_or_a_network(place: int, value: int) -> None:
    content = REPORT[:place] + bytes([value]) + REPORT[place + 1 :]
    try:
        network, _ = models.parse(content, "garbled.safetensors")
    except ModelFileError:
        return
    assert isinstance(network, MLP)


def test_names_are_the_report_s_first(tmp_path: Path) -> None:
    for name in ("wide", "report", "augmented"):
        models.save(models.path_of(name, tmp_path), NETWORK, CARD)
    (tmp_path / ".hidden.safetensors").touch()
    (tmp_path / "notes.txt").touch()
    assert models.names(tmp_path) == ["report", "augmented", "wide"]
    assert models.names(tmp_path / "nowhere") == []
