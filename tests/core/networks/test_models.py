import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from core import measures
from core.data.mnist import Digits
from core.networks import models
from core.networks.ensemble import Ensemble
from core.networks.mlp import MLP
from core.networks.models import (
    Card,
    LoggedEpoch,
    ModelFileError,
    ModelNameError,
    ModelStoreError,
    Network,
)
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
LOG = (LoggedEpoch(1, 1, 2.5, 0.125, 0.1, 0.97), LoggedEpoch(1, 2, 0.25, 0.9, 0.05, 1.0))
NETWORK = random_mlp((784, 20, 10), seed=0, dtype=np.float32)
ENSEMBLE = Ensemble((NETWORK, random_mlp((784, 10), seed=1, dtype=np.float32)))
ROOT = Path(__file__).parents[3]


def arrays_of(network: Network) -> list[np.ndarray]:
    members = network.members if isinstance(network, Ensemble) else [network]
    return [array for member in members for array in (*member.weights, *member.biases)]


def assert_same(network: Network, expected: Network) -> None:
    assert type(network) is type(expected)
    for ours, saved in zip(arrays_of(network), arrays_of(expected), strict=True):
        np.testing.assert_array_equal(ours, saved)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "mine.safetensors"
    models.save(path, NETWORK, CARD)
    network, card = models.load(path)
    assert card == CARD
    assert_same(network, NETWORK)
    assert [file.name for file in path.parent.iterdir()] == ["mine.safetensors"]
    # Any other reader of the format finds plain affine layers.
    assert set(safetensors.numpy.load_file(path)) == {
        f"layers.{layer}.{part}" for layer in (0, 1) for part in ("weight", "bias")
    }


def test_an_ensemble_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "both.safetensors"
    models.save(path, ENSEMBLE, CARD)
    network, card = models.load(path)
    assert card == CARD
    assert_same(network, ENSEMBLE)
    assert set(safetensors.numpy.load_file(path)) == {
        f"members.{member}.layers.{layer}.{part}"
        for member, layer in ((0, 0), (0, 1), (1, 0))
        for part in ("weight", "bias")
    }


