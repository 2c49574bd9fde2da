"""What tests of several pages need."""

import gc
import html
import json
import re
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from core.serving import jobs, trainings
from pages.parts.server import forget_server

TIMEOUT = 600  # seconds until a run of a page or a computation counts as broken


@pytest.fixture(autouse=True)
def fresh_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start each test with a server that has computed nothing; end what runs on it afterwards."""
    monkeypatch.setattr(jobs, "UNWATCHED_SECONDS", TIMEOUT)  # a run of a page may take long
    monkeypatch.setattr(trainings, "PLACE_SECONDS", TIMEOUT)
    forget_server()
    yield
    forget_server()
    gc.collect()


def opened(file: str, page: str = "", **query: str) -> AppTest:
    """Open a page by a link and return it."""
    at = AppTest.from_file(file, default_timeout=TIMEOUT)
    if page:
        at.switch_page(page)
    for name, value in query.items():
        at.query_params[name] = value
    return well(at.run())


def well(at: AppTest) -> AppTest:
    """Fail if an error of ours reached the page; return the page."""
    assert not at.exception
    assert not [error.value for error in at.error if "went wrong" in error.value]
    return at


def stands_for(at: AppTest) -> dict[str, str]:
    """Return the settings that the page has read from its address, as the address holds them."""
    settings: dict[str, str] = at.session_state["address"].stands_for
    return settings


def tables(at: AppTest) -> list[list[list[str]]]:
    """Return a page's tables: rows of cells, the first row is the head."""
    found = []
    for element in at.get("html"):
        for table in re.findall("<table>(.*?)</table>", element.proto.body, re.DOTALL):
            rows = [
                re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
                for row in re.findall("<tr>(.*?)</tr>", table, re.DOTALL)
            ]
            found.append([[html.unescape(cell) for cell in row] for row in rows])
    return found


def until(at: AppTest, holds: Callable[[AppTest], Any]) -> AppTest:
    """Run a page again and again until a condition holds; return the page."""
    end = time.monotonic() + TIMEOUT
    while not holds(at):
        assert time.monotonic() < end
        time.sleep(0.5)  # the page's own work would slow the computation down
        well(at.run())
    return at


def given_to_explorer(
    at: AppTest,
) -> tuple[dict[str, Any], list[tuple[NDArray[np.float64], NDArray[np.uint8]]]] | None:
    """Return what the live ε is told, and a `(B, 12)` table and `(B, 784)` frames a network.

    None where it is not on the page. A row of a table is a budget, the L2 norm, ten probabilities.
    """
    for element in at.get("bidi_component"):
        if not element.proto.component_name.endswith("epsilon_explorer"):
            continue
        content = element.proto.bytes
        start = 4 + int.from_bytes(content[:4], "little")
        about: dict[str, Any] = json.loads(content[4:start])
        count, networks = about["budgets"], 2 if about["second"] else 1
        tables = np.frombuffer(content, "<f4", networks * count * 11, start + count * 8)
        budgets = np.frombuffer(content, "<f8", count, start)
        changes = zlib.decompress(content[start + budgets.nbytes + tables.nbytes :])
        frames = np.frombuffer(changes, np.uint8).reshape(networks, 784, count)
        return about, [
            (np.column_stack([budgets, table]), each.T.cumsum(axis=0, dtype=np.uint8))
            for table, each in zip(tables.reshape(networks, count, 11), frames, strict=True)
        ]
    return None
