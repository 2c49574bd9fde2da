"""What tests of several pages need."""

import gc
import html
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.serving import jobs

TIMEOUT = 600  # seconds until a run of a page or a computation counts as broken


@pytest.fixture(autouse=True)
def fresh_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start each test with a server that has computed nothing; end what runs on it afterwards."""
    monkeypatch.setattr(jobs, "UNWATCHED_SECONDS", TIMEOUT)  # a run of a page may take long
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()
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
