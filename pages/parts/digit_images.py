"""Small images with captions, sharp at any size."""

import html
import textwrap
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw

from core.classifier import FloatArray
from core.presentation.images import data_uri, png, to_bytes

# The colours of the ε explorer: what gets lighter, what gets darker, what stays.
_ABOVE, _BELOW, _ZERO = (np.array(rgb) / 255 for rgb in ((255, 150, 30), (60, 150, 255), (34,) * 3))

SHOWN = "digit-shown"  # the class of a test digit or a picture that one has chosen

# Images, `(784,)` or `(28, 28, 3)` in colour, each with its description; and one caption for all.
Column: TypeAlias = tuple[Sequence[tuple[FloatArray, str]], str]


def show_images(
    images: list[tuple[FloatArray, str]],
    *,
    box: tuple[int, int, int, int] | None = None,
    name: str = "",
) -> None:
    """Show images in a row.

    Args:
        images: each `(784,)` or `(height, width)`, or `(height, width, 3)` in colour, with pixels
            in [0, 1], and its caption.
        box: left, top, right and bottom of a rectangle to draw on the first image, which must have
            a height and a width.
        name: the row's class for a page's style.
    """
    frames = [""] * len(images)
    if box is not None:
        height, width = images[0][0].shape[:2]
        left, top, right, bottom = box
        sides = (top / height, 1 - right / width, 1 - bottom / height, left / width)
        inset = " ".join(f"{side:.2%}" for side in sides)
        frames[0] = (
            f'<span style="position:absolute;border:2px solid #ff9620;inset:{inset}"></span>'
        )
    _show_row(
        [
            _figure(
                f'<span style="position:relative;display:block">{frame}'
                f"{_img(image, caption, 'border-radius:4px')}</span>",
                caption,
            )
            for (image, caption), frame in zip(images, frames, strict=True)
        ],
        gap="0.6rem",
        name=name,
    )


def show_columns(columns: Sequence[Column]) -> None:
    """Show columns of images side by side, also on a narrow screen; up to ten are legible."""
    _show_row(
        [
            _figure(
                "".join(_img(*image) for image in images),
                caption,
                "max-width:6.5rem;text-align:center",
            )
            for images, caption in columns
        ],
        gap="2px",
    )


def _img(image: FloatArray, description: str, style: str = "") -> str:
    return (
        f'<img alt="{html.escape(description)}" src="{data_uri(image)}" style="width:100%;'
        f'display:block;image-rendering:pixelated;background:#000;{style}">'
    )


def _figure(pictures: str, caption: str, style: str = "") -> str:
    # In a narrow column a caption must be able to break anywhere.
    said = html.escape(caption).replace("\n", "<br>").replace("\N{NO-BREAK SPACE}", " ")
    return (
        f'<figure style="margin:0;flex:1;min-width:0;{style}">{pictures}'
        f'<figcaption style="font-size:0.85rem;padding-top:0.2rem">{said}</figcaption></figure>'
    )


def _show_row(figures: Iterable[str], *, gap: str, name: str = "") -> None:
    style = f"display:flex;gap:{gap};align-items:flex-start"
    st.html(f'<div class="{name}" style="{style}">{"".join(figures)}</div>')


def signed(values: FloatArray) -> FloatArray:
    """Return numbers as colours: orange above 0, blue below, dark grey for 0.

    Args:
        values: `(784,)`; the largest absolute value has the full colour.

    Returns:
        `(28, 28, 3)`, in [0, 1].
    """
    largest = np.abs(values).max()
    share = np.abs(values / largest if largest else values)[:, None]
    colours = np.where(values[:, None] > 0, _ABOVE, _BELOW)
    pixels: FloatArray = (_ZERO + (colours - _ZERO) * share).reshape(28, 28, 3)
    return pixels


def columns_png(columns: Sequence[Column]) -> bytes:
    """Return the columns as a PNG file, with four pixels for each pixel of a digit."""
    side, line = 112, 16
    captions = [caption.replace("→", "->").split("\n") for _, caption in columns]
    said = [[piece for text in texts for piece in textwrap.wrap(text, 18)] for texts in captions]
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
