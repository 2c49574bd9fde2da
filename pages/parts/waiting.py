"""The progress of what a page waits for."""

from collections.abc import Callable, Mapping

import streamlit as st

from core.serving.jobs import Computation
from pages.parts.escaped import escaped
from pages.parts.failures import failures_explained


@st.fragment(run_every=1.0)
def show_waiting(
    page: str,
    doing: str,
    waited_for: Mapping[str, Computation],
    *,
    stop: Callable[[], None] | None = None,
) -> None:
    """Show the progress of computations; rerun the page when one of them has ended.

    Args:
        page: the page's title, for the log.
        doing: the word above the bar that comes before the computations' names.
        waited_for: the computations by name.
        stop: called on a click on "Stop"; without it there is no such button.
    """
    with failures_explained(page):
        with st.container(horizontal=True, vertical_alignment="center"):
            place = st.container(width=420)
            # This comes first: a click must count even if a computation has just ended.
            if stop is not None and st.button("Stop", key="stop_waiting"):
                stop()
                st.rerun()
        standing = [computation.look() for computation in waited_for.values()]
        if any(progress.ended for progress in standing):
            st.rerun()
        share = sum(progress.share for progress in standing) / len(standing)
        place.progress(share, f"{doing} {escaped(', '.join(waited_for))} …")
