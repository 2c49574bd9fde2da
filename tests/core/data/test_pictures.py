import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.data import drawing, pictures
from core.networks.mlp import MLP


def digit_seven(side: int = 200) -> np.ndarray:
    """A 7 as ink in [0, 1]."""
    ink = np.zeros((side, side))
    unit = side // 20
    ink[3 * unit : 5 * unit, 5 * unit : 15 * unit] = 1
    for row in range(5 * unit, 17 * unit):
        left = int(13 * unit - (row - 5 * unit) * 0.4)
        ink[row, left : left + 2 * unit] = 1
    return ink


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def grey(ink: np.ndarray, paper: float, pen: float) -> Image.Image:
    return Image.fromarray(((paper + (pen - paper) * ink) * 255).astype(np.uint8))


def transparent(ink: np.ndarray, pen: int) -> Image.Image:
    rgba = np.full((*ink.shape, 4), pen, np.uint8)
    rgba[..., 3] = ink * 255
    return Image.fromarray(rgba)


def photograph() -> Image.Image:
    """A dark 7 on paper that is much darker at its right side, with a camera's noise."""
    ink = np.pad(digit_seven(400), 100)
    light = np.linspace(0.9, 0.5, ink.shape[1])
    noise = np.random.default_rng(0).normal(0, 0.02, ink.shape)
    return Image.fromarray((np.clip(light * (1 - 0.7 * ink) + noise, 0, 1) * 255).astype(np.uint8))


INK = digit_seven()
SEVENS = {
    "dark on light": encoded(grey(INK, 1, 0)),
    "light on dark": encoded(grey(INK, 0, 1)),
    "pencil on grey paper": encoded(grey(INK, 0.8, 0.4)),
    "colour": encoded(
        Image.merge("RGB", [grey(INK, 0.9, 0.1), grey(INK, 0.9, 0.1), grey(INK, 1, 0.9)])
    ),
    "jpeg": encoded(grey(INK, 0.95, 0.1), "JPEG", quality=40),
    "cmyk jpeg": encoded(grey(INK, 1, 0).convert("CMYK"), "JPEG"),
    "palette": encoded(grey(INK, 1, 0).convert("P")),
    "one bit": encoded(grey(INK, 1, 0).convert("1")),
    "grey and alpha": encoded(transparent(INK, 0).convert("LA")),
    "dark on nothing": encoded(transparent(INK, 0)),
    "light on nothing": encoded(transparent(INK, 255)),
    "16 bit": encoded(Image.fromarray(((1 - INK) * 65535).astype(np.uint16))),
    "animated": encoded(
        grey(INK, 1, 0), save_all=True, append_images=[grey(INK.T, 1, 0)], duration=100
    ),
    "photograph in uneven light": encoded(photograph(), "JPEG", quality=80),
    "wide": encoded(grey(np.pad(INK, ((0, 0), (300, 300))), 1, 0)),
    "8,000 × 8,000": encoded(
        grey(INK, 1, 0).resize((8000, 8000), Image.Resampling.NEAREST), compress_level=1
    ),
}


@pytest.mark.parametrize("content", SEVENS.values(), ids=SEVENS)
def test_a_seven_in_any_picture_is_seen_as_a_seven(content: bytes, report_network: MLP) -> None:
    rgba = pictures.read(content)
    assert rgba.dtype == np.uint8
    assert max(rgba.shape[:2]) <= pictures.WORKING_SIZE
    assert rgba[0, 0].tolist() == [0, 0, 0, 255]
    assert rgba[..., 0].max() == 255
    assert int(report_network.logits(drawing.to_mnist(rgba).x).argmax()) == 7


def test_a_photograph_turned_by_its_exif_is_upright(report_network: MLP) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise for viewing
    content = encoded(grey(np.rot90(INK), 1, 0), "JPEG", exif=exif)
    assert int(report_network.logits(drawing.to_mnist(pictures.read(content)).x).argmax()) == 7


WHOLE = SEVENS["dark on light"]
BAD = {
    "nothing": (b"", "not a PNG or JPEG"),
    "text": (b"This is a text file, whatever its name.", "not a PNG or JPEG"),
    "gif": (encoded(grey(INK, 1, 0), "GIF"), "not a PNG or JPEG"),
    "truncated": (WHOLE[: len(WHOLE) // 2], "damaged"),
    "header only": (WHOLE[:40], "damaged|not a PNG"),
    "garbled": (WHOLE[:60] + bytes(100) + WHOLE[160:], "damaged"),
    "one pixel": (encoded(Image.new("L", (1, 1), 255)), "one colour"),
    "white": (encoded(Image.new("RGB", (50, 50), "white")), "one colour"),
    "transparent": (encoded(Image.new("RGBA", (50, 50))), "transparent throughout"),
    "huge": (encoded(Image.new("1", (9000, 9000))), "9000 × 9000 pixels"),
}


@pytest.mark.parametrize(("content", "said"), BAD.values(), ids=BAD)
def test_what_is_no_picture_of_a_digit_is_refused_in_a_sentence(content: bytes, said: str) -> None:
    with pytest.raises(pictures.PictureError, match=said):
        pictures.read(content)


@given(st.binary(max_size=300) | st.integers(0, len(WHOLE)).map(lambda length: WHOLE[:length]))
def test_any_bytes_are_a_picture_or_a_sentence(content: bytes) -> None:
    try:
        pictures.read(content)
    except pictures.PictureError as error:
        assert str(error).endswith(".")


@given(st.integers(8, len(WHOLE) - 1), st.integers(0, 255))
def test_a_picture_with_a_wrong_byte_is_a_picture_or_a_sentence(place: int, value: int) -> None:
    content = WHOLE[:place] + bytes([value]) + WHOLE[place + 1 :]
    try:
        pictures.read(content)
    except pictures.PictureError as error:
        assert str(error).endswith(".")


def test_a_picture_that_unpacks_to_400_million_pixels_is_refused() -> None:
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    assert len(buffer.getvalue()) < 200_000
    with pytest.raises(pictures.PictureError, match="far too many pixels"):
        pictures.read(buffer.getvalue())
