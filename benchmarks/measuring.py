"""What the benchmarks share: times taken in turn, and tables in Markdown."""

import datetime
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return how many seconds `work` takes, and what it returns."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def cpu_timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return the CPU seconds that `work` takes, and what it returns.

    They hardly depend on what else the machine does. Work on two cores counts twice. Processes that
    `work` starts count if it also ends them.
    """
    start = _cpu_seconds()
    result = work()
    return _cpu_seconds() - start, result


def _cpu_seconds() -> float:
    """Return the CPU seconds of this process so far, and of its processes that have ended."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def medians_in_turn(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each work.

    Every round runs all of them, so noise hits all alike. Each work runs once more right before it
    is timed: the first run after another work also pays for that one's threads, which spin for a
    while, and for memory that was given back.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            work()
            seconds[name].append(timed(work)[0])
    return {name: statistics.median(times) for name, times in seconds.items()}


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    for row in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(row)} |")


def print_machine() -> None:
    """Print when and on what machine the figures were measured."""
    print(
        f"\nMeasured on {datetime.date.today()} on {os.cpu_count()} cores of {_cpu()}, "
        f"Python {platform.python_version()}.\n"
    )


def _cpu() -> str:
    """Return the processor's name, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
