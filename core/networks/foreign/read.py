"""Read a file of another program, whatever kind it is."""

from pathlib import Path

from core.networks.file import MAX_BYTES, NetworkFileError
from core.networks.foreign import child, safetensors_file
from core.networks.foreign.found import Found
from core.networks.foreign.kinds import SAFETENSORS, kind_of, too_large


def read(content: bytes, name: str) -> Found:
    """Return the networks that a file of another program may mean.

    Args:
        content: the whole file.
        name: what to call the file in an error.

    Raises:
        NetworkFileError: the file holds no network that can be used, or can't be read; the
            message says why, and what to do instead.
    """
    try:
        kind = kind_of(content)
        return safetensors_file.read(content) if kind == SAFETENSORS else child.read(content, kind)
    except ValueError as error:
        raise NetworkFileError(f"{name} can't be used: {error}.") from None


def read_file(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        NetworkFileError: the file is missing, can't be read or is too large.
    """
    try:
        if (size := path.stat().st_size) <= MAX_BYTES:
            return path.read_bytes()
        reason = too_large(size)
    except FileNotFoundError:
        reason = "there is no such file"
    except OSError as error:
        reason = f"it can't be read ({error.strerror})"
    raise NetworkFileError(f"{path.name} can't be used: {reason}.")
