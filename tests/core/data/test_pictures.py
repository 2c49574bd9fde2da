import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.data import drawing, pictures
from core.networks.mlp import MLP
from tests.core.data import handmade
from tests.core.data.handmade import encoded


def digit_seven(side: int = 200) -> np.ndarray:
    """A 7 as ink in [0, 1]."""
    ink = np.zeros((side, side))
    unit = side // 20
    ink[3 * unit : 5 * unit, 5 * unit : 15 * unit] = 1
    for row in range(5 * unit, 17 * unit):
        left = int(13 * unit - (row - 5 * unit) * 0.4)
        ink[row, left : left + 2 * unit] = 1
    return ink


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
    "5,000 × 5,000": encoded(
        grey(INK, 1, 0).resize((5000, 5000), Image.Resampling.NEAREST), compress_level=1
    ),
    "webp": encoded(grey(INK, 1, 0), "WEBP"),
    "gif": encoded(grey(INK, 1, 0), "GIF"),
    "bmp": encoded(grey(INK, 1, 0), "BMP"),
    "tiff": encoded(grey(INK, 1, 0), "TIFF", compression="tiff_lzw"),
    "heic": handmade.heic(grey(INK, 1, 0)),
    "mpo": encoded(
        grey(INK, 1, 0).convert("RGB"), "MPO", save_all=True, append_images=[grey(INK.T, 1, 0)]
    ),
}


@pytest.mark.parametrize("content", SEVENS.values(), ids=SEVENS)
def test_a_seven_in_any_picture_is_seen_as_a_seven(content: bytes, report_network: MLP) -> None:
    rgba = pictures.decode(content)
    assert rgba.dtype == np.uint8
    assert rgba.shape[2] == 4
    assert max(rgba.shape[:2]) <= pictures.WORKING_SIZE
    assert int(report_network.logits(drawing.to_mnist(rgba).x).argmax()) == 7


# What EXIF says of the first row and column, and how a picture is turned to be stored so.
TURNS: dict[int, Any] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(np.transpose(a), 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "16 bit", "TIFF", "WEBP", "HEIC"])
def test_a_picture_turned_by_its_exif_is_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(TURNS[orientation](1 - INK))
    if kind == "16 bit":
        content = encoded(Image.fromarray((stored * 65535).astype(np.uint16)), exif=exif)
    elif kind == "HEIC":
        image = Image.fromarray((stored * 255).astype(np.uint8))
        content = handmade.heic(image, exif=exif.tobytes())
    else:
        content = encoded(Image.fromarray((stored * 255).astype(np.uint8)), kind, exif=exif)
    seen = pictures.decode(content)[..., 0] / 255
    assert np.abs(seen - (1 - INK)).mean() < 0.03


@pytest.mark.parametrize(("orientation", "said"), [(1, 6), (6, 1), (8, 3)])
def test_a_heic_is_turned_as_its_container_says(orientation: int, said: int) -> None:
    # The encoder says it in the container and in EXIF, as phones do; the container counts.
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(TURNS[orientation](1 - INK))
    image = Image.fromarray((stored * 255).astype(np.uint8))
    content = handmade.heic(image, exif=exif.tobytes())
    tag = bytes.fromhex("0112 0003 00000001 00")
    assert content.count(tag + bytes([orientation])) == 1
    content = content.replace(tag + bytes([orientation]), tag + bytes([said]))
    seen = pictures.decode(content)[..., 0] / 255
    assert np.abs(seen - (1 - INK)).mean() < 0.03


def test_a_picture_with_damaged_exif_is_read() -> None:
    content = encoded(grey(INK, 1, 0), "JPEG", exif=b"Exif\0\0MM\0*" + bytes(range(40)))
    assert pictures.decode(content).shape == (200, 200, 4)


