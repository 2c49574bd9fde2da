"""What a widget is given of what a client sends."""

import logging
from typing import Any

import pytest
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


def test_another_kind_of_value_counts_as_none(caplog: pytest.LogCaptureFixture) -> None:
    states = states_of_a_text_widget()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert sent(states, int_value=3) == "nothing"
            assert sent(states, string_value="a") == "a"
            assert sent(states) == "nothing"
    assert len(ours(caplog)) == 2
