"""The Report page, run by Streamlit's AppTest."""

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.data import mnist
from core.data.mnist import Digits
from core.measures import accuracy
from core.networks import Library
from core.networks.mlp import MLP
from core.presentation.course_report import facts
from tests.conftest import SHIPPED
from tests.pages.conftest import opened, until

PAGE = str(Path(__file__).parent.parent.parent / "pages" / "course" / "report.py")


def measured(**query: str) -> AppTest:
    """The page as somebody opens it by a link, once everything has been measured."""
    return until(opened(PAGE, **query), lambda at: at.table or at.error)


def test_each_section_has_the_report_s_figures_beside_ours(
    report_network: MLP, test_digits: Digits
) -> None:
    at = measured()
    titles = [text.value.removeprefix("##### ") for text in at.markdown if "#####" in text.value]
    assert titles == [
        "The data",
        "The network",
        "How it was trained",
        "The log of the training",
        "Accuracy",
        "The evasion rate",
        "Digits and their adversarial twins",
        "What each digit is most often taken for",
        "Are a digit and its label alike?",
        "What was recommended",
    ]
    cells = " ".join(
        str(cell).replace("\N{NO-BREAK SPACE}", " ")
        for table in at.table
        for cell in table.value.to_numpy().ravel()
    )
    assert f"{100 * facts.TRAIN_ACCURACY:.2f} %" in cells
    ours = accuracy(report_network, test_digits.x, test_digits.y)
    assert f"{100 * ours:.2f} %" in cells
    assert len(at.get("plotly_chart")) >= 2
    assert at.query_params["model"] == "report"


def test_what_was_measured_is_there_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    measured()

    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("measured twice")

    monkeypatch.setattr("core.serving.measurements.measure_report", fail)
    again = opened(PAGE)
    assert again.table
    assert not again.error


def test_a_network_that_is_gone_or_damaged_is_a_sentence(tmp_path: Path, library: Library) -> None:
    assert "holds no network" in measured().error[0].value
    shutil.copy(SHIPPED.path("report"), tmp_path)
    (tmp_path / "report.safetensors").write_bytes(b"no network")
    assert "report.safetensors" in measured().error[0].value


def test_damaged_data_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(split: str) -> None:
        raise mnist.DataFileError("MNIST's files are damaged.")

    monkeypatch.setattr(mnist, "load", fail)
    assert [error.value for error in measured().error] == ["MNIST's files are damaged."]
