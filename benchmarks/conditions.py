"""What people draw and photograph: a digit's strokes on paper, boards, scans, and the canvas.

A condition takes a digit and a seeded generator. It returns the bytes of a picture file, or the
canvas's `(280, 280, 4)` RGBA bytes. Conditions of a pen or a brush follow the digit's strokes with
it; all others keep the writer's own ink, which is as wide as MNIST's.
"""

import io
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from benchmarks.strokes import Handwriting, draw
from core.classifier import FloatArray

SHEET = 1000
CANVAS = 280
PAPER, INK = 0.93, 0.12
MNISTS_PEN = 0.135  # the width of MNIST's strokes, as a share of a digit's longer side

Condition = Callable[[Handwriting, Generator], bytes | NDArray[np.uint8]]


def written(
    digit: Handwriting, random: Generator, *, length: float = 0.65, width: float | None = None
) -> FloatArray:
    """Return the ink of a digit on a sheet, `(1000, 1000)` in [0, 1]."""
    return digit.write(random, side=SHEET, length=length, width=width)


def on_paper(ink: FloatArray, light: FloatArray | float = 1) -> FloatArray:
    """Return the brightness of dark ink on white paper."""
    return (PAPER * (1 - ink) + INK * ink) * light


def png(brightness: FloatArray, alpha: FloatArray | None = None) -> bytes:
    """Return a PNG file of brightnesses in [0, 1], `(H, W)` or `(H, W, 3)`."""
    levels = _levels(brightness)
    if alpha is not None:
        levels = np.dstack([levels, levels, levels, _levels(alpha)])
    return _file(Image.fromarray(levels), "PNG", compress_level=1)


def jpeg(brightness: FloatArray, quality: int = 85) -> bytes:
    """Return a JPEG file of brightnesses in [0, 1], `(H, W)` or `(H, W, 3)`."""
    return _file(Image.fromarray(_levels(brightness)), "JPEG", quality=quality)


def _levels(brightness: FloatArray) -> NDArray[np.uint8]:
    return np.round(np.clip(brightness, 0, 1) * 255).astype(np.uint8)