def test_a_card_of_before_has_no_training_time(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    timed = dataclasses.replace(CARD, train_seconds=9.5)
    models.save(path, NETWORK, timed)
    assert models.load(path)[1] == timed
    tensors = safetensors.numpy.load_file(path)
    with safetensors.safe_open(path, "np") as file:
        header = file.metadata()
    fields = json.loads(header["card"])
    del fields["train_seconds"]
    safetensors.numpy.save_file(tensors, path, {**header, "card": json.dumps(fields)})
    assert models.load(path)[1] == dataclasses.replace(CARD, train_seconds=None)


def metadata(path: Path) -> dict[str, str]:
    with safetensors.safe_open(path, "np") as file:
        found: dict[str, str] = file.metadata()
    return found


def test_the_log_of_the_training_is_kept_beside_the_card(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    logged = dataclasses.replace(CARD, log=LOG)
    models.save(path, NETWORK, logged)
    assert models.load(path)[1] == logged
    with_log = metadata(path)
    assert json.loads(with_log.pop("log")) == [
        [1, 1, 2.5, 0.125, 0.1, 0.97],
        [1, 2, 0.25, 0.9, 0.05, 1.0],
    ]
    # The rest is a file as it was before there were logs, and such a file has none.
    models.save(path, NETWORK, CARD)
    assert metadata(path) == with_log
    assert models.load(path)[1].log == ()


def test_an_ensemble_s_log_goes_member_by_member_and_may_end_early(tmp_path: Path) -> None:
    recipe = dataclasses.replace(CARD.recipe, members=3)
    log = tuple(
        LoggedEpoch(member, epoch, 0.5, 0.9, 0.4, 0.9)
        for member, epochs in ((1, 3), (2, 1), (3, 2))
        for epoch in range(1, epochs + 1)
    )
    card = dataclasses.replace(CARD, recipe=recipe, log=log)
    models.save(tmp_path / "both.safetensors", ENSEMBLE, card)
    assert models.load(tmp_path / "both.safetensors")[1] == card


def test_the_longest_log_fits(tmp_path: Path) -> None:
    recipe = Recipe(hidden=(8,), epochs=1000, members=20)
    log = tuple(
        LoggedEpoch(member, epoch, 1 / 3, 2 / 3, 1 / 7, 6 / 7)
        for member in range(1, 21)
        for epoch in range(1, 1001)
    )
    card = dataclasses.replace(CARD, recipe=recipe, log=log)
    models.save(tmp_path / "long.safetensors", NETWORK, card)
    assert models.load(tmp_path / "long.safetensors")[1] == card


@pytest.mark.parametrize(
    "log",
    [
        [*LOG],
        ((1, 1, 0.5, 0.9, 0.4, 0.9),),
        LOG[1:],
        LOG[::-1],
        (*LOG, *LOG),
        (*LOG, dataclasses.replace(LOG[0], epoch=3), dataclasses.replace(LOG[0], epoch=4)),
        (*LOG, dataclasses.replace(LOG[0], member=2)),
    ],
)
def test_a_log_that_no_run_could_write_is_refused(log: object) -> None:
    with pytest.raises(ValueError, match="^log must "):
        dataclasses.replace(CARD, log=log)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bad",
    [
        {"member": 0},
        {"epoch": 1.0},
        {"epoch": True},
        {"train_loss": float("nan")},
        {"validation_loss": -0.1},
        {"validation_loss": float("inf")},
        {"train_accuracy": 1.01},
        {"validation_accuracy": None},
    ],
)
def test_an_epoch_that_can_t_be_is_refused(bad: dict[str, object]) -> None:
    (field,) = bad
    with pytest.raises(ValueError, match=f"^{field} must be"):
        dataclasses.replace(LOG[0], **bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bad",
    [
        {"epochs_trained": -1},
        {"epochs_trained": 1.5},
        {"epochs_trained": True},
        {"created": "yesterday"},
        {"created": None},
        {"train_accuracy": 1.1},
        {"validation_accuracy": float("nan")},
        {"test_accuracy": "high"},
        {"train_seconds": -1.0},
        {"train_seconds": float("inf")},
    ],
)
def test_a_card_that_can_t_be_is_refused(bad: dict[str, object]) -> None:
    (field,) = bad
    with pytest.raises(ValueError, match=f"^{field} must be"):
        dataclasses.replace(CARD, **bad)  # type: ignore[arg-type]


def test_size_counts_weights_and_biases() -> None:
    assert models.size(NETWORK) == 784 * 20 + 20 + 20 * 10 + 10
    assert models.size(ENSEMBLE) == models.size(NETWORK) + 784 * 10 + 10


def flat(units: int, *, inputs: int = 784, dtype: type = np.float32) -> MLP:
    """A network of zeros with one hidden layer."""
    return MLP(
        (np.zeros((inputs, units), dtype), np.zeros((units, 10), dtype)),
        (np.zeros(units, dtype), np.zeros(10, dtype)),
    )


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (flat(22_000), "larger than 64 MB"),
        (flat(5, inputs=100), "100 inputs to 10 outputs"),
        (flat(5, dtype=np.float64), "float64"),
        (Ensemble((flat(5),) * 21), "21 members, and 20 are the most"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(tmp_path: Path, network: Network, said: str) -> None:
    with pytest.raises(ModelStoreError, match=rf"^This network can't be saved: .*{said}.*\.$"):
        models.save(tmp_path / "odd.safetensors", network, CARD)
    with pytest.raises(ModelStoreError, match=said):
        models.keep("odd", network, CARD, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_shipped_network_is_the_report_s(test_digits: Digits, training_digits: Digits) -> None:
    network, card = models.load(models.path_of("report"))
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


CARD_TEXT = json.dumps(
    {field: value for field, value in dataclasses.asdict(CARD).items() if field != "log"}
)


def ours(**changes: str) -> dict[str, str]:
    return {
        "format": "mlp",
        "version": "1",
        "card": CARD_TEXT,
        **changes,
    }


def members(*numbers: int, **changes: np.ndarray) -> dict[str, np.ndarray]:
    """An ensemble's tensors; a change is named like members_0_layers_0_bias."""
    tensors = {
        f"members.{number}.{name}": value for number in numbers for name, value in layers().items()
    }
    return {**tensors, **{name.replace("_", "."): value for name, value in changes.items()}}


def header_alone(header: object) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text


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
        saved(layers(), **ours(card=CARD_TEXT.replace("[20]", "[-1]"))),
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
    "no metadata": (header_alone({"__metadata__": None}), "not saved by this program"),
    "no version": (
        saved(layers(), format="mlp", card=ours()["card"]), "format is None, this program reads 1"
    ),
    "a long version": (saved(layers(), **ours(version="9" * 1000)), "format is 9{20}, this"),
    "card without end": (saved(layers(), **ours(card="[" * 100_000)), "header"),
    "card with a number for a day": (
        saved(layers(), **ours(card=CARD_TEXT.replace('"2026-01-31"', "9"))),
        "header",
    ),
    "card with a field too many": (
        saved(layers(), **ours(card=CARD_TEXT.replace("{", '{"mood": "good", ', 1))),
        "header",
    ),
    "log cut": (saved(layers(), **ours(log="[[1")), "header"),
    "log of another kind": (saved(layers(), **ours(log="20")), "header"),
    "log of words": (saved(layers(), **ours(log='["epoch"]')), "header"),
    "log with a short epoch": (saved(layers(), **ours(log="[[1, 1, 0.5]]")), "header"),
    "log with NaN": (saved(layers(), **ours(log="[[1, 1, NaN, 0.9, 0.4, 0.9]]")), "header"),
    "log from the second epoch": (
        saved(layers(), **ours(log="[[1, 2, 0.5, 0.9, 0.4, 0.9]]")), "header"
    ),
    "a layer too many": (saved(layers(layers_2_bias=np.zeros(9, np.float32)), **ours()), "gap"),
    "no bias": (saved({"layers.0.weight": layers()["layers.0.weight"]}, **ours()), "same number"),
    "a tensor with a long name": (
        saved(layers(**{"x" * 1000: np.zeros(1, np.float32)}), **ours()), "holds 'x{60}'"
    ),
    "an ensemble called a network": (saved(members(0, 1), **ours()), "members.0.layers"),
    "a network called an ensemble": (saved(layers(), **ours(format="ensemble")), "layers.0"),
    "no members": (saved({}, **ours(format="ensemble")), "members must hold at least one"),
    "members from 1": (saved(members(1, 2), **ours(format="ensemble")), "members.1.*gap"),
    "members with a gap": (saved(members(0, 2), **ours(format="ensemble")), "members.2.*gap"),
    "21 members": (saved(members(*range(21)), **ours(format="ensemble")), "21 members, and 20"),
    "an ensemble and more": (
        saved(members(0, 1, extra=np.zeros(1, np.float32)), **ours(format="ensemble")), "extra"
    ),
    "a member numbered in words": (
        saved(members(0, members_one_layers_0_bias=np.zeros(10, np.float32)),
              **ours(format="ensemble")), "members.one",
    ),
    "a member with NaN": (
        saved(members(0, 1, members_1_layers_0_bias=np.full(10, np.nan, np.float32)),
              **ours(format="ensemble")), "not finite",
    ),
    "a member of eleven classes": (
        saved(members(0, members_1_layers_0_weight=np.zeros((784, 11), np.float32),
                      members_1_layers_0_bias=np.zeros(11, np.float32)),
              **ours(format="ensemble")), "members must be alike",
    ),
    "members in double precision": (
        saved({name: value.astype(float) for name, value in members(0, 1).items()},
              **ours(format="ensemble")), "float64",
    ),
    "an ensemble of a later version": (
        saved(members(0), **ours(format="ensemble", version="2")), "format is 2"
    ),
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


BOTH = [REPORT, saved(members(0, 1), **ours(format="ensemble"))]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(BOTH), st.integers(0, 2000), st.integers(0, 255))
def test_a_file_with_a_wrong_byte_is_refused_or_a_network(
    whole: bytes, place: int, value: int
) -> None:
    content = whole[:place] + bytes([value]) + whole[place + 1 :]
    try:
        network, _ = models.parse(content, "garbled.safetensors")
    except ModelFileError as error:
        assert len(str(error)) < 300
        return
    assert isinstance(network, MLP | Ensemble)


def test_names_are_the_report_s_first(tmp_path: Path) -> None:
    for name in ("wide", "report", "augmented"):
        models.save(models.path_of(name, tmp_path), NETWORK, CARD)
    (tmp_path / ".hidden.safetensors").touch()
    (tmp_path / "notes.txt").touch()
    assert models.names(tmp_path) == ["report", "augmented", "wide"]
    assert models.names(tmp_path / "nowhere") == []


def ship(folder: Path, *names: str) -> None:
    for name in names:
        models.save(folder / f"{name}.safetensors", NETWORK, CARD)


def keep(folder: Path, *names: str) -> list[str]:
    return [models.keep(name, NETWORK, CARD, folder=folder) for name in names]


def test_kept_networks_come_after_the_shipped_ones(tmp_path: Path) -> None:
    ship(tmp_path, "wide", "report", "augmented")
    assert keep(tmp_path, "Zoe", "anna", "Bob") == ["Zoe", "anna", "Bob"]
    (tmp_path / "kept" / "notes.txt").touch()
    assert models.names(tmp_path) == ["report", "augmented", "wide", "anna", "Bob", "Zoe"]
    assert models.path_of("anna", tmp_path) == tmp_path / "kept" / "anna.safetensors"
    assert models.path_of("wide", tmp_path) == tmp_path / "wide.safetensors"
    assert models.path_of("nobody", tmp_path) == tmp_path / "nobody.safetensors"
    assert [name for name in models.names(tmp_path) if models.is_shipped(name, tmp_path)] == [
        "report", "augmented", "wide",
    ]  # fmt: skip
    assert not models.is_shipped("nobody", tmp_path)


def test_what_was_kept_is_loaded(tmp_path: Path) -> None:
    for name, network in (("one", NETWORK), ("both", ENSEMBLE)):
        assert models.keep(f"  {name} ", network, CARD, folder=tmp_path) == name
        loaded, card = models.load(models.path_of(name, tmp_path))
        assert card == CARD
        assert_same(loaded, network)
        assert models.path_of(name, tmp_path).stat().st_mode & 0o777 == 0o644


def test_a_name_that_is_taken_is_given_a_number(tmp_path: Path) -> None:
    ship(tmp_path, "report")
    before = (tmp_path / "report.safetensors").read_bytes()
    assert keep(tmp_path, "mine", "mine", "MINE", "mine 2", "Report", "Straße", "STRASSE") == [
        "mine", "mine 2", "MINE 3", "mine 2 2", "Report 2", "Straße", "STRASSE 2",
    ]  # fmt: skip
    assert (tmp_path / "report.safetensors").read_bytes() == before
    long = "x" * 40
    assert keep(tmp_path, long, long) == [long, "x" * 38 + " 2"]
    for name in models.names(tmp_path):
        assert models.check_name(name) == name
        models.load(models.path_of(name, tmp_path))


def test_a_kept_network_gives_way_to_one_that_is_shipped_later(tmp_path: Path) -> None:
    keep(tmp_path, "Wide")
    ship(tmp_path, "wide", "Wide")
    assert models.names(tmp_path) == ["Wide", "wide"]
    assert models.path_of("Wide", tmp_path) == tmp_path / "Wide.safetensors"
    with pytest.raises(ModelStoreError, match="came with the project"):
        models.delete("Wide", folder=tmp_path)


def test_deleting(tmp_path: Path) -> None:
    ship(tmp_path, "report")
    keep(tmp_path, "mine", "yours")
    models.delete("mine", folder=tmp_path)
    assert models.names(tmp_path) == ["report", "yours"]
    with pytest.raises(ModelStoreError, match=r"^report came with the project and can't be del"):
        models.delete("report", folder=tmp_path)
    for unknown in ("mine", "", "../report", "Yours", "a\0b", "x" * 10_000):
        with pytest.raises(ModelStoreError, match=r"^There is no kept network named .{1,60}\.$"):
            models.delete(unknown, folder=tmp_path)
    assert models.names(tmp_path) == ["report", "yours"]
    with pytest.raises(ModelStoreError, match="no kept network"):
        models.delete("mine", folder=tmp_path / "nowhere")


def test_many_may_delete_the_same_and_one_does(tmp_path: Path) -> None:
    keep(tmp_path, "mine")
    ready = threading.Barrier(8)

    def delete(_: int) -> bool:
        ready.wait()
        try:
            models.delete("mine", folder=tmp_path)
        except ModelStoreError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(delete, range(8))) == 1


@pytest.mark.parametrize(
    "name",
    ["mine", "3b", "Zoë-2", "Zoe\u0308", "ζωή", "हिन्दी", "模型 2", "a", "x" * 40,
     "width=128, lr 0.01", "con1", "console", "common", "  spaced  "],
)  # fmt: skip
def test_names_that_are_fine(name: str, tmp_path: Path) -> None:
    assert models.check_name(name) == unicodedata.normalize("NFC", name.strip())
    assert keep(tmp_path, name) == [unicodedata.normalize("NFC", name.strip())]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "1 to 40"),
        (" \t\n", "1 to 40"),
        ("x" * 41, "1 to 40"),
        (".hidden", "begin with a letter or a digit"),
        ("-rf", "begin with"),
        ("\u0301a", "begin with"),
        ("../report", "begin with"),
        ("a/b", "nothing else"),
        ("a\\b", "nothing else"),
        ("C:x", "nothing else"),
        ("a\0b", "nothing else"),
        ("a\nb", "nothing else"),
        ("a<b>", "nothing else"),
        ("a*b", "nothing else"),
        ("a`b", "nothing else"),
        ("a\u202eb", "nothing else"),
        ("a\u00a0b", "nothing else"),
        ("a\ud800", "nothing else"),
        ("a😀", "nothing else"),
        ("mine.", "full stop"),
        ("con", "Windows"),
        ("Nul", "Windows"),
        ("aux.v2", "Windows"),
        ("COM1", "Windows"),
        ("lpt9 .x", "Windows"),
    ],
)
def test_names_that_no_network_can_have(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelNameError, match=rf"^[^\n]*{said}[^\n]*\.$"):
        models.check_name(name)
    with pytest.raises(ModelNameError):
        keep(tmp_path, name)
    assert not list(tmp_path.iterdir())


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=50) | st.text("aZ9é. -_=,/\\\0", min_size=1, max_size=45))
def test_any_text_is_refused_or_names_a_file_in_the_kept_folder(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("models")
    try:
        (name,) = keep(folder, text)
    except ModelNameError:
        assert not list(folder.iterdir())
        return
    assert models.check_name(name) == name == unicodedata.normalize("NFC", name)
    assert list(folder.rglob("*.safetensors")) == [folder / "kept" / f"{name}.safetensors"]
    assert models.names(folder) == [name]
    (again,) = keep(folder, text)
    assert models.check_name(again) == again != name
    models.delete(name, folder=folder)
    assert models.names(folder) == [again]


def test_there_is_room_for_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MAX_KEPT", 5)
    ship(tmp_path, "report")

    def try_to_keep(_: int) -> str:
        try:
            return keep(tmp_path, "mine")[0]
        except ModelStoreError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(try_to_keep, range(12)))
    full = "There are 5 kept networks already; delete one first."
    assert sorted(answers) == sorted([full] * 7 + ["mine", *(f"mine {n}" for n in range(2, 6))])
    assert len(models.names(tmp_path)) == 6
    models.delete("mine 3", folder=tmp_path)
    assert keep(tmp_path, "mine") == ["mine 3"]


