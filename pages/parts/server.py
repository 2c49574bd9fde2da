"""The server behind all sessions, and who this session belongs to."""

import hashlib
import threading
import uuid
from urllib.parse import urlsplit

import streamlit as st

from core.serving.reach import is_alone, own_name
from core.serving.server import Server
from core.serving.visitors import Visitor

# Streamlit gives every browser a random token against forged requests, before a page is run. So
# nothing has to be sent or run again to know the browser. Without it (in a test, in another site's
# frame, with server.enableXsrfProtection off) each tab counts as a person.
TOKEN_COOKIE = "_streamlit_xsrf"
TOKEN_BYTES = 16


_lock = threading.Lock()
_servers: list[Server] = []  # at most one; no cache of Streamlit's, which any client may clear


def server() -> Server:
    """Return the one server of this process."""
    with _lock:
        if not _servers:
            _servers.append(Server(own_name(int(st.get_option("server.port")))))
        return _servers[0]


def forget_server() -> None:
    """Have the next call of `server` start another one, as after a restart; for tests."""
    with _lock:
        _servers.clear()


def who() -> Visitor:
    """Return the visitor that this session belongs to."""
    state = st.session_state
    if "visitor" not in state:
        tab = uuid.uuid4().hex
        person = person_by_cookie(st.context.cookies.get(TOKEN_COOKIE))
        state["visitor"] = Visitor(person or tab, tab, is_alone=comes_from_here())
    visitor: Visitor = state["visitor"]
    return visitor


def comes_from_here() -> bool:
    """Return whether this session can only belong to the user of the server's own machine."""
    headers = st.context.headers
    origin = urlsplit(headers.get("Origin", "")).netloc
    return is_alone(
        listens_on=st.get_option("server.address") or "",
        asked_for=[host for host in (headers.get("Host"), origin) if host],
        forwarded=any(name in headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-Ip")),
    )


def person_by_cookie(cookie: str | None) -> str | None:
    """Return what stands for the browser that sent this cookie; None if it holds no token.

    The cookie is "2|mask|masked token|time", with bytes as hexadecimal digits; its mask is another
    one after each visit. Of the token, which is a secret, only a hash is kept.
    """
    try:
        version, mask, masked, _ = (cookie or "").split("|")
        key, hidden = bytes.fromhex(mask), bytes.fromhex(masked)
    except ValueError:
        return None
    if version != "2" or len(key) != 4 or len(hidden) != TOKEN_BYTES:
        return None
    token = bytes(byte ^ key[place % 4] for place, byte in enumerate(hidden))
    return hashlib.sha256(token).hexdigest()[:32]
