"""Pictures of digits as people draw, scan and photograph them, drawn by seeded code."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Stroke = list[tuple[float, float]]


def arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float) -> Stroke:
    """Points along an ellipse; degrees, clockwise from three o'clock."""
    angles = np.radians(np.linspace(start, end, 24))
    return [(cx + rx * float(np.cos(a)), cy + ry * float(np.sin(a))) for a in angles]


# Strokes in the unit square. A shape's name begins with its digit.
SHAPES: dict[str, list[Stroke]] = {
    "0": [arc(0.5, 0.5, 0.22, 0.34, -90, 270)],
    "0 narrow": [arc(0.5, 0.5, 0.14, 0.33, -60, 300)],
    "1": [[(0.52, 0.15), (0.48, 0.85)]],
    "1 with a hook": [[(0.33, 0.36), (0.52, 0.15), (0.52, 0.85)]],
    "2": [[*arc(0.48, 0.34, 0.19, 0.18, 190, 380), (0.3, 0.83), (0.72, 0.82)]],
    "3": [[*arc(0.47, 0.32, 0.18, 0.16, 200, 440), *arc(0.47, 0.66, 0.21, 0.19, -80, 160)]],
    "4": [[(0.6, 0.86), (0.62, 0.14), (0.27, 0.62), (0.8, 0.61)]],
    "4 open": [[(0.34, 0.2), (0.29, 0.54), (0.74, 0.53)], [(0.63, 0.22), (0.62, 0.87)]],
    "5": [
        [(0.34, 0.18), (0.33, 0.46), *arc(0.47, 0.64, 0.2, 0.2, -120, 140)],
        [(0.35, 0.18), (0.69, 0.17)],
    ],
    "5 with a loose bar": [
        [(0.35, 0.24), (0.33, 0.47), *arc(0.47, 0.65, 0.2, 0.19, -120, 140)],
        [(0.42, 0.16), (0.7, 0.14)],
    ],
    "6": [[(0.6, 0.15), (0.42, 0.35), *arc(0.5, 0.67, 0.16, 0.17, 190, 530)]],
    "7": [[(0.27, 0.19), (0.73, 0.19), (0.45, 0.85)]],
    "7 crossed": [[(0.26, 0.19), (0.74, 0.18), (0.46, 0.85)], [(0.38, 0.53), (0.7, 0.51)]],
    "8": [[*arc(0.5, 0.32, 0.16, 0.17, 90, 450), *arc(0.5, 0.67, 0.2, 0.18, -90, 270)]],
    "9": [[*arc(0.49, 0.34, 0.17, 0.17, 0, 360), (0.63, 0.6), (0.6, 0.86)]],
    "9 straight": [[*arc(0.48, 0.35, 0.17, 0.18, 10, 350), (0.65, 0.2), (0.65, 0.86)]],
}


def pen(
    strokes: list[Stroke],
    width: float,
    *,
    side: int = 800,
    scale: float = 1.0,
    at: tuple[float, float] = (0.5, 0.5),
    gap: float = 0.0,
) -> np.ndarray:
    """The strokes as ink in [0, 1], anti-aliased, `(side, side)`.

    `width` in pixels; `at` is where the unit square's middle lies; `gap` breaks each stroke.
    """
    over = 4 if side <= 300 else 2
    image = Image.new("L", (side * over, side * over), 0)
    draw = ImageDraw.Draw(image)
    r = width * over / 2
    for stroke in strokes:
        points = [
            (
                (x - 0.5) * scale * side * over + at[0] * side * over,
                (y - 0.5) * scale * side * over + at[1] * side * over,
            )
            for x, y in stroke
        ]
        draw.line(points, fill=255, width=max(1, round(width * over)), joint="curve")
        for x, y in points:
            draw.ellipse([x - r, y - r, x + r, y + r], fill=255)
    if gap:
        y = at[1] * side * over + 0.05 * scale * side * over
        draw.rectangle([0, y, side * over, y + gap * over], fill=0)
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS), float) / 255


def paper(ink: np.ndarray, light: Any = 0.93, dark: float = 0.12) -> np.ndarray:
    return np.asarray(light * (1 - ink) + dark * light / np.max(light) * ink)


