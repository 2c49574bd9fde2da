"""The units: what the browser gets recomputes what the network says."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.classifier import FloatArray
from core.evaluation.units import pixel_weights, watch
from core.networks import MLP, Ensemble, Library, Sequential, Single
from core.networks.layers import Activation, Affine, Convolution, Scaling
from tests.conftest import SHIPPED, random_mlp
from tests.core.networks.lenet import lenet
from tests.core.networks.samples import CARD
from tests.pages.conftest import opened, stands_for, well
from tests.pages.test_draw import explorer

APP = str(Path(__file__).parent.parent.parent / "app.py")


def units(at: AppTest) -> dict[str, Any] | None:
    """Return what the browser was given, or None where the units are not shown."""
    for element in at.get("bidi_component"):
        if element.proto.component_name.endswith("inside_units"):
            return unpacked(element.proto.bytes)
    return None


def unpacked(content: bytes) -> dict[str, Any]:
    """Return the parts of a message, as the browser reads them."""
    start = 4 + int.from_bytes(content[:4], "little")
    about: dict[str, Any] = json.loads(content[4:start])
    budgets, hidden = about["budgets"], about["hidden"]

    def take(kind: str, *shape: int) -> np.ndarray:
        nonlocal start
        first, start = start, start + int(np.prod(shape)) * np.dtype(kind).itemsize
        return np.frombuffer(content[first:start], kind).reshape(shape)

    found = {
        **about,
        "epsilons": take("<f4", budgets),
        "activations": [take("<f4", budgets, each) for each in hidden],
        "logits": take("<f4", budgets, 10),
        "weights": take("<f4", hidden[-1], 10),
        "carriers": take("<i4", budgets, about["carriers"]),
        "pictures": take("i1", hidden[0], 784) if about["largest"] else None,
        "channels": [take("i1", budgets, *shape) for shape in about["maps"]],
    }
    assert start == len(content)
    return found


def shown_images(at: AppTest) -> np.ndarray:
    """Return the images that the slider shows, `(B, 784)`."""
    data = explorer(at)
    assert data is not None
    frames = np.frombuffer(data["frames"], np.uint8).reshape(-1, 784)
    return frames.astype(np.float32) / 255


def check(at: AppTest, network: Single) -> None:
    """Fail unless the activations on the page give the logits of what the slider shows."""
    data, x_adv = units(at), shown_images(at)
    assert data is not None
    logits = network.logits(x_adv)
    last = data["activations"][-1].astype(np.float64)
    np.testing.assert_allclose(last @ data["weights"] + biases_of(network), logits, atol=1e-4)
    np.testing.assert_allclose(data["logits"], logits, atol=1e-4)
    moved = np.abs((last[-1] - last[0])[:, None] * data["weights"]).ravel()
    assert moved[data["carriers"][-1]].tolist() == sorted(moved, reverse=True)[:10]
    weights = pixel_weights(network)
    if weights is None:
        assert data["pictures"] is None
    else:
        steps = weights.T / np.array(data["largest"])[:, None] * 127
        np.testing.assert_allclose(data["pictures"], steps, atol=0.6)


def biases_of(network: Single) -> FloatArray:
    """Return the last layer's biases."""
    if isinstance(network, MLP):
        return network.biases[-1]
    last = network.layers[-1]
    assert isinstance(last, Affine)
    return last.bias


def test_the_activations_on_the_page_recompute_the_logits(report_network: MLP) -> None:
    at = opened(APP, digit="17", attack="PGD", epsilon="0.15")
    assert units(at) is None  # nothing is computed before it is asked for
    at.session_state["units"] = True
    well(at.run())
    check(at, report_network)
    data, slider = units(at), explorer(at)
    assert data is not None and slider is not None
    assert data["hidden"] == [128, 64]
    assert data["epsilons"][data["start"]] == pytest.approx(0.15)
    assert data["epsilons"] == pytest.approx(slider["epsilons"])
    assert slider["probabilities"].argmax(axis=1).tolist() == data["logits"].argmax(axis=1).tolist()
    contributions = watch(report_network, shown_images(at)).contributions(30)
    change = data["logits"][30] - data["logits"][0]
    np.testing.assert_allclose(contributions.sum(axis=0), change, atol=1e-4)
    well(at.run())
    assert stands_for(at)["units"] == "on"


