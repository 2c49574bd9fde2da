"""What a page says when something of ours fails."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st


@contextmanager
def failures_explained(page: str) -> Iterator[None]:
    """A sentence on the page where anything inside fails, and the traceback in the server's log.

    A fragment needs one of its own: it runs again without what is around it.

    Args:
        page: its title, for the log.
    """
    try:
        yield
    except Exception:
        logging.getLogger(__name__).exception("The page %s failed", page)
        st.error(
            "Something went wrong on our side; the server's log says what. Your drawing and "
            "settings are kept: try another attack or another digit."
        )
