"""A digit as text for a link: 28 × 28 pixels of 256 levels, exact to the last level.

The first character names the coding, so that old links keep working when a better one is added:

- `r`: the 784 bytes as they are, in base64.
- `a`: the bits of an adaptive arithmetic coder, in base64.

`encode` takes the shorter one. Base64 is the variant for addresses (`-` and `_`) without padding.

The arithmetic coder spends `-log2 p` bits on a decision that its model expects with probability p:
Witten, Neal and Cleary 1987, "Arithmetic Coding for Data Compression". The model asks of each
pixel whether it is 0, then whether it is almost 255, then for its bits. What it expects depends on
the pixels to the left, above, and above to the right, and is learned while the image is coded.
All arithmetic is on integers, so that every machine writes and reads the same text.
"""

import base64
import re
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SIDE = 28
PIXELS = SIDE * SIDE
LONGEST = 1 + -(-PIXELS * 4 // 3)  # the coding `r`
_ALMOST_WHITE = 252
_ROW = SIDE + 2  # one column of zeros on each side
_ONE = 1 << 16  # the probability 1


def encode(pixels: NDArray[np.uint8]) -> str:
    """Return the text of an image.

    Args:
        pixels: `(784,)` bytes, row by row.

    Returns:
        At most `LONGEST` ASCII letters, digits, `-` and `_`, the shorter the simpler the image. A
        handwritten digit takes less than 400.

    Raises:
        ValueError: `pixels` is not such an array.
    """
    if pixels.shape != (PIXELS,) or pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be ({PIXELS},) bytes, not {pixels.dtype} {pixels.shape}")
    writer = _Writer()
    _code_pixels(writer, pixels.tolist())
    return min("a" + _to_base64(writer.finish()), "r" + _to_base64(pixels.tobytes()), key=len)


def decode(text: str) -> NDArray[np.uint8]:
    """Return the image of a text that `encode` returned, `(784,)` bytes, read-only.

    Time and memory are bounded: every text is read as exactly 784 pixels or not at all.

    Raises:
        ValueError: `encode` returns this text for no image.
    """
    if len(text) > LONGEST or not re.fullmatch(r"[ar][A-Za-z0-9_-]*", text) or len(text) % 4 == 2:
        raise ValueError("this text is no image of a link")
    content = base64.urlsafe_b64decode(text[1:] + "=" * (-(len(text) - 1) % 4))
    if text[0] == "a":
        content = bytes(_code_pixels(_Reader(content), [0] * PIXELS))
    pixels = np.frombuffer(content, np.uint8)
    # Bits that are left over, a longer coding than needed, too few bytes: none comes from `encode`.
    if len(pixels) != PIXELS or encode(pixels) != text:
        raise ValueError("this text is no image of a link")
    return pixels


def _to_base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class _Coder(Protocol):
    def bit(self, context: int, value: int) -> int:
        """Write the bit `value`, or read one whatever `value` is; return the bit."""
        ...


def _code_pixels(coder: _Coder, pixels: list[int]) -> list[int]:
    """Write the pixels, or read them whatever `pixels` holds; return them."""
    done = [0] * _ROW  # the row above the image
    for index, pixel in enumerate(pixels):
        if index % SIDE == 0:
            done += [0, 0]
        left, above = done[-1], done[-_ROW]
        corner, next_above = done[-_ROW - 1], done[-_ROW + 1]
        around = 9 * _kind(left) + 3 * _kind(above) + _kind(next_above)
        mean = (2 * left + 2 * above + corner + next_above) // 6
        done.append(_code_pixel(coder, pixel, around, mean // 32))
    return [
        pixel for start in range(_ROW + 2, len(done), _ROW) for pixel in done[start : start + SIDE]
    ]


def _kind(pixel: int) -> int:
    return 0 if pixel == 0 else 1 if pixel < _ALMOST_WHITE else 2


def _code_pixel(coder: _Coder, pixel: int, around: int, mean: int) -> int:
    """Write or read one pixel; `around` (27 values) and `mean` (8) describe those before it."""
    if coder.bit(around, int(pixel == 0)):
        return 0
    if coder.bit(27 + around, int(pixel >= _ALMOST_WHITE)):
        high = coder.bit(54, pixel >> 1 & 1)
        return _ALMOST_WHITE + 2 * high + coder.bit(55 + high, pixel & 1)
    value = 1  # the bits so far after a leading 1
    for place in range(7, -1, -1):
        # The lower bits of a grey pixel are noise: a context of their place alone costs least.
        context = 64 + 8 * mean + value if place > 4 else 56 + place + 1
        value = 2 * value + coder.bit(context, pixel >> place & 1)
    return value - 256


class _Model:
    """What is expected of the next bit in each of 128 contexts, as a share of an interval."""

    def __init__(self) -> None:
        self._ones = [_ONE // 2] * 128
        self._seen = [0] * 128

    def split(self, width: int, context: int) -> int:
        """Return the part of an interval that stands for a bit 1; between 0 and `width`."""
        return (width >> 16) * self._ones[context]

    def learn(self, context: int, bit: int) -> None:
        """Move the probability of a 1 towards `bit`, the less the more bits were seen."""
        self._seen[context] += 1
        ones = self._ones[context]
        ones += 2 * (bit * _ONE - ones) // (2 * self._seen[context] + 3)
        self._ones[context] = min(max(ones, 16), _ONE - 16)


class _Writer:
    """Narrow an interval by each bit; its address in base 256 is the text."""

    def __init__(self) -> None:
        self._model = _Model()
        self._low, self._width, self._length = 0, 1 << 32, 4  # `_length` bytes after the point

    def bit(self, context: int, value: int) -> int:
        part = self._model.split(self._width, context)
        self._low, self._width = (
            (self._low, part) if value else (self._low + part, self._width - part)
        )
        while self._width < 1 << 24:
            self._low, self._width = self._low << 8, self._width << 8
            self._length += 1
        self._model.learn(context, value)
        return value

    def finish(self) -> bytes:
        """Return the shortest number in the interval, without the zeros at its end."""
        for places in range(8 * self._length, -1, -8):
            number = -(-self._low >> places) << places
            if number < self._low + self._width:
                return number.to_bytes(self._length, "big").rstrip(b"\0")
        raise AssertionError("an interval holds its own start")


class _Reader:
    """Follow the interval that a `_Writer` narrowed; bytes after the end are zeros."""

    def __init__(self, content: bytes) -> None:
        self._model = _Model()
        self._bytes = iter(content)
        self._offset = 0  # of the number from the start of the interval
        self._width = 1 << 32
        for _ in range(4):
            self._shift()

    def _shift(self) -> None:
        self._offset = self._offset << 8 | next(self._bytes, 0)

    def bit(self, context: int, value: int) -> int:
        part = self._model.split(self._width, context)
        value = int(self._offset < part)
        if value:
            self._width = part
        else:
            self._offset, self._width = self._offset - part, self._width - part
        while self._width < 1 << 24:
            self._width <<= 8
            self._shift()
        self._model.learn(context, value)
        return value
