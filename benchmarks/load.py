"""A class on the Draw page: how long a rerun takes and what it costs, beside a bare page.

Each session takes another test digit about once a second (on the bare page, another value of a
slider). It speaks Streamlit's own protocol and asks as a browser does, so the server is measured
and no browser. A rerun lasts from the message that asks for it to the message that says that the
script has finished. The sessions share the cores with the servers.
"""

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import psutil

from benchmarks.measuring import print_machine, print_table
from benchmarks.page import BARE_SLIDER, DRAW
from benchmarks.session import Session, Value
from benchmarks.site import Site, process_of

CROWDS = (1, 10, 40, 100, 200)
BUSY_CROWD, LARGE_CROWD, LONG_CROWD = 10, 100, 40
SECONDS = 20
PERIOD = 1.0
WARM_UP = 5.0
AT_ONCE = 10  # sessions that open at the same time
WATCH = 3.0  # seconds between two reruns of the page whose work keeps the server busy
WAVES = 3
MINUTES = 30
LOOKS = 6  # at the memory, in these minutes


@dataclass(frozen=True)
class Visit:
    """What a session does on a page: the widget that it changes, and to which of so many values."""

    site: Site
    query: str
    widget: str
    values: int

    def change(self) -> dict[str, Value]:
        """Return the widget with another value."""
        value = float(random.randrange(self.values))
        return {self.widget: value if self.site is DRAW else (value,)}


TAKES_DIGITS = Visit(DRAW, "digit=0&source=test", "digit", 10_000)
MOVES_SLIDER = Visit(BARE_SLIDER, "", "value", 101)


@dataclass(frozen=True)
class Work:
    """What keeps the server busy: a page, its query, and the widgets that start it, by key."""

    page: str
    query: str
    begin: Mapping[str, Value] = field(default_factory=dict)


TRAIN: Mapping[str, Value] = {"recipe_epochs": 40.0, "train": True}
WORKS = {
    "training, compiled loop": Work("train", "recipe=report", TRAIN),
    "training, PyTorch, adversarial": Work("train", "recipe=adversarial-pgd", TRAIN),
    "PGD's curve, all test images": Work("test_set", "attack=PGD&model=report"),
}


@dataclass(frozen=True)
class Cost:
    """What the reruns of some sessions took.

    Attributes:
        seconds: of each rerun.
        cpu: seconds of the servers' processes, all together.
        received: bytes that all sessions received.
    """

    seconds: list[float]
    cpu: float
    received: int

    @property
    def median(self) -> float:
        """Milliseconds of a rerun."""
        return 1000 * statistics.median(self.seconds)

    @property
    def slowest(self) -> float:
        """Milliseconds of a rerun, the 95th percentile."""
        return 1000 * statistics.quantiles(self.seconds, n=20)[-1]

    @property
    def cpu_each(self) -> float:
        """The servers' milliseconds of CPU time for a rerun."""
        return 1000 * self.cpu / len(self.seconds)

    @property
    def size(self) -> float:
        """Kilobytes of a rerun."""
        return self.received / len(self.seconds) / 1000


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of the longest measurement")
    minutes = parser.parse_args().minutes
    tables = [crowds(), busy(), two_servers(), memory(minutes)]
    print_machine()
    for header, rows in tables:
        print_table(header, rows)
        print()
    print(
        f"Sessions change something about every {PERIOD:g} s, for {SECONDS} s. Ratios are of the "
        "row's own bare page, measured right before; under a training they are of medians."
    )


def crowds() -> tuple[list[str], list[list[str]]]:
    """Compare Draw with a bare page for crowds of several sizes."""
    rows = []
    for crowd in CROWDS:
        bare, ours = (cost(visit, crowd) for visit in (MOVES_SLIDER, TAKES_DIGITS))
        rows.append(
            [
                f"{crowd}",
                f"{ours.median:.0f} ms",
                f"{bare.median:.0f} ms",
                f"{ours.median / bare.median:.1f}",
                f"{ours.slowest:.0f} ms",
                f"{ours.cpu_each:.1f} ms",
                f"{bare.cpu_each:.1f} ms",
                f"{ours.cpu_each / bare.cpu_each:.1f}",
                f"{ours.size:.1f} kB",
            ]
        )
    header = ["sessions", "median rerun", "bare page", "ratio", "95th percentile"]
    return [*header, "CPU a rerun", "bare page", "ratio", "received a rerun"], rows


