import os
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from core import measures
from core.data import drawing, pictures
from core.data.mnist import Digits
from core.networks.mlp import MLP
from tests.core.data import handmade


def canvas_with(
    image: np.ndarray, *, size: int, top: int, left: int, side: int = 280
) -> np.ndarray:
    """Return a digit as somebody might have drawn it: `size` pixels large, somewhere."""
    grey = Image.fromarray((image * 255).round().astype(np.uint8))
    ink = np.zeros((side, side), np.uint8)
    drawn = grey.resize((size, size), Image.Resampling.BICUBIC)
    ink[top : top + size, left : left + size] = np.asarray(drawn)
    return np.dstack([ink, ink, ink, np.full_like(ink, 255)])


@pytest.mark.thorough
def test_drawn_anywhere_at_any_size_the_test_digits_lose_at_most_half_a_point(
    report_network: MLP, test_digits: Digits
) -> None:
    rng = np.random.default_rng(0)
    x, y = test_digits.x[:2500], test_digits.y[:2500]
    seen = np.empty_like(x)
    for index, image in enumerate(x.reshape(-1, 28, 28)):
        size = int(rng.integers(112, 281))
        top, left = rng.integers(0, 281 - size, 2)
        seen[index] = drawing.to_mnist(canvas_with(image, size=size, top=top, left=left)).x
    clean = measures.accuracy(report_network, x, y)
    drawn = measures.accuracy(report_network, seen, y)
    assert clean - drawn <= 0.005


@pytest.mark.thorough
def test_without_centring_a_digit_in_the_corner_is_lost(
    report_network: MLP, test_digits: Digits
) -> None:
    canvases = [
        canvas_with(image, size=140, top=0, left=0)
        for image in test_digits.x[:300].reshape(-1, 28, 28)
    ]
    y = test_digits.y[:300]
    centred = np.concatenate([drawing.to_mnist(canvas).x for canvas in canvases])
    naive = np.concatenate([drawing.to_mnist(canvas, centre=False).x for canvas in canvases])
    assert measures.accuracy(report_network, centred, y) > 0.95
    assert measures.accuracy(report_network, naive, y) < 0.5


def test_the_stages_of_a_known_drawing() -> None:
    rgba = np.zeros((300, 200, 4), np.uint8)
    rgba[..., 3] = 255
    rgba[40:240, 50:80, :3] = 255  # a bar of 200 × 30
    stages = drawing.to_mnist(rgba)
    assert stages.ink.shape == (300, 200)
    assert stages.box == (50, 40, 80, 240)
    assert stages.boxes == (stages.box,)
    assert stages.scaled.shape == (20, 20)
    assert stages.scaled.sum() == pytest.approx(20 * 3, rel=0.02)
    assert stages.image.shape == (28, 28)
    assert stages.image.sum() == pytest.approx(20 * 3, rel=0.02)
    assert stages.x.shape == (1, 784)


@pytest.mark.parametrize("width", [4, 10, 20, 40, 60])
def test_a_stroke_gets_a_width_that_mnists_strokes_have(width: int) -> None:
    rgba = np.zeros((280, 280, 4), np.uint8)
    rgba[40:240, 50 : 50 + width] = 255
    image = drawing.to_mnist(rgba).image
    assert image.max() == 1
    assert 1.9 < image.sum() / 20 < 4.1  # nine in ten of MNIST's


def test_the_centre_of_mass_is_within_half_a_pixel_of_the_middle() -> None:
    rgba = np.zeros((280, 280, 4), np.uint8)
    rgba[60:220, 80:100] = 255
    rgba[200:220, 80:180] = 255  # an L, whose mass is not in the middle of its box
    image = drawing.to_mnist(rgba).image
    steps = np.arange(28)
    assert image.sum(axis=1) @ steps / image.sum() == pytest.approx(14, abs=0.5)
    assert image.sum(axis=0) @ steps / image.sum() == pytest.approx(14, abs=0.5)


