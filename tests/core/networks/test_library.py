import os
import signal
import subprocess
import sys
import threading
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.networks import (
    Library,
    LibraryError,
    NetworkNameError,
    load_file,
    save_file,
)
from core.networks.library import MAX_KEPT_BYTES
from core.validate import network_name
from tests.conftest import random_mlp
from tests.core.networks.samples import CARD, ENSEMBLE, NETWORK, assert_same

ROOT = Path(__file__).parents[3]


def test_names_are_the_report_s_first(tmp_path: Path, library: Library) -> None:
    ship(library, "wide", "report", "augmented")
    (tmp_path / ".hidden.safetensors").touch()
    (tmp_path / "notes.txt").touch()
    assert library.names() == ["report", "augmented", "wide"]
    assert Library(tmp_path / "nowhere").names() == []


def ship(library: Library, *names: str) -> None:
    for name in names:
        save_file(library.folder / f"{name}.safetensors", NETWORK, CARD)


def keep(library: Library, *names: str) -> list[str]:
    return [library.keep(name, NETWORK, CARD) for name in names]


def test_kept_networks_come_after_the_shipped_ones(tmp_path: Path, library: Library) -> None:
    ship(library, "wide", "report", "augmented")
    assert keep(library, "Zoe", "anna", "Bob") == ["Zoe", "anna", "Bob"]
    (tmp_path / "kept" / "notes.txt").touch()
    assert library.names() == ["report", "augmented", "wide", "anna", "Bob", "Zoe"]
    assert library.path("anna") == tmp_path / "kept" / "anna.safetensors"
    assert library.path("wide") == tmp_path / "wide.safetensors"
    assert library.path("nobody") == tmp_path / "nobody.safetensors"
    assert [name for name in library.names() if library.is_shipped(name)] == [
        "report", "augmented", "wide",
    ]  # fmt: skip
    assert not library.is_shipped("nobody")


def test_what_was_kept_is_loaded(library: Library) -> None:
    for name, network in (("one", NETWORK), ("both", ENSEMBLE)):
        assert library.keep(f"  {name} ", network, CARD) == name
        loaded, card = library.load(name)
        assert card == CARD
        assert_same(loaded, network)
        assert library.path(name).stat().st_mode & 0o777 == 0o644


def test_a_name_that_is_taken_is_given_a_number(tmp_path: Path, library: Library) -> None:
    ship(library, "report")
    before = (tmp_path / "report.safetensors").read_bytes()
    assert keep(library, "mine", "mine", "MINE", "mine 2", "Report", "Straße", "STRASSE") == [
        "mine", "mine 2", "MINE 3", "mine 2 2", "Report 2", "Straße", "STRASSE 2",
    ]  # fmt: skip
    assert (tmp_path / "report.safetensors").read_bytes() == before
    long = "x" * 40
    assert keep(library, long, long) == [long, "x" * 38 + " 2"]
    for name in library.names():
        assert network_name(name) == name
        library.load(name)


def test_a_kept_network_gives_way_to_one_that_is_shipped_later(
    tmp_path: Path, library: Library
) -> None:
    keep(library, "Wide")
    ship(library, "wide", "Wide")
    assert library.names() == ["Wide", "wide"]
    assert library.path("Wide") == tmp_path / "Wide.safetensors"
    with pytest.raises(LibraryError, match="came with the project"):
        library.delete("Wide")


def test_deleting(tmp_path: Path, library: Library) -> None:
    ship(library, "report")
    keep(library, "mine", "yours")
    library.delete("mine")
    assert library.names() == ["report", "yours"]
    with pytest.raises(LibraryError, match=r"^report came with the project and can't be del"):
        library.delete("report")
    for unknown in ("mine", "", "../report", "Yours", "a\0b", "x" * 10_000):
        with pytest.raises(LibraryError, match=r"^There is no kept network named .{1,60}\.$"):
            library.delete(unknown)
    assert library.names() == ["report", "yours"]
    with pytest.raises(LibraryError, match="no kept network"):
        Library(tmp_path / "nowhere").delete("mine")


def test_many_may_delete_the_same_and_one_does(library: Library) -> None:
    keep(library, "mine")
    ready = threading.Barrier(8)

    def delete(_: int) -> bool:
        ready.wait()
        try:
            library.delete("mine")
        except LibraryError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(delete, range(8))) == 1


