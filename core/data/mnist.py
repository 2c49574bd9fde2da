"""MNIST as NumPy arrays."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.classifier import FloatArray, IntArray

ROOT = Path(__file__).parents[2] / "data"

# For each split, the unpacked files of the images and the labels, with their MD5 sums. torchvision
# checks the sums of the archives.
_FILES = {
    "train": (
        ("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb"),
        ("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624"),
    ),
    "test": (
        ("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea"),
        ("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637"),
    ),
}


# By root: what its files were when they could not be restored, and why. A page asks at every run.
_failed: dict[Path, tuple[list[tuple[str, int, int]], str]] = {}


class DataFileError(ValueError):
    """MNIST's files are missing or damaged and can't be restored; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Digits:
    """Images of digits and their labels; the arrays are read-only.

    Attributes:
        x: `(N, 784)` float32 pixels in [0, 1], 0 the background.
        y: `(N,)` labels 0 to 9.
    """

    x: FloatArray
    y: IntArray

    def __post_init__(self) -> None:
        self.x.setflags(write=False)
        self.y.setflags(write=False)

    def __len__(self) -> int:
        return len(self.x)


def load(split: str, *, root: Path = ROOT) -> Digits:
    """Return the 60,000 "train" or the 10,000 "test" images of MNIST.

    The first time, `torchvision.datasets.MNIST` verifies and unpacks the archives in
    `root/MNIST/raw`, and downloads those that are missing. Afterwards NumPy alone reads the
    unpacked files. Where that has failed, it is tried again once a file has changed.

    Raises:
        ValueError: `split` is neither.
        DataFileError: the files are missing or damaged and can't be restored.
    """
    if split not in _FILES:
        raise ValueError(f'split must be "train" or "test", not {split!r}')
    folder = root / "MNIST" / "raw"
    former = _failed.get(root)
    if former is not None and former[0] == _state_of(folder):
        raise DataFileError(former[1])
    if not all(_intact(folder / name, md5) for name, md5 in _FILES[split]):
        try:
            unpack(root=root)
        except DataFileError as error:
            _failed[root] = (_state_of(folder), str(error))
            raise
    images, labels = (folder / name for name, _ in _FILES[split])
    pixels = _read_idx(images).reshape(-1, 784)
    x = pixels.astype(np.float32)
    x /= 255
    return Digits(x, _read_idx(labels).astype(np.int64))


def unpack(*, root: Path = ROOT) -> None:
    """Have torchvision verify and unpack MNIST's archives in `root`, and download what is missing.

    Raises:
        DataFileError: that failed.
    """
    from core.data.torchvision_import import torchvision_datasets

    folder = root / "MNIST" / "raw"
    files = [(folder / name, md5) for split in _FILES.values() for name, md5 in split]
    try:
        # torchvision doesn't check unpacked files that exist, so bad ones are removed first.
        for file, md5 in files:
            if not _intact(file, md5):
                file.unlink(missing_ok=True)
        torchvision_datasets().MNIST(root, download=True)
    except (OSError, RuntimeError, EOFError) as error:
        damaged = ", ".join(file.name for file, md5 in files if not _intact(file, md5))
        raise DataFileError(
            f"MNIST's files in {folder} are missing or damaged ({damaged}), and could not be "
            f"unpacked or downloaded: {error}. Restore that folder from a fresh clone, or connect "
            "to the internet and run `python -m core data`."
        ) from error


def _state_of(folder: Path) -> list[tuple[str, int, int]]:
    """Return the names, sizes and times of a folder's files; nothing if it can't be read."""
    try:
        found = [(file.name, file.stat()) for file in folder.iterdir()]
    except OSError:
        return []
    return sorted((name, about.st_size, about.st_mtime_ns) for name, about in found)


def _intact(path: Path, md5: str) -> bool:
    try:
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == md5
    except OSError:
        return False


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """Read the array in an idx file."""
    content = path.read_bytes()  # 0, 0, the type 8, the number of dimensions, their sizes, the data
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