def png(values: np.ndarray, **options: Any) -> bytes:
    return encoded(values, **options)


def jpeg(values: np.ndarray, quality: int = 80) -> bytes:
    return encoded(values, "JPEG", quality=quality)


def encoded(values: np.ndarray | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    if not isinstance(values, Image.Image):
        values = Image.fromarray((np.clip(values, 0, 1) * 255).round().astype(np.uint8))
    buffer = io.BytesIO()
    values.save(buffer, kind, **options)
    return buffer.getvalue()


def blurred(values: np.ndarray, radius: float) -> np.ndarray:
    image = Image.fromarray(values.astype(np.float32))
    grey = Image.fromarray((np.asarray(image) * 255).round().astype(np.uint8))
    return np.asarray(grey.filter(ImageFilter.GaussianBlur(radius)), float) / 255


def coordinates(side: int = 800) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[0:side, 0:side] / side
    return rows, columns


def shadow(angle: float, where: float, *, soft: float = 10, depth: float = 0.5) -> np.ndarray:
    """The light beside a shadow that falls from the direction `angle` in degrees."""
    rows, columns = coordinates()
    along = (columns - 0.5) * np.cos(np.radians(angle)) + (rows - 0.5) * np.sin(np.radians(angle))
    light: np.ndarray = blurred(np.where(along > where, 1 - depth, 1.0), soft)
    return light


def spots(rng: np.random.Generator, ink: np.ndarray, count: int, radius: float) -> np.ndarray:
    """Add dots away from the ink."""
    side = len(ink)
    image = Image.fromarray((ink * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    near = blurred((ink > 0.1).astype(float), 3 * radius) > 0.01
    done = 0
    while done < count:
        x, y = rng.uniform(radius, side - radius, 2)
        if not near[int(y), int(x)]:
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
            done += 1
    return np.asarray(image, float) / 255


def tinted(ink: np.ndarray, sheet: Any, colour: Any) -> np.ndarray:
    share = ink[..., None]
    mixed: np.ndarray = np.asarray(sheet) * (1 - share) + np.asarray(colour) * share
    return mixed


def ruled(
    *, squared: bool, strength: float, slant: float = 0.0, gap: int = 56, width: int = 2
) -> np.ndarray:
    rows, columns = np.mgrid[0:800, 0:800]
    lines = ((rows + slant * columns) % gap) < width
    if squared:
        lines |= ((columns - slant * rows) % gap) < width
    return np.where(lines, 1 - strength, 1.0)


def noisy(rng: np.random.Generator, values: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(values + rng.normal(0, sigma, values.shape))


def with_alpha(grey: np.ndarray, alpha: np.ndarray) -> Image.Image:
    grey8 = (np.clip(grey, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(np.dstack([grey8, grey8, grey8, (alpha * 255).astype(np.uint8)]))


def on_a_desk(
    page: np.ndarray, desk: float, box: tuple[int, int, int, int], turn: float = 0
) -> np.ndarray:
    """Lay a page on a desk; `box` is where, `turn` by how many degrees."""
    left, top, right, bottom = box
    sheet = Image.fromarray((np.clip(page, 0, 1) * 255).astype(np.uint8))
    sheet = sheet.resize((right - left, bottom - top), Image.Resampling.LANCZOS)
    whole = Image.new("L", (800, 800), round(desk * 255))
    mask = Image.new("L", sheet.size, 255)
    whole.paste(
        sheet.rotate(turn, Image.Resampling.BICUBIC, expand=True),
        (left, top),
        mask.rotate(turn, Image.Resampling.BICUBIC, expand=True),
    )
    return np.asarray(whole, float) / 255


def framed(ink: np.ndarray, width: float, *, kind: str = "box") -> np.ndarray:
    side = len(ink)
    image = Image.fromarray((ink * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    corners = [0.06 * side, 0.05 * side, 0.94 * side, 0.95 * side]
    if kind == "box":
        draw.rectangle(corners, outline=255, width=round(width))
    elif kind == "ring":
        draw.ellipse(corners, outline=255, width=round(width))
    else:  # by hand: four lines that don't meet well
        a, b, c, d = corners
        draw.line([a, b + 9, c + 8, b], fill=255, width=round(width))
        draw.line([c, b - 8, c - 9, d], fill=255, width=round(width))
        draw.line([c + 6, d, a, d - 7], fill=255, width=round(width))
        draw.line([a + 4, d + 8, a, b], fill=255, width=round(width))
    return np.asarray(image, float) / 255


def rounded() -> np.ndarray:
    """The opacity of a window with rounded corners."""
    corners = Image.new("L", (800, 800), 0)
    ImageDraw.Draw(corners).rounded_rectangle([0, 0, 799, 799], 50, fill=255)
    return np.asarray(corners, float) / 255


def turned(ink: np.ndarray) -> bytes:
    """A 16-bit PNG that lies on its side and says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = ((1 - ink) * 65535).astype(np.uint16)
    return encoded(Image.fromarray(np.ascontiguousarray(np.rot90(deep))), "PNG", exif=exif)


def heic(image: Image.Image, **options: Any) -> bytes:
    """A picture as iPhones save it."""
    import pillow_heif

    buffer = io.BytesIO()
    pillow_heif.from_pillow(image.convert("RGB")).save(buffer, quality=60, **options)
    return buffer.getvalue()


# Any way to draw, scan or photograph a digit: strokes and a generator in, a file's bytes out.
KINDS: dict[str, Any] = {
    **{
        f"pen of {w} px": lambda s, r, w=w: png(1 - pen(s, w, side=1000))
        for w in (3, 5, 8, 12, 25, 60)
    },
    "pen of 3 px, small": lambda s, r: png(1 - pen(s, 3, side=1000, scale=0.3, at=(0.3, 0.6))),
    "pen of 2 px": lambda s, r: png(1 - pen(s, 2, side=800)),
    **{f"canvas, brush {w}": lambda s, r, w=w: png(pen(s, w, side=280)) for w in (8, 14, 22, 30)},
    "canvas, small": lambda s, r: png(pen(s, 10, side=280, scale=0.35, at=(0.75, 0.3))),
    "canvas, at the border": lambda s, r: png(pen(s, 18, side=280, at=(0.36, 0.66))),
    "canvas, a tap": lambda s, r: png(
        np.maximum(
            pen(s, 22, side=280, scale=0.5, at=(0.64, 0.64)),
            np.pad(np.ones((8, 8)), ((4, 268), (4, 268))),
        )
    ),
    "canvas, taps of the brush": lambda s, r: png(spots(r, pen(s, 22, side=280, scale=0.8), 3, 11)),
    "canvas, many specks": lambda s, r: png(spots(r, pen(s, 22, side=280), 12, 2)),
    "canvas, broken stroke": lambda s, r: png(pen(s, 20, side=280, gap=7)),
    "paper, broken stroke": lambda s, r: jpeg(paper(pen(s, 24, gap=10))),
    "canvas, framed": lambda s, r: png(framed(pen(s, 18, side=280, scale=0.8), 4)),
    "canvas, framed with the brush": lambda s, r: png(framed(pen(s, 18, side=280, scale=0.75), 14)),
    "paper, framed": lambda s, r: png(paper(framed(pen(s, 26, scale=0.8), 5))),
    "paper, framed by hand": lambda s, r: jpeg(
        paper(framed(pen(s, 26, scale=0.75), 7, kind="hand"))
    ),
    "paper, in a ring": lambda s, r: jpeg(paper(framed(pen(s, 22, scale=0.65), 9, kind="ring"))),
    **{
        f"shadow from {a}°": lambda s, r, a=a: jpeg(paper(pen(s, 32), 0.93 * shadow(a, 0.05)))
        for a in (0, 60, 90, 150, 180, 240, 270, 330)
    },
    "narrow shadow": lambda s, r: jpeg(paper(pen(s, 32), 0.93 * shadow(15, 0.28))),
    "wide shadow": lambda s, r: jpeg(paper(pen(s, 32), 0.93 * shadow(200, -0.3))),
    "hard shadow": lambda s, r: jpeg(paper(pen(s, 32), 0.93 * shadow(30, 0.0, soft=2))),
    "deep shadow": lambda s, r: jpeg(paper(pen(s, 32), 0.93 * shadow(30, 0.1, depth=0.7))),
    "shadow, thin pen": lambda s, r: jpeg(paper(pen(s, 6), 0.93 * shadow(120, 0.0))),
    "shadow, pencil": lambda s, r: jpeg(
        paper(pen(s, 9), 0.9 * shadow(40, 0.1, soft=25, depth=0.35), 0.5)
    ),
    "bright middle": lambda s, r: jpeg(
        paper(pen(s, 32), 0.93 * (1 - 1.1 * sum((c - 0.5) ** 2 for c in coordinates())))
    ),
    "flash": lambda s, r: jpeg(
        paper(
            pen(s, 32), 0.55 + 0.4 * np.exp(-sum(((c - 0.45) / 0.25) ** 2 for c in coordinates()))
        )
    ),
    "lit from one side": lambda s, r: jpeg(paper(pen(s, 26), 0.95 - 0.6 * coordinates()[1])),
    "dark desk": lambda s, r: png(on_a_desk(paper(pen(s, 32)), 0.25, (95, 95, 705, 705))),
    "dark desk, turned": lambda s, r: jpeg(
        on_a_desk(paper(pen(s, 32)), 0.2, (60, 70, 610, 640), 8)
    ),
    "desk on two sides": lambda s, r: jpeg(on_a_desk(paper(pen(s, 32)), 0.22, (150, 0, 800, 650))),
    "desk on one side": lambda s, r: jpeg(on_a_desk(paper(pen(s, 32)), 0.22, (0, 0, 640, 800))),
    "light desk": lambda s, r: jpeg(on_a_desk(paper(pen(s, 32)), 0.6, (120, 80, 720, 700))),
    "small sheet": lambda s, r: jpeg(on_a_desk(paper(pen(s, 40)), 0.15, (380, 300, 740, 690))),
    "scan with a black border": lambda s, r: png(
        on_a_desk(paper(pen(s, 32)), 0.0, (24, 24, 776, 776))
    ),
    "scan, black at one side": lambda s, r: png(
        on_a_desk(paper(pen(s, 32)), 0.0, (0, 0, 770, 800))
    ),
    "transparent margin": lambda s, r: encoded(
        with_alpha(paper(pen(s, 32)), np.pad(np.ones((736, 736)), 32)), "PNG"
    ),
    "black on nothing": lambda s, r: encoded(
        with_alpha(np.zeros((280, 280)), pen(s, 20, side=280)), "PNG"
    ),
    "white on nothing": lambda s, r: encoded(
        with_alpha(np.ones((280, 280)), pen(s, 20, side=280)), "PNG"
    ),
    "white on black": lambda s, r: png(pen(s, 30)),
    "chalk": lambda s, r: jpeg(noisy(r, 0.2 + 0.6 * pen(s, 22), 0.02)),
    "chalk, uneven light": lambda s, r: jpeg(
        noisy(r, (0.22 + 0.6 * pen(s, 22)) * (1 - 0.5 * coordinates()[0]), 0.015)
    ),
    "blue on green": lambda s, r: png(tinted(pen(s, 32), (0.1, 0.45, 0.1), (0.1, 0.2, 0.9))),
    "red on white": lambda s, r: jpeg(tinted(pen(s, 20), (0.95, 0.94, 0.9), (0.85, 0.15, 0.15))),
    "yellow on blue": lambda s, r: jpeg(tinted(pen(s, 24), (0.1, 0.15, 0.5), (0.9, 0.85, 0.2))),
    "red on green": lambda s, r: jpeg(tinted(pen(s, 24), (0.2, 0.5, 0.2), (0.75, 0.25, 0.2))),
    "orange on pink, shadow": lambda s, r: jpeg(
        tinted(pen(s, 28), (0.9, 0.7, 0.75), (0.8, 0.4, 0.05)) * shadow(70, 0.1)[..., None]
    ),
    "dark paper": lambda s, r: jpeg(paper(pen(s, 28), 0.4, 0.08)),
    "pencil": lambda s, r: jpeg(paper(pen(s, 7), 0.92, 0.6)),
    "faint pencil": lambda s, r: jpeg(noisy(r, paper(pen(s, 10), 0.9, 0.7), 0.01), 85),
    "marker": lambda s, r: jpeg(paper(pen(s, 75), 0.95, 0.1)),
    "sensor noise": lambda s, r: jpeg(noisy(r, paper(pen(s, 24), 0.8, 0.15), 0.06), 75),
    "sensor noise, dim": lambda s, r: jpeg(noisy(r, paper(pen(s, 16), 0.35, 0.08), 0.04), 75),
    "low JPEG quality": lambda s, r: jpeg(paper(pen(s, 14)), 15),
    "lined": lambda s, r: jpeg(paper(pen(s, 30), 0.93 * ruled(squared=False, strength=0.27))),
    "lined, pencil": lambda s, r: jpeg(
        paper(pen(s, 10), 0.93 * ruled(squared=False, strength=0.25), 0.55)
    ),
    "lined, slanted": lambda s, r: jpeg(
        paper(pen(s, 14), 0.93 * ruled(squared=False, strength=0.4, slant=0.04))
    ),
    "lined, strong": lambda s, r: jpeg(
        paper(pen(s, 16), 0.93 * ruled(squared=False, strength=0.7))
    ),
    "squared": lambda s, r: jpeg(
        paper(pen(s, 22), 0.93 * ruled(squared=True, strength=0.3, gap=40))
    ),
    "squared, pencil": lambda s, r: jpeg(
        paper(pen(s, 10), 0.93 * ruled(squared=True, strength=0.25, gap=40), 0.55)
    ),
    "squared, slanted": lambda s, r: jpeg(
        paper(pen(s, 14), 0.93 * ruled(squared=True, strength=0.35, gap=44, slant=0.03))
    ),
    # A line that lies between two rows of pixels is stronger on one of them.
    "squared, between the pixels": lambda s, r: jpeg(
        paper(
            pen(s, 30, scale=0.6),
            0.93
            * ruled(squared=True, strength=0.27, gap=40, width=1)
            * np.roll(ruled(squared=True, strength=0.13, gap=40, width=1), 1, (0, 1)),
        )
    ),
    "blue lines, blue pen": lambda s, r: jpeg(
        tinted(
            pen(s, 12),
            tinted(1 - ruled(squared=False, strength=1.0), (0.95, 0.95, 0.93), (0.6, 0.7, 0.9)),
            (0.1, 0.15, 0.6),
        )
    ),
    "at the border of the picture": lambda s, r: png(paper(pen(s, 30, at=(0.7, 0.38)))),
    "several specks": lambda s, r: jpeg(paper(spots(r, pen(s, 26), 9, 5))),
    "out of focus": lambda s, r: jpeg(blurred(paper(pen(s, 26)), 9)),
    "small on a large sheet": lambda s, r: jpeg(paper(pen(s, 9, scale=0.25, at=(0.3, 0.7)))),
    "very small": lambda s, r: png(1 - pen(s, 3, side=280, scale=0.14, at=(0.3, 0.7))),
    "60 pixels": lambda s, r: png(1 - pen(s, 5, side=60)),
    "28 pixels": lambda s, r: png(pen(s, 2.4, side=28)),
    "16 bits, turned": lambda s, r: turned(pen(s, 32)),
    **{
        kind: lambda s, r, kind=kind: encoded(1 - pen(s, 32), kind)
        for kind in ("WEBP", "GIF", "BMP", "TIFF")
    },
    "HEIC": lambda s, r: heic(Image.fromarray((255 * (1 - pen(s, 32))).astype(np.uint8))),
    "rounded corners": lambda s, r: encoded(with_alpha(paper(pen(s, 32)), rounded()), "PNG"),
    "wide picture": lambda s, r: png(
        np.pad(1 - pen(s, 20, side=400), ((0, 0), (600, 600)), constant_values=1)
    ),
}
