"""The server behind all sessions, and this session's name there."""

import uuid

import streamlit as st

from core.serving.server import Server


@st.cache_resource(show_spinner=False)
def server() -> Server:
    """Return the one server of this process."""
    return Server()


def who() -> str:
    """Return what stands for this session."""
    session: str = st.session_state.setdefault("session", uuid.uuid4().hex)
    return session