@pytest.mark.parametrize(
    "name",
    ["mine", "3b", "Zoë-2", "Zoe\u0308", "ζωή", "हिन्दी", "模型 2", "a", "x" * 40,
     "width=128, lr 0.01", "con1", "console", "common", "  spaced  "],
)  # fmt: skip
def test_names_that_are_fine(name: str, library: Library) -> None:
    assert network_name(name) == unicodedata.normalize("NFC", name.strip())
    assert keep(library, name) == [unicodedata.normalize("NFC", name.strip())]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "1 to 40"),
        (" \t\n", "1 to 40"),
        ("x" * 41, "1 to 40"),
        (".hidden", "begin with a letter or a digit"),
        ("-rf", "begin with"),
        ("\u0301a", "begin with"),
        ("../report", "begin with"),
        ("a/b", "nothing else"),
        ("a\\b", "nothing else"),
        ("C:x", "nothing else"),
        ("a\0b", "nothing else"),
        ("a\nb", "nothing else"),
        ("a<b>", "nothing else"),
        ("a*b", "nothing else"),
        ("a`b", "nothing else"),
        ("a\u202eb", "nothing else"),
        ("a\u00a0b", "nothing else"),
        ("a\ud800", "nothing else"),
        ("a😀", "nothing else"),
        ("mine.", "full stop"),
        ("con", "Windows"),
        ("Nul", "Windows"),
        ("aux.v2", "Windows"),
        ("COM1", "Windows"),
        ("lpt9 .x", "Windows"),
    ],
)
def test_names_that_no_network_can_have(
    name: str, said: str, tmp_path: Path, library: Library
) -> None:
    with pytest.raises(NetworkNameError, match=rf"^[^\n]*{said}[^\n]*\.$"):
        network_name(name)
    with pytest.raises(NetworkNameError):
        keep(library, name)
    assert not list(tmp_path.iterdir())


@given(st.text(max_size=50) | st.text("aZ9é. -_=,/\\\0", min_size=1, max_size=45))
def test_any_text_is_refused_or_names_a_file_in_the_kept_folder(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("models")
    shelf = Library(folder)
    try:
        (name,) = keep(shelf, text)
    except NetworkNameError:
        assert not list(folder.iterdir())
        return
    assert network_name(name) == name == unicodedata.normalize("NFC", name)
    assert list(folder.rglob("*.safetensors")) == [folder / "kept" / f"{name}.safetensors"]
    assert shelf.names() == [name]
    (again,) = keep(shelf, text)
    assert network_name(again) == again != name
    shelf.delete(name)
    assert shelf.names() == [again]


def test_there_is_room_for_so_many(monkeypatch: pytest.MonkeyPatch, library: Library) -> None:
    monkeypatch.setattr("core.networks.library.MAX_KEPT", 5)
    ship(library, "report")

    def try_to_keep(_: int) -> str:
        try:
            return keep(library, "mine")[0]
        except LibraryError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(try_to_keep, range(12)))
    full = "There are 5 kept networks already; delete one first."
    assert sorted(answers) == sorted([full] * 7 + ["mine", *(f"mine {n}" for n in range(2, 6))])
    assert len(library.names()) == 6
    library.delete("mine 3")
    assert keep(library, "mine") == ["mine 3"]


def test_there_is_room_for_so_much(tmp_path: Path, library: Library) -> None:
    large = (tmp_path / "kept" / "large.safetensors", MAX_KEPT_BYTES - 100_000)
    large[0].parent.mkdir()
    with large[0].open("wb") as file:
        file.truncate(large[1])
    keep(library, "small")  # of 64 kB
    with pytest.raises(LibraryError, match=r"more than 500 MB; delete one first\.$"):
        keep(library, "small")
    assert library.names() == ["large", "small"]
    assert not list(large[0].parent.glob("*.part"))
    library.delete("large")
    assert keep(library, "small") == ["small 2"]


def test_a_disk_that_can_t_be_written_is_an_os_error(tmp_path: Path, library: Library) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="exists|directory"):
        keep(library, "mine")


