import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from core import batches
from core.batches import BATCH, in_batches

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("n", [0, 1, BATCH - 1, BATCH, BATCH + 1, 10 * BATCH + 3])
def test_every_row_is_visited_once(n: int) -> None:
    visits = np.zeros(n, int)

    def visit(rows: slice) -> None:
        assert 0 < rows.stop - rows.start <= BATCH
        visits[rows] += 1

    in_batches(visit, n)
    assert (visits == 1).all()


def test_batches_run_side_by_side() -> None:
    if batches._workers()._max_workers < 2:
        pytest.skip("this machine has one core")
    both_inside = threading.Barrier(2, timeout=600)
    in_batches(lambda rows: (both_inside.wait(), None)[1], 2 * BATCH)


def test_a_limit_of_threads_is_for_the_calling_thread_alone() -> None:
    seen = set()

    def look(rows: slice) -> None:
        seen.add(threading.get_ident())

    own = batches.threads()
    with batches.at_most(1):
        in_batches(look, 20 * BATCH)
        assert seen == {threading.get_ident()}
        with ThreadPoolExecutor(1) as other:
            assert other.submit(batches.threads).result() == own
        with batches.at_most(own):
            assert batches.threads() == own
        assert batches.threads() == 1
    with batches.sparing_a_core():
        assert batches.threads() == max(1, own - 1)
    assert batches.threads() == own


def test_an_error_in_a_batch_is_raised_here() -> None:
    def fail(rows: slice) -> None:
        raise ValueError(f"x must not start at {rows.start}")

    with pytest.raises(ValueError, match="must not start at"):
        in_batches(fail, 3 * BATCH)


def test_a_caller_does_not_wait_for_cores_that_others_keep_busy() -> None:
    release, visits = threading.Event(), np.zeros(5 * BATCH, int)
    blocked = [
        batches._workers().submit(release.wait, 600) for _ in range(batches._workers()._max_workers)
    ]

    def visit(rows: slice) -> None:
        visits[rows] += 1

    try:
        in_batches(visit, len(visits))
        assert not any(future.done() for future in blocked)
    finally:
        release.set()
    assert (visits == 1).all()


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_matrix_products_keep_to_one_thread_meanwhile_and_get_theirs_back() -> None:
    np.ones((2, 2)) @ np.ones((2, 2))
    before, inside = blas_threads(), []

    def look(rows: slice) -> None:
        in_batches(lambda inner: inside.append(blas_threads()), 1)  # also when nested

    in_batches(look, 1)
    assert inside == [[1] * len(before)]
    assert blas_threads() == before


def test_a_library_with_a_blas_of_its_own_is_kept_to_one_thread_too() -> None:
    """NumPy's BLAS is there at first, SciPy's comes with its import."""
    script = """
import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits
from core.batches import one_thread_a_product

def threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

with one_thread_a_product:
    before = threads()
import scipy.linalg
with threadpool_limits(2, user_api="blas"), one_thread_a_product:
    print(len(threads()) - len(before), *set(threads()))
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, cwd=ROOT)
    more, *threads = map(int, done.stdout.split())
    if not more:
        pytest.skip("SciPy has no BLAS of its own here")
    assert threads == [1]


def test_matrix_products_keep_to_one_thread_whichever_thread_asks() -> None:
    def look() -> list[list[int]]:
        inside: list[list[int]] = []
        in_batches(lambda rows: inside.append(blas_threads()), 1)
        return [*inside, blas_threads()]

    with threadpool_limits(2, user_api="blas"):
        pools = len(blas_threads())
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as another:
            for place in (one, another, one):  # all of them alive
                assert place.submit(look).result() == [[1] * pools, [2] * pools]
        assert look() == [[1] * pools, [2] * pools]
