"""Training on a shared server: one run at a time, the others wait in line.

A run belongs to the queue, not to who asked for it. Whoever knows its id can look at it and stop
it; one that nobody has looked at for a while ends by itself, with the best so far.
"""

import atexit
import contextlib
import datetime
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from core.data import mnist
from core.data.mnist import Digits
from core.networks import Card, Network
from core.recipe import Recipe
from core.training import EpochReport, load_start, split, train
from core.training.outcome import outcome

WAITING, RUNNING, DONE, STOPPED, FAILED = "waiting", "running", "done", "stopped", "failed"
UNWATCHED_SECONDS = 300.0
MOST_WAITING = 20
REMEMBERED = 40


class QueueFullError(ValueError):
    """So many runs are waiting that no other is taken."""


@dataclass(frozen=True)
class Status:
    """How a run stands.

    Attributes:
        recipe: what is trained.
        state: "waiting", "running", "done", "stopped" (by somebody, or unwatched) or "failed".
        ahead: how many runs come before it.
        images, all_images: trained on so far, and in all where it is not stopped early.
        seconds: since it began.
        reports: the epochs so far.
        result: the network and its card, once it has ended with at least one epoch.
        error: one sentence, where it failed.
    """

    recipe: Recipe
    state: str
    ahead: int
    images: int
    all_images: int
    seconds: float
    reports: tuple[EpochReport, ...]
    result: tuple[Network, Card] | None
    error: str

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in (DONE, STOPPED, FAILED)

    @property
    def seconds_left(self) -> float | None:
        """How long it takes yet at the pace so far; None while that is unknown."""
        if not self.images:
            return None
        return self.seconds / self.images * (self.all_images - self.images)


@dataclass(eq=False)
class _Run:
    recipe: Recipe
    state: str = WAITING
    images: int = 0
    all_images: int = 0
    began: float = 0.0
    seconds: float = 0.0
    watched: float = 0.0
    stop: bool = False
    reports: list[EpochReport] = field(default_factory=list)
    result: tuple[Network, Card] | None = None
    error: str = ""


class _StoppedError(Exception):
    """Leaves the training in the middle of an epoch."""


