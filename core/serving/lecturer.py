"""Who the lecturer is, and what only the lecturer may do."""

import hashlib
import hmac
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable

from core.serving.visitors import Visitor, person_of

TRIES = 5  # of a person in `TRY_SECONDS`
TRIES_OF_ALL = 60  # because anybody can become a new person
TRY_SECONDS = 60.0
CLOSED_SECONDS = 3600.0  # so that nobody finds a server closed the next day


class WordError(ValueError):
    """A word that makes nobody the lecturer; the message says why."""


class ClosedError(ValueError):
    """The lecturer has closed training and uploads."""


class Lecturer:
    """The people who have said the lecturer's word, and what they have closed.

    Without a word nobody is the lecturer, except for the only user of a server that nobody else
    can reach.
    """

    def __init__(self, word: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with everything open.

        Args:
            word: what the lecturer says; empty for none.
            clock: returns seconds, as `time.monotonic`.
        """
        self.has_word = bool(word)
        self._word = _hashed(word)
        self._clock = clock
        self._people: set[Hashable] = set()
        self._wrong: deque[tuple[float, Hashable]] = deque(maxlen=TRIES_OF_ALL)  # when, and who
        self._closed_until = -math.inf
        self._lock = threading.Lock()

    def is_lecturer(self, who: Hashable) -> bool:
        """Return whether somebody may do everything."""
        alone = isinstance(who, Visitor) and who.is_alone
        return person_of(who) in self._people or (alone and not self.has_word)

    def say(self, word: str, *, who: Hashable) -> None:
        """Make somebody the lecturer who says the word.

        Raises:
            WordError: it is another word, or there were too many of these in the last minute.
        """
        person = person_of(who)
        with self._lock:
            since = self._clock() - TRY_SECONDS
            recent = [each for at, each in self._wrong if at >= since]
            if len(recent) >= TRIES_OF_ALL or recent.count(person) >= TRIES:
                raise WordError("There were too many tries. Wait a minute.")
            if not (self.has_word and hmac.compare_digest(_hashed(word), self._word)):
                self._wrong.append((self._clock(), person))
                raise WordError("This is not the lecturer's word.")
            self._people.add(person)

    def leave(self, *, who: Hashable) -> None:
        """Make somebody a student again."""
        with self._lock:
            self._people.discard(person_of(who))

    def close(self, *, who: Hashable) -> None:
        """Close training and uploads for everybody else for an hour, if the lecturer says so."""
        if self.is_lecturer(who):
            self._closed_until = self._clock() + CLOSED_SECONDS

    def reopen(self, *, who: Hashable) -> None:
        """Open training and uploads again, if the lecturer says so."""
        if self.is_lecturer(who):
            self._closed_until = -math.inf

    @property
    def closed_minutes(self) -> int:
        """How many minutes training and uploads stay closed, rounded up; 0 if they are open."""
        left = self._closed_until - self._clock()
        return math.ceil(left / 60) if left > 0 else 0

    def is_closed(self, *, who: Hashable) -> bool:
        """Return whether training and uploads are closed for somebody."""
        return self.closed_minutes > 0 and not self.is_lecturer(who)

    def check_open(self, *, who: Hashable) -> None:
        """Raise `ClosedError` if training and uploads are closed for somebody."""
        if self.is_closed(who=who):
            raise ClosedError(
                "The lecturer has closed training and uploads; they open in "
                f"{self.closed_minutes} min at the latest."
            )


def _hashed(word: str) -> bytes:
    """Return what is compared: as long for every word, so that the time tells nothing."""
    return hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()
