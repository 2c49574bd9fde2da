import dataclasses
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from core import measures
from core.data.mnist import Digits
from core.networks import parse
from core.networks.file import to_bytes
from core.networks.mlp import MLP
from core.recipe import Recipe
from core.serving import trainings
from core.serving.jobs import LineFullError, StoppedError
from core.serving.lecturer import ClosedError, Lecturer
from core.serving.rights import NotYoursError, Rights
from core.serving.trainings import (
    MOST_WAITING,
    REMEMBERED,
    AlreadyWaitingError,
    Status,
    Trainings,
)
from core.serving.visitors import Visitor
from core.training import outcome as outcome_module
from core.training.cost import Limits

QUICK = Recipe(hidden=(16,), epochs=2)
LONG = Recipe(hidden=(16,), epochs=1000)
LONG_ENOUGH = Recipe(hidden=(16,), epochs=1000, training_images=500)  # little work by any estimate


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        """The seconds so far."""
        return self.now


@pytest.fixture
def few(training_digits: Digits, test_digits: Digits) -> Callable[[str], Digits]:
    """The loader of a small MNIST."""

    def load(split: str) -> Digits:
        images = training_digits if split == "train" else test_digits
        return Digits(images.x[:6000], images.y[:6000])

    return load


@pytest.fixture
def queue(few: Callable[[str], Digits]) -> Iterator[Trainings]:
    """A queue that ends with the test. Its time stands still: nobody loses a place in it."""
    queue = Trainings(load=few, clock=Clock())
    yield queue
    for run in list(queue._jobs._jobs):
        stop(queue, str(run))


def wait(queue: Trainings, run: str, until: Callable[[Status], bool]) -> Status:
    """Look at a run until it is so."""
    end = time.monotonic() + 600
    while time.monotonic() < end:
        status = queue.status(run)
        assert status is not None
        if until(status):
            return status
        time.sleep(0.01)
    raise AssertionError(f"still not so after ten minutes: {queue.status(run)}")


def submit(queue: Trainings, recipe: Recipe) -> str:
    """Put a recipe into the line for somebody who was never there before."""
    return queue.submit(recipe, who=object())


def stop(queue: Trainings, run: str) -> None:
    """Stop a run as the server's only user, who may stop all."""
    queue.stop(run, who=Visitor("me", "tab", is_alone=True))


def ended(status: Status) -> bool:
    return status.ended


def test_a_run_is_trained_to_its_end(queue: Trainings, test_digits: Digits) -> None:
    run = submit(queue, QUICK)
    status = wait(queue, run, ended)
    assert status.state == "done"
    assert not status.error
    assert [logged.epoch for logged in status.log] == [1, 2]
    assert (status.images, status.share) == (12_000, 1.0)
    assert status.result is not None
    network, card = status.result
    assert isinstance(network, MLP)
    few = Digits(test_digits.x[:6000], test_digits.y[:6000])
    assert card.test_accuracy == measures.accuracy(network, few.x, few.y)
    assert card.epochs_trained == 2
    assert card.train_seconds is not None
    assert status.seconds_left == 0


def test_one_run_at_a_time_in_the_order_of_their_coming(queue: Trainings) -> None:
    runs = [submit(queue, recipe) for recipe in (LONG, QUICK, QUICK)]
    wait(queue, runs[0], lambda status: bool(status.log))
    others = [queue.status(run) for run in runs[1:]]
    assert [(other.state, other.ahead) for other in others if other] == [
        ("waiting", 1),
        ("waiting", 2),
    ]
    stop(queue, runs[0])
    first = wait(queue, runs[0], ended)
    assert first.state == "stopped"
    second = wait(queue, runs[1], ended)
    third = wait(queue, runs[2], ended)
    assert second.state == third.state == "done"


def test_a_run_that_is_stopped_keeps_its_best_epoch(queue: Trainings) -> None:
    run = submit(queue, LONG)
    wait(queue, run, lambda status: len(status.log) >= 3)
    stop(queue, run)
    status = wait(queue, run, ended)
    assert status.state == "stopped"
    assert status.result is not None
    best = max(logged.validation_accuracy for logged in status.log)
    assert status.result[1].validation_accuracy == pytest.approx(best)
    assert status.log[status.result[1].epochs_trained - 1].validation_accuracy == best


