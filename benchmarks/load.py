"""Reruns of the Draw page for ten people at once, while the server is idle and while it is busy.

The sessions speak Streamlit's own protocol, so the server is measured and no browser. Each session
takes another test digit about once a second. A rerun lasts from the message that asks for it to the
message that says that the script has finished.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.typing import Origin, Subprotocol

from benchmarks.measuring import print_machine, print_table
from benchmarks.page import DRAW, server

SESSIONS = 10
SECONDS = 20
PERIOD = 1.0
WARM_UP = 5.0
WATCH = 3.0  # seconds between two reruns of the page whose work keeps the server busy


Value = float | str | bool | tuple[float, ...]


@dataclass(frozen=True)
class Work:
    """What keeps the server busy: a page, its query, and the widgets that start it, by key."""

    page: str
    query: str
    begin: Mapping[str, Value] = field(default_factory=dict)


TRAIN: Mapping[str, Value] = {"recipe_epochs": 1000.0, "train": True}
WORKS = {
    "training, compiled loop": Work("train", "recipe=report", TRAIN),
    "training, PyTorch, adversarial": Work("train", "recipe=adversarial-pgd", TRAIN),
    "PGD's curve, all test images": Work("test_set", "attack=PGD&model=report"),
}


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
            received = await asyncio.wait_for(self._socket.recv(), 60)
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


def main() -> None:
    """Measure and print a table."""
    with server(DRAW) as url:
        alone = asyncio.run(rerun_seconds(url, None))
    rows = [row("nothing", alone, alone)]
    for name, work in WORKS.items():
        with server(DRAW) as url:
            rows.append(row(name, asyncio.run(rerun_seconds(url, work)), alone))
    print_machine()
    print_table(
        ["the Draw page's reruns during", "median", "95th percentile", "ratio", "target"],
        rows,
    )
    print(
        f"\n{SESSIONS} sessions take another test digit about every {PERIOD:g} s, for {SECONDS} s. "
        "Ratio: of the medians."
    )


async def rerun_seconds(url: str, work: Work | None) -> list[float]:
    """Return the seconds of all sessions' reruns, while some work is done, if any."""
    sessions = [await Session(url, query="digit=0").open() for _ in range(SESSIONS)]
    watching = asyncio.create_task(keep_busy(url, work))
    await asyncio.sleep(WARM_UP)
    end = time.perf_counter() + SECONDS
    seconds: list[float] = []

    async def take_digits(session: Session) -> None:
        await asyncio.sleep(random.random() * PERIOD)
        while time.perf_counter() < end:
            seconds.append(await session.rerun({"digit": float(random.randrange(10_000))}))
            await asyncio.sleep(PERIOD * random.uniform(0.8, 1.2))

    await asyncio.gather(*map(take_digits, sessions))
    watching.cancel()
    await asyncio.gather(*(session.close() for session in sessions))
    return seconds


async def keep_busy(url: str, work: Work | None) -> None:
    """Start the work and watch it, until cancelled."""
    if work is None:
        return
    worker = await Session(url, page=work.page, query=work.query).open()
    try:
        await worker.rerun(work.begin)
        while True:
            await asyncio.sleep(WATCH)
            await worker.rerun({})
    finally:
        await worker.close()


def row(name: str, seconds: list[float], alone: list[float]) -> list[str]:
    """Return a row of the table, in milliseconds."""
    median, slowest = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    ratio = median / statistics.median(alone)
    return [
        name,
        f"{1000 * median:.0f} ms",
        f"{1000 * slowest:.0f} ms",
        f"{ratio:.2f}",
        "" if seconds is alone else "at most 2",
    ]


if __name__ == "__main__":
    main()
