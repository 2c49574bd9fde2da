"""What a widget is given of what a client sends."""

import logging
from typing import Any

import pytest
from streamlit.proto.Common_pb2 import StringArray
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.runtime.state.common import WidgetMetadata
from streamlit.runtime.state.session_state import WStates

from pages.parts.guard import guard


def states_of_a_text_widget() -> WStates:
    """Return the states of a session with one widget, "w", which takes a text or nothing."""
    guard()
    states = WStates()
    states.set_widget_metadata(
        WidgetMetadata[Any](
            "w", lambda text: text or "nothing", lambda text: text, value_type="string_value"
        )
    )
    return states


def sent(states: WStates, **value: Any) -> Any:
    """Return what the widget is given of a value that a client sends."""
    states.set_widget_from_proto(WidgetState(id="w", **value))
    return states["w"]


def ours(log: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return what our own code has logged."""
    return [record for record in log.records if record.name == "pages.parts.guard"]


def test_a_widget_takes_its_own_kind_of_value_also_after_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    states = states_of_a_text_widget()
    with caplog.at_level(logging.WARNING):
        assert [sent(states), sent(states, string_value="a")] == ["nothing", "a"]
        assert [sent(states), sent(states, string_value="b")] == ["nothing", "b"]
    assert not ours(caplog)


def test_a_text_that_is_no_option_counts_as_none(caplog: pytest.LogCaptureFixture) -> None:
    guard()
    states = WStates()
    for kind in ("string_value", "string_array_value"):
        states.set_widget_metadata(
            WidgetMetadata[Any](
                "w", lambda each: each or "nothing", str, kind, formatted_options=["a", "b"]
            )
        )
        with caplog.at_level(logging.WARNING):
            values: list[Any] = ["a", "b", "c", ""]
            if kind == "string_array_value":
                values = [StringArray(data=each) for each in (["a"], ["b", "a"], ["a", "c"], [""])]
            given = [sent(states, **{kind: value}) for value in values]
        assert given[2:] == ["nothing"] * 2 and "nothing" not in given[:2]
    assert len(ours(caplog)) == 4


def test_another_kind_of_value_counts_as_none(caplog: pytest.LogCaptureFixture) -> None:
    states = states_of_a_text_widget()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert sent(states, int_value=3) == "nothing"
            assert sent(states, string_value="a") == "a"
            assert sent(states) == "nothing"
    assert len(ours(caplog)) == 2
