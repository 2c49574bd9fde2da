import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core import files


def test_a_file_is_written_replaced_and_readable_by_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    for content in (b"first", b"second"):
        files.write(path, content)
        assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(path.parent) == ["a.txt"]


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "a.txt").write_bytes(b"old")
    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="No space left"):
        files.write(tmp_path / "a.txt", b"new")
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_an_unfinished_file_is_hidden_and_goes(tmp_path: Path) -> None:
    with files.unfinished(tmp_path, b"whole") as file:
        assert file.read_bytes() == b"whole"
        assert (file.name[0], file.suffix) == (".", ".part")
    assert not os.listdir(tmp_path)


def test_old_strays_are_removed_and_nobody_else_s_files(tmp_path: Path) -> None:
    for name in (".unfinished-old.part", ".unfinished-new.part", ".theirs.part"):
        (tmp_path / name).touch()
        age = 5 if "new" in name else 7200
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    files.write(tmp_path / "a.txt", b"a", bulk=True)
    assert len(os.listdir(tmp_path)) == 4
    files.write(tmp_path / "a.txt", b"a")
    assert set(os.listdir(tmp_path)) == {".unfinished-new.part", ".theirs.part", "a.txt"}
    files.remove_strays(tmp_path, age=0)
    assert set(os.listdir(tmp_path)) == {".theirs.part", "a.txt"}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_a_file_of_a_writer_that_was_killed_goes_soon_and_others_stay(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from core import files\n"
        "with files.unfinished(Path(sys.argv[1]), b'half'): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    (left,) = tmp_path.iterdir()
    with files.unfinished(tmp_path, b"whole") as file:
        for each in (left, file):
            os.utime(each, (time.time() - 60,) * 2)
        files.remove_strays(tmp_path)
        assert os.listdir(tmp_path) == [file.name]
    assert not os.listdir(tmp_path)


def test_what_can_t_be_written_is_said_before(tmp_path: Path) -> None:
    files.check_writable(tmp_path / "new folder" / "a.txt")
    with pytest.raises(ValueError, match="is a folder"):
        files.check_writable(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="can't be written"):
        files.check_writable(tmp_path / "file" / "a.txt")
