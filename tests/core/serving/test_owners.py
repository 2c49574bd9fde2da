"""Whose a kept network is: after a restart, on all servers of a folder, and beside bad files."""

import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.networks import Library, LibraryError
from core.networks.file import SUFFIX
from core.serving.rights import NotYoursError
from core.serving.server import MOST_KEPT, WORD, Server
from core.serving.visitors import Visitor
from tests.core.networks.samples import CARD, NETWORK

ROOT = Path(__file__).parents[3]
ME, YOU = Visitor("me", "tab"), Visitor("you", "tab")
KEEP = """
import sys
from pathlib import Path
from core.networks import LIBRARY
from core.serving.server import Server
from core.serving.visitors import Visitor
from tests.core.networks.samples import CARD, NETWORK

vars(LIBRARY)["folder"] = Path(sys.argv[1])
server = Server()
print(server.keep("mine", NETWORK, CARD, who=Visitor("me", "another tab")))
print(server.may_delete("mine", who=Visitor("you", "tab")))
"""


def note_of(library: Library, name: str = "mine") -> Path:
    return library.folder / "kept" / f".{name}.owner"


def test_another_process_with_the_same_folder_knows_the_owner(library: Library) -> None:
    command = [sys.executable, "-c", KEEP, str(library.folder)]
    # Texts have other hashes in each process, unless this is set.
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONHASHSEED"}
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["mine", "False"]
    server = Server()
    assert server.may_delete("mine", who=ME) and not server.may_delete("mine", who=YOU)
    with pytest.raises(NotYoursError):
        server.delete("mine", who=YOU)
    server.delete("mine", who=ME)
    assert library.names() == []
    assert not note_of(library).exists()


def test_servers_on_one_folder_agree_and_the_lecturer_may_do_all(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORD, "the word")
    first, second = Server(), Server()
    second.lecturer.say("the word", who=YOU)
    for name, who in (("mine", ME), ("yours", YOU)):
        assert first.keep(name, NETWORK, CARD, who=who) == name
    assert second.may_delete("mine", who=ME) and not second.may_delete("yours", who=ME)
    assert second.may_delete("mine", who=YOU) and not first.may_delete("mine", who=YOU)
    second.delete("mine", who=YOU)
    assert not first.may_delete("mine", who=ME)


def test_a_person_keeps_a_few_and_leaves_room_for_others(library: Library) -> None:
    server = Server()
    for _ in range(MOST_KEPT):
        server.keep("mine", NETWORK, CARD, who=ME)
    with pytest.raises(LibraryError, match=str(MOST_KEPT)):
        server.keep("mine", NETWORK, CARD, who=Visitor("me", "another tab"))
    server.keep("yours", NETWORK, CARD, who=YOU)
    server.delete("mine", who=ME)
    server.keep("another", NETWORK, CARD, who=ME)
    server.keep("one more", NETWORK, CARD, who=Visitor("me", "tab", is_alone=True))
    assert len(library.names()) == MOST_KEPT + 2


def test_neither_the_person_nor_the_owner_s_mark_is_in_what_is_downloaded(
    library: Library,
) -> None:
    token = "0123456789abcdef" * 2
    Server().keep("mine", NETWORK, CARD, who=Visitor(token, "tab"))
    mark = library.owner("mine")
    assert mark is not None and len(mark) == 64
    content = library.path("mine").read_bytes()
    assert mark.encode() not in content and token.encode() not in content
    assert token not in note_of(library).read_text()


def test_a_later_network_of_the_same_name_is_nobody_s(library: Library) -> None:
    server = Server()
    server.keep("mine", NETWORK, CARD, who=ME)
    file = library.path("mine")
    file.unlink()  # by other means than the library
    library.keep("mine", NETWORK, CARD)
    assert library.owner("mine") is None
    library.delete("mine")
    server.keep("other", NETWORK, CARD, who=ME)
    assert library.owner("mine") is None and not note_of(library).exists()


def test_nobody_owns_what_is_shipped_or_unknown(library: Library) -> None:
    server = Server()
    server.keep("mine", NETWORK, CARD, who=ME)
    shutil.copy2(library.path("mine"), library.folder / f"mine{SUFFIX}")
    assert library.owner("mine") is None and library.owner("nobody") is None
    assert not server.may_delete("nobody", who=ME)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b"[1]",
        b"null",
        b'{"owner": "',
        b'{"owner": 7, "written": 7}',
        b'{"owner": "", "written": 7}',
        b'{"owner": "x", "written": NaN}',
        b"[" * 900,
        b"9" * 5000,
        b'{"owner": "x", "written": 7}' + b" " * 10_000,
    ],
    ids=lambda content: repr(content[:30]),
)
def test_a_damaged_note_leaves_the_network_to_the_lecturer_with_one_line(
    library: Library, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server()
    server.keep("mine", NETWORK, CARD, who=ME)
    note_of(library).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert not server.may_delete("mine", who=ME)
    (record,) = caplog.records
    assert not record.exc_info and "\n" not in record.getMessage()
    assert "mine" in record.getMessage()
    server.delete("mine", who=Visitor("me", "tab", is_alone=True))
    assert library.names() == []


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such thing")
@pytest.mark.parametrize("kind", ["fifo", "folder", "endless"])
def test_what_is_no_file_is_not_read(library: Library, kind: str) -> None:
    server = Server()
    server.keep("mine", NETWORK, CARD, who=ME)
    note = note_of(library)
    note.unlink()
    if kind == "fifo":
        os.mkfifo(note)
    elif kind == "folder":
        note.mkdir()
    else:
        note.symlink_to("/dev/zero")
    assert not server.may_delete("mine", who=ME)
    library.delete("mine")
    assert library.names() == []


def test_without_a_note_the_network_is_not_kept(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    (library.folder / "kept" / ".mine.owner").mkdir(parents=True)  # a note can't replace it
    (library.folder / "kept" / ".mine.owner" / "x").touch()
    with pytest.raises(OSError):
        Server().keep("mine", NETWORK, CARD, who=ME)
    assert library.names() == []


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_writer_killed_before_its_note_leaves_a_network_of_nobody(library: Library) -> None:
    library.keep("first", NETWORK, CARD)
    child = os.fork()
    if child == 0:
        try:
            owner_noted = Library._note_owner

            def killed(file: Path, owner: str) -> None:
                os.kill(os.getpid(), signal.SIGKILL)
                owner_noted(file, owner)

            Library._note_owner = staticmethod(killed)  # type: ignore[method-assign]
            Server().keep("mine", NETWORK, CARD, who=ME)
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    server = Server()
    assert library.names() == ["first", "mine"]
    assert library.load("mine")[1] == CARD
    assert not server.may_delete("mine", who=ME)
    server.delete("mine", who=Visitor("me", "tab", is_alone=True))
    assert server.keep("mine", NETWORK, CARD, who=ME) == "mine"
    assert server.may_delete("mine", who=ME)
