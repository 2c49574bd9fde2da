"""The preparation of drawings and pictures that the app had before, for benchmarks/handwriting.py.

It takes the rim of a picture for paper, knows only light and dark, and neither looks for strokes
nor mends their width.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

WORKING_SIZE = 560
SIDE = 28
DIGIT = 20

Array = NDArray[np.float64]


def read(content: bytes) -> NDArray[np.uint8]:
    """Return a PNG or JPEG picture as white ink on black, RGBA bytes; raise ValueError if blank."""
    picture: Image.Image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
    picture.draft("RGB", (2 * WORKING_SIZE, 2 * WORKING_SIZE))
    picture.load()
    if picture.mode.startswith("I") or picture.mode == "F":
        deep = np.asarray(picture, dtype=np.float64)
        picture = Image.fromarray((deep / max(deep.max(), 1) * 255).astype(np.uint8))
    upright = ImageOps.exif_transpose(picture)
    if max(upright.size) > WORKING_SIZE and upright.mode in ("L", "LA", "RGB", "RGBA"):
        upright.thumbnail((WORKING_SIZE, WORKING_SIZE))
    rgba = upright.convert("RGBA")
    rgba.thumbnail((WORKING_SIZE, WORKING_SIZE))
    grey = np.asarray(rgba.convert("L"), dtype=np.float64) / 255
    return _white_on_black(grey, np.asarray(rgba.getchannel("A"), dtype=np.float64) / 255)


def _white_on_black(grey: Array, alpha: Array) -> NDArray[np.uint8]:
    opaque = alpha > 0.5
    opposite = np.full_like(grey, np.median(grey[opaque]) < 0.5)
    background = _paper(grey) if opaque.all() else opposite
    ink = np.abs(grey * alpha + background * (1 - alpha) - background)
    if ink.max() < 0.1:
        raise ValueError("This picture is of one colour throughout; there is no digit to see.")
    ink = np.clip((ink / ink.max() - 0.25) / 0.5, 0, 1)
    white = (ink * 255).round().astype(np.uint8)
    return np.dstack([white, white, white, np.full_like(white, 255)])


def _paper(grey: Array) -> Array:
    """Fit a plane to the brightness of the rim."""
    rim = np.ones_like(grey, dtype=bool)
    rim[1:-1, 1:-1] = False
    rows, columns = np.indices(grey.shape)
    plane = np.stack([np.ones_like(grey), rows / grey.shape[0], columns / grey.shape[1]], axis=-1)
    fit = np.array([np.median(grey[rim]), 0, 0])
    for _ in range(2):  # the second time without ink that runs over the rim
        off = np.abs(grey - plane @ fit)
        paper = rim & (off <= 3 * np.median(off[rim]) + 1 / 255)
        fit = np.linalg.lstsq(plane[paper], grey[paper], rcond=None)[0]
    brightness: Array = np.clip(plane @ fit, 0, 1)
    return brightness


def to_mnist(rgba: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return white ink on black as an image of MNIST's kind, `(28, 28)`; ValueError without ink."""
    red, green, blue, alpha = np.moveaxis(rgba, 2, 0)
    lightest = np.maximum(np.maximum(red, green), blue)
    ink = lightest.astype(np.float32) * alpha / 255**2
    inked = ink > 0.1
    if not inked.any():
        raise ValueError("There is no ink on the drawing yet.")
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = ink.shape
    scale = DIGIT / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    scaled = Image.fromarray(ink).resize(size, Image.Resampling.LANCZOS)
    return _centred_by_mass(np.clip(np.asarray(scaled, dtype=np.float32), 0, 1))


def _centred_by_mass(digit: NDArray[np.float32]) -> NDArray[np.float32]:
    mass = digit.sum()
    rows, columns = (np.arange(length) for length in digit.shape)
    top = round(SIDE / 2 - float(digit.sum(axis=1) @ rows / mass))
    left = round(SIDE / 2 - float(digit.sum(axis=0) @ columns / mass))
    top = min(max(top, 0), SIDE - digit.shape[0])
    left = min(max(left, 0), SIDE - digit.shape[1])
    out = np.zeros((SIDE, SIDE), np.float32)
    out[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return out
