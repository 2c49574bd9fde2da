"""A file that is no network of ours, or a damaged one, is refused in one sentence."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.networks import MLP, Ensemble, NetworkFileError, load_file, parse
from core.networks.file import MAX_BYTES
from tests.conftest import SHIPPED
from tests.core.networks.samples import CARD_TEXT, IMPORTED, RECIPE, layers, ours, saved


def members(*numbers: int, **changes: np.ndarray) -> dict[str, np.ndarray]:
    """An ensemble's tensors; a change is named like members_0_layers_0_bias."""
    tensors = {
        f"members.{number}.{name}": value for number in numbers for name, value in layers().items()
    }
    return {**tensors, **{name.replace("_", "."): value for name, value in changes.items()}}


RECIPE_TEXT = json.dumps(asdict(RECIPE))
UNKNOWN = json.dumps({**json.loads(CARD_TEXT), "recipe": None, "epochs_trained": 0,
                      "origin": vars(IMPORTED.origin)})  # fmt: skip


def kernel() -> dict[str, np.ndarray]:
    """Return the arrays of one convolution."""
    return {
        "layers.0.weight": np.zeros((10, 1, 5, 5), np.float32),
        "layers.0.bias": np.zeros(10, np.float32),
    }


def header_alone(header: object) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text


FOREIGN = {
    "empty": (b"", "not a safetensors file"),
    "text": (b"no model at all, just words", "not a safetensors file"),
    "pickle": (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94.", "not a safetensors file"),
    "foreign": (saved(layers()), "did not save it"),
    "foreign with metadata": (saved(layers(), format="pt"), "did not save it"),
    "later version": (
        saved(layers(), **ours(version="4")), "format is 4, this program reads 1 to 3"
    ),
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
    "no metadata": (header_alone({"__metadata__": None}), "did not save it"),
    "no version": (
        saved(layers(), format="mlp", card=ours()["card"]), "format is None, this program reads 1"
    ),
    "a long version": (saved(layers(), **ours(version="9" * 1000)), "format is 9{20}, this"),
    "card without end": (saved(layers(), **ours(card="[" * 100_000)), "header"),
    "card with an adversary of a later program": (
        saved(layers(), **ours(card=CARD_TEXT.replace('"none"', '"ghost"'))),
        "header",
    ),
    "card with a number for a day": (
        saved(layers(), **ours(card=CARD_TEXT.replace('"2026-01-31"', "9"))),
        "header",
    ),
    "card with a field too many": (
        saved(layers(), **ours(card=CARD_TEXT.replace("{", '{"mood": "good", ', 1))),
        "header",
    ),
    "a recipe where none is known": (saved(layers(), **ours(version="2")), "header"),
    "no recipe": (saved(layers(), **ours(card=UNKNOWN)), "header"),
    "an origin beside a recipe": (
        saved(layers(), **ours(card=UNKNOWN.replace("null", json.dumps(vars(RECIPE)), 1))), "header"
    ),
    "neither recipe nor origin": (
        saved(layers(), **ours(version="2", card=CARD_TEXT.replace(RECIPE_TEXT, "null"))), "header"
    ),
    "an origin of another kind": (
        saved(layers(), **ours(version="2", card=UNKNOWN.replace('"mnist"', "[1]"))), "header"
    ),
    "an origin with a second line": (
        saved(layers(), **ours(version="2", card=UNKNOWN.replace("mnist", "a\\nb"))), "header"
    ),
    "an origin without end": (
        saved(layers(), **ours(version="2", card=UNKNOWN.replace("mnist", "m" * 41))), "header"
    ),
    "a log without a recipe": (
        saved(layers(), **ours(version="2", card=UNKNOWN, log="[[1, 1, 0.5, 0.9, 0.4, 0.9]]")),
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
    "a layer too many": (saved(layers(layers_2_bias=np.zeros(9, np.float32)), **ours()), "missing"),
    "no bias": (saved({"layers.0.weight": layers()["layers.0.weight"]}, **ours()), "same number"),
    "a tensor with a long name": (
        saved(layers(**{"x" * 1000: np.zeros(1, np.float32)}), **ours()), "'x{60}'"
    ),
    "an ensemble called a network": (saved(members(0, 1), **ours()), "members.0.layers"),
    "a network called an ensemble": (saved(layers(), **ours(format="ensemble")), "layers.0"),
    "no members": (saved({}, **ours(format="ensemble")), "members must hold at least one"),
    "members from 1": (saved(members(1, 2), **ours(format="ensemble")), "members.1.*missing"),
    "members with a gap": (saved(members(0, 2), **ours(format="ensemble")), "members.2.*missing"),
    "21 members": (saved(members(*range(21)), **ours(format="ensemble")), "more than 20"),
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
              **ours(format="ensemble")), "members must agree",
    ),
    "members in double precision": (
        saved({name: value.astype(float) for name, value in members(0, 1).items()},
              **ours(format="ensemble")), "float64",
    ),
    "no layers": (saved(layers(), **ours(version="3")), "header"),
    "layers cut": (saved(layers(), **ours(version="3", layers="[[")), "header"),
    "layers of another kind": (saved(layers(), **ours(version="3", layers="7")), "header"),
    "layers of no network": (saved(layers(), **ours(version="3", layers="[]")), "header"),
    "layers of numbers": (saved(layers(), **ours(version="3", layers="[[1, 2]]")), "header"),
    "an unknown layer": (
        saved(layers(), **ours(version="3", layers='[[["attention", {}]]]')), "header"
    ),
    "a layer of a list": (saved(layers(), **ours(version="3", layers='[[[[], {}]]]')), "header"),
    "41 layers": (
        saved(layers(), **ours(version="3", layers=json.dumps([[["affine", {}]] * 41]))), "header"
    ),
    "layers of 21 networks": (
        saved(layers(), **ours(version="3", layers=json.dumps([None] * 21))), "header"
    ),
    "a layer without arrays": (
        saved(layers(), **ours(version="3", layers=json.dumps([[["affine", {}]] * 2]))),
        "layer 1 is damaged",
    ),
    "an unknown setting": (
        saved(layers(), **ours(version="3", layers='[[["affine", {"units": 7}]]]')), "damaged"
    ),
    "an array as a setting": (
        saved(layers(), **ours(version="3", layers='[[["affine", {"bias": 7}]]]')), "damaged"
    ),
    "a stride of words": (
        saved(kernel(), **ours(version="3", layers='[[["convolution", {"stride": "two"}]]]')),
        "stride",
    ),
    "a stride of a million": (
        saved(kernel(), **ours(version="3", layers='[[["convolution", {"stride": 1000000}]]]')),
        "must give logits",
    ),
    "an array of no layer": (
        saved({**kernel(), "layers.1.weight": np.zeros(1, np.float32)},
              **ours(version="3", layers='[[["convolution", {}]]]')), "belongs to no layer"
    ),
    "activations alone": (
        saved({}, **ours(version="3", layers='[[["activation", {}]]]')), "at least one with weights"
    ),
    "an ensemble of a later version": (
        saved(members(0), **ours(format="ensemble", version="4")), "format is 4"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "said"), FOREIGN.values(), ids=FOREIGN)
