"""The lecturer's own corner: a place for the word, and what it opens."""

import streamlit as st

from core.serving.lecturer import ClosedError, WordError
from pages.parts.server import server, who


def show_lecturer() -> None:
    """Show a button that opens the corner, on a server that has a lecturer's word."""
    lecturer = server().lecturer
    if not lecturer.has_word:
        return
    with st.popover("Lecturer", icon=":material/school:", key="lecturer"):
        if not lecturer.is_lecturer(who()):
            _show_form()
            return
        st.write("You can stop every training and delete every network that was kept.")
        if minutes := lecturer.closed_minutes:
            st.write(f"Training and uploads are closed for {minutes} more min.")
            st.button("Open them again", key="reopen", on_click=_reopen)
        else:
            st.button("Close training and uploads for an hour", key="close", on_click=_close)
        if waiting := server().trainings.waiting:
            st.button(f"Stop all trainings that wait ({waiting})", key="empty", on_click=_empty)
        st.button("Be a student again", key="leave_lecturer", on_click=_leave)


def closed() -> str:
    """Return a sentence if training and uploads are closed for this visitor, else nothing."""
    try:
        server().lecturer.check_open(who=who())
    except ClosedError as error:
        return str(error)
    return ""


def _show_form() -> None:
    """Show a place for the word. It is in no address and is forgotten after the click."""
    with st.form("lecturer_form", clear_on_submit=True, border=False):
        st.text_input("The lecturer's word", type="password", key="lecturer_word")
        if problem := st.session_state.pop("lecturer_problem", ""):
            st.error(problem)
        st.form_submit_button("This is me", on_click=_say)


def _say() -> None:
    try:
        server().lecturer.say(st.session_state["lecturer_word"], who=who())
    except WordError as error:
        st.session_state["lecturer_problem"] = str(error)


def _close() -> None:
    server().lecturer.close(who=who())


def _reopen() -> None:
    server().lecturer.reopen(who=who())


def _empty() -> None:
    server().trainings.empty_line(who=who())


def _leave() -> None:
    server().lecturer.leave(who=who())