def test_ink_is_white_on_black_or_on_nothing() -> None:
    opaque = np.zeros((100, 100, 4), np.uint8)
    opaque[..., 3] = 255
    opaque[20:80, 40:60, :3] = 255
    transparent = np.where(opaque[..., :1] > 0, opaque, 0).astype(np.uint8)
    np.testing.assert_array_equal(
        drawing.to_mnist(opaque).image, drawing.to_mnist(transparent).image
    )


@pytest.mark.parametrize("alpha", [0, 255])
def test_an_empty_drawing_says_so(alpha: int) -> None:
    rgba = np.zeros((280, 280, 4), np.uint8)
    rgba[..., 3] = alpha
    with pytest.raises(drawing.EmptyDrawingError, match="no ink"):
        drawing.to_mnist(rgba)


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(4))), st.booleans()
)
def test_any_scribble_becomes_an_image_or_a_sentence(rgba: np.ndarray, centre: bool) -> None:
    try:
        stages = drawing.to_mnist(rgba, centre=centre)
    except drawing.EmptyDrawingError as error:
        assert str(error).endswith(".")
        return
    for image in (stages.picture, stages.evened, stages.ink, stages.scaled, stages.image):
        assert image.min() >= 0
        assert image.max() <= 1
    assert stages.image.shape == (28, 28)
    assert stages.image.any() or not centre


def test_a_dot_is_enlarged_and_a_full_canvas_is_empty() -> None:
    dot = np.zeros((280, 280, 4), np.uint8)
    dot[3:9, 270:276] = 255
    assert drawing.to_mnist(dot).image.sum() > 100
    with pytest.raises(drawing.EmptyDrawingError):
        drawing.to_mnist(np.full((280, 280, 4), 255, np.uint8))


@pytest.mark.parametrize(
    "rgba",
    [
        np.zeros((28, 28), np.uint8),
        np.zeros((28, 28, 3), np.uint8),
        np.zeros((28, 28, 4)),
        np.zeros((0, 5, 4), np.uint8),
    ],
)
def test_other_arrays_are_refused(rgba: np.ndarray) -> None:
    with pytest.raises(ValueError, match="^rgba must be"):
        drawing.to_mnist(rgba)


def rgba_of(content: bytes) -> np.ndarray:
    return pictures.decode(content)


# Rows of a table of what people draw, scan and photograph: each is in the sample.
ROWS = (
    *("pen of 3 px", "pen of 5 px", "pen of 12 px"),
    *("shadow from 60°", "shadow from 180°", "bright middle", "flash"),
    *("dark desk", "scan with a black border", "canvas, framed", "paper, framed"),
    *(
        "transparent margin",
        "rounded corners",
        "canvas, a tap",
        "blue on green",
        "lined",
        "squared",
    ),
    *("16 bits, turned", "WEBP", "GIF", "BMP", "TIFF", "HEIC"),
)


def misread(kind: str, part: int, network: MLP) -> list[tuple[str, int]]:
    """Return which of a third of all shapes are misread, as what; -1 for no or several digits."""
    wrong = []
    for name, strokes in list(handmade.SHAPES.items())[part::3]:
        content = handmade.KINDS[kind](strokes, np.random.default_rng(zlib.crc32(name.encode())))
        try:
            stages = drawing.to_mnist(pictures.decode(content))
        except drawing.EmptyDrawingError:
            wrong.append((name, -1))
            continue
        read = int(network.logits(stages.x).argmax()) if len(stages.boxes) == 1 else -1
        if read != int(name[0]):
            wrong.append((name, read))
    return wrong


@pytest.mark.thorough(each="kind")
@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("kind", ROWS)
def test_what_people_draw_is_read(kind: str, part: int, report_network: MLP) -> None:
    assert misread(kind, part, report_network) == []


@pytest.mark.thorough
@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("kind", [kind for kind in handmade.KINDS if kind not in ROWS])
def test_whatever_people_draw_is_read(kind: str, part: int, report_network: MLP) -> None:
    assert misread(kind, part, report_network) == []


def test_a_blot_that_is_wider_than_strokes_is_ink_throughout() -> None:
    across, down = handmade.coordinates()
    blot = (np.hypot(across - 0.5, down - 0.5) < 0.09).astype(float)
    ink = np.maximum(handmade.pen(handmade.SHAPES["1"], 40), blot)
    stages = drawing.to_mnist(rgba_of(handmade.jpeg(handmade.paper(ink, 1 - 0.5 * down))))
    assert stages.ink[blot > 0].min() > 0.8


