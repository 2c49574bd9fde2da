"""The Report page, run by Streamlit's AppTest."""

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.data import mnist
from core.data.mnist import Digits
from core.evaluation.shipped import MeasuredFileError
from core.measures import accuracy
from core.networks import Library
from core.networks.mlp import MLP
from core.presentation.course_report import facts
from tests.conftest import SHIPPED
from tests.pages.conftest import opened, stands_for, tables, until

APP = str(Path(__file__).parent.parent.parent / "app.py")
PAGE = "pages/course/report.py"


def measured(**query: str) -> AppTest:
    """Open the page by a link and return it once everything has been measured."""
    return until(opened(APP, PAGE, **query), lambda at: tables(at) or at.error)


def test_each_section_has_the_report_s_figures_beside_ours(
    report_network: MLP, test_digits: Digits
) -> None:
    at = measured()
    titles = [text.value.removeprefix("## ") for text in at.markdown if "## " in text.value]
    assert titles == [
        "The data",
        "The network",
        "How it was trained",
        "The log of the training",
        "Accuracy",
        "The evasion rate",
        "What was found and what is proved",
        "Digits and their adversarial twins",
        "What each digit is most often taken for",
        "Are a digit and its label similar?",
        "What was recommended",
    ]
    cells = " ".join(
        cell.replace("\N{NO-BREAK SPACE}", " ")
        for table in tables(at)
        for row in table
        for cell in row
    )
    assert f"{100 * facts.TRAIN_ACCURACY:.2f} %" in cells
    ours = accuracy(report_network, test_digits.x, test_digits.y)
    assert f"{100 * ours:.2f} %" in cells
    assert len(at.get("plotly_chart")) >= 2
    assert stands_for(at) == {"model": "report"}


def fail(*arguments: object, **options: object) -> None:
    raise mnist.DataFileError("MNIST's files are damaged.")


@pytest.fixture
def damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage the file of what is shipped."""

    def refuse(*arguments: object) -> None:
        raise MeasuredFileError("replication.json is damaged.")

    monkeypatch.setattr("core.presentation.course_report.findings.shipped_report", refuse)


def test_a_shipped_network_s_report_needs_neither_mnist_nor_measurement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mnist, "load", fail)
    at = opened(APP, PAGE)
    assert len(tables(at)) > 5
    assert not at.error


@pytest.mark.usefixtures("damaged")
def test_without_the_shipped_file_a_network_is_measured_once_for_all(
    monkeypatch: pytest.MonkeyPatch, test_digits: Digits
) -> None:
    few = Digits(test_digits.x[:200], test_digits.y[:200])
    monkeypatch.setattr(mnist, "load", lambda split: few)
    until(opened(APP, PAGE), tables)
    monkeypatch.setattr("core.presentation.course_report.findings.measure_report", fail)
    again = opened(APP, PAGE)
    assert tables(again)
    assert [error.value.count("damaged") for error in again.error] == [1]


def test_a_network_that_is_gone_or_damaged_is_a_sentence(tmp_path: Path, library: Library) -> None:
    assert "holds no network" in measured().error[0].value
    shutil.copy(SHIPPED.path("report"), tmp_path)
    (tmp_path / "report.safetensors").write_bytes(b"no network")
    assert "report.safetensors" in measured().error[0].value


@pytest.mark.usefixtures("damaged")
def test_damaged_data_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "load", fail)
    at = until(opened(APP, PAGE), lambda at: len(at.error) > 1)
    assert at.error[1].value == "MNIST's files are damaged."
