"""The walk and the map below the instrument, run by Streamlit's AppTest."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from core.attacks import BY_TITLE, FOLLOWED
from core.data.mnist import Digits
from core.evaluation import plane
from core.evaluation.path import follow
from core.networks.mlp import MLP
from tests.pages.conftest import opened, stands_for, well

APP = str(Path(__file__).parent.parent.parent / "app.py")


def player(at: AppTest) -> dict[str, Any] | None:
    """Return what the player of the steps was given, or None where it is not on the page."""
    for element in at.get("bidi_component"):
        if element.proto.component_name.endswith("walk_player"):
            content = element.proto.bytes
            length = int.from_bytes(content[:4], "little")
            about: dict[str, Any] = json.loads(content[4 : 4 + length])
            parts = np.frombuffer(content[4 + length :], np.uint8)
            images, moves, taken = parts.reshape(3, len(about["loss"]), 784)
            return {
                **about,
                "images": images,
                "moves": moves.view(np.int8),
                "taken": taken.view(np.int8),
            }
    return None


def charts(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def at_budget(
    network: MLP, digits: Digits, title: str, epsilon: float, index: int = 0
) -> NDArray[np.uint8]:
    """Return the picture that the slider shows at a budget."""
    method, x = BY_TITLE[title], digits.x[index : index + 1]
    path = follow(network, method, x, int(digits.y[index]), levels=256)
    place = int(np.abs(path.scale.budgets - epsilon).argmin())
    picture: NDArray[np.uint8] = (path.x_adv[place] * 255).round().astype(np.uint8)
    return picture


def test_both_are_computed_only_once_they_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    looked, look_at = [], plane.look_at

    def count(*args: Any, **settings: Any) -> plane.Plane:
        looked.append(args)
        return look_at(*args, **settings)

    monkeypatch.setattr(plane, "look_at", count)
    at = opened(APP, digit="0", attack="BIM", epsilon="0.12")
    assert player(at) is None
    assert not charts(at)
    assert not looked
    at.session_state["map"] = True
    well(at.run())
    assert len(charts(at)) == len(looked) == 1
    at.session_state["walk"] = True
    well(at.run())
    assert player(at) is not None
    assert len(charts(at)) == 2
    assert len(looked) == 1  # kept by the server


@pytest.mark.thorough
@pytest.mark.parametrize("title", ["BIM", "PGD", "PGD (L2)", "MI-FGSM"])
def test_the_walk_ends_at_the_picture_of_the_slider(
    title: str, report_network: MLP, test_digits: Digits
) -> None:
    epsilon = 1.5 if title == "PGD (L2)" else 0.15
    at = opened(APP, digit="0", attack=title, epsilon=str(epsilon), walk="on")
    data = player(at)
    assert data is not None
    expected = at_budget(report_network, test_digits, title, epsilon)
    np.testing.assert_array_equal(data["images"][-1], expected)
    seen = report_network.logits(data["images"] / np.float32(255)).argmax(axis=1)
    assert data["labels"] == seen.tolist()
    assert data["flip"] == int(np.flatnonzero(seen != 7)[0])
    assert np.abs(data["moves"][1:].astype(int)).max(axis=1).tolist() == [127] * (len(seen) - 1)
    assert (np.count_nonzero(data["taken"], axis=1) <= data["counts"]).all()
    # The slider comes to rest elsewhere.
    at.session_state["epsilon"] = epsilon / 3
    well(at.run())
    moved = player(at)
    assert moved is not None and moved["id"] != data["id"]
    expected = at_budget(report_network, test_digits, title, epsilon / 3)
    np.testing.assert_array_equal(moved["images"][-1], expected)


@pytest.mark.parametrize("title", ["FGSM", "Random noise", "Carlini–Wagner"])
def test_an_attack_without_a_walk_says_so(title: str) -> None:
    at = opened(APP, digit="0", attack=title, walk="on")
    assert player(at) is None
    assert any(title in text.value for text in at.expander(key="walk").markdown)


@pytest.mark.thorough
@pytest.mark.parametrize("title", list(FOLLOWED))
def test_every_attack_has_its_map(title: str) -> None:
    at = opened(APP, digit="0", attack=title, epsilon="0.3", map="on")
    first = charts(at)
    assert len(first) == 1
    names = {trace.get("name") for trace in first[0]["data"]}
    one_step = title in ("FGSM", "Random noise", "Carlini–Wagner", "Square", "Square (L2)")
    assert ("the attack's steps" in names) is not one_step
    assert "the ball's edge" in names
    well(at.button_group(key="across").set_value("random").run())
    second = charts(at)
    assert second != first
    assert stands_for(at)["across"] == "random"


def test_at_zero_the_map_goes_through_the_image_at_the_flip(
    report_network: MLP, test_digits: Digits
) -> None:
    at = opened(APP, digit="0", attack="BIM", epsilon="0", map="on")
    (chart,) = charts(at)
    images = next(trace for trace in chart["data"] if trace.get("name") == "the three images")
    assert images["x"][1] > 1
    written = {each["text"] for each in chart["layout"]["annotations"]}
    assert {"7", "3"} <= written
    said = " ".join(text.value for text in at.expander(key="map").markdown)
    (epsilon,) = re.findall(r"ε = (0\.\d{3})", said)
    path = follow(report_network, BY_TITLE["BIM"], test_digits.x[:1], 7, levels=256)
    flips = path.scale.budgets[np.flatnonzero(path.predictions != 7)[0]]
    assert float(epsilon) == pytest.approx(flips)


def test_where_the_attack_changes_nothing_there_is_no_map_and_no_step(
    report_network: MLP, test_digits: Digits
) -> None:
    wrong = report_network.logits(test_digits.x).argmax(axis=1) != test_digits.y
    index = str(np.flatnonzero(wrong)[0])
    at = opened(APP, digit=index, attack="DeepFool", map="on", walk="on")
    data = player(at)
    assert data is not None and len(data["images"]) == 1
    assert "no step" in at.expander(key="walk").markdown[0].value
    assert len(charts(at)) == 1  # the walk's alone


def test_both_are_in_the_address_and_nonsense_there_is_absent() -> None:
    at = opened(APP, digit="0", attack="BIM", walk="on", map="on", across="random")
    assert at.button_group(key="across").value == "random"
    assert {"walk": "on", "map": "on", "across": "random"}.items() <= stands_for(at).items()
    at = opened(APP, digit="0", walk="yes", map="1", across="<b>")
    assert not {"walk", "map", "across"} & set(stands_for(at))
    assert not charts(at)


def test_a_target_is_walked_towards_unless_it_is_the_digit_itself() -> None:
    three = player(opened(APP, digit="0", attack="PGD", epsilon="0.3", target="3", walk="on"))
    assert three is not None and three["labels"][-1] == 3
    assert three["loss"][-1] < three["loss"][0]
    itself = player(opened(APP, digit="0", attack="PGD", epsilon="0.3", target="7", walk="on"))
    untargeted = player(opened(APP, digit="0", attack="PGD", epsilon="0.3", walk="on"))
    assert itself is not None and untargeted is not None
    assert itself["id"] == untargeted["id"]
