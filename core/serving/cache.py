"""Values that are made once for all who ask, in the thread of the first."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Cache:
    """Values by key. The first caller makes a value in its own thread; other callers wait."""

    def __init__(self, most_kept: int) -> None:
        """Start empty; keep the `most_kept` most recently used values."""
        self._most_kept = most_kept
        self._values: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return a key's value; what `make` raises is raised here and not kept."""
        with self._lock:
            new = key not in self._values
            future: Future[T] = Future() if new else self._values.pop(key)
            self._values[key] = future
            if len(self._values) > self._most_kept:
                del self._values[next(iter(self._values))]
        if new:
            try:
                future.set_result(make())
            except BaseException as error:
                with self._lock:
                    self._values.pop(key, None)
                future.set_exception(error)
        return future.result()
