"""One computation, from its place in the line to its end."""

import logging
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from core.serving.turns import Place

WAITING, RUNNING, DONE, STOPPED, FAILED = "waiting", "running", "done", "stopped", "failed"


class StoppedError(Exception):
    """The computation in which this is raised must end early; the message says why.

    Work that has a partial result catches it and returns that result.
    """


class Tell(Protocol):
    """The function that a computation calls again and again while it works."""

    def __call__(self, share: float, so_far: Any = None, /) -> None:
        """Report the share that is done, in [0, 1], and the result so far.

        Raises:
            StoppedError: somebody stopped the computation, or nobody watches it any more.
        """
        ...


Work = Callable[[Tell], Any]


@dataclass(frozen=True)
class Progress:
    """The state of a computation.

    Attributes:
        state: WAITING, RUNNING, DONE, STOPPED (by somebody, or because nobody watched) or FAILED.
        share: the share that is done, in [0, 1].
        result: the result; before the end, the result so far.
        error: one sentence on why it FAILED or STOPPED; empty if somebody stopped it and there is a
            result.
        ahead: how many computations come before it while it is WAITING.
    """

    state: str
    share: float = 0.0
    result: Any = None
    error: str = ""
    ahead: int = 0

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self.state in (DONE, STOPPED, FAILED)


class Look(NamedTuple):
    """When somebody last looked, and the number of this person's first look."""

    at: float
    number: int


@dataclass(eq=False)
class Job:
    """A computation, as `core.serving.jobs.Jobs` keeps it."""

    key: Hashable
    work: Work | None  # None once it has ended, because it may hold much
    number: int  # its place in the order of arrival
    progress: Progress
    looks: dict[Hashable, Look] = field(default_factory=dict)  # replaced, never changed
    seen_by: set[Hashable] = field(default_factory=set)  # who has looked since it ended
    stop: bool = False
    stopped: str | None = None  # the reason, once the work has been told to end
    over: threading.Event = field(default_factory=threading.Event)
    place: Place | None = None


class Owner(Protocol):
    """What a job belongs to. A job without its owner ends."""

    def watchers(self, job: Job) -> dict[Hashable, int]:
        """Return the people who look at a job, each with the number of a first look."""
        ...

    def reason_to_stop(self, job: Job) -> str | None:
        """Return why a job should end early, as a sentence; None if it should go on."""
        ...

    def remember(self, job: Job, progress: Progress) -> None:
        """Count what a job that ends with this progress keeps in memory."""
        ...


def watchers(job: Job, owner: Callable[[], Owner | None]) -> dict[Hashable, int]:
    """Return the people who look at a job; nobody does without its owner."""
    jobs = owner()
    return jobs.watchers(job) if jobs is not None else {}


def run(job: Job, owner: Callable[[], Owner | None]) -> None:
    """Run a job in a worker's thread."""

    def tell(share: float, so_far: Any = None, /) -> None:
        jobs = owner()
        if jobs is None or _interpreter_ends():
            job.stopped = "The server was shut down."
        else:
            job.stopped = jobs.reason_to_stop(job)
        if job.stopped is not None:
            raise StoppedError(job.stopped)
        result = job.progress.result if so_far is None else so_far
        job.progress = Progress(RUNNING, share, result)

    def ended(state: str, **changes: Any) -> None:
        if jobs := owner():
            jobs.remember(job, replace(job.progress, state=state, **changes))
        end(job, state, **changes)

    try:
        tell(0.0)
        result = job.work(tell) if job.work else None
    except StoppedError as error:
        ended(STOPPED, error=str(error))
    except ValueError as error:
        ended(FAILED, error=str(error))
    except Exception:
        if _interpreter_ends():
            return  # the threads that the computation needs are gone
        logging.getLogger(__name__).exception("A computation failed")
        ended(FAILED, error="The computation failed on our side; the server's log says why.")
    else:
        if job.stopped is None:
            ended(DONE, share=1.0, result=result)
        else:
            ended(STOPPED, result=result, error="" if job.stop else job.stopped)


def end(job: Job, state: str, **changes: Any) -> None:
    """Set a job's final progress."""
    job.progress = replace(job.progress, state=state, **changes)
    job.work = None
    job.over.set()


def _interpreter_ends() -> bool:
    """Return whether the server is shutting down: then no thread can be started."""
    try:
        with ThreadPoolExecutor(1) as probe:
            probe.submit(int)
    except RuntimeError:
        return True
    return False
