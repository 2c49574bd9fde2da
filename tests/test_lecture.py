"""The figures of the lecture plan and the worksheet are true; its links: pages/test_scenes.py."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from core import measures
from core.attacks import fgsm
from core.data.mnist import Digits
from core.networks import MLP
from docs import lecture
from docs.lecture import MARKED, PLAN, PRINTED, WORKSHEET


@pytest.fixture(scope="module")
def figures(test_digits: Digits) -> dict[str, str]:
    return lecture.figures(test_digits)


def differing(text: str, figures: Mapping[str, str]) -> list[str]:
    """Return the names of a text's figures that are not those computed here.

    Another processor rounds a few images otherwise, so the last place may differ by one.
    """
    wrong = []
    for _, name, said, _ in MARKED.findall(text):
        found = figures[name]
        last_place = 10.0 ** -len(found.partition(".")[2])
        away = abs(float(said.replace(",", "")) - float(found.replace(",", "")))
        is_label = name.endswith(("after", "easiest", "hardest", "label", "_as"))
        if is_label and said != found or away > 1.01 * last_place * tolerated(name):
            wrong.append(name)
    return wrong


def tolerated(name: str) -> int:
    """Return by how many units of its last place a figure may differ."""
    return {"cost_images": 20, "gain_images": 2, "standard_wrong": 5, "wrong_signs": 2}.get(name, 1)


@pytest.mark.parametrize("path", [PLAN, WORKSHEET], ids=lambda path: path.name)
def test_the_figures_are_those_of_the_shipped_networks(path: Path, figures: dict[str, str]) -> None:
    text = path.read_text("utf-8")
    assert len(MARKED.findall(text)) == text.count("<!-- / -->") > 15
    assert differing(text, figures) == []
    assert not re.search(r"^\s*<!--", text, re.MULTILINE)  # there it would end the paragraph
    # What is not computed is round, and no measured share.
    rest = set(re.findall(r"[\d.,]+ %", MARKED.sub("", text)))
    assert rest <= {"99 %", "90 %"}


def test_a_wrong_figure_would_be_noticed(figures: dict[str, str]) -> None:
    wrong = {
        "flip": "0.11",
        "flip_after": "2",
        "exact_rate": "49.5",
        "float32_rate": "49.9",
        "gain_images": "5,171",
        "random_flips": "2",
    }
    text = "".join(f"<!-- {name} -->{said}<!-- / -->" for name, said in wrong.items())
    assert differing(text, figures) == list(wrong)
    assert differing(lecture.filled(text, figures), figures) == []


def test_a_figure_that_there_is_not_is_refused(figures: dict[str, str]) -> None:
    with pytest.raises(KeyError, match="speed"):
        lecture.filled("<!-- speed -->9<!-- / -->", figures)


def test_every_figure_is_used(figures: dict[str, str]) -> None:
    used = MARKED.findall(PLAN.read_text("utf-8") + WORKSHEET.read_text("utf-8"))
    assert {name for _, name, *_ in used} == set(figures)


def test_the_printed_worksheet_is_the_present_one() -> None:
    assert PRINTED.read_text("utf-8") == lecture.to_html(WORKSHEET.read_text("utf-8"))


def test_the_float32_gradient_never_flips_the_seven(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y, budgets = test_digits.x[:1], test_digits.y[:1], np.linspace(0, 0.3, 61)
    for gradient, flips in (("float32_autograd", False), ("exact", True)):
        x_adv = fgsm(report_network, x, y, budgets, gradient=gradient)[:, 0]
        assert (measures.predict(report_network, x_adv) != 7).any() == flips


def test_the_code_in_the_plan_prints_both_rates(
    figures: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PLAN.read_text("utf-8"), re.DOTALL)
    exec(code, {})
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    for gradient, name in (("float32_autograd", "float32_rate"), ("exact", "exact_rate")):
        assert 100 * float(printed[gradient]) == pytest.approx(float(figures[name]), abs=0.06)


def test_the_scenes_fill_45_minutes() -> None:
    times = re.findall(r"^## 0:(\d\d)–0:(\d\d) ", PLAN.read_text("utf-8"), re.MULTILINE)
    starts, ends = ([int(time) for time in column] for column in zip(*times, strict=True))
    assert [0, *ends] == [*starts, 45]


def test_the_plan_is_read_in_five_minutes() -> None:
    said = re.sub(r"```.*?```|<!--.*?-->|\(http\S+\)", "", PLAN.read_text("utf-8"), flags=re.DOTALL)
    assert len(said.split()) < 1200


def test_the_files_that_it_links_to_are_there() -> None:
    links = re.findall(r"\]\(([^)]+)\)", PLAN.read_text("utf-8"))
    files = [link for link in links if "://" not in link]
    assert {"worksheet.md", "worksheet.html"} <= set(files)
    assert all((PLAN.parent / file).exists() for file in files)
