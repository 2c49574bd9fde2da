"""Files that are whole or not there at all, whatever happens while they are written."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STRAY_SECONDS = 3600.0  # an unfinished file of this age was left by a killed process
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
            stream.write(content)
            stream.flush()
            if synced:
                os.fsync(handle)
        file.chmod(0o644)
        yield file
    finally:
        file.unlink(missing_ok=True)


def remove_strays(folder: Path, *, age: float = STRAY_SECONDS) -> None:
    """Remove the unfinished files that killed processes left in a folder at least `age` s ago."""
    for file in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with suppress(OSError):  # finished in the meantime, or another user's
            if time.time() - file.stat().st_mtime >= age:
                file.unlink()


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