def test_there_is_room_for_so_much(tmp_path: Path) -> None:
    large = (tmp_path / "kept" / "large.safetensors", models.MAX_KEPT_BYTES - 100_000)
    large[0].parent.mkdir()
    with large[0].open("wb") as file:
        file.truncate(large[1])
    keep(tmp_path, "small")  # of 64 kB
    with pytest.raises(ModelStoreError, match=r"more than 500 MB; delete one first\.$"):
        keep(tmp_path, "small")
    assert models.names(tmp_path) == ["large", "small"]
    assert not list(large[0].parent.glob("*.part"))
    models.delete("large", folder=tmp_path)
    assert keep(tmp_path, "small") == ["small 2"]


def test_a_disk_that_can_t_be_written_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="exists|directory"):
        keep(tmp_path, "mine")


def refuse_links(*args: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_without_links_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", refuse_links)
    (tmp_path / "kept").mkdir()
    taken = tmp_path / "kept" / "Mine.safetensors"
    assert keep(tmp_path, "Mine") == ["Mine"]
    before = taken.read_bytes()
    # As on a disk where somebody takes the name between the look and the claim.
    monkeypatch.setattr(models, "_stems", lambda folder: [])
    assert keep(tmp_path, "Mine") == ["Mine 2"]
    monkeypatch.undo()
    assert keep(tmp_path, "mine") == ["mine 3"]
    assert taken.read_bytes() == before
    for name in models.names(tmp_path):
        assert_same(models.load(models.path_of(name, tmp_path))[0], NETWORK)
    assert not list((tmp_path / "kept").glob(".*.part"))


def test_without_links_a_failure_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", refuse_links)
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        keep(tmp_path, "mine")
    assert [file.name for file in (tmp_path / "kept").iterdir()] == [".lock"]


def test_a_name_taken_behind_our_back_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path, "mine")
    monkeypatch.setattr(models, "_stems", lambda folder: [])
    assert keep(tmp_path, "mine") == ["mine 2"]


