"""Changes of strokes beside plain NumPy and Pillow."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.classifier import FloatArray
from core.data.mnist import Digits
from core.training.strokes import _draw, with_hooks, with_other_widths


def neighbourhoods(x: FloatArray) -> FloatArray:
    """Each pixel and its four neighbours, black outside, `(5, N, 784)`."""
    padded = np.pad(x.reshape(-1, 28, 28), ((0, 0), (1, 1), (1, 1)))
    places = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    return np.stack([padded[:, r : r + 28, c : c + 28].reshape(len(x), 784) for r, c in places])


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_thicker_strokes_are_a_dilation(share: float, test_digits: Digits) -> None:
    x = test_digits.x[:20]
    expected = (1 - share) * x + share * neighbourhoods(x).max(axis=0)
    found = with_other_widths(x, np.full(20, share))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_thinner_strokes_are_an_erosion_as_bright_as_before(
    share: float, test_digits: Digits
) -> None:
    x = test_digits.x[:20]
    eroded = (1 - share) * x + share * neighbourhoods(x).min(axis=0)
    expected = eroded * (x.max(axis=1) / eroded.max(axis=1))[:, None]
    found = with_other_widths(x, np.full(20, -share))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_strokes_grow_with_the_share(test_digits: Digits) -> None:
    x = test_digits.x[:100]
    shares = (-0.9, -0.5, 0.0, 0.5, 1.0)
    widths = [(with_other_widths(x, np.full(100, share)) > 0.5).sum(axis=1) for share in shares]
    means = [width.mean() for width in widths]
    assert means == sorted(set(means))
    assert means[-1] > 1.4 * means[2] > 1.4 * 1.2 * means[0]


def test_a_share_of_0_and_an_image_without_ink_stay_as_they_are(test_digits: Digits) -> None:
    x = test_digits.x[:20]
    np.testing.assert_array_equal(with_other_widths(x, np.zeros(20)), x)
    black = np.zeros((3, 784), np.float32)
    for share in (-1.0, 1.0):
        np.testing.assert_array_equal(with_other_widths(black, np.full(3, share)), black)


def test_a_line_of_one_pixel_that_is_eroded_wholly_stays_black_and_finite() -> None:
    x = np.zeros((1, 28, 28), np.float32)
    x[0, 14, 4:24] = 1
    assert with_other_widths(x.reshape(1, 784), np.array([-1.0])).max() == 0


@pytest.mark.parametrize("ends", [(5, 5, 20, 12), (14, 4, 14, 23), (20.5, 8.25, 6, 15.75)])
def test_a_stroke_is_one_of_pillow_s(ends: tuple[float, float, float, float]) -> None:
    radius, fine = 1.3, 16
    image = np.zeros(784, np.float32)
    _draw(image, *ends, radius)
    large = Image.new("L", (28 * fine, 28 * fine))
    x0, y0, x1, y1 = ((end + 0.5) * fine for end in ends)
    pen = ImageDraw.Draw(large)
    pen.line([x0, y0, x1, y1], fill=255, width=round(2 * radius * fine))
    for x, y in ((x0, y0), (x1, y1)):
        r = radius * fine
        pen.ellipse([x - r, y - r, x + r, y + r], fill=255)
    expected = np.asarray(large, np.float32).reshape(28, fine, 28, fine).mean(axis=(1, 3)) / 255
    difference = np.abs(image.reshape(28, 28) - expected)
    assert difference.max() < 0.3
    assert difference.mean() < 0.01
    assert image.sum() == pytest.approx(expected.sum(), rel=0.03)


def hooked(digits: Digits, label: int, count: int, share: float = 1.0) -> tuple[FloatArray, ...]:
    """Return images of a digit, the same with hooks or bars, and the draws."""
    x = digits.x[digits.y == label][:count]
    draws = np.random.default_rng(0).random((6, len(x)))
    return x, with_hooks(x, np.full(len(x), label), draws, share), draws


def test_1s_get_a_hook_to_the_left_and_half_of_them_a_foot(test_digits: Digits) -> None:
    x, out, draws = hooked(test_digits, 1, 300)
    added = (out - x).reshape(-1, 28, 28)
    assert added.min() == 0
    for image, more, foot in zip(x.reshape(-1, 28, 28), added, draws[3] < 0.5, strict=True):
        rows = np.flatnonzero((image >= 0.5).any(axis=1))
        first, last = rows[0], rows[-1]
        middle = image[first] @ np.arange(28) / image[first].sum()
        above = more[: first + 3]
        assert above[:, : round(middle)].sum() > above[:, round(middle) + 3 :].sum()
        assert more.sum() > 3
        assert bool(more[last + 1 :].sum() > 1) or not foot
    assert 0.4 < (draws[3] < 0.5).mean() < 0.6


def test_7s_get_a_bar_at_half_their_height(test_digits: Digits) -> None:
    x, out, _ = hooked(test_digits, 7, 300)
    added = (out - x).reshape(-1, 28, 28)
    assert added.min() == 0
    heights = (added.sum(axis=2) @ np.arange(28)) / added.sum(axis=(1, 2))
    rows = [np.flatnonzero((image >= 0.5).any(axis=1)) for image in x.reshape(-1, 28, 28)]
    middles = np.array([(each[0] + each[-1]) / 2 for each in rows])
    assert np.abs(heights - middles).max() < 3
    assert (added.max(axis=1) > 0.5).sum(axis=1).min() >= 1


def test_a_share_of_the_1s_and_7s_is_changed_and_nothing_else(test_digits: Digits) -> None:
    x, y = test_digits.x[:3000], test_digits.y[:3000]
    draws = np.random.default_rng(0).random((6, len(x)))
    changed = (with_hooks(x, y, draws, 0.3) != x).any(axis=1)
    assert set(y[changed]) == {1, 7}
    assert changed[np.isin(y, (1, 7))].mean() == pytest.approx(0.3, abs=0.05)
    np.testing.assert_array_equal(with_hooks(x, y, draws, 0.0), x)


@pytest.mark.parametrize("pixels", [[], [300], [300, 328, 356]])
def test_what_is_no_stroke_gets_no_hook(pixels: list[int]) -> None:
    x = np.zeros((2, 784), np.float32)
    x[:, pixels] = 1
    y, draws = np.array([1, 7]), np.full((6, 2), 0.4)
    np.testing.assert_array_equal(with_hooks(x, y, draws, 1.0), x)
