"""Executors for sweeps: processes on this machine, or the workers of a Dask cluster."""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from core.batches import cores

if TYPE_CHECKING:
    from distributed import Client

NAMES = ("processes", "dask")
MOST_BY_DEFAULT = 8  # processes; each takes half a gigabyte
MOST = 61  # processes that Windows can wait for
SECONDS_TO_CONNECT = 10
SECONDS_WITHOUT_WORKERS = 60
_SECONDS_BETWEEN_LOOKS = 1


class ExecutorError(ValueError):
    """An executor that doesn't exist, can't be reached or has lost its workers; says which."""


def by_name(
    name: str, *, workers: int | None = None, scheduler: str | None = None
) -> AbstractContextManager[Executor]:
    """Return the executor of a name, to be entered.

    Args:
        name: one of `NAMES`.
        workers: see `processes`.
        scheduler: see `dask`.

    Raises:
        ExecutorError: there is no such executor, or it does not take these settings.
        ValueError: `workers` is not as in `processes`.
    """
    if name not in NAMES:
        raise ExecutorError(f"executor must be one of {', '.join(NAMES)}, not {name!r}")
    if name == "processes":
        if scheduler is not None:
            raise ExecutorError("A scheduler is for the executor dask only.")
        return processes(workers)
    if workers is not None:
        raise ExecutorError("Dask's workers are started beside its scheduler, not here.")
    if scheduler is None:
        raise ExecutorError("The executor dask needs its scheduler's address.")
    return dask(scheduler)


@contextmanager
def processes(workers: int | None = None) -> Iterator[Executor]:
    """Give an executor whose workers are processes on this machine.

    They are started when they are first needed, and end when the context is left or this process
    ends, however that happens. They are not forked: a copy of a process with running threads may
    hang.

    Args:
        workers: how many, 1 to `MOST`; None for one a core, at most `MOST_BY_DEFAULT`.

    Raises:
        ValueError: `workers` is not as above.
        ExecutorError: a worker has ended before its work was done.
    """
    if workers is None:
        workers = min(cores(), MOST_BY_DEFAULT)
    if not 1 <= workers <= MOST:
        raise ValueError(f"workers must be 1 to {MOST}, not {workers}")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    pool = _Processes(workers, context, initializer=_begin, initargs=(ours,))
    try:
        yield pool
    except BrokenExecutor as error:
        raise ExecutorError(
            "A worker process has ended before its work was done; perhaps memory ran out. "
            "What was finished is kept: run this again, with fewer workers if need be."
        ) from error
    finally:
        theirs.close()  # ends workers that are still at work
        pool.shutdown(cancel_futures=True)
        ours.close()


class _Processes(ProcessPoolExecutor):
    """Processes that ignore Ctrl-C from their very start: they inherit that."""

    def submit(self, *task: Any, **settings: Any) -> Future[Any]:
        """Do as the base class does, which starts the processes with the first task."""
        if threading.current_thread() is not threading.main_thread():
            return super().submit(*task, **settings)
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return super().submit(*task, **settings)
        finally:
            signal.signal(signal.SIGINT, before)


def _begin(end_of_parent: Connection) -> None:
    """Prepare a worker process."""
    # Ctrl-C reaches all processes of a terminal. The parent tells the workers to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(end_of_parent,), daemon=True).start()


def _end_with(parent: Connection) -> None:
    """End this process when the parent has closed its end of a pipe, or has ended itself."""
    try:
        parent.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)


@contextmanager
def dask(scheduler: str, *, patience: float = SECONDS_WITHOUT_WORKERS) -> Iterator[Executor]:
    """Give an executor whose workers are those of a Dask cluster.

    Dask gives a lost worker's tasks to another one. What workers have begun when the context is
    left by an error, they finish; no more is begun.

    Args:
        scheduler: the address of its scheduler, such as "tcp://10.0.0.1:8786".
        patience: how many seconds to wait for a worker while there is none.

    Raises:
        ExecutorError: Dask is not installed, no scheduler is reached, or there is no worker.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise ExecutorError("Dask is not installed: pip install distributed") from None
    # It logs a traceback when the scheduler is lost. The errors here say what has happened.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    try:
        # In a thread of its own, since a notebook's loop is running in its main one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _reach(scheduler)).result()
        client = Client(scheduler, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        why = str(error) or "what listens there does not answer as one does"
        raise ExecutorError(f"No Dask scheduler is reached at {scheduler!r}: {why}") from error
    with client, _watched(client, patience) as lost:
        try:
            yield client.get_executor(pure=False)
        except (CancelledError, KilledWorker) as error:
            raise ExecutorError(
                f"{' '.join(lost) or 'The Dask scheduler or its workers were lost.'} "
                "What was finished is kept: run this again."
            ) from error
        except (RuntimeError, ImportError) as error:
            raise ExecutorError(
                f"Dask can't run this: {str(error).partition(chr(10))[0]} "
                "Start its scheduler and its workers in the project's folder."
            ) from error


async def _reach(scheduler: str) -> None:
    """Connect and part again: a client that can't connect tries to the end of the program."""
    from distributed import Security
    from distributed.comm.core import connect

    settings = Security().get_connection_args("client")
    connecting = connect(scheduler, timeout=SECONDS_TO_CONNECT, **settings)
    # Dask's own timeout ends with the connection, before the other side has said who it is.
    connection = await asyncio.wait_for(connecting, 2 * SECONDS_TO_CONNECT)
    await connection.close()


@contextmanager
def _watched(client: "Client", patience: float) -> Iterator[list[str]]:
    """Close a client, which cancels its tasks, once there is no worker; give the reason then."""
    lost: list[str] = []
    over = threading.Event()

    def watch() -> None:
        without = 0.0
        while not over.wait(_SECONDS_BETWEEN_LOOKS) and client.status != "closed":
            try:
                without = 0 if client.nthreads() else without + _SECONDS_BETWEEN_LOOKS
            except (Exception, asyncio.CancelledError):
                continue  # the client notices itself when the scheduler is lost
            if without >= patience:
                lost.append(f"The Dask scheduler has had no worker for {patience:.0f} seconds.")
                client.close()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lost
    finally:
        over.set()
        watcher.join()
