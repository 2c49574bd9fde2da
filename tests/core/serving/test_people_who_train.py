"""People in the line of trainings: whose turn it is, whose run is whose, who has left."""

import dataclasses
import threading
from collections.abc import Callable

import numpy as np
import pytest

from core.data.mnist import Digits
from core.networks.mlp import MLP
from core.serving.jobs import LineFullError
from core.serving.lecturer import ClosedError, Lecturer
from core.serving.rights import NotYoursError, Rights
from core.serving.trainings import (
    MOST_WAITING,
    REMEMBERED,
    AlreadyWaitingError,
    Trainings,
)
from core.serving.visitors import Visitor
from tests.core.serving.runs import (
    LONG,
    QUICK,
    Clock,
    ended,
    stop,
    submit,
    wait,
)


@pytest.mark.thorough
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


def test_the_lecturer_empties_the_line(few: Callable[[str], Digits]) -> None:
    lecturer, teacher = Lecturer("the word"), Visitor("teacher", "tab")
    queue = Trainings(load=few, rights=Rights(lecturer), clock=Clock())
    first = submit(queue, LONG)
    wait(queue, first, lambda status: bool(status.images))
    others = [submit(queue, QUICK) for _ in range(5)]
    queue.empty_line(who=Visitor("student", "tab"))
    assert queue.waiting == 5
    lecturer.say("the word", who=teacher)
    queue.empty_line(who=teacher)
    assert queue.waiting == 0
    states = [status.state for run in (first, *others) if (status := queue.status(run))]
    assert states == ["running", *5 * ["stopped"]]
    queue.stop(first, who=teacher)
    wait(queue, first, ended)


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