WHOLE = SEVENS["dark on light"]
BAD = {
    "nothing": (b"", "not a PNG"),
    "text": (b"This is a text file, whatever its name.", "not a PNG"),
    "an icon": (encoded(grey(INK, 1, 0), "ICO"), "not a PNG"),
    "truncated": (WHOLE[: len(WHOLE) // 2], "damaged"),
    "header only": (WHOLE[:40], "damaged|not a PNG"),
    "garbled": (WHOLE[:60] + bytes(100) + WHOLE[160:], "damaged"),
    "half a HEIC": (SEVENS["heic"][:200], "damaged"),
    "half a TIFF": (SEVENS["tiff"][:200], "damaged|not a PNG"),
    "half a WebP": (SEVENS["webp"][:100], "damaged"),
    "huge": (encoded(Image.new("1", (9000, 9000))), "9000 × 9000 pixels"),
    "heavy": (WHOLE + bytes(20_000_000), "20 MB"),
}


@pytest.mark.parametrize(("content", "said"), BAD.values(), ids=BAD)
def test_what_is_no_picture_is_refused_in_a_sentence(content: bytes, said: str) -> None:
    with pytest.raises(pictures.PictureError, match=said):
        pictures.decode(content)


BLANK = {
    "one pixel": Image.new("L", (1, 1), 255),
    "white": Image.new("RGB", (50, 50), "white"),
    "black": Image.new("RGB", (300, 500)),
    "transparent": Image.new("RGBA", (50, 50)),
    "nearly even": Image.fromarray(
        np.random.default_rng(0).integers(250, 255, (300, 300)).astype(np.uint8)
    ),
}


@pytest.mark.parametrize("image", BLANK.values(), ids=BLANK)
def test_a_picture_of_one_colour_has_no_ink(image: Image.Image) -> None:
    with pytest.raises(drawing.EmptyDrawingError, match=r"\.$"):
        drawing.to_mnist(pictures.decode(encoded(image)))


@given(st.binary(max_size=300) | st.integers(0, len(WHOLE)).map(lambda length: WHOLE[:length]))
def test_any_bytes_are_a_picture_or_a_sentence(content: bytes) -> None:
    try:
        pictures.decode(content)
    except pictures.PictureError as error:
        assert str(error).endswith(".")


@given(
    st.sampled_from(["dark on light", "jpeg", "webp", "gif", "bmp", "tiff", "heic", "16 bit"]),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 255),
)
def test_a_picture_with_a_wrong_byte_is_a_picture_or_a_sentence(
    kind: str, where: float, value: int
) -> None:
    content = SEVENS[kind]
    place = int(where * len(content))
    try:
        pictures.decode(content[:place] + bytes([value]) + content[place + 1 :])
    except pictures.PictureError as error:
        assert str(error).endswith(".")


def test_a_picture_that_unpacks_to_400_million_pixels_is_refused() -> None:
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    assert len(buffer.getvalue()) < 200_000
    with pytest.raises(pictures.PictureError, match="far too many pixels"):
        pictures.decode(buffer.getvalue())


def test_the_refused_picture_says_how_many_pixels_are_read_of_its_kind() -> None:
    content = encoded(Image.new("L", (4000, 4000)), "WEBP", method=0)
    with pytest.raises(pictures.PictureError, match="4000 × 4000 pixels.* 10 million"):
        pictures.decode(content)


# In the child: how much the peak of the resident memory rises while a file is decoded.
MEASURE = """
import resource, sys
from pathlib import Path
import pillow_heif
from core.data import pictures
pictures.Image.init()
content = Path(sys.argv[1]).read_bytes()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    pictures.decode(content)
except pictures.PictureError as error:
    print(error, file=sys.stderr)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def blocks(width: int, height: int, kind: type = np.uint8) -> np.ndarray:
    rng = np.random.default_rng(0)
    top = np.iinfo(kind).max
    coarse = rng.integers(0, top, (height // 8, width // 8), dtype=kind)
    return np.repeat(np.repeat(coarse, 8, axis=0), 8, axis=1)


def coloured(mode: str, width: int = 5000, height: int = 5000) -> Image.Image:
    bands = [Image.fromarray(blocks(width, height)) for _ in mode]
    return Image.merge(mode, bands) if len(mode) > 1 else bands[0]


LARGE = {
    "16-bit PNG of 8,000 × 8,000": lambda: encoded(
        Image.fromarray(np.zeros((8000, 8000), np.uint16)), compress_level=1
    ),
    "16-bit PNG": lambda: encoded(Image.fromarray(blocks(5000, 5000, np.uint16)), compress_level=1),
    "RGBA PNG": lambda: encoded(coloured("RGBA"), compress_level=1),
    "palette PNG": lambda: encoded(coloured("L").convert("P"), compress_level=1, transparency=3),
    "one-bit PNG": lambda: encoded(Image.new("1", (5000, 5000))),
    "progressive JPEG": lambda: encoded(
        coloured("RGB"), "JPEG", progressive=True, subsampling=0, quality=50
    ),
    "progressive CMYK JPEG": lambda: encoded(
        coloured("CMYK", 4400, 4400), "JPEG", progressive=True, quality=50
    ),
    "GIF": lambda: encoded(coloured("L"), "GIF"),
    "animated GIF": lambda: encoded(
        coloured("L"), "GIF", save_all=True, append_images=[coloured("L").rotate(90)]
    ),
    "WebP": lambda: encoded(coloured("RGBA", 3600, 2752), "WEBP", method=0, quality=20),
    "lossless WebP": lambda: encoded(
        coloured("RGB", 3600, 2752), "WEBP", lossless=True, method=0, quality=0
    ),
    "CMYK TIFF": lambda: encoded(
        coloured("CMYK", 4000, 2992), "TIFF", compression="tiff_deflate", strip_size=1 << 30
    ),
    "TIFF of numbers": lambda: encoded(
        Image.fromarray(blocks(4000, 2992).astype(np.float32)), "TIFF", compression="tiff_deflate"
    ),
    "HEIC": lambda: handmade.heic(coloured("RGB", 5712, 4280)),
}


@pytest.mark.thorough
@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE)
def test_the_largest_pictures_take_at_most_200_mb(make: Any, tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(make())
    # A process between them: Linux hands a parent's peak on to its child.
    python = [sys.executable, "-c", MEASURE, str(file)]
    shell = f"import subprocess, sys; sys.exit(subprocess.run({python!r}).returncode)"
    grown = subprocess.run(
        [sys.executable, "-c", shell], check=True, capture_output=True, text=True
    ).stdout
    assert int(grown) / 1024 < 200
