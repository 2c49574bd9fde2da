"""Small greyscale images with captions, sharp at any size."""

import base64
import html
import io

import numpy as np
import streamlit as st
from PIL import Image

from core.classifier import FloatArray


def show_images(
    images: list[tuple[FloatArray, str]], *, box: tuple[int, int, int, int] | None = None
) -> None:
    """Show images in a row.

    Args:
        images: each `(height, width)` with pixels in [0, 1], and its caption.
        box: left, top, right and bottom of a rectangle to draw on the first of them.
    """
    figures = []
    for place, (image, caption) in enumerate(images):
        frame = ""
        if box is not None and place == 0:
            height, width = image.shape
            left, top, right, bottom = box
            frame = (
                '<span style="position:absolute;box-sizing:border-box;border:2px solid #ff9620;'
                f"left:{100 * left / width:.2f}%;top:{100 * top / height:.2f}%;"
                f"width:{100 * (right - left) / width:.2f}%;"
                f'height:{100 * (bottom - top) / height:.2f}%"></span>'
            )
        text = html.escape(caption)
        figures.append(
            '<figure style="margin:0;flex:1;min-width:0">'
            f'<span style="position:relative;display:block">{frame}'
            f'<img alt="{text}" src="{_data_uri(image)}" style="width:100%;display:block;'
            'image-rendering:pixelated;border-radius:4px;background:#000"></span>'
            f'<figcaption style="font-size:0.85rem;padding-top:0.2rem">{text}</figcaption></figure>'
        )
    st.html(f'<div style="display:flex;gap:0.6rem;align-items:flex-start">{"".join(figures)}</div>')


def _data_uri(image: FloatArray) -> str:
    buffer = io.BytesIO()
    Image.fromarray((np.clip(image, 0, 1) * 255).round().astype(np.uint8)).save(
        buffer, "PNG", compress_level=1
    )
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