def test_other_files_are_refused_in_a_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "strange.safetensors"
    path.write_bytes(content)
    with pytest.raises(NetworkFileError, match=rf"^strange.*: .*{said}.*\.$"):
        load_file(path)


@pytest.mark.parametrize(
    "header", ["[" * 10_000, "[]", "1", '{"a":' * 5000, "{" + " " * 4_000_000 + "}"]
)
def test_a_strange_header_is_one_sentence(header: str) -> None:
    content = len(header).to_bytes(8, "little") + header.encode()
    with pytest.raises(NetworkFileError, match="not a safetensors file"):
        parse(content, "strange")


def test_missing_unreadable_and_enormous_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkFileError, match="there is no such file"):
        load_file(tmp_path / "nothing.safetensors")
    with pytest.raises(NetworkFileError, match="can't be read"):
        load_file(tmp_path)
    enormous = tmp_path / "enormous.safetensors"
    with enormous.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(NetworkFileError, match="larger than 40 MB"):
        load_file(enormous)


REPORT = SHIPPED.path("report").read_bytes()


@given(st.integers(0, len(REPORT) - 1))
def test_a_file_cut_short_anywhere_is_refused(length: int) -> None:
    with pytest.raises(NetworkFileError):
        parse(REPORT[:length], "cut.safetensors")


BOTH = [REPORT, saved(members(0, 1), **ours(format="ensemble"))]


@given(st.sampled_from(BOTH), st.integers(0, 2000), st.integers(0, 255))
def test_a_file_with_a_wrong_byte_is_refused_or_a_network(
    whole: bytes, place: int, value: int
) -> None:
    content = whole[:place] + bytes([value]) + whole[place + 1 :]
    try:
        network, _ = parse(content, "garbled.safetensors")
    except NetworkFileError as error:
        assert len(str(error)) < 300
        return
    assert isinstance(network, MLP | Ensemble)
