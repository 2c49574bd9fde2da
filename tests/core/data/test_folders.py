"""Which pictures of a folder are read, in which order, and what is wrong with one."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data import folders
from core.data.folders import FolderError
from core.data.mnist import Digits
from tests.core.data.in_folders import plain, put


def brightnesses(images: Digits) -> list[int]:
    return [int(value) for value in np.rint(images.x[:, 0] * 255)]


def test_numbered_files_are_ordered_by_number_then_label(folder: Path) -> None:
    names = ["9/2.png", "0/10.png", "5/001.jpg", "3/1.png", "3/2.bmp", "8/0.png"]
    (folder / "train data" / "3" / "a.png").unlink()
    for place, name in enumerate(names):
        put(folder / "train data" / name, plain(place))
    train = folders.load(folder)[0]
    assert brightnesses(train) == [5, 3, 2, 4, 0, 1]
    assert train.y.tolist() == [8, 3, 5, 3, 9, 0]


SAFE = st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cc"])
NAMES = st.text(SAFE, min_size=1, max_size=40).filter(
    lambda name: name[0] != "." and name.lower() not in ("thumbs.db", "desktop.ini")
)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), NAMES), max_size=8, unique_by=lambda file: file[1].lower()
    )
)
def test_other_files_are_ordered_by_label_and_name(named: list[tuple[int, str]]) -> None:
    named = [*named, (5, "not a number")]
    with tempfile.TemporaryDirectory() as tmp:
        put(Path(tmp) / "test data" / "0" / "0", plain(0))
        for place, (label, name) in enumerate(named):
            put(Path(tmp) / "train data" / str(label) / name, plain(place))
        train, _ = folders.load(Path(tmp))
    expected = sorted(range(len(named)), key=named.__getitem__)
    assert brightnesses(train) == expected
    assert train.y.tolist() == [named[place][0] for place in expected]


def test_hidden_files_and_folders_are_passed_over(folder: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", ".cache/x.png", "3/._a.png"):
        put(folder / "train data" / name, b"whatever")
    for name in ("3/.DS_Store", "3/Thumbs.db", "3/.00042.png.part"):
        put(folder / "train data" / name, b"whatever")
    put(folder / "notes.txt", b"beside the sets anything may lie")
    assert brightnesses(folders.load(folder)[0]) == [3]


def test_links_are_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    put(elsewhere / "8" / "c.png", plain(8))
    (folder / "train data" / "8").symlink_to(elsewhere / "8")
    (folder / "train data" / "3" / "d.png").symlink_to(elsewhere / "8" / "c.png")
    train = folders.load(folder)[0]
    assert brightnesses(train) == [3, 8, 8]
    assert train.y.tolist() == [3, 3, 8]


@pytest.mark.parametrize("kind", ["a folder", "a link to nothing", "a pipe"])
def test_what_is_not_a_file_is_named(folder: Path, kind: str) -> None:
    path = folder / "train data" / "3" / "odd.png"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a link to nothing":
        path.symlink_to(folder / "nothing")
    else:
        os.mkfifo(path)
    with pytest.raises(FolderError, match=r"3/odd\.png is not a PNG, JPEG or BMP picture\.$"):
        folders.load(folder)


def test_missing_folders_are_named(folder: Path) -> None:
    with pytest.raises(FolderError, match=rf"^There is no folder {folder}/nowhere\.$"):
        folders.load(folder / "nowhere")
    (folder / "test data").rename(folder / "Test")
    with pytest.raises(FolderError, match=rf'^There is no folder "test data" in {folder}\.$'):
        folders.load(folder)


@pytest.mark.parametrize("name", ["train data", "test data"])
def test_a_set_without_pictures_is_named(folder: Path, name: str) -> None:
    for file in (folder / name).rglob("*.png"):
        file.unlink()
    with pytest.raises(FolderError, match=rf"^There are no pictures in {folder}/{name}\.$"):
        folders.load(folder)


@pytest.mark.parametrize("name", ["10", "-1", "07", "seven", "7 ", "٣", "³", "a"])
def test_a_folder_not_named_for_a_digit_is_named(folder: Path, name: str) -> None:
    put(folder / "test data" / name / "c.png", plain(0))
    sentence = rf"^The folder {folder}/test data/{name} must be named for a digit, 0 to 9\.$"
    with pytest.raises(FolderError, match=sentence):
        folders.load(folder)


def test_a_picture_outside_a_digit_s_folder_is_named(folder: Path) -> None:
    put(folder / "train data" / "00000.png", plain(0))
    sentence = rf"^{folder}/train data/00000\.png must lie in a folder named for its digit, 0 to 9"
    with pytest.raises(FolderError, match=sentence):
        folders.load(folder)


def test_the_structure_is_looked_at_before_any_picture_is_read(folder: Path) -> None:
    put(folder / "train data" / "3" / "bad.png", b"not a picture")
    put(folder / "test data" / "ten" / "c.png", plain(0))
    with pytest.raises(FolderError, match="must be named for a digit"):
        folders.load(folder)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do all")
def test_a_folder_without_permission_is_a_sentence(folder: Path) -> None:
    (folder / "train data" / "3").chmod(0)
    with pytest.raises(FolderError, match=r"train data/3 can't be read: Permission denied\.$"):
        folders.load(folder)
    (folder / "train data" / "3").chmod(0o755)
    (folder / "train data").chmod(0o555)
    with pytest.raises(FolderError, match=r"train data/0 can't be made: Permission denied\.$"):
        folders.export(folder)