def _file(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def _blurred(values: FloatArray, sigma: float) -> FloatArray:
    import cv2

    return np.asarray(cv2.GaussianBlur(values.astype(np.float32), (0, 0), sigma))


def _grid() -> tuple[FloatArray, FloatArray]:
    """Return each pixel's column and row, as shares of the sheet, from -0.5 to 0.5."""
    axis = (np.arange(SHEET, dtype=np.float32) + 0.5) / SHEET - 0.5
    return np.tile(axis, (SHEET, 1)), np.tile(axis[:, None], (1, SHEET))


def a_pen(digit: Handwriting, random: Generator, *, width: float) -> bytes:
    """Return a scan without flaws: black ink on white."""
    return png(1 - written(digit, random, width=width))


def small_on_a_large_sheet(digit: Handwriting, random: Generator) -> bytes:
    """Return a digit of an eighth of the sheet's height."""
    return jpeg(on_paper(digit.write(random, side=SHEET, length=0.125, astray=0.35)))


def hand_shadow(digit: Handwriting, random: Generator) -> bytes:
    """Return a photo with a shadow that begins somewhere in the middle half of the sheet."""
    across, down = _grid()
    angle = random.uniform(0, 2 * np.pi)
    dark = across * np.cos(angle) + down * np.sin(angle) > random.uniform(-0.25, 0.25)
    light = _blurred(np.where(dark, random.uniform(0.45, 0.65), 1), 12)
    return jpeg(on_paper(written(digit, random), light))


def vignette(digit: Handwriting, random: Generator) -> bytes:
    """Return a photo that is half as bright in its corners."""
    across, down = _grid()
    return jpeg(on_paper(written(digit, random), 1 - (across**2 + down**2)))


def flash_spot(digit: Handwriting, random: Generator) -> bytes:
    """Return a photo with a bright spot."""
    across, down = _grid()
    x, y = random.uniform(-0.25, 0.25, 2)
    spot = np.exp(-((across - x) ** 2 + (down - y) ** 2) / 0.09)
    return jpeg(on_paper(written(digit, random), 0.55 + 0.45 * spot))


def dark_desk(digit: Handwriting, random: Generator) -> bytes:
    """Return a photo of a sheet that lies askew on a dark desk."""
    across, down = _grid()
    angle = random.uniform(-0.12, 0.12)
    x = across * np.cos(angle) + down * np.sin(angle)
    y = down * np.cos(angle) - across * np.sin(angle)
    sheet = _blurred((np.maximum(abs(x), abs(y)) < random.uniform(0.41, 0.44)).astype(float), 1)
    return jpeg(0.25 * (1 - sheet) + sheet * on_paper(written(digit, random, length=0.5)))


def scan_border(digit: Handwriting, random: Generator) -> bytes:
    """Return a scan with black bars on two to four of its sides."""
    scan = on_paper(written(digit, random, length=0.55))
    for turn in random.permutation(4)[: random.integers(2, 5)]:
        np.rot90(scan, int(turn))[: random.integers(10, 50)] = 0
    return png(scan)


def drawn_frame(digit: Handwriting, random: Generator) -> bytes:
    """Return a digit in a frame that was drawn with a pen of 20 px."""
    low, high = random.uniform(0.04, 0.1, 4) * SHEET, random.uniform(0.9, 0.96, 4) * SHEET
    frame = np.array(
        [
            [low[0], low[1]],
            [high[0], low[2]],
            [high[1], high[2]],
            [low[3], high[3]],
            [low[0], low[1]],
        ]
    )
    ink = np.maximum(written(digit, random, length=0.5), draw([frame], side=SHEET, width=20))
    return jpeg(on_paper(ink))


def transparent_margin(digit: Handwriting, random: Generator) -> bytes:
    """Return a screenshot of a window: opaque white with a transparent margin."""
    alpha = np.zeros((SHEET, SHEET), np.float32)
    alpha[40:-40, 40:-40] = 1
    return png(on_paper(written(digit, random, length=0.55)), alpha)


def ruled(digit: Handwriting, random: Generator, *, squared: bool) -> bytes:
    """Return a photo of ruled or squared paper."""
    paper = np.full((SHEET, SHEET), PAPER, np.float32)
    start, grey = random.integers(10, 60), random.uniform(0.62, 0.75)
    for line in range(start, SHEET, 50 if squared else 70):
        paper[line : line + 3] = grey
        if squared:
            paper[:, line : line + 3] = grey
    ink = written(digit, random, length=0.4)
    return jpeg(_blurred(paper * (1 - ink) + INK * ink, 0.7))


def blue_on_green(digit: Handwriting, random: Generator) -> bytes:
    """Return a blue pen on green paper of equal lightness."""
    ink = written(digit, random)[..., None]
    green, blue = np.array([[0.1, 0.45, 0.1], [0.1, 0.2, 0.9]], np.float32)
    return png(green * (1 - ink) + blue * ink)


def pencil(digit: Handwriting, random: Generator) -> bytes:
    """Return a faint pencil photographed in a dim room: a noisy sensor, light from one side."""
    across, down = _grid()
    ink = 0.35 * written(digit, random, length=0.3)
    light = 0.7 + 0.2 * (across * random.uniform(-1, 1) + down * random.uniform(-1, 1))
    noise = random.normal(0, 0.02, (SHEET, SHEET)).astype(np.float32)
    return jpeg(_blurred(on_paper(ink, light), 1) + noise, quality=80)


def low_quality(digit: Handwriting, random: Generator) -> bytes:
    """Return a small JPEG of the lowest quality that a messenger makes."""
    import cv2

    paper = on_paper(written(digit, random, length=0.4))
    return jpeg(np.asarray(cv2.resize(paper, (320, 320), None, 0, 0, cv2.INTER_AREA)), quality=12)


def chalk(digit: Handwriting, random: Generator) -> bytes:
    """Return white chalk on a black board that was wiped before: rough strokes, grey clouds."""
    import cv2

    coarse = random.uniform(0, 1, (SHEET // 4, SHEET // 4)).astype(np.float32)
    grain = np.asarray(cv2.resize(coarse, (SHEET, SHEET)))
    clouds = np.asarray(cv2.resize(_blurred(coarse, 15), (SHEET, SHEET)))
    clouds = (clouds - clouds.min()) / (clouds.max() - clouds.min())
    ink = written(digit, random, length=0.5) * (0.65 + 0.35 * grain)
    board = 0.1 + 0.12 * clouds
    return jpeg(board * (1 - ink) + 0.9 * ink)


def deep_and_turned(digit: Handwriting, random: Generator) -> bytes:
    """Return a 16-bit PNG that lies on its side, and says so in its EXIF data."""
    deep = np.round((1 - written(digit, random)) * 65535).astype(np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(deep)))
    return _file(turned, "PNG", exif=exif, compress_level=1)


def blurred_photo(digit: Handwriting, random: Generator) -> bytes:
    """Return a photo that is out of focus by about a third of the strokes' width."""
    length = 0.4
    blur = MNISTS_PEN * length * SHEET / 3
    return jpeg(_blurred(on_paper(written(digit, random, length=length)), blur))


def canvas(
    digit: Handwriting,
    random: Generator,
    *,
    brush: float | None = None,
    length: float = 0.6,
    tap: bool = False,
) -> NDArray[np.uint8]:
    """Return a drawing on the app's canvas; a tap leaves a dot of 8 px in a corner."""
    ink = digit.write(random, side=CANVAS, length=length, width=brush)
    if tap:
        x, y = random.choice([12, CANVAS - 12], 2)
        dot = np.array([[x, y]], float)
        ink = np.maximum(ink, draw([dot], side=CANVAS, width=8))
    levels = _levels(ink)
    return np.dstack([levels, levels, levels, np.full_like(levels, 255)])


CONDITIONS: dict[str, Condition] = {
    "canvas, MNIST's own stroke width": canvas,
    "canvas, brush of 8": partial(canvas, brush=8),
    "canvas, brush of 40": partial(canvas, brush=40),
    "canvas, half-size digit and a stray tap": partial(canvas, length=0.35, tap=True),
    "pen of 3 px": partial(a_pen, width=3),
    "pen of 5 px": partial(a_pen, width=5),
    "pen of 12 px": partial(a_pen, width=12),
    "marker of 25 px": partial(a_pen, width=25),
    "marker of 40 px": partial(a_pen, width=40),
    "small digit on a large sheet": small_on_a_large_sheet,
    "a hand's shadow": hand_shadow,
    "vignette": vignette,
    "flash spot": flash_spot,
    "sheet on a dark desk": dark_desk,
    "scan with a black border": scan_border,
    "drawn frame": drawn_frame,
    "transparent margin": transparent_margin,
    "ruled paper": partial(ruled, squared=False),
    "squared paper": partial(ruled, squared=True),
    "blue pen on green paper": blue_on_green,
    "faint pencil, sensor noise": pencil,
    "JPEG of low quality": low_quality,
    "chalk on a board": chalk,
    "16 bits, turned by EXIF": deep_and_turned,
    "slightly blurred photo": blurred_photo,
}
