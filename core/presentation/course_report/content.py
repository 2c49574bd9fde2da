"""What a section is made of: plain values, which a page or a file can show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from core.classifier import FloatArray

REPORT, OURS = "the report", "this network"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows of as many cells as the head has; the first cell of each says what the row is of."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """A Plotly figure as a plain dict."""

    caption: str
    figure: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Picture:
    """A greyscale image, `(784,)` pixels in [0, 1], and what it shows in words."""

    pixels: FloatArray
    alt: str


@dataclass(frozen=True, eq=False)
class Gallery:
    """Columns of pictures, each with a caption of its own below."""

    caption: str
    columns: tuple[tuple[tuple[Picture, ...], str], ...]


Block: TypeAlias = Text | Table | Chart | Gallery


@dataclass(frozen=True, eq=False)
class Section:
    """A part of the report."""

    title: str
    blocks: tuple[Block, ...]


# Words and cells

_SPACE = "\N{NO-BREAK SPACE}"  # at which no line breaks


def percent(share: float) -> str:
    """A share in [0, 1] in per cent, as exact as the report gives it."""
    return f"{100 * share:.2f}{_SPACE}%"


def arrow(before: int, after: int) -> str:
    """A digit and what it turned into."""
    return f"{before}{_SPACE}→{_SPACE}{after}"


def row(name: str, *values: float) -> tuple[str, ...]:
    """A row of numbers."""
    return (name, *(f"{value:,}" for value in values))


def dashed(layers: Sequence[int]) -> str:
    """A network's layers, such as 784-128-64-10."""
    return "-".join(map(str, layers))


def listed(digits: Sequence[int]) -> str:
    """Some digits, in a sentence."""
    return ", ".join(map(str, digits))


def counted(digits: Sequence[int], of: int) -> str:
    """How many digits of so many, and which."""
    which = f" ({listed(digits)})" if digits else ""
    return f"{len(digits)} of the {of} digits{which}"