def test_a_run_stopped_while_waiting_never_begins(queue: Trainings) -> None:
    first, second = submit(queue, LONG), submit(queue, QUICK)
    stop(queue, second)
    status = queue.status(second)
    assert status is not None
    assert status.state == "stopped"
    stop(queue, first)
    wait(queue, first, ended)
    status = wait(queue, second, ended)
    assert not status.log
    assert status.result is None
    assert "before it began" in status.error


def test_a_run_that_nobody_watches_ends(few: Callable[[str], Digits]) -> None:
    clock = Clock()
    queue = Trainings(load=few, clock=clock, unwatched_seconds=100)
    run = submit(queue, LONG)
    wait(queue, run, lambda status: bool(status.log))
    clock.now = 99
    wait(queue, run, lambda status: len(status.log) > 3)
    clock.now = 198  # 99 seconds since the last look
    epochs = len(wait(queue, run, lambda status: True).log)
    assert wait(queue, run, lambda status: len(status.log) > epochs).state == "running"
    clock.now = 300
    assert wait(queue, submit(queue, QUICK), ended).state == "done"  # after it, so it has ended
    status = wait(queue, run, ended)
    assert status.state == "stopped"
    assert "nobody" in status.error
    assert status.result is not None


def test_a_run_that_takes_too_long_ends_and_keeps_its_best_epoch(
    few: Callable[[str], Digits],
) -> None:
    clock = Clock()
    queue = Trainings(load=few, clock=clock, limits=Limits(seconds=100), unwatched_seconds=1e9)
    run = submit(queue, LONG_ENOUGH)
    wait(queue, run, lambda status: bool(status.log))
    clock.now = 100
    epochs = len(wait(queue, run, lambda status: True).log)
    assert wait(queue, run, lambda status: len(status.log) > epochs).state == "running"
    clock.now = 101
    status = wait(queue, run, ended)
    assert status.state == "stopped"
    assert "101 s" in status.error
    assert "100" in status.error
    assert status.result is not None
    assert status.result[1].epochs_trained <= len(status.log)


def test_a_run_that_would_cost_too_much_is_refused_before_it_waits(
    few: Callable[[str], Digits],
) -> None:
    queue = Trainings(load=few, limits=Limits(seconds=1, memory=1e9))
    with pytest.raises(ValueError, match=r"about [\d,]+ s .* this server allows 1 s and 1,000 MB"):
        submit(queue, LONG)
    assert not queue._jobs._jobs


@pytest.mark.parametrize("engine", ["compiled", "torch"])
def test_memory_does_not_grow_with_the_epochs(few: Callable[[str], Digits], engine: str) -> None:
    recipe = Recipe(hidden=(8,), training_images=20, batch_size=1 if engine == "compiled" else 10)

    def networks() -> int:
        gc.collect()
        return sum(type(each) is MLP for each in gc.get_objects())

    most = []
    for epochs in (5, 40):
        before, seen = networks(), [0]
        limits, clock = Limits(), time.monotonic
        trainings._train(
            dataclasses.replace(recipe, epochs=epochs),
            *(few, clock, limits, lambda *told: seen.append(networks())),  # noqa: B023
        )
        assert len(seen) > epochs
        most.append(max(seen) - before)
    assert max(most) <= 5


def test_an_ended_run_keeps_one_network(queue: Trainings) -> None:
    recipe = dataclasses.replace(QUICK, epochs=9, training_images=100)
    status = wait(queue, submit(queue, recipe), ended)
    assert status.result is not None
    assert not any(isinstance(part, MLP) for name, part in vars(status).items() if name != "result")


def test_a_large_network_that_was_stopped_is_measured_on_some_images(
    few: Callable[[str], Digits], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome_module, "_AFTER_STOP", 1)
    queue = Trainings(load=few)
    run = submit(queue, LONG)
    wait(queue, run, lambda status: bool(status.log))
    stop(queue, run)
    status = wait(queue, run, ended)
    assert status.result is not None
    network, card = status.result
    assert card.measured_on == 1000
    x, y = few("train").x[:1000], few("train").y[:1000]
    assert card.train_accuracy == pytest.approx(measures.accuracy(network, x, y))
    read = parse(to_bytes(network, card), "x")[1]
    assert read == card


