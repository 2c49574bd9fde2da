"""The Lesson page, run by Streamlit's AppTest."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.attacks import METHODS
from core.data.mnist import Digits
from core.evaluation.path import follow
from core.losses import float32_autograd_cotangent
from core.measures import SCREEN, logits, predict
from core.networks import Library
from core.presentation.lesson import COUNTS, IN_BANDS, band
from tests.conftest import SHIPPED
from tests.pages.conftest import opened as open_page
from tests.pages.conftest import stands_for, well
from tests.pages.test_draw import APP, SEVEN, draw, explorer, strokes

LESSON = "pages/course/lesson.py"
ONE = strokes([(140, 50), (140, 230)])
WITH_SLIDER = [3, 4, 5, 6, 7]
HIDDEN = [3, 5, 6, 7]  # where the prediction flips
MISREAD = 720  # a 5 that the network takes for an 8


def opened(**query: Any) -> AppTest:
    return open_page(APP, LESSON, **{name: str(value) for name, value in query.items()})


def answer(at: AppTest, step: int, place: int | str) -> AppTest:
    return well(at.button(key=f"answer_{step}_{place}").click().run())


def pass_flip(at: AppTest, step: int) -> AppTest:
    """Have the slider pass the flip, which is tested in the browser."""
    at.session_state["seen"] += str(step)
    return well(at.run())


def said(at: AppTest) -> str:
    return "\n".join(element.value for element in at.markdown)


def asks(at: AppTest, step: int) -> bool:
    """Return whether the step's question can be answered."""
    return f"answer_{step}_0" in {button.key for button in at.button}


def test_the_lesson_is_first_in_the_menu_and_draw_opens_at_the_root() -> None:
    text = (Path(APP)).read_text("utf-8")
    assert text.index("pages/course/lesson.py") < text.index("pages/attack/draw.py")
    assert {"attack", "epsilon"} <= stands_for(open_page(APP)).keys()


@pytest.mark.parametrize("step", HIDDEN)
def test_a_step_asks_then_shows_the_live_epsilon_then_says_what_one_saw(step: int) -> None:
    at = opened(digit=0, step=step)
    assert asks(at, step)
    assert explorer(at) is None
    answer(at, step, 1)
    data = explorer(at)
    assert data is not None
    assert data["choices"]["hidden"]
    assert not asks(at, step)
    before = said(at)
    pass_flip(at, step)
    data = explorer(at)
    assert data is not None
    assert not data["choices"]["hidden"]
    assert "Your guess" in said(at)
    assert len(said(at)) > len(before)
    # The link holds all of it.
    again = opened(**stands_for(at))
    assert said(again) == said(at)
    assert explorer(again)["id"] == data["id"]  # type: ignore[index]


def test_a_drawing_is_read_and_attacked(test_digits: Digits) -> None:
    at = opened()
    assert at.button(key="answer_1_7").disabled
    draw(at, SEVEN)
    answer(at, 1, 7)
    assert at.session_state["correction"] == ("Draw 0", 7)
    well(at.button(key="next").click().run())
    assert stands_for(at)["step"] == "2"
    answer(at, 2, 3)
    assert "Right" in said(at)
    well(at.button(key="next").click().run())
    answer(at, 3, "x")
    data = explorer(at)
    assert data is not None
    assert data["label"] == 7
    seen = np.frombuffer(data["frames"], np.uint8)[:784]
    assert not (seen == np.round(255 * test_digits.x[0])).all()
    assert {"pixels", "label", "answers"} <= stands_for(at).keys()
    assert stands_for(at)["answers"] == "73x"
    assert stands_for(at)["seen"] == "3"


def test_a_misread_drawing_is_what_one_says_it_is() -> None:
    at = draw(opened(), SEVEN)
    answer(at, 1, 4)
    well(at.button(key="next").click().run())
    answer(at, 2, 0)
    assert "Right" in said(at)  # it reads another digit
    well(at.button(key="next").click().run())
    assert "misreads your digit" in said(at)
    answer(at, 3, 1)
    assert explorer(at)["label"] == 7  # type: ignore[index]


def test_a_drawing_of_which_nobody_says_what_it_is_is_not_attacked() -> None:
    at = draw(opened(), SEVEN)
    well(at.button(key="next").click().run())
    assert "MNIST's test digits" in said(at)


def test_a_link_that_leaves_out_the_label_asks_for_it() -> None:
    at = answer(draw(opened(), SEVEN), 1, 7)
    link = stands_for(at)
    assert not asks(opened(**link), 1)
    del link["label"]
    assert asks(opened(**link), 1)


