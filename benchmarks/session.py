"""One person's connection to a Streamlit app, without a browser.

It speaks Streamlit's own protocol and asks as a browser does: a widget's change runs the fragment
that the widget is in, and a large message that has come before is not sent again.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.typing import Origin, Subprotocol

PATIENCE = 60  # seconds; longer than that, and something is broken

Value = float | str | bool | tuple[float, ...]


class Session:
    """One person's connection to the app."""

    def __init__(self, url: str, page: str = "", query: str = "") -> None:
        self._address = f"ws://{urlsplit(url).netloc}/_stcore/stream"
        self._origin, self._page, self._query = url, page, query
        self._hash = ""
        self._ids: dict[str, str] = {}  # a widget's by its key
        self._fragments: dict[str, str] = {}  # the fragment that a widget runs, by its key
        self._cached: set[str] = set()  # the messages that need not be sent again
        self.received = 0  # bytes
        self._socket: Any = None

    async def open(self) -> "Session":
        """Connect and run the page for the first time."""
        self._socket = await websockets.connect(
            self._address,
            origin=Origin(self._origin),
            subprotocols=[Subprotocol("streamlit")],
            max_size=None,
            compression=None,
        )
        await self.rerun({})
        return self

    async def rerun(self, changes: Mapping[str, Value]) -> float:
        """Set widgets by key and run what they belong to, the page or a fragment of it.

        Return the seconds until it has finished.
        """
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string, rerun.page_script_hash = self._query, self._hash
        rerun.fragment_id = next((self._fragments.get(key, "") for key in changes), "")
        rerun.cached_message_hashes.extend(self._cached)
        if not self._hash:
            rerun.page_name = self._page
        for key, value in changes.items():
            state = WidgetState(id=self._ids[key])
            if isinstance(value, bool):
                state.trigger_value = value
            elif isinstance(value, str):
                state.string_value = value
            elif isinstance(value, tuple):  # a slider's
                state.double_array_value.data.extend(value)
            else:
                state.double_value = value
            rerun.widget_states.widgets.append(state)
        start = time.perf_counter()
        await self._socket.send(message.SerializeToString())
        while True:
            forward = ForwardMsg()
            received = await asyncio.wait_for(self._socket.recv(), PATIENCE)
            self.received += len(received)
            forward.ParseFromString(received)
            if self._finished(forward):
                return time.perf_counter() - start

    async def close(self) -> None:
        """Leave."""
        await self._socket.close()

    def _finished(self, forward: ForwardMsg) -> bool:
        """Take what is needed from a message; return whether it ends a run."""
        kind = forward.WhichOneof("type")
        if kind == "navigation":
            self._hash = forward.navigation.page_script_hash
        elif kind == "delta" and forward.delta.WhichOneof("type") == "new_element":
            element = forward.delta.new_element
            name = str(element.WhichOneof("type"))
            widget = getattr(element, name)
            if name == "exception":
                raise RuntimeError(widget.message)
            if widget_id := getattr(widget, "id", ""):
                key = widget_id.rpartition("-")[2]
                self._ids[key] = widget_id
                self._fragments[key] = forward.delta.fragment_id
            if forward.metadata.cacheable:
                self._cached.add(forward.hash)
        status = ForwardMsg.ScriptFinishedStatus
        return (
            kind == "script_finished" and forward.script_finished != status.FINISHED_EARLY_FOR_RERUN
        )
