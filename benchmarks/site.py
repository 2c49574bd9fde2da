"""A page's script, and a server of it in a process of its own."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PATIENCE = 60  # seconds; longer than that, and something is broken


@dataclass(frozen=True)
class Site:
    """A page to measure.

    Attributes:
        script: what `streamlit run` is given.
        parts: selectors of what must be visible before the page can be used.
        answer: a JavaScript expression for what a stroke changes, as a string.
        address: what follows the server's address.
    """

    script: str
    parts: tuple[str, ...]
    answer: str = "''"
    address: str = ""


@contextmanager
def server(site: Site) -> Iterator[str]:
    """A page's server, from the start of its process until it answers; ended afterwards."""
    with process_of(site) as (url, _):
        yield url


@contextmanager
def process_of(site: Site) -> Iterator[tuple[str, int]]:
    """The same, with the number of the server's process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "streamlit", "run", site.script),
            *(f"--server.port={port}", "--logger.level=warning"),
        ],
        cwd=ROOT,
        # As for those who use the app, Python keeps what it compiles: the first turn compiles it.
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until_healthy(process, port)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_healthy(process: subprocess.Popen[bytes], port: int) -> None:
    """Return as soon as a server answers.

    Raises:
        RuntimeError: it ended, or took too long.
    """
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.request("GET", "/_stcore/health")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.005)
    raise RuntimeError("the server did not start")
