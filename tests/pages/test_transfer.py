"""The Transfer page, run by Streamlit's AppTest."""

import json
import re
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.attacks import fgsm
from core.data import mnist
from core.data.mnist import Digits
from core.networks import Library
from core.networks.mlp import MLP
from core.serving.evaluations import indices
from core.serving.turns import Place
from pages.attack.transfer_choice import FIRST
from pages.parts.server import server
from tests.conftest import SHIPPED
from tests.core.networks.samples import CARD, NETWORK
from tests.pages.conftest import opened as open_page
from tests.pages.conftest import stands_for, tables, until, well

APP = str(Path(__file__).parent.parent.parent / "app.py")
PAGE = "pages/attack/transfer.py"
PAIR = "report~few-images"


def opened(**query: str) -> AppTest:
    """Open the page by a link and return it."""
    return open_page(APP, PAGE, **query)


@pytest.fixture
def three(library: Library) -> Library:
    """A library of three networks, so that all images take a moment."""
    for name in ("report", "few-images", "dropout"):
        shutil.copy(SHIPPED.path(name), library.folder)
    return library


def is_waiting(at: AppTest) -> bool:
    return any(button.key == "stop_waiting" for button in at.button)


def of_all(at: AppTest) -> AppTest:
    """Return the page once it has the answer, and nothing more is computed."""
    return until(at, lambda at: at.get("plotly_chart") and not is_waiting(at))


def chart(at: AppTest) -> dict[str, Any]:
    figure: dict[str, Any] = json.loads(at.get("plotly_chart")[0].proto.spec)
    return figure


def said(at: AppTest) -> str:
    text = "\n".join(each.value for each in (*at.markdown, *at.caption, *at.info, *at.warning))
    return text.replace("\N{NO-BREAK SPACE}", " ")


def pictures(at: AppTest) -> list[str]:
    """Return the descriptions of the page's images."""
    markup = " ".join(element.proto.body for element in at.get("html"))
    return re.findall('<img alt="([^"]+)"', markup)


def taken_for(network: MLP, x: np.ndarray) -> np.ndarray:
    """Return predictions, computed independently of `core`."""
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        x = np.maximum(x @ weight + bias, 0)
    predictions: np.ndarray = (x @ network.weights[-1] + network.biases[-1]).argmax(axis=1)
    return predictions


def test_the_first_visit_compares_networks_that_differ() -> None:
    at = opened()
    assert at.multiselect(key="among").value == [*FIRST]
    until(at, lambda at: at.get("plotly_chart"))
    assert chart(at)["layout"]["yaxis"]["ticktext"][0] == "standard"
    assert len(chart(at)["data"][0]["z"]) == len(FIRST) + 1
    assert at.selectbox(key="made_by").value == "FGSM"


def test_rates_are_plain_counts_of_what_both_read_right(
    three: Library, test_digits: Digits
) -> None:
    at = of_all(opened(networks=PAIR, linf="0.15"))
    x, y = test_digits.x, test_digits.y
    networks = [SHIPPED.load(name)[0] for name in ("report", "few-images")]
    right = [taken_for(each, x) == y for each in networks]  # type: ignore[arg-type]
    shown, (head, *rows) = chart(at), tables(at)[0]
    for row, maker in enumerate(networks):
        x_adv = np.round(fgsm(maker, x, y, 0.15) * 255) / 255
        for column, other in enumerate(networks):
            both = right[row] & right[column]
            fooled = (taken_for(other, x_adv) != y) & both  # type: ignore[arg-type]
            trace = shown["data"][0 if row == column else 1]
            assert trace["z"][row][column] == pytest.approx(fooled.sum() / both.sum(), abs=3e-4)
            texts = shown["data"][3]["customdata"][2 * row + column]
            assert f"of {both.sum():,})" in texts[0]
            cell = head.index("With your weights" if row == column else "Stand-in fools")
            rate = float(rows[column][cell].removesuffix("\N{NO-BREAK SPACE}%"))
            assert rate == pytest.approx(100 * fooled.sum() / both.sum(), abs=0.1)
    assert "**both**" in said(at)
    assert "10,000" in said(at)


def test_a_sample_comes_first_and_can_be_all_there_is(three: Library) -> None:
    go_on = threading.Event()
    server().evaluations.long.submit(Place(go_on.wait, dict))  # so that all images have to wait
    at = until(opened(networks=PAIR, attack="BIM"), lambda at: at.get("plotly_chart"))
    assert is_waiting(at)
    assert "1,000 images" in said(at)
    well(at.button(key="stop_waiting").click().run())
    assert not is_waiting(at)
    assert "Stopped" in said(at)
    assert at.get("plotly_chart")
    well(at.button(key="go_on").click().run())
    assert is_waiting(at)
    go_on.set()
    assert "10,000 images" in said(of_all(at))


