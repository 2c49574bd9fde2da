"""The scenes of the Draw page show what they say."""

from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.attack.scenes import SCENES, Scene
from tests.pages.conftest import well
from tests.pages.test_draw import SEVEN, draw, explorer, opened


def shown(scene: Scene) -> tuple[AppTest, dict[str, Any]]:
    """Choose a scene; return the page, and the data of the live ε."""
    at = draw(opened(), SEVEN)
    well(at.selectbox(key="scenes").set_value(scene.title).run())
    data = explorer(at)
    assert data is not None
    assert data["start"] == pytest.approx(scene.epsilon)
    assert at.query_params["epsilon"] == f"{scene.epsilon:.3f}"
    assert data["choices"]["hidden"] == scene.predict
    return at, data


def seen(data: dict[str, Any], epsilon: float) -> int:
    """Return what a network sees at the slider's place of this ε."""
    return int(data["probabilities"][round(200 * epsilon)].argmax())


def test_each_scene_shows_what_it_says() -> None:
    small, noise, aim, withstands, border, wrong = SCENES
    at, data = shown(small)
    flips, label = data["flip"]["epsilon"], data["label"]
    assert seen(data, 0) == label != data["flip"]["after"]
    assert flips < 0.1
    assert at.query_params["predict"] == "on"

    _, data = shown(noise)
    assert noise.epsilon > flips
    assert data["label"] == label
    assert {seen(data, epsilon) for epsilon in np.linspace(0, noise.epsilon, 21)} == {label}

    _, data = shown(aim)
    assert seen(data, aim.epsilon) == int(aim.target) != data["label"]

    at, data = shown(withstands)
    assert at.query_params["compare"] == data["choices"]["compare"] == withstands.compare
    second = data["second"]
    assert seen(second, withstands.epsilon) == data["label"] != seen(data, withstands.epsilon)
    assert second["flip"] is None or second["flip"]["epsilon"] > 2 * data["flip"]["epsilon"]

    _, data = shown(border)
    assert seen(data, 0) == data["label"] != seen(data, 0.005)

    _, data = shown(wrong)
    assert seen(data, 0) != data["label"]


def test_a_scene_says_why_until_something_else_is_chosen() -> None:
    def why(at: AppTest) -> bool:
        return any(scene.why in text.value for text in at.markdown)

    scene = SCENES[3]
    at, _ = shown(scene)
    assert why(at)
    assert dict(at.query_params) == {
        "digit": "0",
        "model": scene.network,
        "attack": scene.attack,
        "epsilon": "0.100",
        "compare": scene.compare,
    }
    well(at.selectbox(key="attack").set_value("PGD").run())
    assert not why(at)
