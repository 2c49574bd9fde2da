"""Drawings on the Draw page: any of them, their labels, and what undoes them."""

from typing import Any

import numpy as np
import pytest

from tests.pages.conftest import well
from tests.pages.test_draw import SEVEN, correct, draw, explorer, meant, opened, sentence, strokes


@pytest.mark.parametrize(
    "drawing",
    [
        strokes([(140, 140), (141, 141)]),
        strokes([(20, 20), (260, 260), (20, 260), (260, 20), (140, 10), (140, 270)], width=40),
    ],
    ids=["dot", "scribble"],
)
def test_any_drawing_gives_a_sensible_result(drawing: dict[str, Any]) -> None:
    at = draw(opened(), drawing)
    data = explorer(at)
    assert data is not None
    assert sum(data["probabilities"][0]) == pytest.approx(1, abs=1e-3)


def test_a_canvas_that_is_full_of_ink_has_no_digit_and_is_kept() -> None:
    at = draw(opened(), strokes([(0, 140), (280, 140)], width=280))
    assert explorer(at) is None
    assert len(at.error) == 1
    assert not at.button(key="undo").disabled


def test_the_label_can_be_corrected_and_stays_until_a_new_drawing() -> None:
    at = draw(opened(), SEVEN)
    correct(at, drawing=0, label=1)
    assert sentence(at) == "The network takes this 1 for a 7 without any attack."
    one_stroke_more = strokes([(80, 70), (200, 70), (130, 220)], [(120, 140), (190, 140)])
    draw(at, one_stroke_more)
    assert meant(at) == 1
    well(at.button(key="clear").click().run())
    assert explorer(at) is None
    draw(at, SEVEN, version=1)
    assert meant(at) == 7


def test_undo_keeps_the_corrected_label() -> None:
    at = draw(opened(), SEVEN)
    correct(at, drawing=0, label=1)
    draw(at, strokes([(80, 70), (200, 70), (130, 220)], [(120, 140), (190, 140)]))
    well(at.button(key="undo").click().run())
    assert meant(at) == 1


def test_a_drawing_that_became_empty_is_another_one() -> None:
    at = draw(opened(), SEVEN)
    more = strokes([(80, 70), (200, 70), (130, 220)], [(120, 140), (190, 140)])
    draw(at, more)
    correct(at, drawing=0, label=3)
    while not at.button(key="undo").disabled:
        well(at.button(key="undo").click().run())
    assert explorer(at) is None
    assert "label" not in at.query_params
    one = strokes([(140, 60), (140, 220)])
    draw(at, one, version=2)
    assert meant(at) == 1
    assert "label" not in at.query_params


def test_undo_and_clear_lose_nothing() -> None:
    at = draw(opened(), SEVEN)
    first = explorer(at)
    draw(at, strokes([(80, 70), (200, 70), (130, 220)], [(40, 250), (240, 250)]))
    second = explorer(at)
    assert first is not None and second is not None
    assert first["id"] != second["id"]
    well(at.button(key="undo").click().run())
    assert explorer(at)["frames"] == first["frames"]  # type: ignore[index]
    well(at.button(key="clear").click().run())
    assert explorer(at) is None
    well(at.button(key="undo").click().run())
    assert explorer(at)["frames"] == first["frames"]  # type: ignore[index]


def test_a_drawing_survives_another_source_and_a_page_switch() -> None:
    at = draw(opened(), SEVEN)
    first = explorer(at)
    assert first is not None
    well(at.button_group(key="source").set_value("Test digit").run())
    assert explorer(at)["frames"] != first["frames"]  # type: ignore[index]
    well(at.button_group(key="source").set_value("Draw").run())
    assert explorer(at)["frames"] == first["frames"]  # type: ignore[index]
    well(at.switch_page("pages/attack/draw.py").run())
    assert explorer(at)["frames"] == first["frames"]  # type: ignore[index]


def test_centring_can_be_turned_off() -> None:
    corner = strokes([(10, 10), (60, 10), (30, 80)], width=12)
    at = draw(opened(), corner)
    centred = explorer(at)
    well(at.toggle(key="centre").set_value(False).run())
    naive = explorer(at)
    assert centred is not None and naive is not None
    frame = np.frombuffer(naive["frames"], np.uint8)[:784].reshape(28, 28)
    assert not frame[14:].any()
    assert centred["frames"] != naive["frames"]