def test_a_cell_shows_ten_images_and_is_in_the_address(three: Library, test_digits: Digits) -> None:
    at = of_all(opened(networks=PAIR, linf="0.2"))
    assert not pictures(at)
    well(at.selectbox(key="made_on").set_value("report").run())
    assert not pictures(at)
    well(at.selectbox(key="tried_on").set_value("few-images").run())
    found = pictures(at)
    assert len(found) == 20
    assert (at.query_params["made_on"], at.query_params["tried_on"]) == ("report", "few-images")
    for original, twin in zip(found[::2], found[1::2], strict=True):
        number, label, after = map(int, re.findall(r"\d+", original))
        assert test_digits.y[number] == label != after
        assert original.removeprefix("Original") == twin.removeprefix("Adversarial")
    assert len(chart(at)["layout"]["shapes"]) == 1
    again = of_all(opened(**dict(at.query_params)))
    assert pictures(again) == found
    well(at.selectbox(key="made_on").set_value("~noise").run())
    assert pictures(at) != found
    well(at.multiselect(key="among").set_value(["report", "dropout"]).run())
    assert "tried_on" not in at.query_params
    assert at.query_params["made_on"] == "~noise"
    assert not pictures(of_all(at))


def test_the_address_brings_everything_back(three: Library) -> None:
    query = {
        "networks": PAIR,
        "attack": "PGD (L2)",
        "target": "3",
        "l2": "1.5",
        "made_on": "few-images",
        "tried_on": "report",
    }
    at = opened(**query)
    assert stands_for(at) == query
    at.query_params.clear()  # as Back would
    for name, value in {**query, "target": "4", "attack": "FGSM", "linf": "0.3"}.items():
        at.query_params[name] = value
    well(at.run())
    assert at.selectbox(key="aim_for").value == "4"
    assert at.selectbox(key="made_by").value == "FGSM"


def test_a_target_counts_what_reaches_it(three: Library, test_digits: Digits) -> None:
    at = of_all(opened(networks=PAIR, linf="0.2", target="8", made_on="report", tried_on="report"))
    assert "taken for 8" in said(at)
    left = int((test_digits.y != 8).sum())
    assert f"{left:,} images" in said(at)
    assert all(text.endswith("→ 8") for text in pictures(at))


def test_an_attack_that_cannot_aim_or_is_slow_gets_its_own_page(three: Library) -> None:
    at = until(
        opened(networks=PAIR, attack="DeepFool", target="3", l2="2"),
        lambda at: at.get("plotly_chart"),
    )
    assert at.selectbox(key="aim_for").disabled
    assert "target" not in stands_for(at)
    assert "random test images" in said(of_all(at))
    assert chart(at)["data"][0]["z"][0][0] > chart(at)["data"][1]["z"][0][1]


@pytest.mark.parametrize(
    ("query", "left", "named"),
    [
        ({"networks": "report~nobody~dropout"}, ["report", "dropout"], "nobody"),
        ({"networks": "../report~<b>x~report~dropout"}, ["report", "dropout"], r"\<b\>x"),
        ({"networks": PAIR, "made_on": "nobody", "tried_on": "report"}, PAIR.split("~"), "nobody"),
    ],
)
def test_what_does_not_exist_is_left_out_and_named(
    query: dict[str, str], left: list[str], named: str, three: Library
) -> None:
    at = opened(**query)
    assert at.multiselect(key="among").value == left
    assert named in at.warning[0].value
    assert len(chart(of_all(at))["data"][0]["z"]) == len(left) + 1
    assert at.warning  # also when the page has run again by itself
    well(at.multiselect(key="among").set_value(["report", "few-images", "dropout"]).run())
    assert not at.warning


def test_a_network_that_is_deleted_meanwhile_is_a_sentence(three: Library) -> None:
    three.keep("mine", NETWORK, CARD)
    at = of_all(opened(networks="report~dropout~mine", made_on="mine", tried_on="report"))
    assert not at.warning
    three.delete("mine")
    of_all(well(at.run()))
    assert "mine" in at.warning[0].value
    assert at.multiselect(key="among").value == ["report", "dropout"]
    assert "made_on" not in at.query_params


def test_at_most_eight_networks_are_compared(library: Library) -> None:
    for number in range(9):
        library.keep(f"network {number}", NETWORK, CARD)
    names = library.names()
    at = opened(networks="~".join(names))
    assert at.multiselect(key="among").value == names[:8]
    assert "9" in at.warning[0].value


@pytest.mark.parametrize("networks", ["~", "report", "nobody~nothing"])
def test_fewer_than_two_networks_are_a_sentence(networks: str, three: Library) -> None:
    at = opened(networks=networks)
    assert "two networks" in at.info[0].value
    assert not at.get("plotly_chart")


def test_nonsense_in_the_address_counts_as_absent(three: Library) -> None:
    at = opened(networks=PAIR, attack="Random noise", target="11", linf="nan", made_on="\x00")
    assert at.selectbox(key="made_by").value == "FGSM"
    assert stands_for(at)["linf"] == "0.1"
    of_all(at)


def test_damaged_files_are_sentences(three: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    (three.folder / "broken.safetensors").write_bytes(b"nothing")
    at = opened(networks=f"broken~{PAIR}")
    assert len(at.error) == 1
    assert len(chart(of_all(at))["data"][0]["z"]) == 3

    def fail(split: str) -> None:
        raise mnist.DataFileError("MNIST's files are damaged.")

    monkeypatch.setattr(server(), "digits", fail)
    at = opened(networks=PAIR)
    assert [error.value for error in at.error] == ["MNIST's files are damaged."]


def test_no_network_is_a_sentence(library: Library) -> None:
    at = opened()
    assert "holds no network" in at.error[0].value


def test_the_sample_is_the_test_set_s() -> None:
    """So that both pages speak of the same images."""
    chosen = np.sort(np.random.default_rng(0).permutation(10_000)[:1000])
    np.testing.assert_array_equal(indices(1000), chosen)
