"""What a page says when something of ours fails."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import streamlit as st

_MOST_KNOWN = 200  # failures
_known: set[tuple[str, str, int]] = set()  # what failed where, of this server


@contextmanager
def failures_explained(page: str) -> Iterator[None]:
    """Show one sentence when anything inside fails, and log it: the first time with the traceback.

    A page that fails does so at every rerun, and tracebacks would fill a small server's disk.
    A fragment needs a block of its own, because it reruns without the code around it.

    Args:
        page: the page's title, for the log.
    """
    try:
        yield
    except Exception as error:
        _log(page, error)
        st.error(
            "Something went wrong on our side. Your drawing and settings are kept: try another "
            "attack or another digit. The server's log has the details."
        )


def _log(page: str, error: Exception) -> None:
    """Write a failure into the log, with its traceback if it is a new one."""
    trace: TracebackType | None = error.__traceback__
    line, file = 0, ""
    while trace is not None:
        line, file, trace = trace.tb_lineno, trace.tb_frame.f_code.co_filename, trace.tb_next
    failure = (type(error).__name__, file, line)
    is_new = failure not in _known and len(_known) < _MOST_KNOWN
    if is_new:
        _known.add(failure)
    logging.getLogger(__name__).error(
        "The page %s failed%s: %s at %s:%d",
        *(page, "" if is_new else " again", *failure),
        exc_info=error if is_new else None,
    )
