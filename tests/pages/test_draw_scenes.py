"""The scenes of the Draw page show what they say."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.attack.scenes import SCENES, Scene
from tests.pages.conftest import well
from tests.pages.test_draw import SEVEN, draw, explorer, opened


def shown(scene: Scene) -> tuple[AppTest, list[int], int, float | None]:
    """Choose a scene; return the page, the prediction at each budget, the label, the flip's ε."""
    at = draw(opened(), SEVEN)
    at.session_state["scenes"] = True
    well(at.run())
    well([button for button in at.button if button.label == scene.title][0].click().run())
    data = explorer(at)
    assert data is not None
    assert data["start"] == pytest.approx(scene.epsilon)
    assert at.query_params["epsilon"] == f"{scene.epsilon:.3f}"
    flip = data["flip"]
    return (
        at,
        list(np.argmax(data["probabilities"], axis=1)),
        data["label"],
        flip and flip["epsilon"],
    )


def test_each_scene_shows_what_it_says() -> None:
    small, noise, aim, withstands, border, wrong = SCENES
    _, seen, label, flips = shown(small)
    at_place = round(200 * small.epsilon)
    assert seen[0] == label != seen[at_place]
    assert flips is not None

    _, seen, same, _ = shown(noise)
    assert seen[: at_place + 1] == [label] * (at_place + 1)
    assert same == label

    _, seen, _, _ = shown(aim)
    assert seen[round(200 * aim.epsilon)] == int(aim.target) != label

    _, _, same, later = shown(withstands)
    assert same == label
    assert later is None or later > 2 * flips

    _, seen, label, _ = shown(border)
    assert seen[0] == label != seen[1]

    _, seen, label, _ = shown(wrong)
    assert seen[0] != label


def test_a_scene_says_why_until_something_else_is_chosen() -> None:
    def why(at: AppTest) -> bool:
        return any(scene.why in text.value for text in at.markdown)

    scene = SCENES[3]
    at, *_ = shown(scene)
    assert why(at)
    assert not at.session_state["scenes"]
    assert dict(at.query_params) == {
        "digit": "0",
        "model": scene.network,
        "attack": scene.attack,
        "epsilon": "0.100",
    }
    well(at.selectbox(key="attack").set_value("PGD").run())
    assert not why(at)