def test_stop_counts_while_the_accuracies_are_measured(
    few: Callable[[str], Digits], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(QUICK, training_images=300)
    told = 0

    def tell(share: float, so_far: Any = None, /) -> None:
        nonlocal told
        if len(so_far.log) == 2:  # all epochs have ended
            told += 1
        if told > 1:
            raise StoppedError("It was stopped.")

    status = trainings._train(recipe, few, time.monotonic, Limits(), tell)
    assert told == 2
    assert status.result is not None
    assert status.result[1].epochs_trained in (1, 2)


def test_unwatched_runs_in_line_are_passed_over(few: Callable[[str], Digits]) -> None:
    clock = Clock()
    queue = Trainings(load=few, clock=clock, unwatched_seconds=100)
    first, second = submit(queue, LONG), submit(queue, QUICK)
    wait(queue, first, lambda status: bool(status.log))
    clock.now = 90
    queue.status(first)
    clock.now = 150
    stop(queue, first)
    wait(queue, first, ended)
    third = submit(queue, QUICK)
    assert wait(queue, third, ended).state == "done"
    passed = queue.status(second)
    assert passed is not None
    assert (passed.state, passed.result) == ("stopped", None)


def test_what_goes_wrong_is_a_sentence(queue: Trainings) -> None:
    diverging = dataclasses.replace(QUICK, hidden=(64,) * 4, learning_rate=10.0)
    status = wait(queue, submit(queue, diverging), ended)
    assert status.state == "failed"
    assert "training diverged in epoch 1" in status.error
    few = dataclasses.replace(QUICK, held_out=6000)
    status = wait(queue, submit(queue, few), ended)
    assert status.state == "failed"
    assert "held_out" in status.error
    # And the queue goes on.
    assert wait(queue, submit(queue, QUICK), ended).state == "done"


def test_a_start_that_is_missing_is_refused_at_once(queue: Trainings) -> None:
    with pytest.raises(ValueError, match=r"nobody\.safetensors can't be used"):
        submit(queue, dataclasses.replace(QUICK, start="nobody"))


def test_a_person_has_one_waiting_run_in_all_tabs_together(queue: Trainings) -> None:
    mine, also_mine, yours = (Visitor(*each) for each in (("me", "1"), ("me", "2"), ("you", "1")))
    first = queue.submit(LONG, who=mine)
    wait(queue, first, lambda status: bool(status.images))
    second = queue.submit(QUICK, who=mine)  # the first one does not wait any more
    for tab in (mine, also_mine):
        with pytest.raises(AlreadyWaitingError):
            queue.submit(QUICK, who=tab)
    queue.submit(QUICK, who=yours)
    stop(queue, second)
    queue.submit(QUICK, who=also_mine)


def test_a_run_is_stopped_by_its_owner_and_the_lecturer_alone(
    few: Callable[[str], Digits],
) -> None:
    lecturer = Lecturer("the word")
    queue = Trainings(load=few, rights=Rights(lecturer))
    owner, sent_its_address, teacher = (Visitor(name, "tab") for name in ("a", "b", "c"))
    alone = Visitor("d", "tab", is_alone=True)  # which counts only where there is no word
    run = queue.submit(LONG, who=owner)
    for who in (sent_its_address, teacher, alone):
        assert not queue.may_stop(run, who=who) and not queue.is_own(run, who=who)
        with pytest.raises(NotYoursError):
            queue.stop(run, who=who)
    assert wait(queue, run, lambda status: bool(status.log)).state == "running"
    assert queue.is_own(run, who=Visitor("a", "another tab"))
    lecturer.say("the word", who=teacher)
    queue.stop(run, who=teacher)
    assert wait(queue, run, ended).state == "stopped"
    second = queue.submit(LONG, who=owner)
    queue.stop(second, who=owner)
    wait(queue, second, ended)
    lecturer.close(who=teacher)
    with pytest.raises(ClosedError):
        queue.submit(QUICK, who=owner)
    queue.stop(queue.submit(QUICK, who=teacher), who=teacher)


def test_who_has_left_loses_the_place_after_half_a_minute(few: Callable[[str], Digits]) -> None:
    clock = Clock()
    queue = Trainings(load=few, clock=clock)
    first = submit(queue, LONG)
    wait(queue, first, lambda status: bool(status.images))
    second, third = queue.submit(QUICK, who="me"), submit(queue, QUICK)
    for clock.now, ahead in ((30.0, 2), (31.0, 1)):
        queue.status(first)
        status = queue.status(third)
        assert status is not None and (status.state, status.ahead) == ("waiting", ahead)
    lost = queue.status(second)
    assert lost is not None and lost.state == "stopped" and "place" in lost.error
    queue.submit(QUICK, who="me")
    for run in list(queue._jobs._jobs):
        stop(queue, str(run))


def test_the_line_is_bounded(queue: Trainings) -> None:
    assert MOST_WAITING >= 60
    first = submit(queue, LONG)
    wait(queue, first, lambda status: bool(status.images))
    for _ in range(MOST_WAITING):
        submit(queue, QUICK)
    with pytest.raises(LineFullError, match=f"{MOST_WAITING} others"):
        submit(queue, QUICK)


def test_old_runs_are_forgotten_but_not_those_that_wait(queue: Trainings) -> None:
    tiny = dataclasses.replace(QUICK, epochs=1, training_images=10)
    runs = []
    for _ in range(REMEMBERED + 5):
        runs.append(submit(queue, tiny))
        wait(queue, runs[-1], ended)
    assert queue.status(runs[0]) is None
    assert queue.status(runs[-1]) is not None


def test_ids_can_t_be_guessed_and_unknown_ones_do_nothing(queue: Trainings) -> None:
    assert queue.status("") is None
    stop(queue, "unknown")
    first, second = submit(queue, QUICK), submit(queue, QUICK)
    assert first != second
    assert len(first) >= 8


def test_a_run_that_is_not_here_is_said_to_be_elsewhere_or_gone(
    few: Callable[[str], Digits],
) -> None:
    first, again, other = (Trainings(load=few, name=name) for name in ("8501", "8501", "8502"))
    run = submit(first, QUICK)
    stop(first, run)
    assert "another server" in other.why_unknown(run)
    assert "restarted" in again.why_unknown(run)
    forgotten = first.why_unknown(run)
    assert "restarted" not in forgotten and "another" not in forgotten
    assert "restarted" not in first.why_unknown("nobody")


def test_many_may_submit_at_once(queue: Trainings) -> None:
    tiny = dataclasses.replace(QUICK, epochs=1, training_images=10)
    runs: list[str] = []
    threads = [threading.Thread(target=lambda: runs.append(submit(queue, tiny))) for _ in range(15)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(runs)) == 15
    states = {wait(queue, run, ended).state for run in runs}
    assert states == {"done"}
    networks = [queue.status(run) for run in runs[:2]]
    assert networks[0] is not None
    assert networks[1] is not None
    one, other = (status.result[0] for status in networks if status and status.result)
    assert isinstance(one, MLP)
    assert isinstance(other, MLP)
    np.testing.assert_array_equal(one.weights[0], other.weights[0])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such priorities")
@pytest.mark.parametrize(
    ("cores", "policy", "nice"), [(1, "SCHED_OTHER", 10), (2, "SCHED_IDLE", 0)]
)
def test_a_training_gives_way_to_pages_and_never_starves(
    monkeypatch: pytest.MonkeyPatch, cores: int, policy: str, nice: int
) -> None:
    monkeypatch.setattr(trainings, "cores", lambda: cores)
    found: list[int] = []

    def look() -> None:
        usual = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        trainings._give_way_to_pages()
        thread = threading.get_native_id()
        found.append(os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK)
        found.append(os.getpriority(os.PRIO_PROCESS, thread) - (usual if cores > 1 else 0))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [getattr(os, policy), nice]
