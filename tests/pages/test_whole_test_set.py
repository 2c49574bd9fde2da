"""The Test set page, run by Streamlit's AppTest."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.attacks import (
    BY_TITLE,
    CountedAttack,
    deepfool,
    fgsm,
    square_l2_search,
    square_search,
    strongest,
)
from core.bounds import certified
from core.classifier import FloatArray
from core.data import mnist
from core.data.mnist import Digits
from core.evaluation.robustness import Robustness
from core.networks import Library
from core.networks.mlp import MLP
from core.presentation import charts
from core.serving.networks import ServedNetwork
from core.serving.turns import Place
from pages.attack.findings.rates import ALL_RATE, CLEAN
from pages.parts.server import server
from tests.conftest import SHIPPED, random_mlp
from tests.pages.conftest import opened as open_page
from tests.pages.conftest import stands_for, tables, until, well

APP = str(Path(__file__).parent.parent.parent / "app.py")
PAGE = "pages/attack/whole_test_set.py"


def opened(**query: str) -> AppTest:
    """Open the page by a link and return it."""
    at = open_page(APP)  # AppTest does not find the page's name before
    for name, value in query.items():
        at.query_params[name] = value
    return well(at.switch_page(PAGE).run())


def of_all(at: AppTest, images: str = "") -> AppTest:
    """Return the page once it shows rates of this number of images."""
    return until(
        at, lambda at: at.metric and at.metric[0].delta.endswith(f"{images} misclassified")
    )


@contextmanager
def evaluations_held_up() -> Iterator[None]:
    """Keep every evaluation from beginning within the block."""
    go_on = threading.Event()
    for _ in range(2):
        server().evaluations.quick.submit(Place(go_on.wait, dict))
    yield
    go_on.set()


def rates(at: AppTest) -> list[str]:
    return [metric.value for metric in at.metric if metric.label in (ALL_RATE, CLEAN)]


def proof(at: AppTest) -> dict[str, tuple[str, str]]:
    """Return the figures below the curves by the first word of their titles."""
    others = [metric for metric in at.metric if metric.label not in (ALL_RATE, CLEAN)]
    shown = [metric for metric in others if "queries" not in metric.label]
    return {re.split(r"\W", metric.label)[0]: (metric.value, metric.delta) for metric in shown}


def taken_for(network: MLP, x: FloatArray) -> np.ndarray:
    """Return predictions, computed independently of `core`."""
    hidden = x
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        hidden = np.maximum(hidden @ weight + bias, 0)
    predictions: np.ndarray = (hidden @ network.weights[-1] + network.biases[-1]).argmax(axis=1)
    return predictions


def pictures(at: AppTest) -> list[str]:
    """Return the images of the page, as the browser gets them."""
    markup = " ".join(element.proto.body for element in at.get("html"))
    return re.findall(r'src="(data:image/png[^"]+)"', markup)


def test_fgsm_on_all_images_is_there_at_once(report_network: MLP, test_digits: Digits) -> None:
    at = of_all(opened(), "10,000")
    x, y = test_digits.x, test_digits.y
    after = taken_for(report_network, fgsm(report_network, x, y, 0.1))
    right = taken_for(report_network, x) == y
    wrong = after != y
    assert rates(at)[0] == f"{wrong.mean():.2%}"
    assert rates(at)[1] == f"{right.mean():.2%}"
    deltas = [metric.delta for metric in at.metric]
    assert deltas[0] == f"{wrong.sum():,} of 10,000 misclassified"
    of_right = f"{wrong[right].mean():.2%} ({(wrong & right).sum():,} of {right.sum():,})"
    assert any(of_right in caption.value for caption in at.caption)


@pytest.mark.thorough
def test_the_table_is_a_plain_count(report_network: MLP, test_digits: Digits) -> None:
    head, *rows = tables(of_all(opened(linf="0.08"), "10,000"))[0]
    x, y = test_digits.x, test_digits.y
    after = taken_for(report_network, fgsm(report_network, x, y, 0.08))
    for digit in range(10):
        counts = [0] * 10
        for label, seen in zip(y, after, strict=True):
            if label == digit:
                counts[seen] += 1
        row = dict(zip(head, rows[digit], strict=True))
        assert row["digit"] == str(digit)
        assert row["images"] == f"{sum(counts):,}"
        assert row["misclassified"] == f"{sum(counts) - counts[digit]:,}"
        counts[digit] = 0
        assert f"({max(counts):,} " in row["most often"]
        assert str(int(np.argmax(counts))) in row["most often"]


def test_ten_digits_with_twins_and_another_ten() -> None:
    at = of_all(opened())
    first = pictures(at)
    assert len(first) >= 20
    well(at.button(key="another_ten").click().run())
    second = pictures(at)
    assert len(set(first[:20]) & set(second[:20])) < 5


@pytest.mark.thorough
def test_while_nothing_is_computed_the_page_shows_what_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the network's file and the shipped measurements say."""
    ten = (0.98,) * 10
    known = Robustness(10_000, 0.98, 1000, (0.0, 0.1), {"pgd": (0.02, 0.5)}, (0.98, 0.2), ten, ten)
    monkeypatch.setattr(ServedNetwork, "shipped", known)
    with evaluations_held_up():
        at = opened(attack="PGD", linf="0.1")
        clean = f"{SHIPPED.load('report')[1].test_accuracy:.2%}"
        assert rates(at) == ["50.00%", clean]
        assert at.info and at.get("plotly_chart")
        assert any(button.key == "stop_waiting" for button in at.button)
        at = opened(attack="DeepFool", l2="1.5")
        assert rates(at) == [clean]
    of_all(at, "10,000")


