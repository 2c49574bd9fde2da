"""What is saved in a file is read again."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from core import measures
from core.data.mnist import Digits
from core.networks import (
    MLP,
    Card,
    Ensemble,
    LoggedEpoch,
    Network,
    Sequential,
    load_file,
    save_file,
)
from core.networks.layers import (
    Activation,
    Affine,
    AveragePooling,
    Convolution,
    MaxPooling,
    Scaling,
)
from core.recipe import LATER_SETTINGS, PRESETS, Recipe
from tests.conftest import SHIPPED
from tests.core.networks.lenet import lenet
from tests.core.networks.samples import CARD, ENSEMBLE, IMPORTED, NETWORK, RECIPE, assert_same

NEW: dict[str, Network] = {
    "convolutions": lenet(),
    "every setting": Sequential(
        (
            Scaling(np.ones(1, np.float32), np.zeros(1, np.float32)),
            Convolution(
                np.ones((2, 1, 4, 3), np.float32), np.ones(2, np.float32), stride=3, padding=2
            ),
            Activation("tanh"),
            MaxPooling(3, 2),
            AveragePooling(2, 1),
            Affine(np.ones((18, 10), np.float32), np.ones(10, np.float32)),
        )
    ),
    "an ensemble of both": Ensemble((lenet(seed=1), NETWORK, lenet(pooling=AveragePooling))),
}
LOG = (LoggedEpoch(1, 1, 2.5, 0.125, 0.1, 0.97), LoggedEpoch(1, 2, 0.25, 0.9, 0.05, 1.0))


def metadata(path: Path) -> dict[str, str]:
    with safetensors.safe_open(path, "np") as file:
        found: dict[str, str] = file.metadata()
    return found


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "mine.safetensors"
    save_file(path, NETWORK, CARD)
    network, card = load_file(path)
    assert card == CARD
    assert_same(network, NETWORK)
    assert [file.name for file in path.parent.iterdir()] == ["mine.safetensors"]
    # Any other reader of the format finds plain affine layers.
    assert set(safetensors.numpy.load_file(path)) == {
        f"layers.{layer}.{part}" for layer in (0, 1) for part in ("weight", "bias")
    }


def test_an_ensemble_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "both.safetensors"
    save_file(path, ENSEMBLE, CARD)
    network, card = load_file(path)
    assert card == CARD
    assert_same(network, ENSEMBLE)
    assert set(safetensors.numpy.load_file(path)) == {
        f"members.{member}.layers.{layer}.{part}"
        for member, layer in ((0, 0), (0, 1), (1, 0))
        for part in ("weight", "bias")
    }


@pytest.mark.parametrize("card", [CARD, IMPORTED], ids=["trained here", "imported"])
@pytest.mark.parametrize("name", NEW)
def test_layers_and_their_settings_are_loaded(tmp_path: Path, name: str, card: Card) -> None:
    path = tmp_path / "mine.safetensors"
    save_file(path, NEW[name], card)
    assert_same(load_file(path)[0], NEW[name])
    assert load_file(path)[1] == card
    assert metadata(path)["version"] == "3"  # programs that know only 1 and 2 refuse it by this


def test_a_perceptron_s_file_is_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    for card, version in ((CARD, "1"), (IMPORTED, "2")):
        for network in (NETWORK, ENSEMBLE):
            save_file(path, network, card)
            assert metadata(path)["version"] == version
            assert "layers" not in metadata(path)


def test_a_card_of_before_has_no_training_time(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    timed = dataclasses.replace(CARD, train_seconds=9.5)
    save_file(path, NETWORK, timed)
    assert load_file(path)[1] == timed
    tensors, header = safetensors.numpy.load_file(path), metadata(path)
    fields = json.loads(header["card"])
    del fields["train_seconds"]
    safetensors.numpy.save_file(tensors, path, {**header, "card": json.dumps(fields)})
    assert load_file(path)[1] == dataclasses.replace(CARD, train_seconds=None)


def test_older_programs_read_a_recipe_that_needs_nothing_new(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    older = {field.name for field in dataclasses.fields(Recipe)} - set(LATER_SETTINGS)
    save_file(path, NETWORK, CARD)
    assert set(json.loads(metadata(path)["card"])["recipe"]) == older
    assert load_file(path)[1] == CARD
    newer = dataclasses.replace(CARD, recipe=dataclasses.replace(RECIPE, shear=0.2))
    save_file(path, NETWORK, newer)
    assert set(json.loads(metadata(path)["card"])["recipe"]) == older | {"shear"}
    assert load_file(path)[1] == newer


def test_a_network_without_a_recipe_has_a_format_that_older_programs_refuse(
    tmp_path: Path,
) -> None:
    path = tmp_path / "theirs.safetensors"
    save_file(path, NETWORK, IMPORTED)
    assert metadata(path)["version"] == "2"
    network, card = load_file(path)
    assert card == IMPORTED
    assert_same(network, NETWORK)
    save_file(path, NETWORK, CARD)  # a format that is of use to all stays as it was
    assert metadata(path)["version"] == "1" and "origin" not in metadata(path)["card"]


def test_the_log_of_the_training_is_kept_beside_the_card(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    logged = dataclasses.replace(CARD, log=LOG)
    save_file(path, NETWORK, logged)
    assert load_file(path)[1] == logged
    with_log = metadata(path)
    assert json.loads(with_log.pop("log")) == [
        [1, 1, 2.5, 0.125, 0.1, 0.97],
        [1, 2, 0.25, 0.9, 0.05, 1.0],
    ]
    # The rest is a file as it was before there were logs, and such a file has none.
    save_file(path, NETWORK, CARD)
    assert metadata(path) == with_log
    assert load_file(path)[1].log == ()


def test_an_ensemble_s_log_goes_member_by_member_and_may_end_early(tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, members=3)
    log = tuple(
        LoggedEpoch(member, epoch, 0.5, 0.9, 0.4, 0.9)
        for member, epochs in ((1, 3), (2, 1), (3, 2))
        for epoch in range(1, epochs + 1)
    )
    card = dataclasses.replace(CARD, recipe=recipe, log=log)
    save_file(tmp_path / "both.safetensors", ENSEMBLE, card)
    assert load_file(tmp_path / "both.safetensors")[1] == card


@pytest.mark.parametrize("name", [name for name in SHIPPED.names() if SHIPPED.is_shipped(name)])
def test_format_1_is_read_and_written_as_it_was(name: str, tmp_path: Path) -> None:
    again, shipped = tmp_path / "again.safetensors", SHIPPED.path(name)
    save_file(again, *SHIPPED.load(name))
    assert metadata(again) == metadata(shipped)
    assert safetensors.numpy.load_file(again).keys() == safetensors.numpy.load_file(shipped).keys()
    assert_same(load_file(again)[0], SHIPPED.load(name)[0])


def test_the_shipped_network_is_the_report_s(test_digits: Digits, training_digits: Digits) -> None:
    network, card = SHIPPED.load("report")
    assert isinstance(network, MLP)
    assert network.sizes == (784, 128, 64, 10)
    report = Recipe(hidden=(128, 64), epochs=20, batch_size=1, learning_rate=0.01)
    assert card.recipe == PRESETS["report"] == report
    assert card.epochs_trained == 20
    test_accuracy = measures.accuracy(network, test_digits.x, test_digits.y)
    train_accuracy = measures.accuracy(network, training_digits.x, training_digits.y)
    assert (card.test_accuracy, card.train_accuracy) == (test_accuracy, train_accuracy)
    assert train_accuracy >= 0.995
    assert test_accuracy >= 0.9747
    assert [(logged.member, logged.epoch) for logged in card.log] == [
        (1, epoch) for epoch in range(1, 21)
    ]
    assert card.log[-1].validation_accuracy == test_accuracy
