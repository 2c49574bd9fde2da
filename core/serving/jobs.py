"""The one mechanism for long work: each computation runs once for all who ask for it."""

import logging
import math
import threading
import time
import weakref
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

WAITING, RUNNING, DONE, STOPPED, FAILED = "waiting", "running", "done", "stopped", "failed"
UNWATCHED_SECONDS = 10.0  # a page that waits looks every second

T = TypeVar("T")


class StoppedError(Exception):
    """The computation in which this is raised must end early; the message says why.

    Work that has a partial result catches it and returns that result.
    """


class LineFullError(ValueError):
    """Too many computations are waiting."""


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


@dataclass(eq=False)
class _Job:
    """A computation, as `Jobs` keeps it."""

    work: Work
    number: int  # its place in the order of arrival
    progress: Progress
    looks: dict[Hashable, float] = field(default_factory=dict)  # when each person last looked
    stop: bool = False
    stopped: str | None = None  # the reason, once the work has been told to end
    over: threading.Event = field(default_factory=threading.Event)
    future: "Future[None] | None" = None


class Jobs:
    """Computations by key, shared by all sessions.

    A computation that several people ask for runs once, as long as at least one of them looks at
    it. Anybody who knows its key can stop it. The most recent results are kept. The computations
    end when the `Jobs` itself is garbage.
    """

    def __init__(
        self,
        *,
        most_kept: int,
        workers: ThreadPoolExecutor | None = None,
        most_waiting: float = math.inf,
        unwatched_seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start empty.

        Args:
            most_kept: how many results to keep; the least recently looked at goes first.
            workers: the threads to run in, first come, first served; several `Jobs` may share
                them. None for two threads of its own.
            most_waiting: how many computations may wait.
            unwatched_seconds: a computation ends when nobody has looked at it for this long; None
                for `UNWATCHED_SECONDS`.
            clock: returns seconds, as `time.monotonic`.
        """
        self._most_kept = most_kept
        self._most_waiting = most_waiting
        self._unwatched_seconds = unwatched_seconds or UNWATCHED_SECONDS
        self._clock = clock
        self._jobs: dict[Hashable, _Job] = {}  # the most recently looked at is the last
        self._count = 0
        self._lock = threading.Lock()
        self._workers = workers or ThreadPoolExecutor(2, thread_name_prefix="jobs")

    def ask(
        self,
        key: Hashable,
        work: Work,
        *,
        wait: float = 0.0,
        who: Hashable = None,
        so_far: Any = None,
    ) -> Progress:
        """Look at a computation, and begin it if it is not there.

        Args:
            key: identifies the computation and everything that it depends on.
            work: the computation; it must call its `Tell` again and again.
            wait: seconds to wait for the result; the caller looks all that time.
            who: the person who looks, for `leave`.
            so_far: the result before the work begins.

        Raises:
            LineFullError: too many computations are waiting.
        """
        with self._lock:
            job = self._jobs.get(key)
            if job is None or self._came_to_nothing(job):
                job = self._begin(key, work, so_far, who)
            self._look(key, job, who, wait)
        if wait:
            job.over.wait(wait)
            with self._lock:
                if who in job.looks:
                    job.looks = {**job.looks, who: self._clock()}
        return self._progress_of(job)

    def look(self, key: Hashable, *, who: Hashable = None) -> Progress | None:
        """Look at a computation that was begun before; None for an unknown key."""
        with self._lock:
            job = self._jobs.get(key)
            if job is None:
                return None
            self._look(key, job, who)
        return self._progress_of(job)

    def result(self, key: Hashable) -> Any:
        """Return the result of a computation if it is DONE, else None. This is not a look."""
        with self._lock:
            job = self._jobs.get(key)
        return job.progress.result if job and job.progress.state == DONE else None

    def leave(self, key: Hashable, *, who: Hashable = None) -> None:
        """Stop looking; unless others look, the computation ends when it next reports progress."""
        with self._lock:
            if job := self._jobs.get(key):
                job.looks = {other: when for other, when in job.looks.items() if other != who}

    def stop(self, key: Hashable) -> None:
        """End a computation for everybody. Nothing happens to one that is unknown or has ended."""
        with self._lock:
            if job := self._jobs.get(key):
                job.stop = True
                if job.future is not None and job.future.cancel():
                    _end(job, STOPPED, error="It was stopped before it began.")

    def reason_to_stop(self, job: _Job) -> str | None:
        """Return why a job should end early, as a sentence; None if it should go on."""
        if job.stop:
            return "It was stopped."
        last = max(job.looks.values(), default=-math.inf)
        if self._clock() - last > self._unwatched_seconds:
            return "It ended because nobody was looking at it any more."
        return None

    def _begin(self, key: Hashable, work: Work, so_far: Any, who: Hashable) -> _Job:
        """Put a new job at the end of the line, and forget the oldest results."""
        waiting = sum(job.progress.state == WAITING for job in self._jobs.values())
        if waiting >= self._most_waiting:
            raise LineFullError(f"{waiting} others are already waiting; try again later.")
        self._count += 1
        job = _Job(work, self._count, Progress(WAITING, result=so_far), {who: self._clock()})
        self._jobs[key] = job
        ended = [key for key, job in self._jobs.items() if job.over.is_set()]
        for old in ended[: max(0, len(ended) - self._most_kept)]:
            del self._jobs[old]
        job.future = self._workers.submit(_run, job, weakref.ref(self))
        return job

    def _look(self, key: Hashable, job: _Job, who: Hashable, wait: float = 0.0) -> None:
        """Note that somebody looks, and for how long."""
        job.looks = {**job.looks, who: self._clock() + wait}
        self._jobs[key] = self._jobs.pop(key)

    def _came_to_nothing(self, job: _Job) -> bool:
        """Return whether to begin again: if it stopped, or failed and nobody looked for a while."""
        state = job.progress.state
        return state == STOPPED or (state == FAILED and self.reason_to_stop(job) is not None)

    def _progress_of(self, job: _Job) -> Progress:
        """Return the job's progress with its place in the line."""
        progress = job.progress
        if progress.state != WAITING:
            return progress
        with self._lock:
            jobs = list(self._jobs.values())
        ahead = sum(not other.over.is_set() and other.number < job.number for other in jobs)
        return replace(progress, ahead=ahead)


@dataclass(frozen=True, eq=False)
class Computation:
    """A computation that begins with the first look.

    Attributes:
        jobs: what runs it.
        key, work, who: as in `Jobs.ask`.
        finish: turns what the work returned into the result, at every look once it is done.
    """

    jobs: Jobs
    key: Hashable
    work: Work
    who: Hashable = None
    finish: Callable[[Any], Any] = lambda result: result

    def look(self, *, wait: float = 0.0) -> Progress:
        """Return the progress, after waiting up to `wait` seconds for the result."""
        progress = self.jobs.ask(self.key, self.work, wait=wait, who=self.who)
        if progress.state == DONE:
            return replace(progress, result=self.finish(progress.result))
        return progress

    def leave(self) -> None:
        """Stop looking, as in `Jobs.leave`."""
        self.jobs.leave(self.key, who=self.who)


class Cache:
    """Values by key. The first caller makes a value in its own thread; other callers wait."""

    def __init__(self, most_kept: int) -> None:
        """Start empty; keep the `most_kept` most recently used values."""
        self._most_kept = most_kept
        self._values: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return a key's value; what `make` raises is raised here and not kept."""
        with self._lock:
            new = key not in self._values
            future: Future[T] = Future() if new else self._values.pop(key)
            self._values[key] = future
            if len(self._values) > self._most_kept:
                del self._values[next(iter(self._values))]
        if new:
            try:
                future.set_result(make())
            except BaseException as error:
                with self._lock:
                    self._values.pop(key, None)
                future.set_exception(error)
        return future.result()


def in_shares(tell: Tell, total: int) -> Callable[[int], None]:
    """Return a function that adds up numbers of items done, and tells their share of `total`."""
    done = 0

    def more(count: int) -> None:
        nonlocal done
        done += count
        tell(min(done / total, 1.0))

    return more


def _run(job: _Job, owner: "weakref.ref[Jobs]") -> None:
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

    try:
        tell(0.0)
        result = job.work(tell)
    except StoppedError as error:
        _end(job, STOPPED, error=str(error))
    except ValueError as error:
        _end(job, FAILED, error=str(error))
    except Exception:
        if _interpreter_ends():
            return  # the threads that the computation needs are gone
        logging.getLogger(__name__).exception("A computation failed")
        _end(job, FAILED, error="The computation failed on our side; the server's log says why.")
    else:
        if job.stopped is None:
            _end(job, DONE, share=1.0, result=result)
        else:
            _end(job, STOPPED, result=result, error="" if job.stop else job.stopped)


def _end(job: _Job, state: str, **changes: Any) -> None:
    """Set a job's final progress."""
    job.progress = replace(job.progress, state=state, **changes)
    job.over.set()


def _interpreter_ends() -> bool:
    """Return whether the server is shutting down: then no thread can be started."""
    try:
        with ThreadPoolExecutor(1) as probe:
            probe.submit(int)
    except RuntimeError:
        return True
    return False
