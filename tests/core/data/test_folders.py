import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.data import folders, mnist
from core.data.folders import FolderError
from core.data.mnist import Digits

ROOT = Path(__file__).parents[3]
GREY = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)


def first(images: Digits, n: int) -> Digits:
    return Digits(images.x[:n], images.y[:n])


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def plain(brightness: int) -> bytes:
    return encoded(Image.new("L", (28, 28), brightness))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one picture in each set."""
    put(tmp_path / "train data" / "3" / "a.png", plain(3))
    put(tmp_path / "test data" / "4" / "b.png", plain(4))
    return tmp_path


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


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do all")
def test_a_folder_without_permission_is_a_sentence(folder: Path) -> None:
    (folder / "train data" / "3").chmod(0)
    with pytest.raises(FolderError, match=r"train data/3 can't be read: Permission denied\.$"):
        folders.load(folder)
    (folder / "train data" / "3").chmod(0o755)
    (folder / "train data").chmod(0o555)
    with pytest.raises(FolderError, match=r"train data/0 can't be made: Permission denied\.$"):
        folders.export(folder)


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


def read_one(tmp_path: Path, content: bytes, name: str = "picture") -> np.ndarray:
    """The `(28, 28)` pixels of a picture's content, as `load` reads it."""
    put(tmp_path / "train data" / "7" / name, content)
    put(tmp_path / "test data" / "7" / name, plain(0))
    return folders.load(tmp_path)[0].x.reshape(28, 28)


EXACT: dict[str, Callable[[Image.Image], bytes]] = {
    "png": encoded,
    "bmp": lambda grey: encoded(grey, "BMP"),
    "colour": lambda grey: encoded(grey.convert("RGB")),
    "opaque": lambda grey: encoded(grey.convert("RGBA")),
    "grey and alpha": lambda grey: encoded(grey.convert("LA")),
    "palette": lambda grey: encoded(grey.convert("P")),
    "16 bit": lambda grey: encoded(Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)),
    "interlaced": lambda grey: encoded(grey, interlace=1),
}


@pytest.mark.parametrize("encode", EXACT.values(), ids=EXACT)
@settings(max_examples=5)  # of each kind
@given(st.binary(min_size=784, max_size=784))
def test_28_by_28_grey_pixels_come_through_unchanged(
    encode: Callable[[Image.Image], bytes], pixels: bytes
) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        x = read_one(Path(tmp), encode(Image.frombytes("L", (28, 28), pixels)))
    expected = np.frombuffer(pixels, np.uint8).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(x.reshape(-1), expected)


def test_colours_become_their_luma(tmp_path: Path) -> None:
    x = read_one(tmp_path, encoded(Image.new("RGB", (28, 28), (255, 100, 0))))
    np.testing.assert_allclose(x, 0.299 + 0.587 * 100 / 255, atol=1 / 255)


def test_a_jpeg_is_nearly_what_it_was(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(28, dtype=np.uint8) * 9, (28, 1))
    x = read_one(tmp_path, encoded(Image.fromarray(ramp), "JPEG", quality=95), "a.JPG")
    np.testing.assert_allclose(x, ramp / 255, atol=0.02)


def test_one_bit_pictures_are_black_and_white(tmp_path: Path) -> None:
    ink = GREY > 127
    np.testing.assert_array_equal(read_one(tmp_path, encoded(Image.fromarray(ink))), ink)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_is_black(tmp_path: Path, mode: str) -> None:
    picture = Image.new("L", (28, 28), 200).convert(mode)
    picture.putalpha(Image.fromarray(GREY))
    x = read_one(tmp_path, encoded(picture))
    np.testing.assert_allclose(x, GREY / 255 * 200 / 255, atol=0.6 / 255)


def test_a_transparent_grey_value_is_black(tmp_path: Path) -> None:
    x = read_one(tmp_path, encoded(Image.fromarray(GREY), transparency=int(GREY[0, 0])))
    expected = np.where(GREY[0, 0] == GREY, 0, GREY) / np.float32(255)
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("factor", [2, 7, 40])
def test_larger_pictures_are_averaged(tmp_path: Path, factor: int) -> None:
    fine = np.zeros((28 * factor, 28 * factor), np.uint8)
    fine[:, ::2] = 255  # stripes that taking single pixels would show
    x = read_one(tmp_path, encoded(Image.fromarray(fine)))
    np.testing.assert_allclose(x[2:-2, 2:-2], 0.5, atol=0.05)


