"""Values that are made once for all who ask, in the thread of the first."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from core.serving.memory import Memory

T = TypeVar("T")


class Cache:
    """Values by key. The first caller makes a value in its own thread; other callers wait."""

    def __init__(self, most_kept: int, memory: Memory | None = None) -> None:
        """Start empty.

        Args:
            most_kept: how many values to keep; the least recently used goes first.
            memory: what bounds their bytes, together with others'; None for no such bound.
        """
        self._most_kept = most_kept
        self._memory = memory or Memory()
        self._values: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return a key's value; what `make` raises is raised here and not kept."""
        with self._lock:
            new = key not in self._values
            future: Future[T] = Future() if new else self._values.pop(key)
            self._values[key] = future
            if len(self._values) > self._most_kept:
                self._memory.release(self._values.pop(next(iter(self._values))))
        if new:
            self._make(key, future, make)
        else:
            self._memory.use(future)
        return future.result()

    def _make(self, key: Hashable, future: Future[T], make: Callable[[], T]) -> None:
        """Make a value and remember it."""
        try:
            value = make()
            forget = partial(self._forget, key, future)
            self._memory.hold(future, (key, value), forget=forget)
            with self._lock:
                forgotten = self._values.get(key) is not future
            if forgotten:  # while it was made
                self._memory.release(future)
            future.set_result(value)
        except BaseException as error:
            self._forget(key, future)
            future.set_exception(error)

    def _forget(self, key: Hashable, future: Future[Any]) -> None:
        with self._lock:
            if self._values.get(key) is future:
                del self._values[key]
