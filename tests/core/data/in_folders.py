"""Pictures to put into folders, for the tests of folders."""

from pathlib import Path

import numpy as np
from PIL import Image

from tests.core.data.handmade import encoded

GREY = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)


def put(path: Path, content: bytes) -> None:
    """Write a file, and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def plain(brightness: int) -> bytes:
    """Return a PNG of one grey level."""
    return encoded(Image.new("L", (28, 28), brightness))