@pytest.mark.parametrize("side", [1, 8, 14, 27])
def test_smaller_pictures_are_enlarged(tmp_path: Path, side: int) -> None:
    coarse = np.zeros((side, side), np.uint8)
    coarse[: side // 2 + 1] = 255
    x = read_one(tmp_path, encoded(Image.fromarray(coarse)))
    assert x.shape == (28, 28)
    np.testing.assert_allclose(x[0], 1, atol=0.02)
    assert side == 1 or x[-1].max() < 0.02


def test_pictures_are_not_inverted(tmp_path: Path) -> None:
    white = np.full((28, 28), 255, np.uint8)
    white[10:20, 13:15] = 0
    x = read_one(tmp_path, encoded(Image.fromarray(white)))
    np.testing.assert_array_equal(x, white / np.float32(255))


def test_a_picture_turned_by_its_exif_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise for viewing
    x = read_one(tmp_path, encoded(Image.fromarray(np.rot90(GREY)), exif=exif))
    np.testing.assert_array_equal(x, GREY / np.float32(255))


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


WHOLE = encoded(Image.fromarray(GREY))
BAD_PICTURES = {
    "empty": (b"", "is not a PNG, JPEG or BMP picture"),
    "text": (b"This is a text file, whatever its name.", "is not a PNG, JPEG or BMP picture"),
    "gif": (encoded(Image.fromarray(GREY), "GIF"), "is not a PNG, JPEG or BMP picture"),
    "truncated": (WHOLE[: len(WHOLE) // 2], "can't be read: it is damaged or was cut short"),
    "garbled": (WHOLE[:60] + bytes(100) + WHOLE[160:], "can't be read: it is damaged"),
    "wide": (encoded(Image.new("L", (28, 27))), "has 28 × 27 pixels: .* must be square"),
    "too large": (encoded(Image.new("1", (4097, 4097))), "has 4097 × 4097 .* most 4096 × 4096"),
    "large enough for a warning": (encoded(Image.new("1", (9999, 9999))), "has 9999 × 9999"),
    "a bomb": (encoded(Image.new("1", (20_000, 20_000))), "is too large: .* most 4096 × 4096"),
}


@pytest.mark.parametrize(("content", "said"), BAD_PICTURES.values(), ids=BAD_PICTURES)
def test_a_file_that_is_no_digit_is_named(folder: Path, content: bytes, said: str) -> None:
    put(folder / "test data" / "4" / "bad.png", content)
    with pytest.raises(FolderError, match=rf"^{folder}/test data/4/bad\.png {said}.*\.$"):
        folders.load(folder)


def test_a_largest_picture_is_read(tmp_path: Path) -> None:
    assert read_one(tmp_path, encoded(Image.new("1", (4096, 4096), 1))).min() == 1


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


def digit_or_sentence(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        try:
            x = read_one(Path(tmp), content)
        except FolderError as error:
            assert re.fullmatch(rf"{tmp}/train data/7/picture [^\n]*\.", str(error))
        else:
            assert x.shape == (28, 28)
            assert 0 <= x.min() <= x.max() <= 1


@given(st.binary(max_size=300))
def test_any_bytes_are_a_digit_or_a_sentence(content: bytes) -> None:
    digit_or_sentence(content)


COLOUR = Image.fromarray(np.stack([GREY, GREY.T, 255 - GREY], axis=-1))
PICTURES = [
    encoded(COLOUR.convert(mode), kind)
    for kind, modes in {"PNG": ["1", "P", "L", "LA"], "JPEG": ["L", "RGB"], "BMP": ["P"]}.items()
    for mode in modes
]


@given(st.sampled_from(PICTURES), st.integers(0, 10_000), st.integers(0, 255), st.booleans())
def test_a_damaged_picture_is_a_digit_or_a_sentence(
    whole: bytes, place: int, value: int, cut: bool
) -> None:
    place %= min(len(whole), 200)  # the headers, where damage does most
    digit_or_sentence(whole[:place] + bytes([value]) + (b"" if cut else whole[place + 1 :]))
