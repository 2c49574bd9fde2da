"""A stranger's client: it speaks Streamlit's protocol with a real server and says what it likes."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.browser.conftest import ROOT, wait_until_healthy

LONG = 600  # seconds that no answer needs, unless something is broken


@contextmanager
def logging_server(folder: Path, **environment: str) -> Iterator[tuple[str, Path]]:
    """Start a server; yield its address, and the file that its log goes to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log"
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"]
    settings = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    with (
        log.open("wb") as stream,
        subprocess.Popen(command, cwd=ROOT, env=settings, stdout=stream, stderr=stream) as server,
    ):
        try:
            wait_until_healthy(server, url)
            yield url, log
        finally:
            server.terminate()


class Client:
    """A tab of a browser that nobody has written."""

    def __init__(self, url: str, page: str = "", query: str = "") -> None:
        """Name the page to open."""
        self._url, self._query, self._page = url, query, page
        self._hash, self._session = "", ""
        self.ids: dict[str, str] = {}  # of the widgets that the last run has shown, by their keys
        self.said: list[str] = []  # the exceptions and errors of the last run
        cookie = generate_xsrf_token_string()
        self._headers = {"Cookie": f"_streamlit_xsrf={cookie}", "X-Xsrftoken": cookie}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Connect, run the page and return the client."""
        connection = connect(
            f"ws://{urlsplit(self._url).netloc}/_stcore/stream",
            origin=Origin(self._url),
            subprotocols=[Subprotocol("streamlit")],
            additional_headers={"Cookie": self._headers["Cookie"]},
            max_size=None,
        )
        self._socket = self._open.enter_context(connection)
        self.rerun()
        return self

    def __exit__(self, *error: object) -> None:
        """Leave."""
        self._open.close()

    def rerun(self, *widgets: WidgetState) -> list[str]:
        """Run the page after some widgets have changed; return the errors on it."""
        message = BackMsg()
        request = message.rerun_script
        request.query_string, request.page_script_hash = self._query, self._hash
        if not self._hash:
            request.page_name = self._page
        request.widget_states.widgets.extend(widgets)
        self.send(message)
        self.ids, self.said = {}, []
        while not self._ends(self._next()):
            pass
        return self.said

    def widget(self, key: str, set_value: Callable[[WidgetState], object]) -> WidgetState:
        """Return the state of a widget on the page."""
        state = WidgetState(id=self.ids[key])
        set_value(state)
        return state

    def send(self, message: BackMsg | bytes | str) -> None:
        """Send a message, or what is none."""
        self._socket.send(message.SerializeToString() if isinstance(message, BackMsg) else message)

    def wait_until_closed(self) -> None:
        """Read until the server has closed the connection."""
        with suppress(ConnectionClosed):
            while True:
                self._socket.recv(timeout=LONG)

    def upload(self, name: str, content: bytes) -> int:
        """Upload a file under an id that belongs to nothing on the page; return the status."""
        head = f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'
        request = Request(
            f"{self._url}/_stcore/upload_file/{self._session}/{name}",
            data=head.encode() + content + b"\r\n--x--\r\n",
            headers={**self._headers, "Content-Type": "multipart/form-data; boundary=x"},
            method="PUT",
        )
        with urlopen(request, timeout=LONG) as answer:
            status: int = answer.status
            return status

    def _next(self) -> ForwardMsg:
        forward = ForwardMsg()
        content = self._socket.recv(timeout=LONG)
        assert isinstance(content, bytes)
        forward.ParseFromString(content)
        return forward

    def _ends(self, forward: ForwardMsg) -> bool:
        """Take what is needed from a message; return whether it ends a run."""
        kind = forward.WhichOneof("type")
        if kind == "new_session":
            self._session = forward.new_session.initialize.session_id
        elif kind == "navigation":
            self._hash = forward.navigation.page_script_hash
        elif kind == "delta" and forward.delta.WhichOneof("type") == "new_element":
            element = forward.delta.new_element
            name = str(element.WhichOneof("type"))
            content = getattr(element, name)
            if name == "exception":
                self.said.append(content.message)
            elif name == "alert" and content.format == content.ERROR:
                self.said.append(content.body)
            elif widget := getattr(content, "id", ""):
                self.ids[widget.rpartition("-")[2]] = widget
                if name == "bidi_component":
                    self.ids[content.component_name.rpartition(".")[2]] = widget
        early = ForwardMsg.ScriptFinishedStatus.FINISHED_EARLY_FOR_RERUN
        return kind == "script_finished" and forward.script_finished != early
