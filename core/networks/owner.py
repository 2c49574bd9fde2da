"""Who has kept a network: a hidden file beside the network's own.

The network's own file must not say it, because people download that file and pass it on.
"""

import json
import logging
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from core import files

_SUFFIX = ".owner"
_MOST_BYTES = 1000  # of such a file


def note(network: Path, owner: str) -> None:
    """Write down who has kept the network in a file.

    Args:
        network: the file as it is now. What is noted holds for no later file of the same name.
        owner: what stands for the person.

    Raises:
        OSError: it can't be written.
    """
    about = {"owner": owner, "written": network.stat().st_mtime_ns}
    files.write(_beside(network), json.dumps(about).encode())


def noted(network: Path) -> str | None:
    """Return who has kept the network in a file; None where nobody is known.

    That is so if nothing was noted, if it was about an earlier file, or if it is damaged. Damage is
    one line in the log.
    """
    file = _beside(network)
    try:
        written, state = network.stat().st_mtime_ns, file.stat()
    except OSError:
        return None
    return _read(file, (state.st_ino, state.st_mtime_ns, state.st_size)).get(written)


def forget(network: Path) -> None:
    """Remove what is noted about a file that is gone; what can't be removed holds for no other."""
    with suppress(OSError):
        _beside(network).unlink()


def remove_strays(folder: Path, suffix: str) -> None:
    """Remove what is noted about files with this suffix that are gone from a folder."""
    for file in folder.glob(f".*{_SUFFIX}"):
        name = file.name.removeprefix(".").removesuffix(_SUFFIX)
        if not (folder / f"{name}{suffix}").exists():
            forget(folder / f"{name}{suffix}")


def _beside(network: Path) -> Path:
    return network.with_name(f".{network.stem}{_SUFFIX}")


@lru_cache(maxsize=1000)  # pages ask at every rerun; what is damaged is logged once
def _read(file: Path, state: tuple[int, int, int]) -> dict[int, str]:
    """Return the owner by the time at which the network was written; {} for a damaged file."""
    try:
        if not file.is_file() or state[2] > _MOST_BYTES:
            raise ValueError("it is no file of ours")
        with file.open("rb") as stream:
            about = json.loads(stream.read(_MOST_BYTES))
        owner, written = about["owner"], about["written"]
        if not (isinstance(owner, str) and owner and isinstance(written, int)):
            raise TypeError("it holds something else")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        logging.getLogger(__name__).warning(
            "Nobody owns the network of %r: that file is damaged (%s).",
            file.name,
            type(error).__name__,
        )
        return {}
    return {written: owner}
