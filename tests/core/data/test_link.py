import re
import string

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from core.data import drawing, link
from core.data.mnist import Digits

ALPHABET = string.ascii_letters + string.digits + "-_"
IMAGES = st.one_of(
    arrays(np.uint8, 784),
    arrays(np.uint8, 784, elements=st.sampled_from([0, 128, 255])),
    arrays(np.uint8, 784, elements=st.integers(240, 255), fill=st.just(0)),
)


def stair() -> np.ndarray:
    """Return an image that has every level, each several times."""
    image = np.zeros((28, 28), np.uint8)
    image[4:20, 4:20] = np.arange(256).reshape(16, 16)
    image[20:24, 6:22] = 255
    return image.reshape(784)


@given(IMAGES)
@example(np.zeros(784, np.uint8))
@example(np.full(784, 255, np.uint8))
def test_an_image_comes_back_exactly(pixels: np.ndarray) -> None:
    text = link.encode(pixels)
    back = link.decode(text)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, pixels)
    assert re.fullmatch("[A-Za-z0-9_-]+", text)
    assert len(text) <= link.LONGEST <= 1060


def test_noise_takes_the_most() -> None:
    noise = np.random.default_rng(0).integers(0, 256, 784, dtype=np.uint8)
    text = link.encode(noise)
    assert text[0] == "r" and len(text) == link.LONGEST
    np.testing.assert_array_equal(link.decode(text), noise)


def test_the_test_digits_with_the_most_grey_take_less_than_400(test_digits: Digits) -> None:
    pixels = np.round(test_digits.x * 255).astype(np.uint8)
    grey = ((pixels > 0) & (pixels < 252)).sum(axis=1)
    greyest = pixels[np.argsort(grey)[-300:]]
    texts = [link.encode(digit) for digit in greyest]
    assert 300 < max(map(len, texts)) < 400
    for text, digit in zip(texts, greyest, strict=True):
        np.testing.assert_array_equal(link.decode(text), digit)


@pytest.mark.parametrize("width", [8, 16, 24, 32, 40])
def test_a_drawing_takes_less_than_400(width: int) -> None:
    image = Image.new("L", (280, 280), 0)
    corners = [(80, 60), (200, 70), (90, 130), (210, 150), (190, 230), (70, 220)]
    ImageDraw.Draw(image).line(corners, fill=255, width=width, joint="curve")
    ink = np.asarray(image)
    x = drawing.to_mnist(np.dstack([ink, ink, ink, np.full_like(ink, 255)])).x[0]
    assert len(link.encode(np.round(x * 255).astype(np.uint8))) < 400


# These are in people's bookmarks: they must always be read, and as the same image.
BLACK = "a"
STAIR = (
    "aBOdSg77Gg_V9EZajVLU9BFs5zzK42VMR22ySTlxsN63AVQH_kf02wkP_XpRi4TruO6QM3frPoVq86qNC8x4oRde"
    "jKr-iHjs33aI9B8PHdO7mWPsAi5i63mQ7dFLm2Tox9LAETLDjqPB6F_Js24bajBljcNWdRmEuuaFx2ZnJt5ih0c6"
    "PEzeoY0ghBsj6CevYTTrWqp3T2ONKHjdO2BHgQ381c0v1Crlq9bgu1DypHy8kowgl-"
    "iwofnglNo9yJCpDiLTfcbHfbzRddBalfNYzPZy1ZVEDLAR_hBbjcQd4qctZA2PJXlN3"
)


@pytest.mark.parametrize(
    ("text", "pixels"), [(BLACK, np.zeros(784, np.uint8)), (STAIR, stair())], ids=["black", "stair"]
)
def test_old_links_keep_working(text: str, pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(link.decode(text), pixels)
    assert link.encode(pixels) == text


@given(st.text(max_size=1100) | st.text(ALPHABET, max_size=1100))
@example("")
@example("r")
@example("a" * link.LONGEST)
@example("aA")
@example("aAA")  # a zero byte too many
@example("a==")
@example("a\n")
@example("b" + "A" * 200)
@example("a" + "A" * 1_000_000)
@example("r" + "A" * 1045 + "B")  # bits that no byte needs
@example("r" + "A" * 1046)  # longer than needed
@example("a" + "é" * 100)
def test_other_text_is_refused_or_is_the_text_of_its_image(text: str) -> None:
    try:
        pixels = link.decode(text)
    except ValueError as error:
        assert str(error) == "this text is no image of a link"
    else:
        assert link.encode(pixels) == text


@given(IMAGES, st.data())
def test_a_changed_text_is_refused_or_another_image(
    pixels: np.ndarray, data: st.DataObject
) -> None:
    text = link.encode(pixels)
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.sampled_from(ALPHABET)) + text[place + 1 :]
    for other in (changed, text[:place], text + changed[place:]):
        if other != text:
            try:
                assert not np.array_equal(link.decode(other), pixels)
            except ValueError as error:
                assert str(error) == "this text is no image of a link"


@pytest.mark.parametrize(
    "pixels", [np.zeros(783, np.uint8), np.zeros((28, 28), np.uint8), np.zeros(784, np.float32)]
)
def test_only_784_bytes_are_encoded(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="784"):
        link.encode(pixels)
