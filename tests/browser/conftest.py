"""A real server and a real browser, whose requests to the network are all watched.

No test waits for a time: it waits until the page shows what it should, however long that takes.
"""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.browser import chromium
from tests.core.data import handmade

ROOT = Path(__file__).parent.parent.parent
OURS = ("127.0.0.1", "localhost")  # every request goes to one of these
# Milliseconds after which a page counts as broken, however busy the machine is.
PATIENCE = 600_000
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Have pytest-playwright start the Chromium that is installed; its camera sees a 7."""
    path = chromium.find()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: in CI the browser tests must run")
        pytest.skip("no Chromium; `python -m tests.browser.chromium` gets one")
    film = tmp_path_factory.mktemp("camera") / "seven.mjpeg"
    seven = handmade.paper(handmade.pen(handmade.SHAPES["7"], 40))
    film.write_bytes(3 * handmade.jpeg(seven))
    camera = [
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]
    return {
        **browser_type_launch_args,
        "executable_path": path,
        "timeout": PATIENCE,
        "args": camera,
    }


@contextmanager
def serve(
    port: int = 0, *, script: str = "app.py", listens_on: str = "127.0.0.1", path: str = ""
) -> Iterator[str]:
    """Start the app on a server of its own, as the README says; yield its address.

    Args:
        port: of the server; a free one if it is 0.
        script: what is served, if it is not the app.
        listens_on: the address that the server listens on.
        path: below which it serves the app, such as "/digits".
    """
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}{path}"
    command = [sys.executable, "-m", "streamlit", "run", script, f"--server.port={port}"]
    command += [f"--server.address={listens_on}", f"--server.baseUrlPath={path}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}  # as the app's own folder is the root
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            wait_until_healthy(server, url)
            yield url
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def app_url() -> Iterator[str]:
    """Start a server for all tests of a process; yield its address."""
    with serve() as url:
        yield url


def wait_until_healthy(server: subprocess.Popen[bytes], url: str) -> None:
    """Return once the server answers.

    Raises:
        RuntimeError: the server has ended.
    """
    while server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health"):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError(f"the server ended with status {server.returncode}")


def watch(context: BrowserContext, faults: list[str]) -> None:
    """Add a context's errors, and its requests that leave this machine, to `faults`."""

    def look_at(url: str) -> None:
        split = urlsplit(url)
        if split.scheme not in ("data", "blob", "file") and split.hostname not in OURS:
            faults.append(f"a request for {url}")

    def watch_page(page: Page) -> None:
        page.on("websocket", lambda socket: look_at(socket.url))
        page.on("pageerror", lambda error: faults.append(f"an error: {error}"))

    def listen(message: ConsoleMessage) -> None:
        # Opened by its own address, Streamlit tries a page's folder before the server's root.
        probing = re.match(r"(/\w+)+/_stcore/", urlsplit(message.location["url"]).path)
        if message.type == "error" and not probing:
            faults.append(message.text)

    context.on("request", lambda request: look_at(request.url))
    context.on("console", listen)
    context.on("page", watch_page)


@pytest.fixture
def new_context(
    new_context: Callable[..., BrowserContext],
) -> Iterator[Callable[..., BrowserContext]]:
    """Make browser contexts that wait patiently; fail a test if anything went wrong in one."""
    faults: list[str] = []

    def patient_and_watched(**settings: Any) -> BrowserContext:
        context = new_context(**settings)
        context.set_default_timeout(PATIENCE)
        watch(context, faults)
        return context

    yield patient_and_watched
    assert not faults


@pytest.fixture(scope="session")
def window(
    browser: Browser, browser_context_args: dict[str, Any]
) -> Iterator[tuple[BrowserContext, list[str]]]:
    """Open a window for all tests of a process, and list what goes wrong in it.

    Another window, or another context, loads Streamlit's files anew: half of what a page costs.
    """
    context = browser.new_context(**browser_context_args)
    context.set_default_timeout(PATIENCE)
    faults: list[str] = []
    watch(context, faults)
    context.new_page()  # stays open, and so does the window
    yield context, faults
    context.close()


@pytest.fixture
def page(window: tuple[BrowserContext, list[str]]) -> Iterator[Page]:
    """Open a page as a stranger: without cookies, storage and permissions.

    What a context alone can have (a clock of its own, a finger) is for `new_context`.
    """
    context, faults = window
    faults.clear()
    page = context.new_page()
    yield page
    found = [*faults]  # what comes while the page closes is no fault
    devtools = context.new_cdp_session(page)
    devtools.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
    for each in context.pages[1:]:
        each.close()
    context.clear_cookies()
    context.clear_permissions()
    assert not found
