"""What a training on the server results in, what it may cost, and how it is stopped."""

import dataclasses
import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from core import measures
from core.data.mnist import Digits
from core.networks import parse
from core.networks.file import to_bytes
from core.networks.mlp import MLP
from core.recipe import Recipe
from core.serving import trainings
from core.serving.jobs import StoppedError
from core.serving.trainings import (
    Trainings,
)
from core.training import outcome as outcome_module
from core.training.cost import Limits
from tests.core.serving.runs import (
    LONG,
    LONG_ENOUGH,
    QUICK,
    Clock,
    ended,
    stop,
    submit,
    wait,
)


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
    for epochs in (1, 5, 40):
        gc.collect()
        gc.freeze()  # what there is need not be counted
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


@pytest.mark.thorough
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
