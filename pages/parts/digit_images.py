"""Small greyscale images with captions, sharp at any size."""

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw

from core.classifier import FloatArray
from core.presentation.images import data_uri, png, to_bytes

# As in the live ε: what gets lighter, what gets darker, what stays.
_ABOVE, _BELOW, _ZERO = (np.array(rgb) / 255 for rgb in ((255, 150, 30), (60, 150, 255), (34,) * 3))

# Images `(784,)`, or `(28, 28, 3)` in colour, each with what it shows in words, and the caption of
# them all.
Column: TypeAlias = tuple[Sequence[tuple[FloatArray, str]], str]


@dataclass(frozen=True, eq=False)
class Pair:
    """An image and what an attack made of it.

    Attributes:
        x, x_adv: `(784,)` pixels in [0, 1].
        caption: stands below them.
        l2_norm: of the difference.
    """

    x: FloatArray
    x_adv: FloatArray
    caption: str
    l2_norm: float


def show_images(
    images: list[tuple[FloatArray, str]], *, box: tuple[int, int, int, int] | None = None
) -> None:
    """Show images in a row.

    Args:
        images: each `(height, width)`, or `(height, width, 3)` in colour, with pixels in [0, 1],
            and its caption.
        box: left, top, right and bottom of a rectangle to draw on the first of them.
    """
    figures = []
    for place, (image, caption) in enumerate(images):
        frame = ""
        if box is not None and place == 0:
            height, width = image.shape[:2]
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
            f'<img alt="{text}" src="{data_uri(image)}" style="width:100%;display:block;'
            'image-rendering:pixelated;border-radius:4px;background:#000"></span>'
            f'<figcaption style="font-size:0.85rem;padding-top:0.2rem">{text}</figcaption></figure>'
        )
    st.html(f'<div style="display:flex;gap:0.6rem;align-items:flex-start">{"".join(figures)}</div>')


def signed(values: FloatArray) -> FloatArray:
    """Numbers above and below 0 as colours: orange above, blue below, dark grey for 0.

    Args:
        values: `(784,)`; the largest size is drawn in full colour.

    Returns:
        `(28, 28, 3)`, in [0, 1].
    """
    largest = np.abs(values).max()
    share = np.abs(values / largest if largest else values)[:, None]
    colours = np.where(values[:, None] > 0, _ABOVE, _BELOW)
    pixels: FloatArray = (_ZERO + (colours - _ZERO) * share).reshape(28, 28, 3)
    return pixels


def columns_of(pairs: Sequence[Pair]) -> list[Column]:
    """Images with what became of them below, as in the report's Figure 4, and the L2 norm."""
    return [
        (
            [
                (pair.x, f"Original, {pair.caption}"),
                (pair.x_adv, f"Adversarial, {pair.caption}"),
            ],
            f"{pair.caption}\n{pair.l2_norm:.2f}",
        )
        for pair in pairs
    ]


def show_columns(columns: Sequence[Column]) -> None:
    """Show columns of images side by side, however narrow the screen is; ten are legible."""
    figures = []
    for images, caption in columns:
        pictures = "".join(
            f'<img alt="{html.escape(text)}" src="{data_uri(pixels)}" '
            'style="width:100%;display:block;image-rendering:pixelated;background:#000">'
            for pixels, text in images
        )
        said = html.escape(caption).replace("\n", "<br>")
        figures.append(
            f'<figure style="margin:0;flex:1;min-width:0;max-width:6.5rem">{pictures}'
            '<figcaption style="font-size:0.85rem;text-align:center;padding-top:0.2rem">'
            f"{said}</figcaption></figure>"
        )
    st.html(f'<div style="display:flex;gap:2px;align-items:flex-start">{"".join(figures)}</div>')


def columns_png(columns: Sequence[Column]) -> bytes:
    """The same as a picture, four screen pixels for one of the digits'."""
    side, line = 112, 16
    said = [
        [
            piece
            for text in caption.replace("→", "->").split("\n")
            for piece in textwrap.wrap(text, 18)
        ]
        for _, caption in columns
    ]
    below = side * max(len(images) for images, _ in columns)
    height = below + line * max(map(len, said)) + 4
    sheet = Image.new("RGB", (len(columns) * side, height), "white")
    draw = ImageDraw.Draw(sheet)
    for place, ((images, _), lines) in enumerate(zip(columns, said, strict=True)):
        left = place * side
        for row, (pixels, _) in enumerate(images):
            small = Image.fromarray(to_bytes(pixels))
            sheet.paste(small.resize((side, side), Image.Resampling.NEAREST), (left, row * side))
        for row, text in enumerate(lines):
            draw.text((left + 4, below + row * line + 2), text, fill="black")
    return png(sheet)
