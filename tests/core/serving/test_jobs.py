import gc
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.serving.jobs import DONE, ENDED, FAILED, RUNNING, WAITING, Computation, Jobs, Progress

Tell = Callable[[float], None]


def ended(jobs: Jobs, key: object, work: Callable[[Tell], object]) -> Progress:
    return jobs.ask(key, work, wait=10)


def test_ten_people_who_ask_at_once_cost_one_computation() -> None:
    jobs, runs, together = Jobs(most_kept=3), [], threading.Barrier(10)

    def work(tell: Tell) -> int:
        runs.append(1)
        time.sleep(0.05)
        return 7

    def ask(person: int) -> Progress:
        together.wait()
        return ended(jobs, "curve", work)

    with ThreadPoolExecutor(10) as people:
        answers = list(people.map(ask, range(10)))
    assert answers == [Progress(DONE, 1.0, 7)] * 10
    assert len(runs) == 1


def test_a_look_does_not_wait_and_sees_how_far_it_is() -> None:
    jobs, half, go_on = Jobs(most_kept=3), threading.Event(), threading.Event()

    def work(tell: Tell) -> str:
        tell(0.5)
        half.set()
        go_on.wait(10)
        return "all"

    jobs.ask("a", work)
    assert half.wait(10)
    assert jobs.ask("a", work) == Progress(RUNNING, 0.5)
    go_on.set()
    assert ended(jobs, "a", work).result == "all"


def test_it_goes_on_while_somebody_looks_and_ends_when_nobody_does() -> None:
    now = [0.0]
    jobs = Jobs(most_kept=3, unwatched_seconds=10, clock=lambda: now[0])
    step, told = threading.Semaphore(0), threading.Semaphore(0)

    def work(tell: Tell) -> str:
        for share in (0.1, 0.2, 0.3):
            step.acquire(timeout=10)
            try:
                tell(share)
            finally:
                told.release()
        return "never"

    def go_on() -> None:
        step.release()
        assert told.acquire(timeout=10)

    jobs.ask("a", work)
    now[0] = 9.0
    go_on()
    assert jobs.ask("a", work).share == 0.1  # a look at 9 seconds
    now[0] = 18.0
    go_on()
    now[0] = 29.0
    go_on()
    # Who looks while it is ending sees that it ended; the next look begins it anew.
    last = ended(jobs, "a", lambda tell: "anew")
    assert last in (Progress(ENDED), Progress(DONE, 1.0, "anew"))
    assert ended(jobs, "a", lambda tell: "anew") == Progress(DONE, 1.0, "anew")


@pytest.mark.parametrize("others_look", [True, False])
def test_what_one_leaves_ends_unless_others_look(others_look: bool) -> None:
    jobs = Jobs(most_kept=3)
    go_on, over, finished = threading.Event(), threading.Event(), []

    def work(tell: Tell) -> str:
        go_on.wait(10)
        try:
            tell(0.5)
            finished.append(True)
        finally:
            over.set()
        return "all"

    mine, other = (Computation(jobs, "a", work, who=who, finish=str.upper) for who in (1, 2))
    mine.leave()  # which nobody has asked for
    assert mine.look().state in (WAITING, RUNNING)
    if others_look:
        other.look()
    mine.leave()
    go_on.set()
    assert over.wait(10)
    assert bool(finished) == others_look
    if others_look:
        assert other.look(wait=10).result == "ALL"


def test_a_failure_is_a_sentence_and_who_comes_back_later_tries_again() -> None:
    now = [0.0]
    jobs = Jobs(most_kept=3, unwatched_seconds=10, clock=lambda: now[0])

    def refuse(tell: Tell) -> None:
        raise ValueError("x must be pixels")

    assert ended(jobs, "a", refuse) == Progress(FAILED, error="x must be pixels")
    assert ended(jobs, "a", lambda tell: 1).error == "x must be pixels"
    now[0] = 11.0
    assert ended(jobs, "a", lambda tell: 1).result == 1


def test_what_nobody_foresaw_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    def crash(tell: Tell) -> None:
        raise KeyError("secret")

    failed = ended(Jobs(most_kept=3), "a", crash)
    assert failed.state == FAILED
    assert "secret" not in failed.error
    assert "KeyError" in caplog.text


def test_who_shares_threads_waits_for_the_others() -> None:
    thread = ThreadPoolExecutor(1)
    first, second = (Jobs(most_kept=3, workers=thread) for _ in range(2))
    go_on = threading.Event()
    first.ask("a", lambda tell: go_on.wait(10))
    waiting = second.ask("a", lambda tell: "here", wait=0.1)
    assert waiting == Progress(WAITING)
    go_on.set()
    assert ended(second, "a", lambda tell: "never").result == "here"


def test_a_bounded_number_of_results_is_kept() -> None:
    jobs = Jobs(most_kept=3)
    for key in range(5):
        ended(jobs, key, lambda tell: "result")
    jobs.ask(2, lambda tell: "anew")  # looked at again, so it stays longest
    jobs.ask(5, lambda tell: "result", wait=10)
    jobs.ask(6, lambda tell: "result", wait=10)
    asked = [ended(jobs, key, lambda tell: "anew").result for key in (2, 6, 0, 1)]
    assert asked == ["result", "result", "anew", "anew"]


def test_without_their_owner_jobs_end() -> None:
    jobs, begun, over = Jobs(most_kept=3), threading.Event(), threading.Event()

    def work(tell: Tell) -> None:
        try:
            while True:
                tell(0.5)
                begun.set()
                time.sleep(0.01)
        finally:
            over.set()

    jobs.ask("a", work)
    assert begun.wait(10)
    del jobs
    gc.collect()
    assert over.wait(10)


def test_a_job_that_waits_unwatched_never_begins() -> None:
    now, runs = [0.0], []
    jobs = Jobs(most_kept=3, unwatched_seconds=10, clock=lambda: now[0])
    block = threading.Event()
    for worker in range(2):
        jobs.ask(("busy", worker), lambda tell: block.wait(10))
    jobs.ask("late", lambda tell: runs.append(1))
    now[0] = 11.0
    block.set()
    assert ended(jobs, "last", lambda tell: "after it").result == "after it"
    assert not runs
