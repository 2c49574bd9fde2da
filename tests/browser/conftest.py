"""A real server and a real browser, with an eye on everything that is asked of the network."""

import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from tests.browser import chromium

ROOT = Path(__file__).parent.parent.parent
# Milliseconds that a page may take to come to what is expected, where a test names none: five
# seconds are too few on a busy machine.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Have pytest-playwright start the Chromium that there is."""
    path = chromium.find()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: in CI the browser tests must run")
        pytest.skip("no Chromium; `python -m tests.browser.chromium` gets one")
    return {**browser_type_launch_args, "executable_path": path}


@contextmanager
def serve() -> Iterator[str]:
    """The app on a server of its own, started as the README says; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as server:
        try:
            wait_until_healthy(url)
            yield url
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def app_url() -> Iterator[str]:
    """The address of a server for all tests."""
    with serve() as url:
        yield url


def wait_until_healthy(url: str) -> None:
    """Return once the server answers."""
    end = monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health"):
                return
        except (urllib.error.URLError, ConnectionError):
            if monotonic() > end:
                raise
            sleep(0.1)


def watch(context: BrowserContext) -> list[str]:
    """What goes wrong in a context from now on: requests that leave this machine, errors."""
    faults: list[str] = []

    def look_at(url: str) -> None:
        split = urlsplit(url)
        if split.scheme not in ("data", "blob") and split.hostname != "127.0.0.1":
            faults.append(f"a request for {url}")

    def watch_page(page: Page) -> None:
        page.on("websocket", lambda socket: look_at(socket.url))
        page.on("pageerror", lambda error: faults.append(f"an error: {error}"))

    def listen(message: ConsoleMessage) -> None:
        # Opened by its own address, Streamlit tries a page's folder before the server's root.
        probing = re.match(r"/\w+/_stcore/", urlsplit(message.location["url"]).path)
        if message.type == "error" and not probing:
            faults.append(message.text)

    context.on("request", lambda request: look_at(request.url))
    context.on("console", listen)
    context.on("page", watch_page)
    return faults


@pytest.fixture(autouse=True)
def nothing_goes_wrong(context: BrowserContext) -> Iterator[None]:
    """Fail any browser test in which a request leaves this machine or the console has an error."""
    faults = watch(context)
    yield
    assert not faults
