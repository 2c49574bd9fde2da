"""Work on many images in batches that fit the cache, on all cores."""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from typing import Any

from threadpoolctl import OpenBLASController, ThreadpoolController

# 256 images of 784 float32 numbers take 800 kB. An attack's few arrays of that size stay in a
# core's cache, and its steps are long enough that threads rarely wait for the interpreter.
BATCH = 256


def in_batches(work: Callable[[slice], None], n: int, *, most: int | None = None) -> None:
    """Call `work` with slices that together cover range(n), in several threads.

    Threads are enough because NumPy releases the interpreter lock in its loops and products.
    Meanwhile BLAS uses one thread for each matrix product; more would only compete with ours.

    Args:
        work: a function of a slice of at most `BATCH` rows, or `most`. It must not write where
            another slice writes. Its first exception is raised here.
        n: the number of rows.
        most: allow as many rows in a slice, if there is still one for each thread.
    """
    if not n:
        return
    size = max(BATCH, min(most or 0, -(-n // threads())))
    if n <= size:
        with one_thread_a_product:
            work(slice(0, n))
        return
    todo = deque(slice(start, min(start + size, n)) for start in range(0, n, size))

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
        # The caller works too, so it never waits for a core that others keep busy.
        try:
            take()
        finally:
            begun = [helper for helper in helpers if not helper.cancel()]
            wait(begun)
        for helper in begun:
            helper.result()


def threads() -> int:
    """Return how many threads the caller may use: one a core, or the limit of `at_most`."""
    return min(cores(), _limit.get(cores()))


@contextmanager
def at_most(threads: int) -> Iterator[None]:
    """Limit the threads that work started by the calling thread may use."""
    token = _limit.set(threads)
    try:
        yield
    finally:
        _limit.reset(token)


def sparing_a_core() -> AbstractContextManager[None]:
    """Leave one core free for others where there are several."""
    return at_most(max(1, cores() - 1))


_limit: ContextVar[int] = ContextVar("threads")


@cache
def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), thread_name_prefix="batches")


@lru_cache(1)
def _blas(modules: int) -> ThreadpoolController:
    """Return what controls BLAS; with more modules, there may be more than one BLAS by now."""
    return ThreadpoolController().select(user_api="blas")


class _OneThreadAProduct:
    """A context in which BLAS uses one thread; the last to leave restores its own limit.

    threadpoolctl lets only the first thread that has set OpenBLAS's limit set it again; from other
    threads it does nothing, silently. The limit is the whole process's, so that is lifted here.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._own: Any = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                OpenBLASController.clear_controlling_thread(force=True)
                self._own = _blas(len(sys.modules)).limit(limits=1)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                OpenBLASController.clear_controlling_thread(force=True)
                self._own.restore_original_limits()


one_thread_a_product = _OneThreadAProduct()
