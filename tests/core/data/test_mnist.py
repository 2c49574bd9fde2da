import shutil
from pathlib import Path

import numpy as np
import pytest

from core.data import mnist
from core.data.mnist import Digits
from core.data.torchvision_import import torchvision_datasets

RAW = mnist.ROOT / "MNIST" / "raw"


@pytest.fixture
def own_root(tmp_path: Path) -> Path:
    """A folder with the archives alone, as in a fresh clone."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for archive in RAW.glob("*.gz"):
        shutil.copy(archive, folder)
    return tmp_path


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads fail at once, on any machine."""

    def refuse(*args: object, **settings: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


@pytest.mark.thorough
@pytest.mark.parametrize(("split", "count"), [("train", 60_000), ("test", 10_000)])
def test_the_digits_are_torchvision_s(split: str, count: int) -> None:
    ours = mnist.load(split)
    theirs = torchvision_datasets().MNIST(mnist.ROOT, train=split == "train")
    assert ours.x.shape == (count, 784)
    assert ours.x.dtype == np.float32
    np.testing.assert_array_equal(ours.x, theirs.data.numpy().reshape(-1, 784) / np.float32(255))
    np.testing.assert_array_equal(ours.y, theirs.targets.numpy())
    assert len(ours) == count


def test_the_digits_can_t_be_written_to(test_digits: Digits) -> None:
    with pytest.raises(ValueError, match="read-only"):
        test_digits.x[0, 0] = 1


def test_archives_are_unpacked_without_a_network(own_root: Path, no_network: None) -> None:
    assert len(mnist.load("test", root=own_root)) == 10_000
    assert (own_root / "MNIST" / "raw" / "train-images-idx3-ubyte").exists()


@pytest.mark.parametrize("damage", ["cut short", "a wrong byte", "gone"])
def test_a_damaged_unpacked_file_mends_itself(
    own_root: Path, no_network: None, damage: str
) -> None:
    mnist.unpack(root=own_root)
    file = own_root / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    content = bytearray(file.read_bytes())
    if damage == "gone":
        file.unlink()
    elif damage == "cut short":
        file.write_bytes(content[:5000])
    else:
        content[5000] ^= 0xFF
        file.write_bytes(content)
    np.testing.assert_array_equal(mnist.load("test", root=own_root).x, mnist.load("test").x)


@pytest.mark.parametrize("damage", ["cut short", "a wrong byte", "gone"])
def test_a_damaged_archive_is_a_sentence(own_root: Path, no_network: None, damage: str) -> None:
    archive = own_root / "MNIST" / "raw" / "t10k-images-idx3-ubyte.gz"
    content = bytearray(archive.read_bytes())
    if damage == "gone":
        archive.unlink()
    else:
        content[5000] ^= 0xFF
        archive.write_bytes(content[:9000] if damage == "cut short" else content)
    with pytest.raises(mnist.DataFileError, match="t10k-images-idx3-ubyte.*fresh clone"):
        mnist.load("test", root=own_root)


def test_damaged_files_are_not_downloaded_again_and_again(
    own_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = own_root / "MNIST" / "raw" / "t10k-images-idx3-ubyte.gz"
    whole, tries = archive.read_bytes(), []
    archive.write_bytes(whole[:9000])

    def refuse(*args: object, **settings: object) -> None:
        tries.append(args)
        raise OSError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(mnist.DataFileError) as first:
        mnist.load("test", root=own_root)
    tried = len(tries)
    assert tried > 0
    for _ in range(3):
        with pytest.raises(mnist.DataFileError) as again:
            mnist.load("test", root=own_root)
        assert str(again.value) == str(first.value)
    assert len(tries) == tried
    archive.write_bytes(whole)  # a file has changed
    assert len(mnist.load("test", root=own_root)) == 10_000


def test_an_unwritable_disk_is_a_sentence(own_root: Path, no_network: None) -> None:
    nowhere = own_root / "file"
    nowhere.write_text("a file where the folder should be")
    with pytest.raises(mnist.DataFileError, match="missing or damaged"):
        mnist.load("test", root=nowhere)


def test_there_are_two_splits() -> None:
    with pytest.raises(ValueError, match='must be "train" or "test", not \'validation\''):
        mnist.load("validation")
