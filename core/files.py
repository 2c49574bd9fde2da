"""Files that are whole or not there at all, whatever happens while they are written."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

STRAY_SECONDS = 3600.0  # an unfinished file of this age was left by a killed process
_LOCKED_SECONDS = 10.0  # one of this age that nobody has locked, too
_PREFIX, _SUFFIX = ".unfinished-", ".part"


def write(path: Path, content: bytes, *, bulk: bool = False) -> None:
    """Write a file in one step: readers find the old content or the new, never a part of it.

    Args:
        path: the file to write or to replace. Its folder is made where it is missing.
        content: the bytes of the whole file.
        bulk: whether this is one of thousands of files. Then the function neither waits for the
            disk nor removes strays; call `remove_strays` once for each folder.

    Raises:
        OSError: the file can't be written. What was there before is unchanged.
    """
    if not bulk:
        remove_strays(path.parent)
    with unfinished(path.parent, content, synced=not bulk) as file:
        os.replace(file, path)


@contextmanager
def unfinished(folder: Path, content: bytes, *, synced: bool = True) -> Iterator[Path]:
    """Yield a hidden file with the whole content, for the caller to rename or link.

    The hidden name is removed afterwards. `synced` waits until the disk has the content.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=_PREFIX, suffix=_SUFFIX)
    file = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            _lock(handle)  # ends with the process
            stream.write(content)
            stream.flush()
            if synced:
                os.fsync(handle)
            file.chmod(0o644)
            if sys.platform != "win32":
                yield file
        if sys.platform == "win32":  # there, an open file can't get another name
            yield file
    finally:
        file.unlink(missing_ok=True)


def remove_strays(folder: Path, *, age: float = STRAY_SECONDS) -> None:
    """Remove the unfinished files that killed processes left in a folder.

    A file is such a stray if it is `age` seconds old, or if it is a few seconds old and its writer
    no longer locks it, where the system has such locks.
    """
    for file in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with suppress(OSError):  # finished in the meantime, or another user's
            old = time.time() - file.stat().st_mtime
            if old >= age or (old >= _LOCKED_SECONDS and _is_left(file)):
                file.unlink()


def _lock(handle: int) -> bool:
    """Lock an open file for this process; return False if another process has done so.

    A file system without locks counts as one on which every file is locked.
    """
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_left(file: Path) -> bool:
    """Return whether an unfinished file's writer has ended."""
    with file.open("rb") as stream:
        return _lock(stream.fileno())


def check_writable(path: Path) -> None:
    """Raise now what `write` would raise after hours of work.

    Raises:
        ValueError: `path` is a folder or can't be written; the message says which.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file to write")
    try:
        with unfinished(path.parent, b""):
            pass
    except OSError as error:
        raise ValueError(f"{path} can't be written: {error.strerror}") from None
