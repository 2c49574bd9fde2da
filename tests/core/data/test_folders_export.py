"""MNIST is written as folders of pictures."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.data import folders, mnist
from core.data.folders import FolderError
from core.data.mnist import Digits
from tests.core.data.in_folders import plain

ROOT = Path(__file__).parents[3]


def first(images: Digits, n: int) -> Digits:
    return Digits(images.x[:n], images.y[:n])


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def small_mnist(monkeypatch: pytest.MonkeyPatch) -> dict[str, Digits]:
    """The first 1,200 images of each set, also for `export`: 70,000 files take too long."""
    small = {split: first(mnist.load(split), 1200) for split in ("train", "test")}
    monkeypatch.setattr(mnist, "load", small.__getitem__)
    return small


def same(ours: Digits, theirs: Digits) -> None:
    np.testing.assert_array_equal(ours.x, theirs.x)
    np.testing.assert_array_equal(ours.y, theirs.y)
    assert ours.x.dtype == np.float32
    assert ours.y.dtype == np.int64


def test_what_was_exported_is_loaded_in_mnist_s_order(
    tmp_path: Path, small_mnist: dict[str, Digits]
) -> None:
    written: list[int] = []
    folders.export(tmp_path / "new" / "folder", on_progress=written.append)
    read: list[int] = []
    train, test = folders.load(tmp_path / "new" / "folder", on_progress=read.append)
    same(train, small_mnist["train"])
    same(test, small_mnist["test"])
    assert written == read == [1000, 200, 1000, 200]
    with pytest.raises(ValueError, match="read-only"):
        train.x[0, 0] = 1


def test_a_stopped_export_has_whole_greyscale_pictures(
    tmp_path: Path, training_digits: Digits
) -> None:
    def stop(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folders.export(tmp_path, on_progress=stop)
    labels = enumerate(training_digits.y[:1000])
    assert files(tmp_path) == sorted(
        f"train data/{label}/{index:05}.png" for index, label in labels
    )
    with Image.open(tmp_path / "train data" / "5" / "00000.png") as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (28, 28))
        pixels = np.asarray(picture).reshape(-1)
    np.testing.assert_array_equal(pixels, np.rint(training_digits.x[0] * 255))


def test_an_export_goes_on_where_it_was(tmp_path: Path, small_mnist: dict[str, Digits]) -> None:
    folders.export(tmp_path)
    whole = files(tmp_path)
    kept = tmp_path / whole[2]
    kept.write_bytes(plain(7))
    (tmp_path / whole[0]).unlink()
    (tmp_path / whole[-1]).write_bytes(b"")  # as a power cut leaves it
    stray = (tmp_path / whole[0]).with_name(".unfinished-abc.part")
    stray.write_bytes(plain(1)[:40])
    counts: list[int] = []
    folders.export(tmp_path, on_progress=counts.append)
    assert files(tmp_path) == whole
    assert sum(counts) == 2400
    assert kept.read_bytes() == plain(7)
    kept.unlink()
    folders.export(tmp_path)
    same(folders.load(tmp_path)[0], small_mnist["train"])
    same(folders.load(tmp_path)[1], small_mnist["test"])


@pytest.mark.parametrize("place", ["", "train data", "train data/5"])
def test_a_file_in_a_folder_s_place_is_a_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "out" / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "out" / place).touch()
    with pytest.raises(FolderError, match=rf"{tmp_path}/out.*(not a folder|can't be made: .*)\.$"):
        folders.export(tmp_path / "out")


def test_a_folder_in_a_file_s_place_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "train data" / "5" / "00000.png").mkdir(parents=True)
    with pytest.raises(FolderError, match=r"5/00000\.png can't be written: Is a directory\.$"):
        folders.export(tmp_path)
    assert files(tmp_path) == []


def test_an_impossible_name_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="can't be made: File name too long"):
        folders.export(tmp_path / ("a" * 300))
    with pytest.raises(FolderError, match="There is no folder"):
        folders.load(tmp_path / ("a" * 300))


def test_a_disk_without_room_is_a_sentence_and_leaves_no_broken_file(tmp_path: Path) -> None:
    """A limit on the size of files fails a write half-way, as a full disk does."""
    pytest.importorskip("resource")
    program = """
import pathlib, resource, sys
from core.data import mnist, folders
mnist.load("train"), mnist.load("test")
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    folders.export(pathlib.Path(sys.argv[1]))
except folders.FolderError as error:
    sys.exit(str(error))
"""
    result = subprocess.run(
        [sys.executable, "-c", program, tmp_path], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 1
    sentence = rf"{tmp_path}/train data/5/00000\.png can't be written: File too large\."
    assert re.fullmatch(sentence, result.stderr.strip())
    assert files(tmp_path) == []
