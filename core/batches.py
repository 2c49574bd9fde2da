"""Work on many images as chunks that fit the cache, on all cores."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

# 256 images of 784 float32 are 800 kB: an attack's few such arrays stay in a core's cache, and its
# steps are long enough for the interpreter not to be what the threads wait for.
CHUNK = 256


def in_chunks(work: Callable[[slice], None], n: int) -> None:
    """Call `work` with slices that together cover range(n), several at a time.

    Threads suffice: NumPy lets go of the interpreter in its loops and products. While they run,
    each matrix product keeps to its own thread; that BLAS would add more only slows both down.

    Args:
        work: is given a slice of at most `CHUNK` rows; writes what it finds where no other
            slice writes. The first exception it raises is raised here.
        n: how many rows there are.
    """
    todo = deque(slice(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK))

    def take() -> None:
        while True:
            try:
                rows = todo.popleft()
            except IndexError:
                return
            try:
                work(rows)
            except BaseException:
                todo.clear()
                raise

    with one_thread_a_product:
        helpers = [_workers().submit(take) for _ in range(min(threads(), len(todo)) - 1)]
        # The caller takes its share, so that it never waits for a core that others keep busy.
        try:
            take()
        finally:
            begun = [helper for helper in helpers if not helper.cancel()]
            wait(begun)
        for helper in begun:
            helper.result()


def threads() -> int:
    """How many threads the caller's work may keep busy: one a core, or as `at_most` has it."""
    return min(_cores(), getattr(_limit, "threads", _cores()))


@contextmanager
def at_most(threads: int) -> Iterator[None]:
    """Within, and for the caller's thread alone, that is how many `threads` there may be."""
    before = vars(_limit).copy()
    _limit.threads = threads
    try:
        yield
    finally:
        vars(_limit).clear()
        vars(_limit).update(before)


def sparing_a_core() -> AbstractContextManager[None]:
    """Within, one core is left to others, where there are several."""
    return at_most(max(1, _cores() - 1))


_limit = threading.local()


@cache
def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_cores(), thread_name_prefix="chunks")


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


class _OneThreadAProduct:
    """While anybody is inside, BLAS keeps to one thread; then it is given back its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._own: Any = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._own = _blas().limit(limits=1)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._own.restore_original_limits()


one_thread_a_product = _OneThreadAProduct()
