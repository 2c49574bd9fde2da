"""The blocks of a section, as plain values that a page or a file can show."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeAlias

from core.classifier import FloatArray
from core.presentation import words
from core.presentation.figure import Figure

REPORT, OURS = "the report", "this network"


@dataclass(frozen=True)
class Table:
    """Rows with as many cells as the head; the first cell of a row is its name."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """A figure and its caption."""

    caption: str
    figure: Figure


class Picture(NamedTuple):
    """A greyscale image, `(784,)` pixels in [0, 1], and its description in words."""

    pixels: FloatArray
    alt: str


@dataclass(frozen=True, eq=False)
class Gallery:
    """Columns of pictures, each with its own caption below."""

    caption: str
    columns: tuple[tuple[tuple[Picture, ...], str], ...]


Block: TypeAlias = str | Table | Chart | Gallery  # a text is a paragraph


@dataclass(frozen=True, eq=False)
class Section:
    """A part of the course report."""

    title: str
    blocks: tuple[Block, ...]


# Words and cells

percent = partial(words.percent, digits=2)  # as many as in the report


def arrow(before: int, after: int) -> str:
    """Return a digit and what it turned into, without a line break between them."""
    return f"{before} → {after}".replace(" ", "\N{NO-BREAK SPACE}")


def row(name: str, *values: float) -> tuple[str, ...]:
    """Return a row of numbers."""
    return (name, *(f"{value:,}" for value in values))


def dashed(layers: Sequence[int]) -> str:
    """Return a network's layers as text, such as 784-128-64-10."""
    return "-".join(map(str, layers))


def listed(digits: Sequence[int]) -> str:
    """Return digits as a list within a sentence."""
    return ", ".join(map(str, digits))


def counted(digits: Sequence[int], of: int) -> str:
    """Return how many of `of` digits these are, and which."""
    which = f" ({listed(digits)})" if digits else ""
    return f"{len(digits)} of the {of} digits{which}"
