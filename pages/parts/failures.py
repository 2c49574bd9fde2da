"""What a page says when something of ours fails."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st


@contextmanager
def failures_explained(page: str) -> Iterator[None]:
    """Show one sentence when anything inside fails, and log the traceback.

    A fragment needs a block of its own, because it reruns without the code around it.

    Args:
        page: the page's title, for the log.
    """
    try:
        yield
    except Exception:
        logging.getLogger(__name__).exception("The page %s failed", page)
        st.error(
            "Something went wrong on our side. Your drawing and settings are kept: try another "
            "attack or another digit. The server's log has the details."
        )
