"""The networks that all users of a machine share: the shipped ones and those that they keep."""

import itertools
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from core import files
from core.networks import owner as owners
from core.networks.card import Card
from core.networks.ensemble import Network
from core.networks.file import SUFFIX, load_file, to_bytes
from core.validate import MAX_NAME, network_name

MAX_KEPT = 100  # networks
MAX_KEPT_BYTES = 500 * 2**20  # of all of them together
STANDARD = "standard"  # what the network of the file "report" is called


def shown_name(name: str) -> str:
    """Return what people see as a network's name.

    The course report's network is called standard: "report" is a document, a recipe and a page.
    """
    return STANDARD if name == "report" else name


class LibraryError(ValueError):
    """A network that can't be kept or deleted; the message says why."""


@dataclass(frozen=True)
class Library:
    """A folder of networks, one file each. Threads and processes may use it at the same time.

    Attributes:
        folder: of the shipped networks. The kept ones are in its folder `kept`.
    """

    folder: Path

    def names(self) -> list[str]:
        """Return all names, each once: the shipped ones, "report" first, then the kept ones."""
        shipped = sorted(_stems(self.folder), key=lambda name: name != "report")
        hidden = set(map(_folded, shipped))
        kept = [name for name in _stems(self._kept) if _folded(name) not in hidden]
        return shipped + sorted(kept, key=_folded)

    def path(self, name: str) -> Path:
        """Return a network's file; for an unknown name, where a shipped network would be."""
        kept = name in _stems(self._kept) and not self.is_shipped(name)
        return _file(self._kept if kept else self.folder, name)

    def is_shipped(self, name: str) -> bool:
        """Return whether a network of that name came with the project."""
        return name in _stems(self.folder)

    def version(self, name: str) -> int:
        """Return a number that changes when the file does: its mtime in ns, 0 without a file."""
        try:
            return self.path(name).stat().st_mtime_ns
        except OSError:
            return 0

    def load(self, name: str) -> tuple[Network, Card]:
        """Read a network and its card.

        Raises:
            NetworkFileError: there is no such network, or its file can't be used.
        """
        return load_file(self.path(name))

    def keep(self, name: str, network: Network, card: Card, *, owner: str = "") -> str:
        """Write a network under a new name; no other network is ever overwritten.

        Args:
            name: what to call it. If a network has that name already, in any case, or is shown
                under it, " 2", " 3" and so on is added.
            network: to keep.
            card: its card.
            owner: what stands for the person who keeps it; empty for nobody.

        Returns:
            The name that the network was given.

        Raises:
            NetworkNameError: a network can't have that name.
            NetworkFileError: the network can't be saved.
            LibraryError: there are too many networks, or they take too much space.
            OSError: the file can't be written.
        """
        name, content = network_name(name), to_bytes(network, card)
        with files.unfinished(self._kept, content) as unfinished, self._lock():
            self.remove_strays()
            owners.remove_strays(self._kept, SUFFIX)
            self._check_room(len(content))
            taken = set(map(_folded, [STANDARD, *_stems(self.folder), *_stems(self._kept)]))
            free = (each for each in _candidates(name) if _folded(each) not in taken)
            name = next(each for each in free if _link(unfinished, _file(self._kept, each)))
            if owner:
                self._note_owner(_file(self._kept, name), owner)
            return name

    def owner(self, name: str) -> str | None:
        """Return what stands for the person who has kept a network; None where nobody is known.

        All servers with this folder know it, also after a restart. A network that was copied or
        changed by other means than this library is nobody's.
        """
        return None if self.is_shipped(name) else owners.noted(_file(self._kept, name))

    def delete(self, name: str) -> None:
        """Delete a kept network.

        Raises:
            LibraryError: the network is shipped, or no kept network has that name.
            OSError: the file can't be deleted.
        """
        if self.is_shipped(name):
            raise LibraryError(f"{name} came with the project and can't be deleted.")
        try:
            if name in _stems(self._kept):
                with self._lock():
                    _file(self._kept, name).unlink()
                    return owners.forget(_file(self._kept, name))
        except FileNotFoundError:  # somebody else deleted it first
            pass
        raise LibraryError(f"There is no kept network named {name[:MAX_NAME]!r}.")

    def remove_strays(self) -> None:
        """Remove what processes left that were killed while they wrote a network."""
        files.remove_strays(self._kept)

    @staticmethod
    def _note_owner(file: Path, owner: str) -> None:
        """Note who keeps a network. If that fails, the network is not kept."""
        try:
            owners.note(file, owner)
        except OSError:
            file.unlink()
            raise

    @property
    def _kept(self) -> Path:
        return self.folder / "kept"

    def _lock(self) -> FileLock:
        """Return a lock that one thread of one process can hold; it ends with the process."""
        return FileLock(self._kept / ".lock", poll_interval=0.01)

    def _check_room(self, more: int) -> None:
        """Raise if there is no room for another network of `more` bytes."""
        sizes = [_file(self._kept, name).stat().st_size for name in _stems(self._kept)]
        if len(sizes) >= MAX_KEPT:
            raise LibraryError(f"There are {MAX_KEPT} kept networks already; delete one first.")
        if sum(sizes) + more > MAX_KEPT_BYTES:
            raise LibraryError(
                f"The kept networks would take more than {MAX_KEPT_BYTES // 2**20} MB; "
                "delete one first."
            )


LIBRARY = Library(Path(__file__).parents[2] / "models")


def _folded(name: str) -> str:
    """Return a form that is equal for two names if some file system can't tell them apart."""
    return unicodedata.normalize("NFC", name.casefold())


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}{SUFFIX}"


def _stems(folder: Path) -> list[str]:
    """Return the names of the networks in a folder, sorted."""
    try:
        found = os.listdir(folder)  # Path.glob takes five times as long, and pages ask often
    except FileNotFoundError:
        return []
    return sorted(
        file.removesuffix(SUFFIX)
        for file in found
        if file.endswith(SUFFIX) and not file.startswith(".")
    )


def _candidates(name: str) -> Iterator[str]:
    """Yield the name, then the name with 2, 3 and so on, shortened to `MAX_NAME` characters."""
    yield name
    for number in itertools.count(2):
        suffix = f" {number}"
        yield name[: MAX_NAME - len(suffix)].rstrip() + suffix


def _link(unfinished: Path, file: Path) -> bool:
    """Give a finished file its name; return False where another file has that name."""
    try:
        os.link(unfinished, file)
    except FileExistsError:
        return False
    except OSError:  # a file system without links; the lock keeps other programs away
        if file.exists():
            return False
        os.replace(unfinished, file)
    return True