def test_stray_files_are_not_listed_and_go_in_time(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for name, age in ((".old.part", 3700), (".new.part", 3500)):
        (kept / name).write_bytes(b"half a netw")
        os.utime(kept / name, (time.time() - age,) * 2)
    assert models.names(tmp_path) == []
    keep(tmp_path, "mine")
    assert {file.name for file in kept.iterdir()} == {".new.part", ".lock", "mine.safetensors"}
    assert models.names(tmp_path) == ["mine"]


KEEP_FOR_EVER = """
import sys
from pathlib import Path
from core.networks import models
network, card = models.load(Path(sys.argv[1]))
folder = Path(sys.argv[2])
print("ready", flush=True)
while True:
    models.keep("large", network, card, folder=folder)
    if len(models.names(folder)) > 3:
        models.delete("large 2", folder=folder)
"""


def kill_a_keeper(source: Path, folder: Path, pattern: str) -> set[Path]:
    """Have a process keep networks, kill it as soon as it makes such a file; the files it left."""
    process = subprocess.Popen(
        [sys.executable, "-c", KEEP_FOR_EVER, str(source), str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    known = set(folder.glob(pattern))
    while not set(folder.glob(pattern)) - known:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return set(folder.glob(pattern)) - known


def test_a_save_that_is_killed_half_way_leaves_whole_networks(tmp_path: Path) -> None:
    source, folder = tmp_path / "large.safetensors", tmp_path / "models"
    models.save(source, random_mlp((784, 10_000, 10), seed=0, dtype=np.float32), CARD)
    expected = models.load(source)[0]
    for pattern in ["kept/*.safetensors", "kept/.*.part"] * 5:
        left = kill_a_keeper(source, folder, pattern)
        for name in models.names(folder):
            assert_same(models.load(models.path_of(name, folder))[0], expected)
        if any(file.suffix == ".part" for file in left):
            break
    else:
        pytest.fail("none of them was killed while it wrote")
    # The killed one's lock is gone with it.
    name = models.keep("after", NETWORK, CARD, folder=folder)
    assert_same(models.load(models.path_of(name, folder))[0], NETWORK)


KEEP_MANY = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from core.networks import models
folder, name = Path(sys.argv[2]), sys.argv[3]
network, card = models.load(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read()
with ThreadPoolExecutor(8) as pool:
    keep = lambda _: models.keep(name, network, card, folder=folder)
    print(*pool.map(keep, range(20)), sep=",")
"""


def test_processes_and_threads_that_keep_one_name_get_different_ones(tmp_path: Path) -> None:
    source, folder = tmp_path / "source.safetensors", tmp_path / "models"
    models.save(source, NETWORK, CARD)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", KEEP_MANY, str(source), str(folder), name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("ours", "OURS")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    answers: list[str] = []
    for process in processes:
        assert process.stdout is not None
        answers += process.stdout.read().strip().split(",")
        process.stdout.close()
        assert process.wait() == 0
    assert sorted(name.lower() for name in answers) == sorted(
        ["ours", *(f"ours {number}" for number in range(2, 41))]
    )
    assert set(models.names(folder)) == set(answers)
    for name in answers:
        assert_same(models.load(models.path_of(name, folder))[0], NETWORK)
    assert not list(folder.glob("kept/.*.part"))
