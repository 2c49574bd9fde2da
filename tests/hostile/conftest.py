"""How much is generated, and what no input may do: take memory, hang, or reach the log as a fault.

`make test` generates a few of each kind, `make hostile` all.
"""

import faulthandler
import gc
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HANGS = 1800  # seconds after which a process that hangs shows where, and ends
MORE_MEMORY = 200e6  # bytes that hostile input may take
FULL = {
    "networks": 6000,
    "foreign": 3000,
    "pictures": 1500,
    "canvas": 1500,
    "links": 1000,
    "explorer": 200,
    "addresses": 200,
}
SHORT = {
    "networks": 120,
    "foreign": 120,
    "pictures": 40,
    "canvas": 40,
    "links": 40,
    "explorer": 8,
    "addresses": 5,
}


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> Callable[[str], range]:
    """Return a function that returns the seeds of a kind of input."""
    counts = FULL if request.config.getoption("--hostile") else SHORT
    return lambda kind: range(counts[kind])


@pytest.fixture(autouse=True)
def no_fault(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail if a traceback reached the log; end a process that hangs."""
    faulthandler.dump_traceback_later(HANGS, exit=True)
    with caplog.at_level(logging.WARNING):
        yield
    faulthandler.cancel_dump_traceback_later()
    records = caplog.get_records("call")
    assert not [record.getMessage() for record in records if record.exc_info]


@contextmanager
def little_memory() -> Iterator[None]:
    """Fail if the work inside takes more than `MORE_MEMORY`; measured on Linux alone."""
    gc.collect()
    if sys.platform != "linux":
        yield
        return
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _peak()
    yield
    assert _peak() - before < MORE_MEMORY


def _peak() -> int:
    """Return the most bytes that this process has had in memory."""
    (line,) = (each for each in Path("/proc/self/status").read_text().splitlines() if "HWM" in each)
    return 1024 * int(line.split()[1])