def test_squares_whose_lines_have_soft_edges_are_no_ink() -> None:
    lines = np.zeros((800, 800))
    lines[19::40], lines[20::40], lines[21::40] = 0.13, 0.3, 0.13
    lines = np.maximum(lines, lines.T)
    ink = handmade.pen(handmade.SHAPES["7"], 44, scale=0.6)
    content = handmade.jpeg(handmade.paper(ink, 0.93 * (1 - lines)))
    unlined = drawing.to_mnist(rgba_of(handmade.jpeg(handmade.paper(ink))))
    stages = drawing.to_mnist(rgba_of(content))
    np.testing.assert_allclose(stages.box, unlined.box, atol=4)
    assert np.abs(stages.image - unlined.image).mean() < 0.03


def test_two_digits_are_found_and_either_can_be_chosen(report_network: MLP) -> None:
    one = handmade.pen(handmade.SHAPES["1"], 14, side=280, scale=0.6, at=(0.25, 0.5))
    zero = handmade.pen(handmade.SHAPES["0"], 14, side=280, scale=0.7, at=(0.72, 0.5))
    rgba = rgba_of(handmade.png(np.maximum(one, zero)))
    stages = drawing.to_mnist(rgba)
    assert len(stages.boxes) == 2
    assert stages.boxes[0][2] < stages.boxes[1][0]
    assert stages.box == stages.boxes[1]
    read = [
        int(report_network.logits(drawing.to_mnist(rgba, chosen=index).x).argmax())
        for index in range(2)
    ]
    assert read == [1, 0]
    with pytest.raises(IndexError):
        drawing.to_mnist(rgba, chosen=2)


@pytest.mark.parametrize("pair", ["17", "48", "50", "23"])
def test_two_digits_on_paper_are_two(pair: str, report_network: MLP) -> None:
    left, right = (
        handmade.pen(handmade.SHAPES[digit], 12, scale=0.5, at=(x, 0.5))
        for digit, x in zip(pair, (0.27, 0.7), strict=True)
    )
    rgba = rgba_of(handmade.jpeg(handmade.paper(np.maximum(left, right))))
    read = "".join(
        str(int(report_network.logits(drawing.to_mnist(rgba, chosen=index).x).argmax()))
        for index in range(len(drawing.to_mnist(rgba).boxes))
    )
    assert read == pair


def test_a_speck_between_two_pieces_joins_them_and_a_line_below_two_digits_does_not() -> None:
    def boxes(*lines: tuple[int, int, int, int]) -> int:
        grey = np.zeros((280, 280, 4), np.uint8)
        grey[..., 3] = 255
        for left, top, right, bottom in lines:
            grey[top:bottom, left:right, :3] = 255
        return len(drawing.to_mnist(grey).boxes)

    pieces = ((80, 60, 96, 200), (124, 60, 140, 200))
    assert boxes(*pieces) == 2
    assert boxes(*pieces, (106, 150, 114, 158)) == 1
    assert boxes((60, 40, 80, 180), (140, 40, 160, 180), (50, 190, 170, 206)) == 2


# Test digits with parts much wider than their other strokes.
@pytest.mark.parametrize("index", [1002, 1042, 1044, 1114])
@pytest.mark.parametrize("spot", [0.0, 0.4])
def test_wide_strokes_are_not_hollow(index: int, spot: float, test_digits: Digits) -> None:
    image = test_digits.x[index].reshape(28, 28)
    large = canvas_with(image, size=640, top=80, left=80, side=800)[..., 0] > 127
    rows, columns = handmade.coordinates()
    light = 0.93 - spot + spot * np.exp(-((rows - 0.6) ** 2 + (columns - 0.4) ** 2) / 0.09)
    stages = drawing.to_mnist(rgba_of(handmade.jpeg(handmade.paper(large.astype(float), light))))
    assert (stages.ink[large] > 0.5).mean() > 0.98
    assert (stages.ink[~large] < 0.5).mean() > 0.98


