"""Draw with a convolutional network: every attack is followed, and no view breaks."""

import shutil

import numpy as np
import pytest

from core.attacks import BY_TITLE, FOLLOWED, METHODS
from core.data.mnist import Digits
from core.evaluation.path import follow
from core.measures import SCREEN, predict
from core.networks import Ensemble, Library, Sequential
from core.networks.layers import Activation, Affine, Convolution
from tests.conftest import SHIPPED
from tests.core.networks.lenet import lenet
from tests.core.networks.samples import CARD
from tests.pages.conftest import stands_for, well
from tests.pages.test_draw import SEVEN, draw, explorer, meant, opened, sentence
from tests.pages.test_inside_code import check

CONVOLUTIONAL = "convolutional"
SLOWEST = pytest.param("Square (L2)", marks=pytest.mark.thorough(left_out=True))


@pytest.mark.thorough
@pytest.mark.parametrize(
    "title", [*(title for title in FOLLOWED if title not in SLOWEST.values), SLOWEST]
)
def test_each_attack_is_followed_and_its_lines_compute_the_same(
    title: str, test_digits: Digits
) -> None:
    method = BY_TITLE[title]
    budget = "0.15" if method.scale.name == "linf" else "0.95"
    at = opened(
        digit="17", model=CONVOLUTIONAL, attack=title, target="3", epsilon=budget, code="on"
    )
    data = explorer(at)
    assert data is not None
    check(at)
    network, _ = SHIPPED.load(CONVOLUTIONAL)
    target = 3 if method.targeted else None
    path = follow(network, method, test_digits.x[[17]], 7, target=target, levels=SCREEN)
    np.testing.assert_allclose(data["probabilities"], path.probabilities, atol=1e-4)
    frames = np.frombuffer(data["frames"], np.uint8).reshape(-1, 784) / np.float32(255)
    np.testing.assert_array_equal(predict(network, frames), path.predictions)


def test_a_drawn_seven_flips_and_two_networks_are_under_one_slider() -> None:
    at = draw(opened(model=CONVOLUTIONAL, compare="report"), SEVEN)
    data = explorer(at)
    assert data is not None
    assert meant(at) == 7
    assert data["flip"]["after"] != 7
    both = data["probabilities"], data["second"]["probabilities"]
    assert [each[0].argmax() for each in both] == [7, 7]
    assert not np.array_equal(*both)
    assert "7" in sentence(at)
    assert stands_for(at)["model"] == CONVOLUTIONAL


@pytest.mark.thorough
def test_every_view_opens() -> None:
    at = opened(
        **{"digit": "17", "model": CONVOLUTIONAL, "attack": "PGD", "epsilon": "0.2"},
        **{view: "on" for view in ("walk", "map", "units", "code")},
    )
    at.session_state["chart"] = True
    well(at.run())
    components = [each.proto.component_name for each in at.get("bidi_component")]
    for part in ("walk_player", "inside_units", "epsilon_explorer"):
        assert any(name.endswith(part) for name in components)
    assert len(at.get("plotly_chart")) == 3  # of the walk, the map and the whole path
    assert at.code


def test_a_large_network_is_attacked_only_as_far_as_it_is_quick(library: Library) -> None:
    shutil.copy(SHIPPED.path("report"), library.folder)
    rng = np.random.default_rng(0)

    def random(*shape: int) -> np.ndarray:
        return rng.normal(size=shape, scale=0.05).astype(np.float32)

    layers = (
        Convolution(random(64, 1, 5, 5), random(64)),
        Activation(),
        Convolution(random(16, 64, 5, 5), random(16), stride=1),
        Activation(),
        Affine(random(16 * 20 * 20, 10), random(10)),
    )
    network = Ensemble((Sequential(layers), Sequential(layers), lenet()))
    name = library.keep("large network", network, CARD)
    at = opened(digit="17", model=name)
    assert explorer(at) is not None
    well(at.selectbox(key="attack").set_value("PGD").run())
    assert explorer(at) is None
    assert any("PGD" in each.value and name in each.value for each in at.info)
    well(at.selectbox(key="model").set_value("report").run())
    assert explorer(at) is not None and not at.info
    at.session_state["compare"] = name
    well(at.run())
    data = explorer(at)
    assert data is not None and data["second"] is None
    assert any(METHODS["pgd"].title in each.value for each in at.info)