def test_who_does_not_guess_is_shown() -> None:
    at = opened(digit=0, step=3)
    assert not answer(at, 3, "1").session_state["seen"]
    data = explorer(at)
    assert data is not None
    assert data["choices"]["hidden"] and not data["play"]
    well(at.button(key="change").click().run())
    assert asks(at, 3)
    assert "answers" not in stands_for(at)
    answer(at, 3, "x")
    data = explorer(at)
    assert data is not None
    assert data["play"] and not data["choices"]["hidden"]
    assert "Measured" in said(at)
    well(at.button(key="change").click().run())
    assert "seen" not in stands_for(at)


def test_the_control_is_told_without_moving_the_slider() -> None:
    at = answer(opened(digit=0, step=4), 4, 0)
    assert not explorer(at)["choices"]["hidden"]  # type: ignore[index]
    assert "Right" in said(at)


def test_another_digit_is_asked_about_anew() -> None:
    at = draw(opened(), SEVEN)
    answer(at, 1, 7)
    draw(at, strokes([(80, 70), (200, 70), (130, 220)], [(100, 150), (190, 150)]))
    assert not asks(at, 1)  # one more stroke is still the same drawing
    well(at.button(key="clear").click().run())
    draw(at, ONE, version=1)
    assert asks(at, 1)
    assert not {"answers", "seen"} & stands_for(at).keys()


@pytest.mark.parametrize("step", range(2, 9))
def test_without_a_drawing_a_step_is_shown_on_a_test_digit(step: int) -> None:
    at = opened(step=step)
    assert "MNIST's test digits" in said(at)
    answer(at, step, "x")
    assert not {"digit", "pixels"} & stands_for(at).keys()


def test_a_digit_that_is_misread_has_a_stand_in_from_the_third_step_on() -> None:
    at = opened(digit=MISREAD, step=2, answers="50")
    assert "an 8" in said(at)
    for step in WITH_SLIDER:
        at = opened(digit=MISREAD, step=step)
        assert "misreads your digit" in said(at)


def test_a_digit_of_which_float32_loses_nothing_has_a_stand_in(test_digits: Digits) -> None:
    network, _ = SHIPPED.load("report")
    some = test_digits.x[:200]
    kept = float32_autograd_cotangent(logits(network, some), test_digits.y[:200])
    own = kept[np.arange(200), test_digits.y[:200]]
    right = predict(network, some) == test_digits.y[:200]
    unsure, sure = (int(np.flatnonzero(right & found)[0]) for found in (own != 0, own == 0))
    assert "float32 loses nothing" in said(opened(digit=unsure, step=6))
    assert "float32 loses nothing" not in said(opened(digit=sure, step=6))


def test_what_one_saw_is_what_core_measures(test_digits: Digits) -> None:
    network, _ = SHIPPED.load("report")
    x, label = test_digits.x[:1], int(test_digits.y[0])
    flip = follow(network, METHODS["fgsm"], x, label, levels=SCREEN).flip
    assert flip is not None
    at = opened(digit=0, step=3, answers="--" + str(band(flip.epsilon)), seen="3")
    assert "Right" in said(at)
    assert IN_BANDS[band(flip.epsilon)] in said(at)
    zero = follow(network, METHODS["pgd"], x, label, target=0, levels=SCREEN)
    assert f"{zero.reaches:.3f}" in said(opened(digit=0, step=5, answers="----x", seen="5"))


def test_the_aim_can_be_changed_and_the_question_stays(test_digits: Digits) -> None:
    at = opened(digit=0, step=5, answers="----x", seen="5")
    before = said(at)
    at.session_state["aim"] = 9
    well(at.run())
    assert stands_for(at)["aim"] == "9"
    assert said(at) == before
    zero = int(np.flatnonzero(test_digits.y == 0)[0])
    assert "read a 1 here" in said(opened(digit=zero, step=5))


def test_the_last_step_shows_both_networks_and_leads_on() -> None:
    at = opened(step=8, answers="-------2")
    assert len(at.get("plotly_chart")) == 1
    assert "Right" in said(at)
    assert stands_for(at)["epsilon"] == "0.1"
    assert len(at.get("page_link")) == 3
    well(at.button(key="start_again").click().run())
    assert stands_for(at)["step"] == "1"
    assert "answers" not in stands_for(at)


@pytest.mark.parametrize(
    "query",
    [{"step": "9"}, {"step": "0"}, {"step": "x"}, {"answers": "zz"}, {"answers": "0" * 9}]
    + [{"seen": "0"}, {"seen": "3" * 99}, {"answers": "\N{ARABIC-INDIC DIGIT ONE}"}],
)
def test_nonsense_in_the_address_counts_as_absent(query: dict[str, str]) -> None:
    at = opened(**query)
    assert stands_for(at) == {"step": "1"}
    assert asks(at, 1)


def test_an_answer_that_there_is_not_is_the_last_one() -> None:
    at = opened(digit=0, step=4, answers="---9", seen="4")
    assert COUNTS[-1] in said(at)


def test_a_network_that_is_missing_is_named(library: Library) -> None:
    assert [error.value for error in opened(step=7, answers="------1").error]
    assert library.names() == []