def test_the_image_is_the_same_on_other_processors() -> None:
    code = """
import hashlib
import numpy as np
from core.data import drawing, pictures
from tests.core.data.handmade import KINDS, SHAPES
for kind in ("canvas, brush 22", "shadow from 60°", "chalk", "dark desk", "squared", "60 pixels"):
    content = KINDS[kind](SHAPES["8"], np.random.default_rng(0))
    image = drawing.to_mnist(pictures.decode(content)).image
    print(kind, hashlib.sha256(image.tobytes()).hexdigest())
"""
    # Each library has a way to leave out what only newer processors have; others ignore it.
    older = {
        "OPENCV_CPU_DISABLE": "AVX512-ICL,AVX512-SKX,AVX512-COMMON,AVX2,FMA3,AVX,FP16,SSE4.2",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
        "OPENBLAS_CORETYPE": "Nehalem",
    }
    results = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | changed,
            check=True,
            capture_output=True,
            encoding="utf-8",
        ).stdout
        for changed in ({}, older)
    ]
    assert results[0].count("\n") == 6
    assert results[0] == results[1]


@pytest.mark.parametrize("factor", [1, 2, 10, 20, 30, 60])
def test_without_centring_a_picture_of_28_by_28_comes_back_to_the_last_level(factor: int) -> None:
    levels = np.random.default_rng(factor).integers(0, 256, (28, 28)).astype(np.uint8)
    content = handmade.encoded(Image.fromarray(levels.repeat(factor, 0).repeat(factor, 1)), "PNG")
    stages = drawing.to_mnist(pictures.decode(content), centre=False)
    np.testing.assert_array_equal(stages.image, levels.astype(np.float32) / np.float32(255))


def test_the_image_has_256_levels() -> None:
    content = handmade.png(1 - handmade.pen(handmade.SHAPES["8"], 12, side=500))
    for centre in (True, False):
        image = drawing.to_mnist(pictures.decode(content), centre=centre).image
        assert image.dtype == np.float32
        np.testing.assert_array_equal(image, (np.round(image * 255) / 255).astype(np.float32))


def test_the_steps_go_from_the_picture_to_what_the_network_sees() -> None:
    content = handmade.jpeg(handmade.paper(handmade.pen(handmade.SHAPES["3"], 20)))
    stages = drawing.to_mnist(pictures.decode(content))
    images = [image for image, _ in stages.steps]
    assert [image.shape for image in images] == [
        *((800, 800, 3), (800, 800), (800, 800)),
        *((20, 20), (28, 28)),
    ]
    assert all(image.min() >= 0 and image.max() <= 1 for image in images)
    assert len({caption for _, caption in stages.steps}) == len(images)


def test_an_enlarged_test_digit_keeps_its_grey_edges(test_digits: Digits) -> None:
    levels = (test_digits.x[0].reshape(28, 28) * 255).round().astype(np.uint8)
    image = drawing.to_mnist(canvas_with(levels / 255, size=280, top=0, left=0)).image
    grey = (image > 0.1) & (image < 0.9)
    assert grey.sum() > 0.25 * (image > 0.1).sum()
    assert np.abs(image - levels / 255).mean() < 0.05


def test_drawing_works_without_opencv_until_it_is_needed() -> None:
    code = "import sys, core.data.drawing, core.data.pictures; assert 'cv2' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_warming_up_imports_opencv() -> None:
    code = (
        "import sys; from core.data import drawing; drawing.warm_up(); assert 'cv2' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("side", [28, 100, 280])
def test_noise_is_an_image_or_a_sentence(side: int, seed: int) -> None:
    rgba = np.random.default_rng(seed).integers(256, size=(side, side, 4), dtype=np.uint8)
    for alpha in (rgba[..., 3:], np.full((side, side, 1), 255, np.uint8)):
        try:
            x = drawing.to_mnist(np.concatenate([rgba[..., :3], alpha], axis=2)).x
        except drawing.EmptyDrawingError as error:
            assert str(error).endswith(".")
        else:
            assert np.isfinite(x).all()
            assert x.any()
