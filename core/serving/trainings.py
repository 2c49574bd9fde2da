"""Training on a shared server: one run at a time; the others wait in line.

Anybody who knows the id of a run can watch it; its owner and the lecturer can stop it. A run that
nobody has watched for a while ends by itself and keeps its best epoch. One that waits loses its
place much sooner.
"""

import contextlib
import datetime
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial

from core.batches import cores
from core.data import mnist
from core.data.mnist import Digits
from core.networks import Card, LoggedEpoch, Network
from core.recipe import Recipe
from core.serving.jobs import DONE, RUNNING, STOPPED, WAITING, Jobs, Progress, StoppedError, Tell
from core.serving.lecturer import Lecturer
from core.serving.memory import Memory
from core.serving.rights import Rights
from core.serving.turns import Turns
from core.serving.visitors import person_of
from core.training import load_start, split, train
from core.training.cost import Limits, estimate
from core.training.outcome import Epochs, learned_nothing, outcome

UNWATCHED_SECONDS = 300.0
PLACE_SECONDS = 30.0
MOST_WAITING = 60
REMEMBERED = 40


class AlreadyWaitingError(ValueError):
    """Somebody who has a run in the line submits another one."""


@dataclass(frozen=True, kw_only=True)
class Status(Progress):
    """The progress of a run.

    Attributes:
        recipe: what is trained.
        images: how many images it has trained on, each counted in every epoch.
        seconds: since it began.
        log: the numbers of each epoch that has ended.
        result: the network and its card, once it has ended with at least one epoch.
        learned_nothing: whether that network has learned nothing; see `core.training.outcome`.
        too_long: one sentence if it has ended because it took longer than a run may; else empty.
    """

    recipe: Recipe
    images: int = 0
    seconds: float = 0.0
    log: tuple[LoggedEpoch, ...] = ()
    result: tuple[Network, Card] | None = None
    learned_nothing: bool = False
    too_long: str = ""

    @property
    def seconds_left(self) -> float | None:
        """The seconds left at the speed so far; None before the first images."""
        return self.seconds / self.share * (1 - self.share) if self.share else None


class Trainings:
    """The server's queue of trainings: first come, first served, one waiting run a person."""

    def __init__(
        self,
        *,
        unwatched_seconds: float = UNWATCHED_SECONDS,
        load: Callable[[str], Digits] = mnist.load,
        rights: Rights | None = None,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits | None = None,
        memory: Memory | None = None,
        name: str = "",
    ) -> None:
        """Start with an empty line.

        Args:
            unwatched_seconds: a run ends when nobody has looked at it for this long; while it
                waits, after `PLACE_SECONDS`.
            load: returns MNIST's "train" and "test" images.
            rights: of all people on the server; None for a server without a lecturer's word.
            clock: returns seconds, as `time.monotonic`.
            limits: what a run may cost; None for those of the environment.
            memory: what bounds the bytes of the runs that are remembered; None for no bound.
            name: the server's, which a run's id has in it; without a dot.
        """
        self._load = load
        self._clock = clock
        self._name = name
        self._start = secrets.token_hex(4)  # differs after a restart
        self._limits = limits or Limits.from_environment()
        self._jobs = Jobs(
            most_kept=REMEMBERED,
            memory=memory,
            turns=Turns(name="training", initializer=_give_way_to_pages),
            most_waiting=MOST_WAITING,
            unwatched_seconds=unwatched_seconds,
            place_seconds=PLACE_SECONDS,
            clock=clock,
        )
        self._rights = rights or Rights(Lecturer())
        self._last: dict[Hashable, str] = {}  # the last run of each person in the line
        self._lock = threading.Lock()

    def submit(self, recipe: Recipe, *, who: Hashable) -> str:
        """Put a recipe at the end of the line and return the run's id.

        Args:
            recipe: what to train.
            who: who asks, a `Visitor` or anything that stands for a person.

        Raises:
            ClosedError: the lecturer has closed the line.
            AlreadyWaitingError: this person has a run in the line.
            LineFullError: too many runs are waiting.
            ValueError: the network that the recipe starts from can't be used, or the run would cost
                too much.
        """
        self._rights.lecturer.check_open(who=who)
        load_start(recipe)
        self._limits.check(estimate(recipe, self._load("train"), self._load("test")))
        run_id = f"{self._name}.{self._start}.{secrets.token_hex(6)}"
        person = person_of(who)
        work = partial(_train, recipe, self._load, self._clock, self._limits)
        with self._lock:
            self._last = {
                other: run for other, run in self._last.items() if self._jobs.state(run) == WAITING
            }
            if person in self._last:
                raise AlreadyWaitingError(
                    "You have a training in the line already. Wait until it begins, or stop it."
                )
            # Whoever looks at a run, it has one place of its own: so first come, first served.
            self._jobs.ask(run_id, work, who=run_id, so_far=Status(WAITING, recipe=recipe))
            self._last[person] = run_id
            self._rights.give(("run", run_id), who=who)
        return run_id

    def status(self, run_id: str) -> Status | None:
        """Look at a run; None for an unknown id."""
        progress = self._jobs.look(run_id, who=run_id)
        if progress is None:
            return None
        run: Status = progress.result
        status = replace(run, **vars(progress) | {"result": run.result})
        if status.state == DONE and status.too_long:
            return replace(status, state=STOPPED, error=status.too_long)
        return status

    def why_unknown(self, run_id: str) -> str:
        """Say why a run has no status: it ended long ago or in a restart, or runs elsewhere."""
        name, _, rest = run_id.partition(".")
        if rest.startswith(f"{self._start}."):
            return "This training ended long ago and is not known any more."
        if not rest:
            return "This training is not known any more."
        if name == self._name:
            return "This training is not known any more: the server was restarted since."
        return (
            "This training runs on another server, and a browser stays with one. It can be "
            "followed where it was started."
        )

    def is_own(self, run_id: str, *, who: Hashable) -> bool:
        """Return whether somebody has begun a run."""
        return self._rights.owns(("run", run_id), who=who)

    def may_stop(self, run_id: str, *, who: Hashable) -> bool:
        """Return whether somebody may stop a run."""
        return self._rights.may_change(("run", run_id), who=who)

    def stop(self, run_id: str, *, who: Hashable) -> None:
        """End a run and keep its best epoch so far; do nothing if it has ended.

        Raises:
            NotYoursError: somebody else has begun it.
        """
        self._rights.check(("run", run_id), who=who)
        self._jobs.stop(run_id)

    @property
    def waiting(self) -> int:
        """How many runs wait."""
        return len(self._jobs.waiting())

    def empty_line(self, *, who: Hashable) -> None:
        """Stop all runs that wait, if the lecturer says so."""
        if self._rights.lecturer.is_lecturer(who):
            for run_id in self._jobs.waiting():
                self._jobs.stop(run_id)


