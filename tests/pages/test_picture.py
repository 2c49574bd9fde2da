"""Pictures on the Draw page, the choice among several digits, and the remarks on a drawing."""

import base64

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.data import link, mnist
from core.measures import predict
from tests.conftest import SHIPPED
from tests.core.data.test_pictures import BAD, SEVENS
from tests.pages.conftest import well
from tests.pages.test_draw import SEVEN, draw, explorer, opened, strokes


def upload(at: AppTest, content: bytes, name: str = "seven.png") -> AppTest:
    well(at.button_group(key="source").set_value("Picture").run())
    return well(at.file_uploader(key="picture_0").set_value((name, content, "image/png")).run())


@pytest.mark.parametrize("kind", ["dark on light", "jpeg", "16 bit", "animated", "5,000 × 5,000"])
def test_a_picture_is_seen_and_stays(kind: str) -> None:
    at = upload(opened(), SEVENS[kind])
    data = explorer(at)
    assert data is not None
    assert data["label"] == 7
    well(at.button_group(key="source").set_value("Draw").run())
    assert explorer(at) is None
    well(at.button_group(key="source").set_value("Picture").run())
    assert explorer(at)["frames"] == data["frames"]  # type: ignore[index]


def test_a_bad_picture_leaves_the_former_one_and_one_that_is_taken_away_is_gone() -> None:
    at = upload(opened(), SEVENS["jpeg"])
    former = explorer(at)
    assert former is not None
    upload(at, b"no picture")
    assert len(at.error) == 1
    assert explorer(at)["frames"] == former["frames"]  # type: ignore[index]
    well(at.file_uploader(key="picture_0").set_value([]).run())
    assert explorer(at) is None
    assert not at.error


@pytest.mark.parametrize("picture", ["two digits", "two digits in a picture"])
def test_of_several_digits_the_largest_is_taken_until_another_is_chosen(picture: str) -> None:
    one, nought = [(70, 60), (70, 220)], [(200, 90), (170, 130), (200, 190), (230, 130), (200, 90)]
    drawn = strokes(one, nought, width=16)
    if picture == "two digits":
        at = draw(opened(), drawn)
    else:
        content = drawn["drawing"]["data"].partition(",")[2]
        at = upload(opened(), base64.b64decode(content))
    assert explorer(at)["label"] == 1  # type: ignore[index]
    first = dict(at.query_params)
    well(at.button(key="choose_2").click().run())
    assert explorer(at)["label"] == 0  # type: ignore[index]
    second = dict(at.query_params)
    for address, label in ((first, 1), (second, 0)):  # as the browser's Back and Forward do
        well(at.run())  # by now the browser has received what the page wrote
        at.query_params.clear()
        for name, value in address.items():
            at.query_params[name] = value
        well(at.run())
        assert explorer(at)["label"] == label  # type: ignore[index]
        assert at.button(key="choose_1")


def test_where_networks_disagree_about_a_drawing_the_page_says_so() -> None:
    x = mnist.load("test").x[:2000]
    readings = [predict(SHIPPED.load(name)[0], x) for name in ("report", "any-hand")]
    differ = np.flatnonzero(readings[0] != readings[1])
    agree = np.flatnonzero(readings[0] == readings[1])
    for index, said in ((differ[0], 1), (agree[0], 0)):
        pixels = np.round(x[index] * 255).astype(np.uint8)
        at = well(opened(pixels=link.encode(pixels)))
        assert explorer(at)["label"] == readings[0][index]  # type: ignore[index]
        remarks = [each.value for each in at.markdown if "any-hand" in each.value]
        assert len(remarks) == said
        assert all(str(readings[1][index]) in remark for remark in remarks)


def test_of_a_drawing_that_is_no_digit_the_page_says_so() -> None:
    at = draw(opened(), SEVEN)
    assert not at.info
    cross = strokes([(70, 70), (210, 210)], [(210, 70), (70, 210)])
    at = draw(opened(), cross)
    assert explorer(at) is not None
    assert len(at.info) == 1


@pytest.mark.thorough
@pytest.mark.parametrize(("content", "said"), BAD.values(), ids=BAD)
def test_a_bad_picture_is_a_sentence_and_the_drawing_stays(content: bytes, said: str) -> None:
    at = draw(opened(), SEVEN)
    drawn = explorer(at)
    assert drawn is not None
    upload(at, content)
    assert len(at.error) == 1
    assert any(part in at.error[0].value for part in said.split("|"))
    assert explorer(at) is None
    well(at.button_group(key="source").set_value("Draw").run())
    assert explorer(at)["frames"] == drawn["frames"]  # type: ignore[index]
