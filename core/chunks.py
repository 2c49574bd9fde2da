"""Work on many images as chunks that fit the cache, on all cores."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

# 128 images of 784 float32 are 400 kB: an attack's few such arrays stay near the core.
CHUNK = 128


def in_chunks(work: Callable[[slice], None], n: int) -> None:
    """Call `work` with slices that together cover range(n), several at a time.

    Threads suffice: NumPy lets go of the interpreter in its loops and products. While they run,
    each matrix product keeps to its own thread; that BLAS would add more only slows both down.

    Args:
        work: is given a slice of at most `CHUNK` rows; writes what it finds where no other
            slice writes. The first exception it raises is raised here.
        n: how many rows there are.
    """
    slices = [slice(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]
    with _one_thread_a_product():
        if len(slices) == 1:
            work(slices[0])
        else:
            for _ in _workers().map(work, slices):
                pass


@cache
def _workers() -> ThreadPoolExecutor:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return ThreadPoolExecutor(cores, thread_name_prefix="chunks")


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


_lock = threading.Lock()
_running = 0
_limit = None


@contextmanager
def _one_thread_a_product() -> Iterator[None]:
    """Hold BLAS to one thread while at least one caller is inside, then give it back its own."""
    global _running, _limit
    with _lock:
        _running += 1
        if _running == 1:
            _limit = _blas().limit(limits=1)
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if _running == 0 and _limit is not None:
                _limit.restore_original_limits()
                _limit = None