def test_an_ensemble_is_looked_into_network_by_network() -> None:
    at = opened(APP, digit="17", model="ensemble", units="on", member="1")
    ensemble = SHIPPED.load("ensemble")[0]
    assert isinstance(ensemble, Ensemble)
    check(at, ensemble.members[1])
    assert stands_for(at)["member"] == "1"
    well(at.button_group(key="member").set_value(0).run())
    check(at, ensemble.members[0])
    assert "member" not in at.query_params
    well(at.selectbox(key="model").set_value("report").run())
    assert not [group for group in at.button_group if group.key == "member"]


def test_nonsense_in_the_address_is_a_closed_view_and_the_first_network() -> None:
    assert units(opened(APP, digit="17", units="yes")) is None
    at = opened(APP, digit="17", model="ensemble", units="on", member="99")
    assert at.button_group(key="member").value == 0


@pytest.mark.parametrize(
    ("hidden", "said"), [((), "no hidden units"), ((1500,), "1,500"), ((30, 20, 10), None)]
)
def test_networks_of_other_sizes(
    library: Library, hidden: tuple[int, ...], said: str | None
) -> None:
    shutil.copy(SHIPPED.path("report"), library.folder)
    network = random_mlp((784, *hidden, 10), seed=1, dtype=np.float32)
    name = library.keep("other", network, CARD)
    at = opened(APP, digit="17", model=name, units="on")
    if said is None:
        check(at, network)
    else:
        assert units(at) is None
        assert any(said in text.value for text in at.markdown)


def test_a_convolution_s_channels_are_shown_beside_the_units(library: Library) -> None:
    shutil.copy(SHIPPED.path("report"), library.folder)
    network = lenet()
    name = library.keep("lenet", network, CARD)
    at = opened(APP, digit="17", model=name, units="on")
    check(at, network)
    data, x_adv = units(at), shown_images(at)
    assert data is not None
    assert (data["hidden"], data["before"]) == ([120, 84], 2)
    assert data["maps"] == [[6, 14, 14], [16, 5, 5]]
    for shown, pooled in zip(data["channels"], network.outputs(x_adv, [2, 5]), strict=True):
        np.testing.assert_allclose(shown, pooled / np.abs(pooled).max() * 127, atol=0.51)


WIDE = Convolution(np.ones((20, 1, 5, 5), np.float32), np.ones(20, np.float32), padding=2)
TO_UNITS = Affine(np.full((20 * 784, 5), 0.01, np.float32), np.ones(5, np.float32))
TO_DIGITS = Affine(np.eye(5, 10, dtype=np.float32), np.zeros(10, np.float32))
PIXELS = Scaling(np.array([-2], np.float32), np.array([1], np.float32))
SMALL = random_mlp((784, 30, 10), seed=1, dtype=np.float32)
HIDDEN, LOGITS = map(Affine, SMALL.weights, SMALL.biases)


@pytest.mark.parametrize(
    ("layers", "maps"),
    [
        ((PIXELS, HIDDEN, Activation("tanh"), LOGITS), []),
        ((WIDE, Activation(), TO_UNITS, Activation(), TO_DIGITS), []),  # too large to be followed
        ((WIDE, Activation(), Affine(np.ones((20 * 784, 10), np.float32), SMALL.biases[1])), None),
        ((HIDDEN, Activation(), LOGITS, Activation("sigmoid")), None),
    ],
)
def test_other_layers(library: Library, layers: tuple[Any, ...], maps: list[Any] | None) -> None:
    shutil.copy(SHIPPED.path("report"), library.folder)
    network = Sequential(layers)
    at = opened(APP, digit="17", model=library.keep("other", network, CARD), units="on")
    if maps is not None:
        check(at, network)
    data = units(at)
    assert (data and data["maps"]) == maps
