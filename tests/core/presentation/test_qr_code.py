import re
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

from core.presentation import qr_code


def drawn(uri: str, *, side: int) -> np.ndarray:
    """Draw an SVG of horizontal strokes, as segno writes them, `side` pixels a square."""
    svg = unquote(uri.removeprefix("data:image/svg+xml;charset=utf-8,")).replace("'", '"')
    size = int(re.findall(r'viewBox="0 0 (\d+) \1"', svg)[0])
    squares = np.full((size, size), 255, np.uint8)
    path = re.findall(r'<path class="qrline" stroke="#000" d="([^"]+)"', svg)[0]
    x = y = 0.0
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", path):
        first, *second = map(float, numbers.split())
        if command == "h":
            squares[int(y), int(x) : int(x + first)] = 0
            x += first
        else:
            x, y = (first, second[0]) if command == "M" else (x + first, y + second[0])
    return np.kron(squares, np.ones((side, side), np.uint8))


@pytest.mark.parametrize("length", [30, 120, 300, 900])
def test_the_code_is_read_as_the_link(length: int) -> None:
    link = "http://192.168.7.20:8501/?model=report&pixels="
    link += "aZ09-_"[: length % 6] + "k7Q-x_" * ((length - len(link)) // 6 + 1)
    read, *_ = cv2.QRCodeDetectorAruco().detectAndDecode(drawn(qr_code.data_uri(link), side=6))
    assert read == link


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError):
        qr_code.data_uri("http://localhost/?" + "x" * 5000)