def refuse_links(*args: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_without_links_it_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: Library
) -> None:
    monkeypatch.setattr(os, "link", refuse_links)
    (tmp_path / "kept").mkdir()
    taken = tmp_path / "kept" / "Mine.safetensors"
    assert keep(library, "Mine") == ["Mine"]
    before = taken.read_bytes()
    # As on a disk where somebody takes the name between the look and the claim.
    monkeypatch.setattr("core.networks.library._stems", lambda folder: [])
    assert keep(library, "Mine") == ["Mine 2"]
    monkeypatch.undo()
    assert keep(library, "mine") == ["mine 3"]
    assert taken.read_bytes() == before
    for name in library.names():
        assert_same(library.load(name)[0], NETWORK)
    assert not list((tmp_path / "kept").glob(".*.part"))


def test_without_links_a_failure_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: Library
) -> None:
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", refuse_links)
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        keep(library, "mine")
    assert [file.name for file in (tmp_path / "kept").iterdir()] == [".lock"]


def test_a_name_taken_behind_our_back_is_not_written_over(
    monkeypatch: pytest.MonkeyPatch, library: Library
) -> None:
    keep(library, "mine")
    monkeypatch.setattr("core.networks.library._stems", lambda folder: [])
    assert keep(library, "mine") == ["mine 2"]


def test_stray_files_are_not_listed_and_go_in_time(tmp_path: Path, library: Library) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for name, age in ((".unfinished-old.part", 7200), (".unfinished-new.part", 5)):
        (kept / name).write_bytes(b"half a netw")
        os.utime(kept / name, (time.time() - age,) * 2)
    assert library.names() == []
    keep(library, "mine")
    assert set(os.listdir(kept)) == {".unfinished-new.part", ".lock", "mine.safetensors"}
    assert library.names() == ["mine"]


KEEP_FOR_EVER = """
import sys
from pathlib import Path
from core.networks import Library, load_file
network, card = load_file(Path(sys.argv[1]))
shelf = Library(Path(sys.argv[2]))
print("ready", flush=True)
while True:
    shelf.keep("large", network, card)
    if len(shelf.names()) > 3:
        shelf.delete("large 2")
"""


def kill_a_keeper(source: Path, folder: Path, pattern: str) -> set[Path]:
    """Have a process keep networks, kill it as soon as it makes such a file; the files it left."""
    process = subprocess.Popen(
        [sys.executable, "-c", KEEP_FOR_EVER, str(source), str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    known = set(folder.glob(pattern))
    while not set(folder.glob(pattern)) - known:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return set(folder.glob(pattern)) - known


def test_a_save_that_is_killed_half_way_leaves_whole_networks(tmp_path: Path) -> None:
    source, folder = tmp_path / "large.safetensors", tmp_path / "models"
    shelf = Library(folder)
    save_file(source, random_mlp((784, 2048, 2048, 10), seed=0, dtype=np.float32), CARD)
    expected = load_file(source)[0]
    for pattern in ["kept/*.safetensors", "kept/.*.part"] * 5:
        left = kill_a_keeper(source, folder, pattern)
        for name in shelf.names():
            assert_same(shelf.load(name)[0], expected)
        if any(file.suffix == ".part" for file in left):
            break
    else:
        pytest.fail("none of them was killed while it wrote")
    # The killed one's lock is gone with it.
    assert_same(shelf.load(shelf.keep("after", NETWORK, CARD))[0], NETWORK)


KEEP_MANY = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from core.networks import Library, load_file
shelf, name = Library(Path(sys.argv[2])), sys.argv[3]
network, card = load_file(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read()
with ThreadPoolExecutor(8) as pool:
    keep = lambda _: shelf.keep(name, network, card)
    print(*pool.map(keep, range(20)), sep=",")
"""


def test_processes_and_threads_that_keep_one_name_get_different_ones(tmp_path: Path) -> None:
    source, folder = tmp_path / "source.safetensors", tmp_path / "models"
    shelf = Library(folder)
    save_file(source, NETWORK, CARD)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", KEEP_MANY, str(source), str(folder), name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("ours", "OURS")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    answers: list[str] = []
    for process in processes:
        assert process.stdout is not None
        answers += process.stdout.read().strip().split(",")
        process.stdout.close()
        assert process.wait() == 0
    assert sorted(name.lower() for name in answers) == sorted(
        ["ours", *(f"ours {number}" for number in range(2, 41))]
    )
    assert set(shelf.names()) == set(answers)
    for name in answers:
        assert_same(shelf.load(name)[0], NETWORK)
