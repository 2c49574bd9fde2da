"""Pictures from files: limited before they are decoded, upright, and of a working size."""

import io
import threading
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "HEIC")
MAX_BYTES = 20_000_000
# Phones save 24 million pixels. A decoder needs up to so many bytes a pixel besides Pillow's own
# four; where that is much, fewer pixels are read, for at most 200 MB more memory in all.
MAX_PIXELS = {
    "PNG": 25_000_000,
    "JPEG": 25_000_000,
    "GIF": 25_000_000,
    "BMP": 25_000_000,
    "HEIC": 25_000_000,
    "progressive CMYK JPEG": 20_000_000,
    "TIFF": 12_000_000,
    "WEBP": 10_000_000,
}
# A multiple of 28: an enlarged 28 × 28 image that is larger still is shrunk to it without loss.
WORKING_SIZE = 840

_ONE_AT_A_TIME = threading.Lock()


class PictureError(ValueError):
    """A file that can't be used as a picture; the message says why."""


def decode(content: bytes) -> NDArray[np.uint8]:
    """Decode the picture in a file; of an animation or several pages, the first.

    One picture is decoded at a time, so that many uploads don't add up in memory.

    Args:
        content: the bytes of a file in one of `FORMATS`.

    Returns:
        `(height, width, 4)` RGBA bytes, upright, the longer side at most `WORKING_SIZE`.

    Raises:
        PictureError: the file is not such a picture, is damaged or too large.
    """
    if len(content) > MAX_BYTES:
        raise PictureError(
            f"This file has {len(content) / 1e6:.0f} MB, more than {MAX_BYTES // 1_000_000}. "
            "Please make it smaller."
        )
    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            # Pillow warns of large pictures and odd metadata; the size is checked below.
            warnings.simplefilter("ignore")
            picture = _heic(content) if _is_heic(content) else _open(content)
            return np.asarray(_upright(_shrunk(picture), picture))
    except PictureError:
        raise
    except Image.DecompressionBombError:  # raised before the size is known
        raise PictureError(
            "This picture has far too many pixels. Please make it smaller."
        ) from None
    except UnidentifiedImageError:
        kinds = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise PictureError(f"This file is not a {kinds} picture.") from None
    except Exception:  # decoders raise whatever they like for damaged files
        raise PictureError("This picture is damaged or was cut short; it can't be read.") from None


def _is_heic(content: bytes) -> bool:
    return content[4:8] == b"ftyp" and content[8:12] in (
        *(b"heic", b"heix", b"heim", b"heis"),
        *(b"hevc", b"hevx", b"mif1", b"msf1"),
    )


def _open(content: bytes) -> Image.Image:
    """Open a picture, and refuse it if it is too large."""
    names = [name for name in FORMATS if name != "HEIC"]
    picture = Image.open(io.BytesIO(content), formats=names)
    kind = "JPEG" if picture.format == "MPO" else str(picture.format)
    if kind == "JPEG" and picture.mode == "CMYK" and "progressive" in picture.info:
        kind = "progressive CMYK JPEG"
    _check_size(picture.width, picture.height, kind)
    picture.draft(None, (WORKING_SIZE, WORKING_SIZE))  # decodes less of a JPEG
    picture.load()
    return picture


def _heic(content: bytes) -> Image.Image:
    """Decode a HEIC file as phones save it, and refuse it if it is too large."""
    import pillow_heif

    picture = pillow_heif.open_heif(content, convert_hdr_to_8bit=True)
    width, height = picture.size
    _check_size(width, height, "HEIC")
    return picture.to_pillow()


def _check_size(width: int, height: int, kind: str) -> None:
    if width * height > MAX_PIXELS[kind]:
        raise PictureError(
            f"This picture has {width} × {height} pixels, more than the "
            f"{MAX_PIXELS[kind] // 1_000_000} million that are read of {kind}. "
            "Please make it smaller."
        )


def _shrunk(picture: Image.Image) -> Image.Image:
    """Return the picture in RGBA, of a working size."""
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 or 32 bits a pixel
        picture = _eight_bits(picture)
    width, height = picture.size
    factor = -(-max(width, height) // WORKING_SIZE)
    if factor == 1:
        return picture.convert("RGBA")
    size = (-(-width // factor), -(-height // factor))
    shrunk = Image.new("RGBA", size)
    # Band by band: a conversion of the whole picture would take as much memory again.
    rows = 64 * factor
    for top in range(0, height, rows):
        band = picture.crop((0, top, width, min(top + rows, height))).convert("RGBA")
        # Each pixel is the mean of a block; transparent pixels don't count.
        shrunk.paste(band.reduce(factor), (0, top // factor))
    return shrunk


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Return 16 or 32 bits a pixel as grey, the darkest pixel black, the lightest white."""
    deep = np.asarray(picture)
    factor = -(-max(deep.shape) // WORKING_SIZE)
    rows, columns = (length // factor * factor for length in deep.shape)
    sums = np.zeros((rows // factor, columns // factor))
    for row in range(factor):
        for column in range(factor):
            sums += deep[row:rows:factor, column:columns:factor]
    if not np.isfinite(sums).all():
        raise ValueError("not a number")
    sums -= min(0, sums.min())
    return Image.fromarray((sums / max(sums.max(), 1e-9) * 255).round().astype(np.uint8))


def _upright(picture: Image.Image, source: Image.Image) -> Image.Image:
    """Turn the picture as the file's EXIF says."""
    try:
        orientation = source.getexif().get(0x0112, 1)
    except Exception:  # damaged metadata: the picture is good
        orientation = 1
    method = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation)
    return picture if method is None else picture.transpose(method)