class Queue:
    """Trains one recipe at a time in a thread of its own.

    Args:
        unwatched_seconds: after how long without a look a run ends.
        load: gives MNIST's "train" and "test" images.
        clock: seconds since any moment.
    """

    def __init__(
        self,
        *,
        unwatched_seconds: float = UNWATCHED_SECONDS,
        load: Callable[[str], Digits] = mnist.load,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._unwatched_seconds = unwatched_seconds
        self._load = load
        self._clock = clock
        self._runs: dict[str, _Run] = {}
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ending = False

    def submit(self, recipe: Recipe) -> str:
        """Put a recipe at the end of the line.

        Returns:
            The run's id.

        Raises:
            QueueFullError: too many are waiting.
            ValueError: the network that the recipe starts from can't be used.
        """
        load_start(recipe)
        with self._change:
            waiting = sum(run.state == WAITING for run in self._runs.values())
            if waiting >= MOST_WAITING:
                raise QueueFullError(
                    f"{waiting} trainings are waiting already; try again when some have ended."
                )
            run_id = secrets.token_hex(6)
            self._runs[run_id] = _Run(recipe, watched=self._clock())
            self._forget_old()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="training", daemon=True)
                self._thread.start()
                atexit.register(self._end)
            self._change.notify_all()
        return run_id

    def status(self, run_id: str) -> Status | None:
        """How a run stands, which counts as a look at it; None for an id that is not known."""
        with self._change:
            run = self._runs.get(run_id)
            if run is None:
                return None
            run.watched = self._clock()
            others = list(self._runs.values())
            ahead = sum(other.state in (WAITING, RUNNING) for other in others[: others.index(run)])
            return Status(
                recipe=run.recipe,
                state=run.state,
                ahead=ahead if run.state == WAITING else 0,
                images=run.images,
                all_images=run.all_images,
                seconds=self._clock() - run.began if run.state == RUNNING else run.seconds,
                reports=tuple(run.reports),
                result=run.result,
                error=run.error,
            )

    def stop(self, run_id: str) -> None:
        """End a run; what it has learned so far is kept. Nothing happens to one that has ended."""
        with self._change:
            run = self._runs.get(run_id)
            if run is None:
                return
            run.stop = True
            if run.state == WAITING:
                run.state = STOPPED
                run.error = "It was stopped before it began."

    def stop_all(self) -> None:
        """End every run."""
        for run_id in list(self._runs):
            self.stop(run_id)

    def _end(self) -> None:
        """Let the thread leave its libraries before the process ends; they would abort it."""
        self.stop_all()
        with self._change:
            self._ending = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join(3)

    def _work(self) -> None:
        """Train whatever waits, as long as the server runs."""
        _give_way_to_pages()
        while True:
            with self._change:
                run = self._change.wait_for(lambda: self._ending or self._next())
                if not isinstance(run, _Run):
                    return
                run.state, run.began = RUNNING, self._clock()
            state = FAILED
            try:
                state = self._train(run)
            except ValueError as error:
                run.error = str(error)
            except Exception:
                if not threading.main_thread().is_alive():
                    return  # the server is going down, and its workers are gone
                logging.getLogger(__name__).exception("A training failed")
                run.error = "The training failed on our side; the server's log says why."
            with self._change:
                run.seconds = self._clock() - run.began
                run.state = state

    def _next(self) -> _Run | None:
        """The first that waits and is watched; those that nobody watches end here."""
        for run in self._runs.values():
            if run.state == WAITING:
                if not self._unwatched(run):
                    return run
                run.state = STOPPED
                run.error = "Nobody looked at it while it was waiting."
        return None

    def _train(self, run: _Run) -> str:
        """Train a run to its end, or until it is to stop; returns the state it ends in."""
        start = load_start(run.recipe)
        everything, test = self._load("train"), self._load("test")
        training, validation = split(run.recipe, everything, test)
        run.all_images = run.recipe.members * run.recipe.epochs * len(training)

        def on_progress(images: int) -> None:
            run.images += images
            if run.stop or self._unwatched(run):
                raise _StoppedError

        state = DONE
        with contextlib.suppress(_StoppedError):
            for report in train(
                run.recipe, training, validation, start=start, on_progress=on_progress
            ):
                run.reports.append(report)
        if run.stop or self._unwatched(run):
            state = STOPPED
        if state == STOPPED and not run.stop:
            run.error = "It was ended because nobody looked at it any more."
        if not run.reports:
            run.error = "It was stopped before the first epoch had ended; there is nothing to keep."
            return STOPPED
        run.result = outcome(
            run.recipe,
            run.reports,
            training=training,
            validation=validation,
            test=test,
            seconds=self._clock() - run.began,
            today=datetime.date.today().isoformat(),
            stopped=state == STOPPED,
        )
        return state

    def _unwatched(self, run: _Run) -> bool:
        return self._clock() - run.watched > self._unwatched_seconds

    def _forget_old(self) -> None:
        """Let go of the oldest that have ended."""
        ended = [
            run_id for run_id, run in self._runs.items() if run.state not in (WAITING, RUNNING)
        ]
        for run_id in ended[: max(0, len(self._runs) - REMEMBERED)]:
            del self._runs[run_id]


def _give_way_to_pages() -> None:
    """Have the system run every other thread rather than this one, where it can (on Linux).

    A page's answer passes through several threads. Without this, whichever wakes on this thread's
    core waits for the end of its turn: three times as long for an answer in a class of ten.
    Threads that this one starts, which may work for pages too, are not given the same.
    """
    with contextlib.suppress(AttributeError, OSError):
        policy = os.SCHED_IDLE | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(threading.get_native_id(), policy, os.sched_param(0))
