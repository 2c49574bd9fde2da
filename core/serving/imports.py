"""Files of other programs, each read once for all who bring it along."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass

from core.batches import sparing_a_core
from core.data.mnist import Digits
from core.evaluation.imported import Choice, choices, imported
from core.networks import Card
from core.networks.foreign import Found, read
from core.serving.cache import Cache
from core.serving.memory import Memory

AT_ONCE = 2  # files; each takes a process that loads torch or onnx
MOST_SECONDS = 120.0  # to wait for a turn
MOST_KEPT = 20  # files


class BusyError(ValueError):
    """Too many files are being read; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Import:
    """What a file holds, and the ways to read it, the best first."""

    found: Found
    choices: tuple[Choice, ...]


class Imports:
    """What was found in files of other programs."""

    def __init__(
        self,
        digits: Callable[[str], Digits],
        *,
        memory: Memory | None = None,
        seconds: float = MOST_SECONDS,
    ) -> None:
        """Start empty.

        Args:
            digits: returns MNIST's "train" or "test" images.
            memory: what bounds all that is kept; see `Cache`.
            seconds: how long a file waits for its turn.
        """
        self._digits, self._seconds = digits, seconds
        self._found = Cache(MOST_KEPT, memory)
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def read(self, content: bytes, name: str) -> Import:
        """Return what a file of another program holds; wait until it is read.

        Raises:
            NetworkFileError: it holds no network that classifies digits; the message names it
                by `name`.
            BusyError: others had the turn all the time.
        """
        key = (hashlib.sha256(content).digest(), name)
        return self._found.get(key, lambda: self._read(content, name))

    def card(self, import_: Import, choice: Choice, *, today: str) -> Card:
        """Return the card of the network that one of the choices stands for."""
        train, test = self._digits("train"), self._digits("test")
        with sparing_a_core():
            return imported(choice, import_.found, train, test, today=today)

    def _read(self, content: bytes, name: str) -> Import:
        if not self._turns.acquire(timeout=self._seconds):
            raise BusyError("Too many files are being read just now. Bring it again in a minute.")
        try:
            found = read(content, name)
            with sparing_a_core():
                tried = choices(found, self._digits("train"), self._digits("test"), name)
            return Import(found, tried)
        finally:
            self._turns.release()
