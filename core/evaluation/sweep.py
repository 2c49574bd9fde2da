"""Measurements of many networks, spread over the workers of an executor.

A task names a network's file and holds a few numbers, but no arrays. The worker loads the network
and MNIST itself, once. So tasks are small, whether a worker is a process or another machine.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from core.batches import at_most, one_thread_a_product
from core.data import mnist
from core.data.mnist import Digits
from core.networks import LIBRARY, Card, Network, load_file

_SECONDS_BETWEEN_LOOKS = 0.2  # for Ctrl-C, which can't interrupt a longer wait on Windows


class SweepError(ValueError):
    """A worker that can't measure what it was asked to; the message says why."""


@dataclass(frozen=True)
class Task:
    """One measurement.

    Attributes:
        measure: a function that workers can import.
        arguments: its arguments, small enough to be sent.
        amount: how much progress it makes, in the sweep's unit.
    """

    measure: Callable[..., Any]
    arguments: tuple[object, ...]
    amount: int


@dataclass(frozen=True)
class Stored:
    """A network in a file, as a worker is told of it.

    Attributes:
        file: its path; in the library's folder, the path from there, since another machine may
            have the project elsewhere.
        key: the digest under which its figures are to be kept. It stands for the network and for
            the way of measuring.
    """

    file: str
    key: str

    @classmethod
    def at(cls, path: Path, digest: Callable[[Network, Card], str]) -> "Stored":
        """Return what to tell of the network in a file.

        Raises:
            NetworkFileError: the file can't be used.
        """
        folder = LIBRARY.folder.resolve()
        path = path.resolve()
        file = path.relative_to(folder) if path.is_relative_to(folder) else path
        return cls(file.as_posix(), digest(*load_file(path)))

    def load(self, digest: Callable[[Network, Card], str]) -> tuple[Network, Card]:
        """Return the network and its card, in a worker.

        Raises:
            NetworkFileError: the file can't be used here.
            SweepError: the file, or the program, differs from what the sweep was started with.
        """
        return _loaded(self, digest)


@lru_cache(maxsize=2)
def _loaded(stored: Stored, digest: Callable[[Network, Card], str]) -> tuple[Network, Card]:
    network, card = load_file(LIBRARY.folder / stored.file)
    if digest(network, card) != stored.key:
        raise SweepError(
            f"A worker has another {stored.file}, or another version of the program. "
            "Bring it up to date and start it again."
        )
    return network, card


@cache
def digits(split: str, first: int | None = None) -> Digits:
    """Return MNIST's "train" or "test" images, or the first so many; errors as `mnist.load`."""
    if first is None:
        return mnist.load(split)
    everything = digits(split)
    return Digits(everything.x[:first], everything.y[:first])


def results(
    executor: Executor,
    tasks: Mapping[str, Sequence[Task]],
    on_progress: Callable[[int], object],
) -> Iterator[tuple[str, list[Any]]]:
    """Have an executor's workers do the tasks of some networks, with one core for each task.

    Args:
        executor: any that can run a function of core elsewhere; only its `submit` is used.
        tasks: by the networks' names, at least one for each.
        on_progress: called in the caller's thread with the amount of each task that is done.

    Yields:
        Each network's name when all its tasks are done, with their results in the tasks' order.

    Raises:
        Exception: what a task raised, or the executor. No other task is begun then.
    """
    futures = {
        name: {executor.submit(_on_one_core, task): task for task in own}
        for name, own in tasks.items()
    }
    name_of = {future: name for name, own in futures.items() for future in own}
    to_do = {name: len(own) for name, own in tasks.items()}
    # Not `concurrent.futures.wait`: it locks all futures, and Ctrl-C may come before it unlocks
    # them. Then the executor's own thread would wait for these locks for ever.
    done: SimpleQueue[Future[Any]] = SimpleQueue()
    for future in name_of:
        future.add_done_callback(done.put)
    left = set(name_of)
    try:
        while left:
            try:
                future = done.get(timeout=_SECONDS_BETWEEN_LOOKS)
            except Empty:
                continue
            left.remove(future)
            future.result()
            name = name_of[future]
            on_progress(futures[name][future].amount)
            to_do[name] -= 1
            if not to_do[name]:
                yield name, [each.result() for each in futures[name]]
    finally:
        for future in left:
            future.cancel()


def _on_one_core(task: Task) -> Any:
    with at_most(1), one_thread_a_product:
        return task.measure(*task.arguments)