def _train(
    recipe: Recipe,
    load: Callable[[str], Digits],
    clock: Callable[[], float],
    limits: Limits,
    tell: Tell,
) -> Status:
    """Train to the end, or until `tell` stops it."""
    began = clock()
    start = load_start(recipe)
    everything, test = load("train"), load("test")
    training, validation = split(recipe, everything, test)
    run, epochs = Status(RUNNING, recipe=recipe), Epochs()
    all_images = recipe.members * recipe.epochs * len(training)  # unless it stops early

    def advance(images: int) -> None:
        nonlocal run
        seconds = clock() - began
        run = replace(run, images=run.images + images, seconds=seconds, log=epochs.log)
        tell(run.images / all_images, run)
        if seconds > limits.seconds:
            said = f"It was stopped after {seconds:.0f} s: this server allows {limits.seconds:.0f}."
            run = replace(run, too_long=said)
            raise StoppedError(said)

    measure = partial(
        outcome,
        recipe,
        training=training,
        validation=validation,
        test=test,
        today=datetime.date.today().isoformat(),
    )
    try:
        for result in train(recipe, training, validation, start=start, on_progress=advance):
            epochs = epochs.after(result)
            advance(0)
        # What is measured counts as no progress: `images` are those of the training.
        ended = measure(
            epochs,
            seconds=clock() - began,
            stopped=False,
            on_progress=lambda images: advance(0),
        )
    except StoppedError:
        if not epochs.log:
            raise StoppedError(
                f"{run.too_long or 'It was stopped.'} The first epoch had not ended, so there is "
                "nothing to keep."
            ) from None
        ended = measure(epochs, seconds=clock() - began, stopped=True)
    nothing = learned_nothing(ended[1].train_accuracy, training.y)
    return replace(
        run, seconds=clock() - began, log=epochs.log, result=ended, learned_nothing=nothing
    )


def _give_way_to_pages() -> None:
    """Give this thread a low scheduling priority, where the system can (on Linux).

    Several threads work on a page's answer. Otherwise each of them would wait whenever the
    training holds its core. Threads that this one starts may also work for pages, so they keep the
    usual priority. On a single core an idle priority would mean that a training never comes to its
    end while anything else is busy; there it gets about a tenth of the core.
    """
    if sys.platform != "linux":
        return
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):
        if cores() > 1:
            policy = os.SCHED_IDLE | os.SCHED_RESET_ON_FORK
            os.sched_setscheduler(thread, policy, os.sched_param(0))
        else:
            os.setpriority(os.PRIO_PROCESS, thread, 10)
