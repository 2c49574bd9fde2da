"""What becomes of a picture in such a folder: 28 x 28 grey levels, or a sentence."""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.data import folders
from core.data.folders import FolderError
from tests.core.data.handmade import encoded
from tests.core.data.in_folders import GREY, plain, put


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