def busy() -> tuple[list[str], list[list[str]]]:
    """Compare a server that does something else, too, with one that does not."""
    rows = []
    for name, work in WORKS.items():
        alone, beside = (cost(TAKES_DIGITS, BUSY_CROWD, each) for each in (None, work))
        ratio = f"{beside.median / alone.median:.2f}"
        times = [f"{alone.median:.0f} ms", f"{beside.median:.0f} ms"]
        rows.append([name, *times, f"{beside.slowest:.0f} ms", ratio, "at most 2"])
    header = [f"{BUSY_CROWD} sessions beside", "median without", "median", "95th percentile"]
    return [*header, "ratio", "target"], rows


def two_servers() -> tuple[list[str], list[list[str]]]:
    """Compare two servers with one."""
    one, two = (cost(TAKES_DIGITS, LARGE_CROWD, servers=count) for count in (1, 2))
    rows = [
        [
            str(count),
            f"{each.median:.0f} ms",
            f"{each.slowest:.0f} ms",
            f"{len(each.seconds) / each.cpu:.0f}",
            f"{one.cpu_each / each.cpu_each:.2f}",
        ]
        for count, each in ((1, one), (2, two))
    ]
    header = [f"servers for {LARGE_CROWD} sessions", "median rerun", "95th percentile"]
    return [*header, "reruns a second of the servers' CPU time", "times one server's"], rows


def memory(minutes: float) -> tuple[list[str], list[list[str]]]:
    """Look at a server's memory while many come and go, and while a class stays."""
    with process_of(DRAW) as (url, pid):
        process = psutil.Process(pid)

        def row(name: str) -> list[str]:
            return [name, f"{process.memory_info().rss / 1e6:.0f} MB"]

        rows = [row("just started")]
        for wave in range(1, WAVES + 1):
            asyncio.run(reruns([url], TAKES_DIGITS, LARGE_CROWD, None, 5))
            rows.append(row(f"{LARGE_CROWD} sessions came and went, {wave} times"))
        for look in range(1, LOOKS + 1):
            asyncio.run(reruns([url], TAKES_DIGITS, LONG_CROWD, None, 60 * minutes / LOOKS))
            rows.append(row(f"{LONG_CROWD} sessions for {look * minutes / LOOKS:g} minutes"))
    return ["the server", "memory"], rows


def cost(visit: Visit, crowd: int, work: Work | None = None, *, servers: int = 1) -> Cost:
    """Return what a crowd's reruns cost on new servers, among which it is divided."""
    with ExitStack() as stack:
        started = [stack.enter_context(process_of(visit.site)) for _ in range(servers)]
        return asyncio.run(
            reruns(
                [url for url, _ in started], visit, crowd, work, SECONDS, [p for _, p in started]
            )
        )


async def reruns(
    urls: Sequence[str],
    visit: Visit,
    crowd: int,
    work: Work | None,
    seconds: float,
    processes: Sequence[int] = (),
) -> Cost:
    """Open a crowd's sessions, have each change something about once a second, and close them.

    Args:
        urls: the servers', among which the crowd is divided.
        visit: what each does.
        crowd: the number of sessions.
        work: what is done on the first server meanwhile, if anything.
        seconds: how long.
        processes: the servers' processes, whose CPU time counts.
    """
    sessions: list[Session] = []
    for start in range(0, crowd, AT_ONCE):
        some = [urls[at % len(urls)] for at in range(start, min(start + AT_ONCE, crowd))]
        opened = [Session(url, query=visit.query).open() for url in some]
        sessions += await asyncio.gather(*opened)
    watching = asyncio.create_task(keep_busy(urls[0], work))
    await asyncio.sleep(WARM_UP)
    cpu, received = cpu_time(processes), sum(session.received for session in sessions)
    end = time.perf_counter() + seconds
    took: list[float] = []

    async def stay(session: Session) -> None:
        await asyncio.sleep(random.random() * PERIOD)
        while time.perf_counter() < end:
            took.append(await session.rerun(visit.change()))
            await asyncio.sleep(PERIOD * random.uniform(0.8, 1.2))

    await asyncio.gather(*map(stay, sessions))
    found = Cost(
        took,
        cpu_time(processes) - cpu,
        sum(session.received for session in sessions) - received,
    )
    if work is not None and watching.done():
        watching.result()  # raises what ended it
    watching.cancel()
    await asyncio.gather(*(session.close() for session in sessions))
    return found


def cpu_time(processes: Sequence[int]) -> float:
    """Return how many seconds of CPU time processes have taken so far."""
    times = [psutil.Process(each).cpu_times() for each in processes]
    return float(sum(each.user + each.system for each in times))


async def keep_busy(url: str, work: Work | None) -> None:
    """Start the work and watch it, until cancelled."""
    if work is None:
        return
    worker = await Session(url, page=work.page, query=work.query).open()
    try:
        await worker.rerun(work.begin)
        while True:
            await asyncio.sleep(WATCH)
            await worker.rerun({})
    finally:
        await worker.close()


if __name__ == "__main__":
    main()