def test_a_slow_attack_shows_a_sample_and_then_all_images() -> None:
    at = of_all(opened(attack="PGD", linf="0.07"))
    assert at.metric[0].delta.endswith((" of 500 misclassified", " of 10,000 misclassified"))
    of_all(at, "10,000")


def test_it_can_be_stopped_and_goes_on() -> None:
    go_on = threading.Event()
    server().evaluations.long.submit(Place(go_on.wait, dict))  # so that its curve is waited for
    at = opened(attack="PGD", images="a sample of 1,000", linf="0.13")
    well(at.button(key="stop_waiting").click().run())
    assert any("Stopped" in text.value for text in at.markdown)
    of_all(at, " of 500")
    well(at.button(key="go_on").click().run())
    assert not any("Stopped" in text.value for text in at.markdown)
    go_on.set()
    of_all(at, "1,000")


def test_an_attack_without_a_budget_is_held_to_one(
    report_network: MLP, test_digits: Digits
) -> None:
    at = of_all(opened(attack="DeepFool", images="a sample of 1,000", l2="1.5"), "1,000")
    chosen = np.sort(np.random.default_rng(0).permutation(10_000)[:1000])
    x, y = test_digits.x[chosen], test_digits.y[chosen]
    found = deepfool(report_network, x, y)
    affordable = np.linalg.norm(found.astype(np.float64) - x, axis=1) <= 1.5
    seen = taken_for(report_network, np.where(affordable[:, None], found, x))
    assert rates(at)[0] == f"{(seen != y).mean():.2%}"
    assert 0.1 < (seen != y).mean() < 0.99


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("title", "budget", "search"),
    [("Square", {"linf": "0.1"}, square_search), ("Square (L2)", {"l2": "1.5"}, square_l2_search)],
)
def test_the_queries_of_an_attack_that_counts_them(
    title: str,
    budget: dict[str, str],
    search: CountedAttack,
    report_network: MLP,
    test_digits: Digits,
) -> None:
    with samples_alone():
        at = of_all(opened(attack=title, **budget), " of 100")
    chosen = np.sort(np.random.default_rng(0).permutation(10_000)[:100])
    x, y = test_digits.x[chosen], test_digits.y[chosen]
    found = search(report_network, x, y, float(next(iter(budget.values()))))
    right = taken_for(report_network, x) == y
    misled = taken_for(report_network, found.x_adv) != y
    shown = [(each.value, each.delta) for each in at.metric if "queries" in each.label]
    expected = [found.queries[right & misled], found.queries[right]]
    assert shown == [
        (f"{np.median(each):,.0f}", f"mean {each.mean():,.0f}, {len(each)} images")
        for each in expected
    ]
    assert 0 < len(expected[0]) < len(expected[1])


@pytest.mark.thorough
@pytest.mark.parametrize("title", list(BY_TITLE))
def test_every_attack_has_the_page(title: str) -> None:
    at = of_all(opened(attack=title, images="a sample of 1,000"))
    assert len(rates(at)) == 2
    assert len(at.get("plotly_chart")) >= 3  # and the curves, once the first of them is there
    assert stands_for(at)["attack"] == title


@contextmanager
def samples_alone() -> Iterator[None]:
    """Keep what takes long from beginning within the block."""
    go_on = threading.Event()
    server().evaluations.long.submit(Place(go_on.wait, dict))
    try:
        yield
    finally:
        go_on.set()


def test_fooled_proved_and_neither_by_a_plain_count(
    report_network: MLP, test_digits: Digits
) -> None:
    with samples_alone():
        query = {"attack": "FGSM", "linf": "0.04", "beside": "FGSM~Strongest"}
        at = until(opened(**query), lambda at: "Neither" in proof(at))
    chosen = np.sort(np.random.default_rng(0).permutation(10_000)[:100])
    x, y = test_digits.x[chosen], test_digits.y[chosen]
    fooled = taken_for(report_network, strongest(report_network, x, y, 0.04)) != y
    safe = certified(report_network, x, y, 0.04)
    counts = {
        "Fooled": fooled.sum(),
        "Neither": (~fooled & ~safe).sum(),
        "Proved": safe.sum(),
    }
    assert proof(at) == {
        word: (f"{count:.2f}%", f"{count} of 100") for word, count in counts.items()
    }
    assert min(counts.values()) > 0
    chart = json.loads(at.get("plotly_chart")[0].proto.spec)
    traces = {trace["name"]: trace for trace in chart["data"]}
    place = traces[charts.LIMIT]["x"].index(0.04)
    assert traces[charts.LIMIT]["y"][place] == pytest.approx(1 - safe.mean())
    assert traces["Strongest"]["y"][place] == pytest.approx(fooled.mean())
    assert charts.BAND in traces
    said = next(text.value for text in at.markdown if "median image" in text.value)
    digits = [int(digit) for digit in re.findall(r"\*\*(\d)\*\*", said)]
    assert sorted(digits) == list(range(10))
    assert certified(report_network, x[y == digits[0]], digits[0], 0.03).mean() >= 0.5


