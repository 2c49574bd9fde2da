"""Digits as picture files, each in the folder of its label: `train data/7/00042.png`."""

import io
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from core import files
from core.classifier import FloatArray
from core.data import mnist
from core.data.drawing import SIDE
from core.data.mnist import Digits

SETS: Mapping[str, str] = MappingProxyType({"train": "train data", "test": "test data"})
LABELS = tuple("0123456789")
FORMATS = ("PNG", "JPEG", "BMP")
MAX_SIDE = 4096
BATCH = 1000  # images between two calls of `on_progress`

_SIZE_RULE = f"a digit's picture must be square and at most {MAX_SIDE} × {MAX_SIDE}"


class FolderError(ValueError):
    """Folders of digits that can't be read or written; the message names the file and says why."""


def export(folder: Path, *, on_progress: Callable[[int], object] = lambda count: None) -> None:
    """Write MNIST as 28 × 28 greyscale PNG files, each named by its index in MNIST.

    Files that exist already are left alone, so an export that was stopped continues where it was.

    Args:
        folder: where to write `train data/<label>/<index>.png` (60,000) and `test data/...`
            (10,000).
        on_progress: called repeatedly with the number of images in place since the last call.

    Raises:
        FolderError: a folder or a file can't be written.
        DataFileError: MNIST is missing or damaged (see `mnist.load`).
    """
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise FolderError(f"{folder} is a file, not a folder.")
    for split, name in SETS.items():
        _export_set(mnist.load(split), folder / name, on_progress)


def load(
    folder: Path, *, on_progress: Callable[[int], object] = lambda count: None
) -> tuple[Digits, Digits]:
    """Read the training and the test digits from folders like those that `export` writes.

    Pictures are PNG, JPEG or BMP files of any square size, in grey or colour, with white ink on
    black as in MNIST. They are scaled to 28 × 28, and transparent pixels become black. Hidden files
    are skipped. If every file name is a number, the digits are in the order of these numbers;
    otherwise they are in the order of labels and names.

    Args:
        folder: holds `train data` and `test data`, each with folders named 0 to 9.
        on_progress: called repeatedly with the number of pictures read since the last call.

    Raises:
        FolderError: a folder is missing, empty or not named for a digit, or a file is not such a
            picture.
    """
    if not os.path.isdir(folder):
        raise FolderError(f"There is no folder {folder}.")
    train, test = (_pictures(folder / name) for name in SETS.values())
    return _read_set(train, on_progress), _read_set(test, on_progress)


def _in_batches(n: int, on_progress: Callable[[int], object]) -> Iterator[int]:
    """Yield the numbers of range(n); after every batch, report how many were used."""
    for start in range(0, n, BATCH):
        stop = min(start + BATCH, n)
        yield from range(start, stop)
        on_progress(stop - start)


def _export_set(images: Digits, folder: Path, on_progress: Callable[[int], object]) -> None:
    """Write the images that `folder` does not have yet."""
    for label in np.unique(images.y):
        _make(folder / str(label))
    for index in _in_batches(len(images), on_progress):
        path = folder / str(images.y[index]) / f"{index:05}.png"
        if not (os.path.isfile(path) and os.path.getsize(path)):  # empty after a power cut
            _write(path, images.x[index])


def _make(folder: Path) -> None:
    """Make a folder if it is missing; remove the unfinished files of an export that was killed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.remove_strays(folder, age=0)
    except OSError as error:
        raise FolderError(f"The folder {folder} can't be made: {error.strerror}.") from None


def _write(path: Path, x: FloatArray) -> None:
    """Write `(784,)` pixels as a picture."""
    picture = Image.fromarray(np.rint(x * 255).astype(np.uint8).reshape(SIDE, SIDE))
    content = io.BytesIO()
    picture.save(content, "PNG", compress_level=1)
    try:
        files.write(path, content.getvalue(), bulk=True)
    except OSError as error:
        raise FolderError(f"{path} can't be written: {error.strerror}.") from None


def _pictures(folder: Path) -> list[tuple[int, Path]]:
    """Return the label and the file of each picture of a set, in order."""
    if not os.path.isdir(folder):
        raise FolderError(f'There is no folder "{folder.name}" in {folder.parent}.')
    found = []
    for inside in _visible(folder):
        if not os.path.isdir(inside):
            raise FolderError(f"{inside} must lie in a folder named for its digit, 0 to 9.")
        if inside.name not in LABELS:
            raise FolderError(f"The folder {inside} must be named for a digit, 0 to 9.")
        found += [(int(inside.name), file) for file in _visible(inside)]
    if not found:
        raise FolderError(f"There are no pictures in {folder}.")
    if all(re.fullmatch("[0-9]+", file.stem) for _, file in found):
        found.sort(key=lambda picture: int(picture[1].stem))
    return found


def _visible(folder: Path) -> list[Path]:
    """Return the content of a folder, sorted by name, without hidden files."""
    try:
        inside = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise FolderError(f"{folder} can't be read: {error.strerror}.") from None
    hidden = ("thumbs.db", "desktop.ini")
    return [path for path in inside if path.name[0] != "." and path.name.lower() not in hidden]


def _read_set(pictures: list[tuple[int, Path]], on_progress: Callable[[int], object]) -> Digits:
    """Read the pictures of a set."""
    pixels = np.empty((len(pictures), SIDE * SIDE), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures; `_read` checks the size
        for index in _in_batches(len(pictures), on_progress):
            pixels[index] = _read(pictures[index][1])
    x = pixels.astype(np.float32)
    x /= 255
    return Digits(x, np.array([label for label, _ in pictures], np.int64))


def _read(path: Path) -> NDArray[np.uint8]:
    """Read a picture file, `(784,)`."""
    no_picture = FolderError(f"{path} is not a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} picture.")
    if not os.path.isfile(path):
        raise no_picture
    try:
        with Image.open(path, formats=FORMATS) as picture:
            width, height = picture.size
            if width == height <= MAX_SIDE:
                return _grey(picture)
    except UnidentifiedImageError:
        raise no_picture from None
    except Image.DecompressionBombError:
        raise FolderError(f"{path} is too large: {_SIZE_RULE}.") from None
    except Exception as error:  # Pillow raises anything for a damaged file, AssertionError too
        reason = getattr(error, "strerror", None) or "it is damaged or was cut short"
        raise FolderError(f"{path} can't be read: {reason}.") from error
    raise FolderError(f"{path} has {width} × {height} pixels: {_SIZE_RULE}.")


def _grey(picture: Image.Image) -> NDArray[np.uint8]:
    """Return a square picture as `(784,)` grey levels, black where it is transparent."""
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode == "I;16":  # Pillow's conversion makes nearly all levels white
        picture = Image.fromarray(np.rint(np.asarray(picture) / 257).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        black = Image.new("L", picture.size)
        grey = Image.composite(picture.convert("L"), black, picture.getchannel("A"))
    else:
        grey = picture.convert("L")
    if grey.size != (SIDE, SIDE):
        grey = grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(grey).reshape(-1)
