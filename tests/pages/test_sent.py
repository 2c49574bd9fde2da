"""What a client sends in a component's name leaves the session working, and a line in the log."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import streamlit as st
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from pages.parts import failures, sent
from tests.pages.conftest import opened as open_page
from tests.pages.conftest import stands_for, well
from tests.pages.test_draw import APP


def send(at: AppTest, component: str, value: Any) -> AppTest:
    """Run the page after a component has sent a value, any text or what JSON can say."""
    (element,) = [
        each for each in at.get("bidi_component") if each.proto.component_name.endswith(component)
    ]
    states = at._tree.get_widget_states()
    content = value if isinstance(value, str) else json.dumps(value)
    states.widgets.append(WidgetState(id=element.proto.id, json_value=content))
    return at._run(states)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.WARNING):
        yield caplog


def ours(log: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return what our own code has logged."""
    return [record for record in log.records if record.name.startswith(("pages", "core"))]


HOSTILE: list[Any] = [
    {"label": 77},
    {"label": -1},
    {"label": 2.5},
    {"label": "7"},
    {"label": True},
    {"label": [1, 2]},
    {"epsilon": "x"},
    {"epsilon": "0.1"},
    {"epsilon": -0.1},
    {"epsilon": 1e308},
    {"epsilon": {"epsilon": 1}},
    {"compare": 5},
    {"compare": "x" * 100_000},
    {"compare": ["report"]},
    {"shown": 1},
    {"shown": {}},
    {"shown": {"epsilon": "0.1", "id": {}}},
    {"label": 10**40, "epsilon": 10**40},
    {"label": "a\nline of mine"},
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:40])
def test_a_hostile_value_is_left_out_with_a_line(value: Any, log: pytest.LogCaptureFixture) -> None:
    at = open_page(APP, digit="8", attack="FGSM", epsilon="0.1")
    before = stands_for(at)
    well(send(at, "epsilon_explorer", value))
    records = ours(log)
    lines = [record.getMessage() for record in records]
    assert len(lines) == len(value)
    assert all("\n" not in line and len(line) < 200 for line in lines)
    assert not any(record.exc_info for record in records)
    assert stands_for(at) == before
    log.clear()
    well(at.run())
    well(send(at, "epsilon_explorer", {**value, "label": 3, "epsilon": 0.2}))
    assert not ours(log)
    assert stands_for(at)["label"] == "3"
    assert stands_for(at)["epsilon"] == "0.200"


@pytest.mark.parametrize(
    "text", ["", "{no json", "[" * 100_000, "NaN]"], ids=["empty", "open", "deep", "closed"]
)
def test_what_is_no_json_leaves_the_session_working_with_one_line(
    text: str, log: pytest.LogCaptureFixture
) -> None:
    at = open_page(APP, digit="8", attack="FGSM", epsilon="0.1")
    before = stands_for(at)
    well(send(at, "epsilon_explorer", text))
    (line,) = [record.getMessage() for record in ours(log)]
    assert "\n" not in line and len(line) < 200
    assert stands_for(at) == before
    well(send(at, "epsilon_explorer", {"label": 3, "epsilon": 0.2}))
    assert stands_for(at)["label"] == "3" and len(ours(log)) == 1


@pytest.mark.parametrize(
    "text", ["[1]", "7", '"x"', "null", '{"label": NaN}', '{"epsilon": 1e999}']
)
def test_what_is_no_object_leaves_the_page_as_it_is(text: str) -> None:
    at = open_page(APP, digit="8", attack="FGSM", epsilon="0.1")
    before = stands_for(at)
    well(send(at, "epsilon_explorer", text))
    assert stands_for(at) == before


def test_numbers_and_texts() -> None:
    assert sent.number(1, 0, 1) == 1.0
    assert sent.whole_number(7.0, 0, 9) == 7
    assert sent.text("report") == "report"
    wrong: list[Any] = [float("nan"), float("inf"), 2, -1, "1", None, [], True, 10**400]
    for value in wrong:
        with pytest.raises(sent.SentError):
            sent.number(value, 0, 1)


def test_a_failure_is_logged_with_its_traceback_once(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "_known", set())
    monkeypatch.setattr(st, "error", lambda text: None)

    def fail(error: Exception) -> None:
        with failures.failures_explained("Draw"):
            raise error

    for _ in range(5):
        fail(RuntimeError("a\nhostile text"))
    fail(LookupError())
    tracebacks = [bool(record.exc_info) for record in log.records]
    assert tracebacks == [True, False, False, False, False, True]
    assert "failed again: RuntimeError" in log.records[1].getMessage()
    assert all("\n" not in record.getMessage() for record in log.records)
