import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from core import measures
from core.data import drawing
from core.data.mnist import Digits
from core.networks.mlp import MLP


def canvas_with(
    image: np.ndarray, *, size: int, top: int, left: int, side: int = 280
) -> np.ndarray:
    """Return a digit as somebody might have drawn it: `size` pixels large, somewhere."""
    grey = Image.fromarray((image * 255).round().astype(np.uint8))
    ink = np.zeros((side, side), np.uint8)
    drawn = grey.resize((size, size), Image.Resampling.BICUBIC)
    ink[top : top + size, left : left + size] = np.asarray(drawn)
    return np.dstack([ink, ink, ink, np.full_like(ink, 255)])


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
    rgba[40:240, 50:100, :3] = 255  # a bar of 200 × 50
    stages = drawing.to_mnist(rgba)
    assert stages.ink.shape == (300, 200)
    assert stages.box == (50, 40, 100, 240)
    assert stages.scaled.shape == (20, 20)
    assert stages.scaled.sum() == pytest.approx(20 * 5, rel=1e-3)
    assert stages.scaled[:, 7:12].min() > 0.99
    assert stages.image.shape == (28, 28)
    assert stages.image[4:24, 12:17].min() > 0.99
    assert stages.image.sum() == pytest.approx(20 * 5, rel=1e-3)
    assert stages.x.shape == (1, 784)


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
def test_any_scribble_becomes_an_image(rgba: np.ndarray, centre: bool) -> None:
    try:
        stages = drawing.to_mnist(rgba, centre=centre)
    except drawing.EmptyDrawingError:
        assert (rgba[..., :3].max(axis=2).astype(float) * rgba[..., 3]).max() <= 0.1 * 255**2 + 1
        return
    for image in (stages.ink, stages.scaled, stages.image):
        assert image.min() >= 0
        assert image.max() <= 1
    assert stages.image.shape == (28, 28)
    assert stages.image.any()


def test_a_dot_and_a_full_canvas_become_blocks() -> None:
    full = drawing.to_mnist(np.full((280, 280, 4), 255, np.uint8))
    assert full.image[4:24, 4:24].min() > 0.99
    assert full.image.sum() == pytest.approx(400, rel=1e-3)
    dot = np.zeros((280, 280, 4), np.uint8)
    dot[3, 277] = 255
    assert drawing.to_mnist(dot).image.sum() == pytest.approx(400, rel=1e-3)


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
