"""The one mechanism for long work: each computation runs once for all who ask for it."""

import itertools
import math
import threading
import time
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from core.serving.job import (
    DONE,
    FAILED,
    RUNNING,
    STOPPED,
    WAITING,
    Job,
    Look,
    Progress,
    StoppedError,
    Tell,
    Work,
    end,
    run,
    watchers,
)
from core.serving.memory import Memory
from core.serving.turns import Place, Turns
from core.serving.visitors import person_of

__all__ = [
    "DONE",
    "FAILED",
    "RUNNING",
    "STOPPED",
    "WAITING",
    "Computation",
    "Jobs",
    "LineFullError",
    "Progress",
    "StoppedError",
    "Tell",
    "in_shares",
]

# A page that waits looks every second, but on a busy server a look may come much later.
UNWATCHED_SECONDS = 30.0

_asked = itertools.count()  # of all `Jobs`, because several may share their threads


class LineFullError(ValueError):
    """Too many computations are waiting, or what they need takes too much memory."""


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
        memory: Memory | None = None,
        line: Memory | None = None,
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
            memory: what bounds the bytes of the results, together with others'; None for no bound.
            line: the same for what the computations need that have not ended.
            turns: the threads to run in; several `Jobs` may share them. None for two threads of
                its own.
            most_waiting: how many computations may wait.
            unwatched_seconds: a computation ends when nobody has looked at it for this long; None
                for `UNWATCHED_SECONDS`.
            place_seconds: the same while it waits; None for `unwatched_seconds`.
            clock: returns seconds, as `time.monotonic`.
        """
        self._most_kept = most_kept
        self._memory = memory or Memory()
        self._line = line or Memory()
        self._most_waiting = most_waiting
        self._unwatched_seconds = unwatched_seconds or UNWATCHED_SECONDS
        self._place_seconds = place_seconds or self._unwatched_seconds
        self._clock = clock
        self._jobs: dict[Hashable, Job] = {}  # the most recently looked at is the last
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
        needs: object = None,
    ) -> Progress:
        """Look at a computation, and begin it if it is not there.

        Args:
            key: identifies the computation and everything that it depends on.
            work: the computation; it must call its `Tell` again and again.
            wait: seconds to wait for the result; the caller looks all that time.
            who: who looks, a `Visitor` or anything that stands for a person.
            so_far: the result before the work begins.
            rank: a person's computations of a smaller rank come first; see `Turns`.
            needs: what the work keeps in memory until it ends, such as a network.

        Raises:
            LineFullError: too many computations are waiting, or they need too much memory.
        """
        with self._lock:
            self._clear_places()
            job = self._jobs.get(key)
            if job is None or self._came_to_nothing(job):
                self._count += 1
                job = Job(key, work, self._count, Progress(WAITING, result=so_far))
                self._begin(job, who, rank, needs)
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

    def waiting(self) -> list[Hashable]:
        """Return the keys of the computations that wait. This is not a look."""
        with self._lock:
            self._clear_places()
            return [key for key, job in self._jobs.items() if job.progress.state == WAITING]

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
                self._cancel(job, "It was stopped before it began.")

    def reason_to_stop(self, job: Job) -> str | None:
        """Return why a job should end early, as a sentence; None if it should go on."""
        if job.stop:
            return "It was stopped."
        if not self.watchers(job):
            return "It ended because nobody was looking at it any more."
        return None

    def watchers(self, job: Job) -> dict[Hashable, int]:
        """Return the people who look at a job, each with the number of a first look."""
        waits = job.progress.state == WAITING
        since = self._clock() - (self._place_seconds if waits else self._unwatched_seconds)
        numbers: dict[Hashable, int] = {}
        for who, look in job.looks.items():
            if look.at >= since:
                person = person_of(who)
                numbers[person] = max(look.number, numbers.get(person, look.number))
        return numbers

    def _begin(self, job: Job, who: Hashable, rank: int, needs: object) -> None:
        """Put a new job into the line, and forget the oldest results."""
        waiting = sum(job.progress.state == WAITING for job in self._jobs.values())
        if waiting >= self._most_waiting:
            raise LineFullError(f"{waiting} others are already waiting; try again later.")
        if not self._line.reserve(job, needs):
            raise LineFullError("The networks of others who wait are too large; try again later.")
        if former := self._jobs.get(job.key):
            self._memory.release(former)
        self._look(job.key, job, who)
        self._forget()
        me = weakref.ref(self)
        job.place = self._turns.submit(
            Place(partial(run, job, me), partial(watchers, job, me), rank)
        )

    def remember(self, job: Job, progress: Progress) -> None:
        """Count what a job that ends with this progress keeps in memory."""
        self._line.release(job)
        me = weakref.ref(self)  # others hold the same memory, and must not keep this one alive
        self._memory.hold(
            job,
            (job.key, progress),
            forget=lambda: jobs._forget_one(job) if (jobs := me()) else None,
            is_awaited=lambda: jobs._is_awaited(job) if (jobs := me()) else False,
        )

    def _cancel(self, job: Job, error: str) -> None:
        """End a job if it waits."""
        if job.place is not None and self._turns.cancel(job.place):
            self._line.release(job)
            end(job, STOPPED, error=error)

    def _forget(self) -> None:
        """Forget the oldest results, last of all those that somebody still waits for."""
        ended = [job for job in self._jobs.values() if job.over.is_set()]
        too_many = max(0, len(ended) - self._most_kept)
        going = [job for job in ended if not self._is_awaited(job)][:too_many]
        left = [job for job in ended if job not in set(going)]
        for job in going + left[: max(0, len(left) - 2 * self._most_kept)]:
            del self._jobs[job.key]
            self._memory.release(job)

    def _forget_one(self, job: Job) -> None:
        with self._lock:
            if self._jobs.get(job.key) is job:
                del self._jobs[job.key]

    def _is_awaited(self, job: Job) -> bool:
        """Return whether somebody who looked a moment ago has not seen that the job ended."""
        since = self._clock() - self._unwatched_seconds
        return any(look.at >= since and who not in job.seen_by for who, look in job.looks.items())

    def _clear_places(self) -> None:
        """End what waits and is not looked at any more, so that the others move up."""
        for job in self._jobs.values():
            if job.progress.state == WAITING and not self.watchers(job):
                self._cancel(job, "Nobody was looking at it, so it lost its place in line.")

    def _look(self, key: Hashable, job: Job, who: Hashable, wait: float = 0.0) -> None:
        """Note that somebody looks, and for how long."""
        now = self._clock()
        since = now - max(self._unwatched_seconds, self._place_seconds)
        recent = {other: look for other, look in job.looks.items() if look.at >= since}
        number = recent[who].number if who in recent else next(_asked)
        job.looks = {**recent, who: Look(now + wait, number)}
        job.seen_by &= recent.keys()
        self._jobs.pop(key, None)
        self._jobs[key] = job
        self._memory.use(job)

    def _came_to_nothing(self, job: Job) -> bool:
        """Return whether to begin again: if it stopped, or failed and nobody looked for a while."""
        state = job.progress.state
        return state == STOPPED or (state == FAILED and self.reason_to_stop(job) is not None)

    def _progress_of(self, job: Job, who: Hashable) -> Progress:
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
        key, work, who, rank, needs: as in `Jobs.ask`.
        finish: turns what the work returned into the result, at every look once it is done.
    """

    jobs: Jobs
    key: Hashable
    work: Work
    who: Hashable = None
    finish: Callable[[Any], Any] = lambda result: result
    rank: int = 0
    needs: object = None

    def look(self, *, wait: float = 0.0) -> Progress:
        """Return the progress, after waiting up to `wait` seconds for the result.

        If too many computations are waiting for this one to begin, it has FAILED.
        """
        try:
            progress = self.jobs.ask(
                self.key,
                self.work,
                wait=wait,
                who=self.who,
                rank=self.rank,
                needs=self.needs,
            )
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
