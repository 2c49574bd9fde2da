"""The page's address: it holds what is chosen, so that a page can be shared by its link."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import streamlit as st

T = TypeVar("T")


def start_from_address(key: str, *, parse: Callable[[str], T], default: T) -> None:
    """Give a widget its first value in a session: what the address says of it, else the default.

    Args:
        key: the widget's key, and the parameter's name.
        parse: from the parameter's text to a value; raises ValueError for one that makes no sense,
            which then counts as absent.
        default: the value without a parameter.
    """
    if key in st.session_state:
        return
    try:
        st.session_state[key] = parse(st.query_params[key])
    except (KeyError, ValueError):
        st.session_state[key] = default


def one_of(options: list[str]) -> Callable[[str], str]:
    """A parser that takes one of the options only."""

    def parse(text: str) -> str:
        if text not in options:
            raise ValueError(text)
        return text

    return parse


def put_in_address(settings: Mapping[str, str | None]) -> None:
    """Have the address hold the settings that are not None, and no others of these names.

    All at once: each change of the address is one more step for the browser's Back.
    """
    before = st.query_params.to_dict()
    after = {name: value for name, value in before.items() if name not in settings}
    after |= {name: value for name, value in settings.items() if value is not None}
    if after != before:
        st.query_params.from_dict(after)
