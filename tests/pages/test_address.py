"""The address is the truth, run by AppTest; Back and Forward are tested in the browser."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.data import link
from core.data.mnist import Digits
from tests.pages.conftest import opened, stands_for, well
from tests.pages.test_draw import APP, SEVEN, correct, draw, explorer, strokes

TRAIN, TEST_SET = "pages/training/train.py", "pages/attack/whole_test_set.py"
REMEDIES = "pages/training/remedies.py"
TWO_STROKES = strokes([(80, 70), (200, 70), (130, 220)], [(100, 150), (190, 150)])


def go_to(at: AppTest, **query: str) -> AppTest:
    """Change the address as somebody else would."""
    at.query_params.clear()
    for name, value in query.items():
        at.query_params[name] = value
    return well(at.run())


def key_of_canvas(at: AppTest) -> str:
    key: str = at.session_state["sketch"].key
    return key


def sent(at: AppTest, drawing: object) -> AppTest:
    """Have the canvas that is shown send this."""
    at.session_state[key_of_canvas(at)] = drawing
    return well(at.run())


def pixels(at: AppTest) -> list[int]:
    """Return what the network sees."""
    data = explorer(at)
    assert data is not None
    return list(data["frames"][:784])


def test_an_address_from_elsewhere_changes_every_widget() -> None:
    at = opened(APP, digit="3", attack="PGD", target="5", epsilon="0.2")
    well(at.number_input(key="digit").set_value(4).run())
    well(at.selectbox(key="attack").set_value("BIM").run())
    assert at.query_params["digit"] == "4"
    go_to(at, digit="17", epsilon="0.1")
    assert at.number_input(key="digit").value == 17
    assert at.selectbox(key="attack").value == "FGSM"
    assert at.selectbox(key="target").value == "any other digit"
    data = explorer(at)
    assert data is not None
    assert data["start"] == pytest.approx(0.1)
    # Then the widgets win again.
    well(at.selectbox(key="attack").set_value("PGD").run())
    assert at.query_params == {
        "model": "report",
        "attack": "PGD",
        "digit": "17",
        "epsilon": "0.100",
    }
    go_to(at)
    assert at.button_group(key="source").value == "Draw"
    assert explorer(at) is None


@pytest.mark.parametrize(
    "query",
    [
        {"pixels": "abc", "source": "Photo", "centre": "1", "label": "10"},
        {"pixels": "", "source": "", "centre": "", "label": ""},
        {"pixels": "r" + 1200 * "A", "label": "-1"},
        {"pixels": "aÄ\x00", "label": "7.0", "source": "picture"},
    ],
)
def test_nonsense_counts_as_absent(query: dict[str, str]) -> None:
    at = opened(APP, **query)
    assert at.button_group(key="source").value == "Draw"
    assert at.button(key="clear").disabled
    assert stands_for(at) == {"model": "report", "attack": "FGSM", "epsilon": "0.000"}
    draw(at, SEVEN)
    assert at.toggle(key="centre").value


@pytest.mark.parametrize("source", ["Draw", "Picture"])
def test_a_digit_in_the_address_is_the_same_to_the_last_level(
    source: str, test_digits: Digits
) -> None:
    levels = np.random.default_rng(3).integers(256, size=784, dtype=np.uint8)
    for given in (levels, (test_digits.x[8] * 255).round().astype(np.uint8)):
        query = {"pixels": link.encode(given), "label": "2", "centre": "off", "source": source}
        at = opened(APP, **query)
        data = explorer(at)
        assert data is not None
        assert pixels(at) == given.tolist()
        assert data["label"] == 2
        assert stands_for(at) == {
            "model": "report",
            "attack": "FGSM",
            "epsilon": "0.000",
            **{name: text for name, text in query.items() if text != "Draw"},
        }


def test_what_is_drawn_is_in_the_address_and_opens_as_it_was() -> None:
    at = draw(opened(APP), SEVEN)
    correct(at, drawing=0, label=1)
    again = opened(APP, **dict(at.query_params))
    assert pixels(again) == pixels(at)
    assert explorer(again)["label"] == 1  # type: ignore[index]
    assert explorer(again)["id"] == explorer(at)["id"]  # type: ignore[index]


def test_strokes_on_a_digit_of_the_address_are_added_and_undone() -> None:
    at = draw(opened(APP), SEVEN)
    seven = pixels(at)
    again = opened(APP, pixels=at.query_params["pixels"])
    assert again.button(key="undo").disabled
    on_top = strokes([(100, 150), (190, 150)])
    sent(again, on_top)
    assert np.sum(np.not_equal(pixels(again), seven)) > 10
    assert again.query_params["pixels"] == link.encode(np.array(pixels(again), np.uint8))
    well(again.button(key="undo").click().run())
    assert pixels(again) == seven
    assert again.button(key="undo").disabled
    well(again.button(key="clear").click().run())
    assert explorer(again) is None
    assert "pixels" not in again.query_params
    well(again.button(key="undo").click().run())
    assert pixels(again) == seven


def test_an_earlier_address_brings_the_strokes_back() -> None:
    at = draw(opened(APP), SEVEN)
    seven, address = pixels(at), dict(at.query_params)
    draw(at, TWO_STROKES)
    assert pixels(at) != seven
    later = dict(at.query_params)
    well(at.selectbox(key="attack").set_value("PGD").run())
    go_to(at, **{**address, "epsilon": "0.100"})
    assert pixels(at) == seven
    assert at.session_state["sketch"].last.base is None
    assert not at.button(key="undo").disabled
    go_to(at, **{**later, "epsilon": "0.100"})
    well(at.button(key="undo").click().run())
    assert pixels(at) == seven


def test_a_drawing_that_was_empty_is_a_new_one() -> None:
    at = correct(draw(opened(APP), SEVEN), drawing=0, label=1)
    assert at.query_params["label"] == "1"
    well(at.button(key="undo").click().run())
    assert "label" not in at.query_params
    sent(at, SEVEN)
    assert explorer(at)["label"] == 7  # type: ignore[index]
    assert "label" not in at.query_params


def test_a_page_opened_from_the_menu_keeps_the_settings() -> None:
    at = draw(opened(APP), SEVEN)
    seven = pixels(at)
    well(at.selectbox(key="attack").set_value("PGD").run())
    at.query_params.clear()  # the menu does so
    well(at.switch_page(REMEDIES).run())
    assert at.query_params == {"budget": "0.1", "against": "Strongest"}
    at.query_params.clear()
    well(at.switch_page("pages/attack/draw.py").run())
    assert pixels(at) == seven
    assert at.query_params["attack"] == "PGD"
    assert link.decode(at.query_params["pixels"]).tolist() == seven


def test_a_recipe_s_settings_are_in_the_address() -> None:
    at = opened(APP, TRAIN)
    well(at.selectbox(key="recipe").set_value("ensemble").run())
    well(at.number_input(key="recipe_epochs").set_value(3).run())
    well(at.text_input(key="recipe_hidden").set_value("32, 16").run())
    well(at.toggle(key="recipe_flip").set_value(True).run())
    assert at.query_params["recipe_epochs"] == "3"
    assert "recipe_seed" not in at.query_params
    again = opened(APP, TRAIN, **dict(at.query_params))
    assert again.number_input(key="recipe_epochs").value == 3
    assert again.text_input(key="recipe_hidden").value == "32, 16"
    assert again.toggle(key="recipe_flip").value
    assert again.selectbox(key="recipe").value == "ensemble"
    assert stands_for(again) == dict(at.query_params)


def test_a_recipe_s_nonsense_counts_as_absent() -> None:
    query = {"epochs": "1e9", "hidden": "x", "flip": "yes", "digits": "01a", "optimizer": "lion"}
    query |= {"start": "../report", "learning_rate": "nan", "seed": "-1"}
    at = opened(APP, TRAIN, **{f"recipe_{name}": value for name, value in query.items()})
    assert stands_for(at) == {"recipe": "report"}


def test_nothing_chosen_is_in_the_address_too() -> None:
    at = opened(APP, REMEDIES)
    well(at.multiselect(key="networks").set_value([]).run())
    again = opened(APP, REMEDIES, **dict(at.query_params))
    assert again.multiselect(key="networks").value == []


@pytest.mark.parametrize("page", ["", TEST_SET])
def test_a_network_that_is_gone_is_named_until_another_is_chosen(page: str) -> None:
    at = opened(APP, page, model="our*own*")
    assert r"our\*own\*" in at.warning[0].value
    assert "standard" in at.warning[0].value
    assert at.selectbox(key="model").value == "report"
    well(at.run())
    assert len(at.warning) == 1
    well(at.selectbox(key="model").set_value("dropout").run())
    assert not at.warning
    assert not opened(APP, page, model="dropout").warning
