"""A class on the Draw page while the server trains: how long their reruns take, with and without.

Sessions speak Streamlit's own protocol, so that what is measured is the server, not browsers. Each
of them takes another test digit about once a second; a rerun lasts from the message that asks for
it to the one that says the script has finished.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Mapping
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
TRAININGS = {"compiled loop": "report", "PyTorch, adversarial": "adversarial-pgd"}


class Session:
    """One person's connection to the app."""

    def __init__(self, url: str, page: str = "", query: str = "") -> None:
        self._address = f"ws://{urlsplit(url).netloc}/_stcore/stream"
        self._origin, self._page, self._query = url, page, query
        self._hash = ""
        self._ids: dict[str, str] = {}
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

    async def rerun(self, changes: Mapping[str, float | str | bool]) -> float:
        """Set widgets, by their keys, and run the page; the seconds until it has finished."""
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string, rerun.page_script_hash = self._query, self._hash
        if not self._hash:
            rerun.page_name = self._page
        for key, value in changes.items():
            state = WidgetState(id=self._ids[key])
            if isinstance(value, bool):
                state.trigger_value = value
            elif isinstance(value, str):
                state.string_value = value
            else:
                state.double_value = value
            rerun.widget_states.widgets.append(state)
        start = time.perf_counter()
        await self._socket.send(message.SerializeToString())
        while True:
            forward = ForwardMsg()
            forward.ParseFromString(await asyncio.wait_for(self._socket.recv(), 60))
            if self._finished(forward):
                return time.perf_counter() - start

    async def close(self) -> None:
        """Leave."""
        await self._socket.close()

    def _finished(self, forward: ForwardMsg) -> bool:
        """Learn from a message; whether it ends a run."""
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
                self._ids[widget_id.rpartition("-")[2]] = widget_id
        status = ForwardMsg.ScriptFinishedStatus
        return (
            kind == "script_finished" and forward.script_finished != status.FINISHED_EARLY_FOR_RERUN
        )


def main() -> None:
    """Measure and print a table."""
    with server(DRAW) as url:
        alone = asyncio.run(rerun_seconds(url, None))
    rows = [row("no training", alone, alone)]
    for name, preset in TRAININGS.items():
        with server(DRAW) as url:
            rows.append(row(name, asyncio.run(rerun_seconds(url, preset)), alone))
    print_machine()
    print_table(
        ["reruns of the Draw page while training", "median", "95th percentile", "ratio", "target"],
        rows,
    )
    print(
        f"\n{SESSIONS} sessions take another test digit about every {PERIOD:g} s, for {SECONDS} s. "
        "Ratio: of the medians."
    )


async def rerun_seconds(url: str, preset: str | None) -> list[float]:
    """The reruns of all sessions, while a preset is trained, if any."""
    sessions = [await Session(url, query="digit=0").open() for _ in range(SESSIONS)]
    trainer = await Session(url, page="train", query=f"recipe={preset}").open()
    if preset is not None:
        await trainer.rerun({"recipe_epochs": 1000.0, "train": True})
    await asyncio.sleep(WARM_UP)
    end = time.perf_counter() + SECONDS
    seconds: list[float] = []

    async def take_digits(session: Session) -> None:
        await asyncio.sleep(random.random() * PERIOD)
        while time.perf_counter() < end:
            seconds.append(await session.rerun({"digit": float(random.randrange(10_000))}))
            await asyncio.sleep(PERIOD * random.uniform(0.8, 1.2))

    await asyncio.gather(*map(take_digits, sessions))
    await asyncio.gather(*(session.close() for session in (*sessions, trainer)))
    return seconds


def row(name: str, seconds: list[float], alone: list[float]) -> list[str]:
    """A row of the table, in milliseconds."""
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
