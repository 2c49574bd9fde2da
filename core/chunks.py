"""Work on many images as chunks that fit the cache, on all cores."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
    slices = [slice(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]
    with _one_thread_a_product:
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


_one_thread_a_product = _OneThreadAProduct()
