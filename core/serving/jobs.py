"""Long computations that many people may ask for: each runs once, and its result is kept."""

import logging
import math
import threading
import time
import weakref
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

WAITING, RUNNING, DONE, ENDED, FAILED = "waiting", "running", "done", "ended", "failed"
_UNWATCHED_SECONDS = 10.0  # a page that waits looks every second


class _UnwatchedError(Exception):
    """Raised inside a computation that nobody looks at any more."""


@dataclass(frozen=True)
class Progress:
    """Where a computation stands.

    Attributes:
        state: WAITING, RUNNING, DONE, ENDED (nobody looked at it any more) or FAILED.
        share: how much of it is done, in [0, 1].
        result: what it returned, once it is DONE.
        error: why it FAILED, as a sentence.
    """

    state: str
    share: float = 0.0
    result: Any = None
    error: str = ""


@dataclass(eq=False)
class _Job:
    """A computation, as `Jobs` keeps it."""

    work: Callable[[Callable[[float], None]], Any]
    looks: dict[Hashable, float]  # by who looked, when last
    progress: Progress = Progress(WAITING)
    over: threading.Event = field(default_factory=threading.Event)


class Jobs:
    """Computations by their keys, for all sessions.

    One that several people ask for runs once. It goes on as long as somebody looks at it; who
    wants it no more just looks away, and takes it from nobody. The results of the last ones
    are kept. Without its owner, a `Jobs` that nobody holds any more, it ends too.
    """

    def __init__(
        self,
        *,
        most_kept: int,
        workers: ThreadPoolExecutor | None = None,
        unwatched_seconds: float = _UNWATCHED_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start without any.

        Args:
            most_kept: how many results are kept; the one that was looked at least recently goes.
            workers: the threads that the computations run in, one after the other in each; several
                `Jobs` may share them. None for two of its own.
            unwatched_seconds: after so long without a look, a computation ends.
            clock: the seconds that pass.
        """
        self._most_kept = most_kept
        self._unwatched_seconds = unwatched_seconds
        self._clock = clock
        self._jobs: dict[Hashable, _Job] = {}
        self._lock = threading.Lock()
        self._workers = workers or ThreadPoolExecutor(2, thread_name_prefix="jobs")

    def ask(
        self,
        key: Hashable,
        work: Callable[[Callable[[float], None]], Any],
        *,
        wait: float = 0.0,
        who: Hashable = None,
    ) -> Progress:
        """Look at a computation, which begins where nobody has asked for it yet.

        Args:
            key: what stands for the computation and everything it depends on.
            work: is given a function to tell the share that is done, in [0, 1], again and again;
                that function raises what ends the work once nobody looks any more.
            wait: seconds to wait for the result, if need be.
            who: looks, for `leave` to know.
        """
        with self._lock:
            job = self._jobs.pop(key, None)
            if job is None or self._to_begin_again(job):
                job = _Job(work, {who: self._clock()})
                self._workers.submit(_run, job, weakref.ref(self))
            job.looks = {**job.looks, who: self._clock()}
            self._jobs[key] = job  # the last one in the dictionary is the last one looked at
            self._forget_old()
        if wait:
            job.over.wait(wait)
        return job.progress

    def leave(self, key: Hashable, *, who: Hashable = None) -> None:
        """Say that one looks no more: unless others do, the computation ends at once."""
        with self._lock:
            job = self._jobs.get(key)
            if job is not None:
                job.looks = {each: when for each, when in job.looks.items() if each != who}

    def _to_begin_again(self, job: _Job) -> bool:
        """Whether a job came to nothing; who stays with a failed one is told why it failed."""
        state = job.progress.state
        return state == ENDED or (state == FAILED and self.unwatched(job))

    def unwatched(self, job: _Job) -> bool:
        """Whether nobody has looked at a job for too long."""
        last = max(job.looks.values(), default=-math.inf)
        return self._clock() - last > self._unwatched_seconds

    def _forget_old(self) -> None:
        """Let go of the results beyond the number that is kept, and of what came to nothing."""
        over = [key for key, job in self._jobs.items() if job.over.is_set()]
        for key in over[: max(0, len(over) - self._most_kept)]:
            del self._jobs[key]


@dataclass(frozen=True, eq=False)
class Computation:
    """What to ask a `Jobs` for; nothing begins before somebody looks.

    Attributes:
        jobs: runs it.
        key, work, who: as in `Jobs.ask`.
        finish: from what the work returned to the result; quick enough for every look.
    """

    jobs: Jobs
    key: Hashable
    work: Callable[[Callable[[float], None]], Any]
    who: Hashable = None
    finish: Callable[[Any], Any] = lambda result: result

    def look(self, *, wait: float = 0.0) -> Progress:
        """Where it stands, after `wait` seconds if need be."""
        progress = self.jobs.ask(self.key, self.work, wait=wait, who=self.who)
        if progress.state == DONE:
            return replace(progress, result=self.finish(progress.result))
        return progress

    def leave(self) -> None:
        """As in `Jobs.leave`."""
        self.jobs.leave(self.key, who=self.who)


def _run(job: _Job, owner: "weakref.ref[Jobs]") -> None:
    """A worker's turn with a job, to its end."""

    def tell(share: float) -> None:
        jobs = owner()
        if jobs is None or jobs.unwatched(job) or _interpreter_ends():
            raise _UnwatchedError
        job.progress = Progress(RUNNING, share)

    try:
        tell(0.0)
        job.progress = Progress(DONE, 1.0, job.work(tell))
    except _UnwatchedError:
        job.progress = Progress(ENDED)
    except ValueError as error:
        job.progress = Progress(FAILED, error=str(error))
    except Exception:
        if _interpreter_ends():
            return  # the threads that the computation needs are gone
        logging.getLogger(__name__).exception("A computation failed")
        job.progress = Progress(
            FAILED, error="The computation failed on our side; the server's log says why."
        )
    job.over.set()


def _interpreter_ends() -> bool:
    """Whether the server is going down, which waits for computations: no thread can be begun."""
    try:
        with ThreadPoolExecutor(1) as probe:
            probe.submit(int)
    except RuntimeError:
        return True
    return False
