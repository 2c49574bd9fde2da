"""Images of digits as PNG files."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.classifier import FloatArray


def to_bytes(image: FloatArray) -> NDArray[np.uint8]:
    """Return pixels in [0, 1] as grey levels from 0 to 255; `(784,)` becomes `(28, 28)`."""
    levels: NDArray[np.uint8] = (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
    return levels.reshape(28, 28) if levels.ndim == 1 else levels


def png(picture: Image.Image) -> bytes:
    """Return a picture as a PNG file, compressed little because the pictures are small."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def data_uri(image: FloatArray) -> str:
    """Return an image as a PNG file in an address, for the `src` of an HTML image.

    Args:
        image: `(784,)` or `(height, width)`, or `(height, width, 3)` in colour, in [0, 1].
    """
    content = png(Image.fromarray(to_bytes(image)))
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
