"""Uploaded pictures of a digit, turned into white ink on black."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG")
MAX_PIXELS = 64_000_000
# Larger pictures are scaled down at once: forty people may upload theirs at the same time.
WORKING_SIZE = 560


class PictureError(ValueError):
    """A file that can't be used as a picture of a digit; the message says why."""


def read(content: bytes) -> NDArray[np.uint8]:
    """Read the picture in a file and turn it into white ink on black.

    The rim of the picture is taken for the background, which decides whether the ink is dark or
    light. Transparent pixels are background too. Of an animation, the first frame is read.

    Args:
        content: the bytes of a file in one of `FORMATS`.

    Returns:
        `(height, width, 4)` RGBA bytes, the longer side at most `WORKING_SIZE`, ink white at its
        strongest, background black, all opaque.

    Raises:
        PictureError: the file is not a picture, is damaged or too large, or has only one colour.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures; their size is checked below.
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
            if picture.width * picture.height > MAX_PIXELS:
                raise PictureError(
                    f"This picture has {picture.width} × {picture.height} pixels, "
                    f"more than {MAX_PIXELS // 1_000_000} million. Please make it smaller."
                )
            picture.draft("RGB", (2 * WORKING_SIZE, 2 * WORKING_SIZE))  # decodes less of a JPEG
            grey, alpha = _grey_and_alpha(picture)
    except Image.DecompressionBombError:  # raised before the size is known
        raise PictureError("This picture has far too many pixels. Please make it smaller.") from None
    except UnidentifiedImageError:
        raise PictureError(f"This file is not a {' or '.join(FORMATS)} picture.") from None
    except PictureError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError):
        raise PictureError("This picture is damaged or was cut short; it can't be read.") from None
    return _white_on_black(grey, alpha)


def _grey_and_alpha(picture: Image.Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return brightness and opacity in [0, 1], upright and at most `WORKING_SIZE` high and wide."""
    picture.load()
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 bits a pixel
        deep = np.asarray(picture, dtype=np.float64)
        picture = Image.fromarray((deep / max(deep.max(), 1) * 255).astype(np.uint8))
    picture = ImageOps.exif_transpose(picture)
    if max(picture.size) > WORKING_SIZE and picture.mode in ("L", "LA", "RGB", "RGBA"):
        picture.thumbnail((WORKING_SIZE, WORKING_SIZE))
    picture = picture.convert("RGBA")
    picture.thumbnail((WORKING_SIZE, WORKING_SIZE))
    grey = np.asarray(picture.convert("L"), dtype=np.float64) / 255
    alpha = np.asarray(picture.getchannel("A"), dtype=np.float64) / 255
    return grey, alpha


def _white_on_black(grey: NDArray[np.float64], alpha: NDArray[np.float64]) -> NDArray[np.uint8]:
    opaque = alpha > 0.5
    if not opaque.any():
        raise PictureError("This picture is transparent throughout; there is no digit to see.")
    # A transparent background gets the opposite brightness of the ink.
    opposite = np.full_like(grey, np.median(grey[opaque]) < 0.5)
    background = _paper(grey) if opaque.all() else opposite
    ink = np.abs(grey * alpha + background * (1 - alpha) - background)
    contrast = ink.max()
    if contrast < 0.1:
        raise PictureError("This picture is of one colour throughout; there is no digit to see.")
    # Paper is never quite even: differences of less than a quarter of the contrast are paper.
    ink = np.clip((ink / contrast - 0.25) / 0.5, 0, 1)
    white = (ink * 255).round().astype(np.uint8)
    return np.dstack([white, white, white, np.full_like(white, 255)])


def _paper(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit a plane to the brightness of the rim: paper is often lit from one side."""
    rim = np.ones_like(grey, dtype=bool)
    rim[1:-1, 1:-1] = False
    if min(grey.shape) < 3:
        return np.full_like(grey, np.median(grey))
    rows, columns = np.indices(grey.shape)
    plane = np.stack([np.ones_like(grey), rows / grey.shape[0], columns / grey.shape[1]], axis=-1)
    fit = np.array([np.median(grey[rim]), 0, 0])
    for _ in range(2):  # the second time without ink that runs over the rim
        off = np.abs(grey - plane @ fit)
        paper = rim & (off <= 3 * np.median(off[rim]) + 1 / 255)
        fit = np.linalg.lstsq(plane[paper], grey[paper], rcond=None)[0]
    brightness: NDArray[np.float64] = np.clip(plane @ fit, 0, 1)
    return brightness
