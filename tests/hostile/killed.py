"""Kill writers of networks at random moments: `python -m tests.hostile.killed FOLDER COUNT SEED`.

Each writer is a process of its own that keeps and deletes networks, and says what it has done.
Afterwards, all that it has kept must be there and whole.
"""

import os
import signal
import sys
import time
from pathlib import Path
from random import Random

from core import files
from core.networks import Library
from tests.core.networks.samples import CARD, NETWORK, assert_same


def write(shelf: Library, told: int, number: int) -> None:
    """Keep networks and delete old ones, until this process is killed."""
    kept: list[str] = []
    while True:
        kept.append(shelf.keep(f"of {number}", NETWORK, CARD, owner=f"{number}"))
        os.write(told, f"+{kept[-1]}\n".encode())
        if len(kept) > 3:
            os.write(told, f"-{kept[0]}\n".encode())  # before: it may be gone without a word after
            shelf.delete(kept.pop(0))


def kill_one(shelf: Library, rng: Random, number: int) -> bool:
    """Start a writer, kill it, and look at what it left; return whether it was writing a file."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        try:
            write(shelf, writes, number)
        finally:
            os._exit(1)  # a writer ends by its death alone
    os.close(writes)
    time.sleep(rng.random() * 0.03)  # any moment will do
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the writer failed"
    with os.fdopen(reads) as lines:
        said = lines.read().split("\n")[:-1]
    deleted = {line[1:] for line in said if line[0] == "-"}
    for name in {line[1:] for line in said if line[0] == "+"} - deleted:
        assert name in shelf.names(), f"{name} is lost"
        assert shelf.owner(name) == f"{number}"
    for name in shelf.names():
        network, card = shelf.load(name)
        assert_same(network, NETWORK)
        assert card == CARD
        assert shelf.owner(name) in (None, f"{number}")  # None if it was killed in between
    left = list((shelf.folder / "kept").glob(".*.part"))
    for file in left:
        os.utime(file, (time.time() - 60,) * 2)
    shelf.remove_strays()
    assert not list((shelf.folder / "kept").glob(".*.part"))
    shelf.keep("last", NETWORK, CARD)  # which removes what is noted about networks that are gone
    for name in shelf.names():
        shelf.delete(name)
    assert not list((shelf.folder / "kept").glob(".*.owner"))
    return bool(left)


def main(folder: str, count: str, seed: str) -> None:
    """Kill so many writers; print how many were at a file."""
    shelf, rng = Library(Path(folder)), Random(int(seed))
    files.write(shelf.folder / "kept" / ".lock", b"")
    writing = sum(kill_one(shelf, rng, number) for number in range(int(count)))
    sys.stdout.write(f"{writing}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