def test_the_proof_is_in_the_attack_s_norm() -> None:
    with samples_alone():
        at = until(opened(attack="DeepFool", l2="0.5", beside="DeepFool"), proof)
    assert "Proved" in proof(at)
    assert any("L2 norm" in text.value for text in at.markdown if "median image" in text.value)


@pytest.mark.thorough
def test_a_network_that_is_too_large_has_no_proof(library: Library) -> None:
    network = random_mlp((784, 2048, 1024, 10), seed=0, dtype=np.float32)
    library.keep("large", network, SHIPPED.load("report")[1])
    at = of_all(opened(model="large", images="a sample of 1,000", beside="FGSM"))
    until(at, lambda at: any("too large" in text.value for text in at.markdown))
    assert not proof(at)


def test_an_attack_that_draw_does_not_offer_becomes_another_there() -> None:
    with samples_alone():
        at = of_all(opened(attack="Strongest", images="a sample of 1,000", beside="FGSM"))
        assert stands_for(at)["attack"] == "Strongest"
        at.query_params.clear()  # as the menu does
        well(at.switch_page("pages/attack/draw.py").run())
        assert at.selectbox(key="attack").value == "PGD"
        at = of_all(opened(attack="Strongest", images="a sample of 1,000", beside="FGSM"))
        opener = next(button for button in at.button if (button.key or "").startswith("open_"))
        well(opener.click().run())
    assert at.query_params["attack"] == "PGD"


def test_a_test_image_opens_on_the_draw_page(test_digits: Digits) -> None:
    at = open_page(APP)
    at.query_params["linf"] = "0.2"
    of_all(well(at.switch_page(PAGE).run()))
    opener = next(button for button in at.button if (button.key or "").startswith("open_"))
    place = int((opener.key or "").removeprefix("open_"))
    assert f"**{test_digits.y[place]}**" in opener.label
    well(opener.click().run())
    assert at.session_state["digit"] == place
    assert at.session_state["epsilon"] == pytest.approx(0.2)
    assert at.query_params["digit"] == str(place)
    assert at.query_params["epsilon"] == "0.200"


@pytest.mark.thorough
def test_a_cell_of_the_matrix_is_chosen_without_a_mouse() -> None:
    at = of_all(opened(images="a sample of 1,000"), "1,000")
    before = len(pictures(at))
    well(at.selectbox(key="cell_digit").set_value(4).run())
    assert len(pictures(at)) == before
    well(at.selectbox(key="cell_label").set_value(9).run())
    assert len(pictures(at)) > before
    assert (at.query_params["cell_digit"], at.query_params["cell_label"]) == ("4", "9")
    again = of_all(opened(**{name: str(at.query_params[name]) for name in at.query_params}))
    assert again.selectbox(key="cell_label").value == 9
    assert len(pictures(again)) == len(pictures(at))


@pytest.mark.thorough
def test_the_address_brings_everything_back() -> None:
    at = opened(model="dropout", attack="BIM", images="a sample of 1,000", linf="0.2")
    assert stands_for(at) == {
        "model": "dropout",
        "attack": "BIM",
        "images": "a sample of 1,000",
        "linf": "0.2",
    }
    of_all(at, "1,000")


@pytest.mark.parametrize(
    "query",
    [
        {"attack": "<b>", "images": "11000", "linf": "nan", "model": "../report"},
        {"attack": "PGD (L2)", "l2": "-7", "images": ""},
        {"linf": "1e999", "model": "\x00"},
    ],
)
def test_nonsense_in_the_address_counts_as_absent(query: dict[str, str]) -> None:
    at = opened(**query)
    assert stands_for(at)["model"] == "report"
    assert stands_for(at)["attack"] in ("FGSM", "PGD (L2)")
    assert stands_for(at)["images"] == "all 10,000"
    assert len(rates(of_all(at))) == 2


def test_no_network_is_a_sentence(library: Library) -> None:
    at = opened()
    assert "holds no network" in at.error[0].value
    assert not at.metric


def test_damaged_data_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(split: str) -> None:
        raise mnist.DataFileError("MNIST's files are damaged.")

    monkeypatch.setattr(mnist, "load", fail)
    at = opened()
    assert [error.value for error in at.error] == ["MNIST's files are damaged."]
