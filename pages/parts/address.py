"""The page's address holds the settings: a link brings them back, and so does the browser's Back.

Whenever somebody else changes the address (a link, Back, Forward), the page reads all settings from
it again. Otherwise the widgets win and the address follows them. A page that has read its settings
from an address leaves it as it is: it would only say the same in other words, and each change of
the address is a step for Back.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.parts.state import Address, Setting, address

BETWEEN = "~"  # the items of a list; no name of ours has it
_KNOWN = 50  # addresses on their way to the browser; it takes a fraction of a second


def one_of(options: Sequence[str]) -> Callable[[str], str]:
    """Return a parser that accepts the options alone."""

    def parse(text: str) -> str:
        if text not in options:
            raise ValueError(text)
        return text

    return parse


def some_of(options: Sequence[str]) -> Callable[[str], list[str]]:
    """Return a parser of `listed`; it takes each option once and ignores everything else."""

    def parse(text: str) -> list[str]:
        if text == BETWEEN:
            return []
        found = [name for name in dict.fromkeys(text.split(BETWEEN)) if name in options]
        if not found:
            raise ValueError(text)
        return found

    return parse


def listed(names: Sequence[str]) -> str:
    """Return the text of a list in an address."""
    return BETWEEN.join(names) or BETWEEN


def nearest_of(budgets: ArrayLike) -> Callable[[str], float]:
    """Return a parser of a number that takes the nearest of the budgets."""

    def parse(text: str) -> float:
        budget = float(text)
        if not np.isfinite(budget):
            raise ValueError(text)
        return float(min(np.asarray(budgets), key=lambda each: abs(each - budget)))

    return parse


def number_up_to(last: float) -> Callable[[str], float]:
    """Return a parser of a number from 0 to `last`."""

    def parse(text: str) -> float:
        if not 0 <= float(text) <= last:
            raise ValueError(text)
        return float(text)

    return parse


def on_or_off(text: str) -> bool:
    """Return True for "on", False for "off"."""
    return one_of(["off", "on"])(text) == "on"


def whole_number(last: int) -> Callable[[str], int]:
    """Return a parser of a whole number from 0 to `last`."""

    def parse(text: str) -> int:
        if not 0 <= int(text) <= last:
            raise ValueError(text)
        return int(text)

    return parse


@contextmanager
def address_followed(page: str) -> Iterator[None]:
    """Have a page's settings read from its address, or written into it at the end of the run.

    Args:
        page: its title.
    """
    _follow_address(page)
    try:
        yield
    finally:
        known = address()
        if known.is_new:  # also if a rerun ends this run, which reads nothing again
            known.stands_for, known.is_new = dict(known.settings), False
    write_address()


def _follow_address(page: str) -> None:
    """Have all settings read again if somebody else has changed the address."""
    known, now = address(), st.query_params.to_dict()
    opened = page != known.page
    known.is_new = _is_from_elsewhere(known, page, now)
    if known.is_new:
        known.read = set()
    elif opened:
        known.read = None
    if known.is_new or opened:
        known.page, known.known, known.settings, known.stands_for = page, [now], {}, None
    else:
        del known.known[: known.known.index(now)]


def put_in_address(settings: Mapping[Setting[Any], str | None]) -> None:
    """Say what the settings are in the address, None for those that are not in it."""
    wanted = address().settings
    for setting, value in settings.items():
        wanted.pop(setting.name, None)
        if value is not None:
            wanted[setting.name] = value


def write_address() -> None:
    """Write into the address what the page wants there. Call it where a run ends.

    It is written at once: each change of the address is a step for the browser's Back.
    """
    known = address()
    stands_for = known.stands_for
    if known.is_new:
        stands_for = known.settings
    elif stands_for is None:
        stands_for = st.query_params.to_dict()
    if known.settings != stands_for:
        st.query_params.from_dict(known.settings)
        known.known = [*known.known, dict(known.settings)][-_KNOWN:]
    known.stands_for, known.read, known.is_new = dict(known.settings), None, False


def write_address_of_part() -> None:
    """Write the address if this run is of a part of the page; a run of the whole does at its end.

    Call it at the end of each part that has settings in the address.
    """
    if runs_in_part():
        write_address()


def runs_in_part() -> bool:
    """Return whether this run is of fragments alone, not of the whole page."""
    context = get_script_run_ctx()
    return context is not None and bool(context.fragment_ids_this_run)


def _is_from_elsewhere(known: Address, page: str, now: Mapping[str, str]) -> bool:
    """Return whether an address is neither this session's own nor that of a page just opened."""
    context = get_script_run_ctx()
    if not known.page or (context is not None and context.is_history_navigation):
        return True
    if page != known.page:  # the menu opens a page without parameters
        return bool(now) and now != known.stands_for
    # The browser may not have received yet what was written last.
    return now not in known.known
