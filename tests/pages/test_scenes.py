"""The links of the lecture plan open the scenes that it describes, run by Streamlit's AppTest."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from docs.lecture import MARKED, PLAN
from tests.pages.conftest import opened, stands_for
from tests.pages.test_draw import APP, explorer

TEXT = PLAN.read_text("utf-8")
LINKS = re.findall(r"\[`(/.*?)`\]\(http://localhost:8501(/.*?)\)", TEXT)
SAID = {name: said for _, name, said, _ in MARKED.findall(TEXT)}
PAGES = {
    "/": "",
    "/lesson": "pages/course/lesson.py",
    "/report": "pages/course/report.py",
    "/train": "pages/training/train.py",
    "/remedies": "pages/training/remedies.py",
}
# What the network sees where a link on Draw puts the slider: a digit, or the plan's figure of
# that name.
SEEN = {
    "/?digit=720&epsilon=0.000": "misread_as",
    "/?digit=0&attack=FGSM&epsilon=0.000&predict=on": "7",
    "/?digit=0&attack=Random+noise&epsilon=0.100": "7",
    "/?digit=0&attack=PGD&target=0&epsilon=0.120": "0",
    "/?digit=0&attack=PGD&epsilon=0.100&compare=adversarial-pgd": "pgd_after",
}


def scene(link: str) -> AppTest:
    """Open a link of the plan; fail if the page ignores part of it."""
    address = urlsplit(link)
    query = dict(parse_qsl(address.query))
    at = opened(APP, PAGES[address.path], **query)
    assert query.items() <= stands_for(at).items()
    return at


def at_a_tenth(at: AppTest) -> list[list[float]]:
    """Return for each chart of a page the heights of its curves at ε = 0.1, in per cent."""
    charts: list[dict[str, Any]] = [json.loads(each.proto.spec) for each in at.get("plotly_chart")]
    return [
        [100 * line["y"][line["x"].index(0.1)] for line in chart["data"] if 0.1 in line["x"]]
        for chart in charts
    ]


def test_a_link_is_what_it_says() -> None:
    assert len(LINKS) == len(re.findall(r"localhost:8501/", TEXT))
    assert all(said == opens for said, opens in LINKS)
    on_draw = [link for link, _ in LINKS if link.startswith("/?")]
    assert on_draw == list(SEEN)
    assert {urlsplit(link).path for link, _ in LINKS} == set(PAGES)


@pytest.mark.parametrize("link", SEEN)
def test_a_link_to_draw_opens_its_scene(link: str) -> None:
    data = explorer(scene(link))
    assert data is not None
    place = int(np.abs(data["epsilons"] - data["start"]).argmin())
    seen = SAID.get(SEEN[link], SEEN[link])
    assert str(data["probabilities"][place].argmax()) == seen
    assert data["choices"]["hidden"] == ("predict=on" in link)


def test_the_flip_to_predict_is_the_plan_s() -> None:
    data = explorer(scene(list(SEEN)[1]))
    assert data is not None
    assert str(data["flip"]["after"]) == SAID["flip_after"]
    assert data["flip"]["epsilon"] == pytest.approx(float(SAID["flip"]), abs=0.006)


def test_the_network_that_withstands_is_beside_the_standard_one() -> None:
    data = explorer(scene(list(SEEN)[-1]))
    assert data is not None
    place = int(np.abs(data["epsilons"] - data["start"]).argmin())
    second = data["second"]
    assert second["probabilities"][place].argmax() == data["label"] == 7
    assert second["flip"]["epsilon"] == pytest.approx(float(SAID["robust_flip"]), abs=0.01)


def test_the_first_link_opens_draw() -> None:
    assert {"attack", "epsilon"} <= stands_for(scene("/")).keys()


def test_the_report_s_chart_shows_both_gradients() -> None:
    rates = [float(SAID["exact_rate"]), float(SAID["float32_rate"])]
    shown = at_a_tenth(scene("/report?model=report"))
    assert [pytest.approx(rates, abs=0.1)] == [chart[:2] for chart in shown if len(chart) > 1]


def test_the_lesson_begins_at_its_first_step() -> None:
    assert stands_for(scene("/lesson")) == {"step": "1"}


def test_train_offers_the_recipe() -> None:
    at = scene("/train?recipe=adversarial-pgd")
    assert at.selectbox(key="recipe").value == "adversarial-pgd"


def test_remedies_shows_the_rates() -> None:
    at = scene("/remedies?networks=report~adversarial-pgd&budget=0.1&against=PGD")
    rates = [float(SAID["standard_pgd_1"]), float(SAID["robust_pgd_1"])]
    # Before the curves, the chart has the edges of the bands below the proofs.
    assert at_a_tenth(at)[0][-2:] == pytest.approx(rates, abs=0.1)
