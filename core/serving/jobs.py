"""The one mechanism for long work: each computation runs once for all who ask for it."""

import itertools
import logging
import math
import threading
import time
import weakref
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, Protocol

from core.serving.turns import Place, Turns
from core.serving.visitors import person_of

WAITING, RUNNING, DONE, STOPPED, FAILED = "waiting", "running", "done", "stopped", "failed"
# A page that waits looks every second, but on a busy server a look may come much later.
UNWATCHED_SECONDS = 30.0

_asked = itertools.count()  # of all `Jobs`, because several may share their threads


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


class _Look(NamedTuple):
    """When somebody last looked, and the number of this person's first look."""

    at: float
    number: int


@dataclass(eq=False)
class _Job:
    """A computation, as `Jobs` keeps it."""

    work: Work
    number: int  # its place in the order of arrival
    progress: Progress
    looks: dict[Hashable, _Look] = field(default_factory=dict)  # replaced, never changed
    seen_by: set[Hashable] = field(default_factory=set)  # who has looked since it ended
    stop: bool = False
    stopped: str | None = None  # the reason, once the work has been told to end
    over: threading.Event = field(default_factory=threading.Event)
    place: Place | None = None


class Jobs:
    """Computations by key, shared by all sessions.

    A computation that several people ask for runs once, as long as at least one of them looks at
    it. Anybody who knows its key can stop it. The most recent results are kept, and for a while
    those that somebody who waits has not seen yet. The computations end when the `Jobs` itself is
    garbage.
    """

    def __init__(
        self,
        *,
        most_kept: int,
        turns: Turns | None = None,
        most_waiting: float = math.inf,
        unwatched_seconds: float | None = None,
        place_seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start empty.

        Args:
            most_kept: how many results to keep; the least recently looked at goes first. Results
                that somebody still waits for may be as many again.
            turns: the threads to run in; several `Jobs` may share them. None for two threads of
                its own.
            most_waiting: how many computations may wait.
            unwatched_seconds: a computation ends when nobody has looked at it for this long; None
                for `UNWATCHED_SECONDS`.
            place_seconds: the same while it waits; None for `unwatched_seconds`.
            clock: returns seconds, as `time.monotonic`.
        """
        self._most_kept = most_kept
        self._most_waiting = most_waiting
        self._unwatched_seconds = unwatched_seconds or UNWATCHED_SECONDS
        self._place_seconds = place_seconds or self._unwatched_seconds
        self._clock = clock
        self._jobs: dict[Hashable, _Job] = {}  # the most recently looked at is the last
        self._count = 0
        self._lock = threading.Lock()
        self._turns = turns or Turns(2, name="jobs")

    def ask(
        self,
        key: Hashable,
        work: Work,
        *,
        wait: float = 0.0,
        who: Hashable = None,
        so_far: Any = None,
        rank: int = 0,
    ) -> Progress:
        """Look at a computation, and begin it if it is not there.

        Args:
            key: identifies the computation and everything that it depends on.
            work: the computation; it must call its `Tell` again and again.
            wait: seconds to wait for the result; the caller looks all that time.
            who: who looks, a `Visitor` or anything that stands for a person.
            so_far: the result before the work begins.
            rank: a person's computations of a smaller rank come first; see `Turns`.

        Raises:
            LineFullError: too many computations are waiting.
        """
        with self._lock:
            self._clear_places()
            job = self._jobs.get(key)
            if job is None or self._came_to_nothing(job):
                job = self._begin(key, work, so_far, who, rank)
            self._look(key, job, who, wait)
        if wait:
            job.over.wait(wait)
            with self._lock:
                if who in job.looks:
                    job.looks = {**job.looks, who: job.looks[who]._replace(at=self._clock())}
        return self._progress_of(job, who)

    def look(self, key: Hashable, *, who: Hashable = None) -> Progress | None:
        """Look at a computation that was begun before; None for an unknown key."""
        with self._lock:
            self._clear_places()
            job = self._jobs.get(key)
            if job is None:
                return None
            self._look(key, job, who)
        return self._progress_of(job, who)

    def result(self, key: Hashable) -> Any:
        """Return the result of a computation if it is DONE, else None. This is not a look."""
        with self._lock:
            job = self._jobs.get(key)
        return job.progress.result if job and job.progress.state == DONE else None

    def state(self, key: Hashable) -> str | None:
        """Return the state of a computation; None for an unknown key. This is not a look."""
        with self._lock:
            self._clear_places()
            job = self._jobs.get(key)
        return None if job is None else job.progress.state

    def leave(self, key: Hashable, *, who: Hashable = None) -> None:
        """Stop looking; unless others look, the computation ends when it next reports progress."""
        with self._lock:
            if job := self._jobs.get(key):
                job.looks = {other: look for other, look in job.looks.items() if other != who}

    def stop(self, key: Hashable) -> None:
        """End a computation for everybody. Nothing happens to one that is unknown or has ended."""
        with self._lock:
            if job := self._jobs.get(key):
                job.stop = True
                if job.place is not None and self._turns.cancel(job.place):
                    _end(job, STOPPED, error="It was stopped before it began.")

    def reason_to_stop(self, job: _Job) -> str | None:
        """Return why a job should end early, as a sentence; None if it should go on."""
        if job.stop:
            return "It was stopped."
        if not self.watchers(job):
            return "It ended because nobody was looking at it any more."
        return None

    def watchers(self, job: _Job) -> dict[Hashable, int]:
        """Return the people who look at a job, each with the number of a first look."""
        waits = job.progress.state == WAITING
        since = self._clock() - (self._place_seconds if waits else self._unwatched_seconds)
        numbers: dict[Hashable, int] = {}
        for who, look in job.looks.items():
            if look.at >= since:
                person = person_of(who)
                numbers[person] = max(look.number, numbers.get(person, look.number))
        return numbers

    def _begin(self, key: Hashable, work: Work, so_far: Any, who: Hashable, rank: int) -> _Job:
        """Put a new job into the line, and forget the oldest results."""
        waiting = sum(job.progress.state == WAITING for job in self._jobs.values())
        if waiting >= self._most_waiting:
            raise LineFullError(f"{waiting} others are already waiting; try again later.")
        self._count += 1
        job = _Job(work, self._count, Progress(WAITING, result=so_far))
        self._look(key, job, who)
        self._forget()
        me = weakref.ref(self)
        job.place = self._turns.submit(
            Place(partial(_run, job, me), partial(_watchers, job, me), rank)
        )
        return job

    def _forget(self) -> None:
        """Forget the oldest results, last of all those that somebody still waits for."""
        ended = {key: job for key, job in self._jobs.items() if job.over.is_set()}
        seen = [key for key, job in ended.items() if not self._is_awaited(job)]
        for key in seen[: max(0, len(ended) - self._most_kept)]:
            del self._jobs[key], ended[key]
        for key in list(ended)[: max(0, len(ended) - 2 * self._most_kept)]:
            del self._jobs[key]

    def _is_awaited(self, job: _Job) -> bool:
        """Return whether somebody who looked a moment ago has not seen that the job ended."""
        since = self._clock() - self._unwatched_seconds
        return any(look.at >= since and who not in job.seen_by for who, look in job.looks.items())

    def _clear_places(self) -> None:
        """End what waits and is not looked at any more, so that the others move up."""
        for job in self._jobs.values():
            if job.progress.state != WAITING or job.place is None or self.watchers(job):
                continue
            if self._turns.cancel(job.place):
                _end(job, STOPPED, error="Nobody was looking at it, so it lost its place in line.")

    def _look(self, key: Hashable, job: _Job, who: Hashable, wait: float = 0.0) -> None:
        """Note that somebody looks, and for how long."""
        now = self._clock()
        since = now - max(self._unwatched_seconds, self._place_seconds)
        recent = {other: look for other, look in job.looks.items() if look.at >= since}
        number = recent[who].number if who in recent else next(_asked)
        job.looks = {**recent, who: _Look(now + wait, number)}
        job.seen_by &= recent.keys()
        self._jobs.pop(key, None)
        self._jobs[key] = job

    def _came_to_nothing(self, job: _Job) -> bool:
        """Return whether to begin again: if it stopped, or failed and nobody looked for a while."""
        state = job.progress.state
        return state == STOPPED or (state == FAILED and self.reason_to_stop(job) is not None)

    def _progress_of(self, job: _Job, who: Hashable) -> Progress:
        """Return the job's progress with its place in the line, as somebody sees it."""
        progress, ahead = job.progress, 0
        with self._lock:
            if progress.ended:
                job.seen_by.add(who)
            if progress.state == WAITING:
                others = [each for each in self._jobs.values() if not each.over.is_set()]
                ahead = sum(other.number < job.number for other in others)
        return replace(progress, ahead=ahead)


@dataclass(frozen=True, eq=False)
class Computation:
    """A computation that begins with the first look.

    Attributes:
        jobs: what runs it.
        key, work, who, rank: as in `Jobs.ask`.
        finish: turns what the work returned into the result, at every look once it is done.
    """

    jobs: Jobs
    key: Hashable
    work: Work
    who: Hashable = None
    finish: Callable[[Any], Any] = lambda result: result
    rank: int = 0

    def look(self, *, wait: float = 0.0) -> Progress:
        """Return the progress, after waiting up to `wait` seconds for the result.

        If too many computations are waiting for this one to begin, it has FAILED.
        """
        try:
            progress = self.jobs.ask(self.key, self.work, wait=wait, who=self.who, rank=self.rank)
        except LineFullError as error:
            return Progress(FAILED, error=str(error))
        if progress.state == DONE:
            return replace(progress, result=self.finish(progress.result))
        return progress

    def leave(self) -> None:
        """Stop looking, as in `Jobs.leave`."""
        self.jobs.leave(self.key, who=self.who)


def in_shares(tell: Tell, total: int) -> Callable[[int], None]:
    """Return a function that adds up numbers of items done, and tells their share of `total`."""
    done = 0

    def more(count: int) -> None:
        nonlocal done
        done += count
        tell(min(done / total, 1.0))

    return more


def _watchers(job: _Job, owner: "weakref.ref[Jobs]") -> dict[Hashable, int]:
    """Return the people who look at a job; nobody does without its owner."""
    jobs = owner()
    return jobs.watchers(job) if jobs is not None else {}


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
