import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.data import drawing, mnist, prototypes
from core.data.mnist import Digits

# Strokes in a square of 100 × 100, y downwards: digits as they are written in Europe, too.
DIGITS = {
    "0": [
        [(50, 15), (32, 30), (28, 50), (34, 72), (50, 85), (66, 72), (72, 50), (66, 30), (50, 15)]
    ],
    "1": [[(50, 15), (50, 85)]],
    "1 with a hook": [[(30, 38), (50, 15), (50, 85)]],
    "2": [[(30, 30), (40, 18), (60, 18), (68, 32), (60, 50), (30, 82), (72, 82)]],
    "3": [
        [(30, 20), (60, 17), (68, 30), (60, 45), (45, 49), (62, 53), (70, 68), (60, 83), (30, 80)]
    ],
    "4": [[(62, 85), (62, 15), (25, 60), (80, 60)]],
    "open 4": [[(35, 20), (30, 55), (72, 55)], [(65, 20), (65, 88)]],
    "5": [[(68, 18), (35, 18), (33, 46), (55, 44), (70, 58), (66, 76), (50, 85), (30, 80)]],
    "6": [[(60, 16), (42, 35), (34, 60), (40, 80), (56, 84), (66, 70), (58, 56), (40, 60)]],
    "7": [[(25, 20), (75, 20), (45, 85)]],
    "crossed 7": [[(25, 20), (75, 20), (45, 85)], [(38, 52), (72, 52)]],
    "9": [[(66, 35), (55, 20), (40, 20), (33, 35), (40, 50), (55, 50), (66, 35), (62, 85)]],
}
OTHERS = {
    "tick": [[(20, 50), (40, 80), (80, 20)]],
    "cross": [[(20, 20), (80, 80)], [(80, 20), (20, 80)]],
    "plus": [[(50, 20), (50, 80)], [(20, 50), (80, 50)]],
    "arrow": [[(15, 50), (85, 50)], [(65, 30), (85, 50), (65, 70)]],
    "zigzag": [[(15, 70), (30, 30), (42, 70), (55, 30), (68, 70), (82, 30)]],
    "star": [[(50, 12), (72, 81), (14, 38), (86, 38), (28, 81), (50, 12)]],
    "A": [[(30, 85), (50, 15), (70, 85)], [(38, 58), (62, 58)]],
    "F": [[(70, 20), (30, 20), (30, 85)], [(30, 50), (60, 50)]],
    "K": [[(30, 20), (30, 80)], [(70, 20), (30, 50), (70, 80)]],
    "L": [[(30, 20), (30, 80), (70, 80)]],
    "M": [[(20, 80), (30, 20), (50, 60), (70, 20), (80, 80)]],
    "N": [[(30, 80), (30, 20), (70, 80), (70, 20)]],
    "W": [[(15, 20), (30, 80), (50, 35), (70, 80), (85, 20)]],
    "m": [[(20, 40), (20, 80)], [(20, 50), (33, 40), (45, 50), (45, 80)]]
    + [[(45, 50), (60, 40), (72, 50), (72, 80)]],
}
MARGIN = 0.01  # for other processors' last bits, and for changes to how drawings are prepared


def drawn(strokes: list[list[tuple[int, int]]], width: int) -> np.ndarray:
    """Return strokes drawn on the canvas with a round brush, as the network sees them."""
    image = Image.new("L", (840, 840), 0)
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        points = [(8.4 * x, 8.4 * y) for x, y in stroke]
        draw.line(points, fill=255, width=3 * width, joint="curve")
        for x, y in points:
            r = 1.5 * width
            draw.ellipse([x - r, y - r, x + r, y + r], fill=255)
    ink = np.asarray(image.resize((280, 280), Image.Resampling.BOX))
    return drawing.to_mnist(np.dstack([ink, ink, ink, np.full_like(ink, 255)])).x


@pytest.mark.parametrize("width", [16, 22, 30])
@pytest.mark.parametrize("name", DIGITS)
def test_a_written_digit_is_like_a_digit(name: str, width: int) -> None:
    x = drawn(DIGITS[name], width)
    assert prototypes.distance(x) < prototypes.FARTHEST - MARGIN
    assert prototypes.like_a_digit(x)


@pytest.mark.parametrize("width", [16, 22, 30])
@pytest.mark.parametrize("name", OTHERS)
def test_another_sign_is_unlike_a_digit(name: str, width: int) -> None:
    x = drawn(OTHERS[name], width)
    assert prototypes.distance(x) > prototypes.FARTHEST + MARGIN
    assert not prototypes.like_a_digit(x)


def test_about_one_test_digit_in_a_hundred_is_unlike_the_prototypes(test_digits: Digits) -> None:
    unlike = [not prototypes.like_a_digit(x[None]) for x in test_digits.x]
    assert 0.007 < np.mean(unlike) < 0.013


def test_noise_and_a_black_image_are_unlike_a_digit() -> None:
    noise = np.random.default_rng(0).uniform(size=(1, 784)).astype(np.float32)
    assert not prototypes.like_a_digit(noise)
    assert not prototypes.like_a_digit(np.zeros((1, 784), np.float32))


def test_the_description_of_a_single_edge() -> None:
    image = np.zeros((1, 28, 28), np.float32)
    image[:, 14:] = 1
    maps = prototypes.described(image.reshape(1, 784)).reshape(7, 7, 4)
    np.testing.assert_allclose((maps**2).sum(), 1, rtol=1e-5)
    middle = maps[1:5, 2:5]  # away from the rims, where the white half has edges, too
    down = 2  # the brightness changes downwards: at an angle of 90°, twice that is 180°
    assert middle[2, :, down].min() > 2 * middle[[0, 1, 3], :, down].max()
    middle[..., down] = 0
    assert middle.max() < 1e-3


def test_strength_of_the_ink_makes_no_difference(test_digits: Digits) -> None:
    x = test_digits.x[:1]
    assert prototypes.distance(x / 2) == pytest.approx(prototypes.distance(x), abs=1e-5)


def test_the_prototypes_are_made_from_the_training_images() -> None:
    train = mnist.load("train")
    shipped = prototypes.prototypes()
    assert shipped.shape == (600, 196)
    x = train.x[train.y == 6]
    made = prototypes.of_one_digit(x, seed=6)
    own = shipped[6 * 60 : 7 * 60]
    # Another order of additions may move single images to another group, not the groups.
    nearest = np.linalg.norm(own[:, None] - made, axis=2).min(axis=1)
    assert np.median(nearest) < 0.02

    def spread(means: np.ndarray) -> float:
        points = prototypes.described(x[:1000])
        return float(np.linalg.norm(points[:, None] - means, axis=2).min(axis=1).mean())

    assert spread(own) == pytest.approx(spread(made), rel=0.02)
    others = [spread(shipped[60 * digit : 60 * digit + 60]) for digit in range(10) if digit != 6]
    assert min(others) > 1.1 * spread(own)


@pytest.mark.parametrize("shape", [(784,), (2, 784), (1, 28, 28)])
def test_only_one_image_is_judged(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="784"):
        prototypes.distance(np.zeros(shape, np.float32))
