"""What a client of a stranger's own may send to a real server, past all pages."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

from core.serving.memory import LIMIT
from core.serving.server import WORD
from tests.hostile.client import Client, logging_server

MB = 10**6


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """One server for all; its log."""
    settings = {WORD: "open sesame", LIMIT: "100"}
    with logging_server(tmp_path_factory.mktemp("server"), **settings) as started:
        yield started


def lines(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()


WRONG: dict[str, Callable[[WidgetState], object]] = {
    "no JSON": lambda state: setattr(state, "json_value", "{no json"),
    "deep JSON": lambda state: setattr(state, "json_value", "[" * 100_000),
    "no JSON trigger": lambda state: setattr(state, "json_trigger_value", "{"),
    "a text": lambda state: setattr(state, "string_value", "x\ny"),
    "a number": lambda state: setattr(state, "double_value", float("nan")),
    "a whole number": lambda state: setattr(state, "int_value", -(2**50)),
    "bytes": lambda state: setattr(state, "bytes_value", b"\xff"),
    "texts": lambda state: state.string_array_value.data.extend(["x", "\n"]),
    "numbers": lambda state: state.double_array_value.data.extend([float("inf")]),
}


@pytest.mark.thorough
def test_what_a_widget_can_t_read_is_its_default_and_one_line(server: tuple[str, Path]) -> None:
    url, log = server
    with Client(url, query="digit=8&attack=FGSM") as client:
        keys = ["epsilon_explorer", "digit", "attack", "target", "source"]
        assert set(keys) <= client.ids.keys()
        keys += [key for key in ("history",) if key in client.ids]
        for key in keys:
            for name, wrong in WRONG.items():
                before = len(lines(log))
                assert client.rerun(client.widget(key, wrong)) == [], (key, name)
                new = lines(log)[before:]
                assert len(new) <= 1 and all(len(line) < 250 for line in new), (key, name, new)
                assert client.rerun() == [], (key, name)
        number = client.widget("digit", lambda state: setattr(state, "double_value", 5.0))
        assert client.rerun(number) == []
    assert "Traceback" not in log.read_text()


def test_what_is_no_message_ends_the_connection_with_few_lines(server: tuple[str, Path]) -> None:
    url, log = server
    for content in ("text", b"\xff\xff\xff", os.urandom(1000)):
        for attempt in range(3):
            with Client(url, "train") as client:
                before = len(lines(log))
                client.send(content)
                client.wait_until_closed()
            if attempt:
                assert len(lines(log)) - before <= 4
    with Client(url) as client:
        assert client.rerun() == []


def test_nobody_clears_the_server_for_all(server: tuple[str, Path]) -> None:
    url, _ = server
    with Client(url, "train") as owner, Client(url, "train") as stranger:
        epochs = owner.widget("recipe_epochs", lambda state: setattr(state, "double_value", 1000))
        owner.rerun(epochs)
        owner.rerun(owner.widget("train", lambda state: setattr(state, "trigger_value", True)))
        assert "stop" in owner.ids
        stranger.send(BackMsg(clear_cache=True))
        stranger.rerun()
        assert owner.rerun() == [] and "stop" in owner.ids
        owner.rerun(owner.widget("stop", lambda state: setattr(state, "trigger_value", True)))


def test_uploads_that_belong_to_nothing_take_little(server: tuple[str, Path]) -> None:
    url, log = server
    with Client(url, "train") as client, Client(url, "train") as other:
        for number in range(12):
            assert client.upload(f"a{number}", bytes(10 * MB)) == 204
        assert 39 * MB < uploaded(url) <= 40 * MB
        for number in range(3):
            assert other.upload(f"b{number}", bytes(10 * MB)) == 204
        assert uploaded(url) <= 50 * MB
        assert client.rerun() == [] and other.rerun() == []
    assert "Traceback" not in log.read_text().partition("upload")[2]


def uploaded(url: str) -> int:
    """Return the bytes of all uploaded files, as Streamlit's own metrics have them."""
    with urlopen(f"{url}/_stcore/metrics") as answer:
        text = answer.read().decode()
    found = [line for line in text.splitlines() if "UploadedFileManager" in line]
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in found)
