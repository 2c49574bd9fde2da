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

TIMEOUT = 600  # seconds for a run of a page, or for a computation: only what is broken needs them


@pytest.fixture(autouse=True)
def fresh_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that has read and computed nothing; what runs on it ends with the test."""
    monkeypatch.setattr(jobs, "UNWATCHED_SECONDS", TIMEOUT)  # a run of a page may take long
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()
    gc.collect()


def opened(file: str, page: str = "", **query: str) -> AppTest:
    """A page as somebody opens it by a link."""
    at = AppTest.from_file(file, default_timeout=TIMEOUT)
    if page:
        at.switch_page(page)
    for name, value in query.items():
        at.query_params[name] = value
    return well(at.run())


def well(at: AppTest) -> AppTest:
    """`at`, having made sure that no error of ours reached the page."""
    assert not at.exception
    assert not [error.value for error in at.error if "went wrong" in error.value]
    return at


def tables(at: AppTest) -> list[list[list[str]]]:
    """The tables of a page; each is rows of cells, and the first row is the head."""
    found = []
    for element in at.get("html"):
        for table in re.findall("<table>(.*?)</table>", element.proto.body, re.DOTALL):
            rows = [
                re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
                for row in re.findall("<tr>(.*?)</tr>", table, re.DOTALL)
            ]
            found.append([[html.unescape(cell) for cell in row] for row in rows])
    return found


def until(at: AppTest, so: Callable[[AppTest], Any]) -> AppTest:
    """`at`, run again and again until something is so."""
    end = time.monotonic() + TIMEOUT
    while not so(at):
        assert time.monotonic() < end
        time.sleep(0.5)  # the page's own work would slow the computation down
        well(at.run())
    return at
