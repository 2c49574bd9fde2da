import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.serving.cache import Cache
from core.serving.jobs import (
    DONE,
    FAILED,
    RUNNING,
    STOPPED,
    WAITING,
    Computation,
    Jobs,
    LineFullError,
    Progress,
    StoppedError,
    Tell,
    in_shares,
)
from core.serving.turns import Turns
from core.serving.visitors import Visitor

LONG = 600  # seconds that no test needs, unless something is broken


def ended(jobs: Jobs, key: object, work: Callable[[Tell], object]) -> Progress:
    return jobs.ask(key, work, wait=LONG)


def test_ten_people_who_ask_at_once_cost_one_computation() -> None:
    jobs, runs, together = Jobs(most_kept=3), [], threading.Barrier(10)
    asked = threading.Event()

    def work(tell: Tell) -> int:
        runs.append(1)
        asked.wait(LONG)
        return 7

    def ask(person: int) -> Progress:
        together.wait()
        jobs.ask("curve", work)
        if together.wait() == 0:  # all have asked
            asked.set()
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
        go_on.wait(LONG)
        return "all"

    jobs.ask("a", work)
    assert half.wait(LONG)
    assert jobs.ask("a", work) == Progress(RUNNING, 0.5)
    go_on.set()
    assert ended(jobs, "a", work).result == "all"


def test_it_goes_on_while_somebody_looks_and_ends_when_nobody_does() -> None:
    now = [0.0]
    jobs = Jobs(most_kept=3, unwatched_seconds=10, clock=lambda: now[0])
    step, told = threading.Semaphore(0), threading.Semaphore(0)

    def work(tell: Tell) -> str:
        for share in (0.1, 0.2, 0.3):
            step.acquire(timeout=LONG)
            try:
                tell(share)
            finally:
                told.release()
        return "never"

    def go_on() -> None:
        step.release()
        assert told.acquire(timeout=LONG)

    jobs.ask("a", work)
    now[0] = 9.0
    go_on()
    assert jobs.ask("a", work).share == 0.1  # a look at 9 seconds
    now[0] = 18.0
    go_on()
    now[0] = 29.0
    go_on()
    # A look while it ends shows that it ended; the next look begins it again.
    last = ended(jobs, "a", lambda tell: "anew")
    assert (last.state, last.result) in ((STOPPED, None), (DONE, "anew"))
    assert ended(jobs, "a", lambda tell: "anew") == Progress(DONE, 1.0, "anew")


def test_one_who_waits_is_looking() -> None:
    now = [0.0]
    jobs = Jobs(most_kept=3, unwatched_seconds=10, clock=lambda: now[0])

    def work(tell: Tell) -> str:
        now[0] = 15.0
        tell(0.5)
        return "all"

    assert jobs.ask("a", work, wait=LONG).result == "all"


@pytest.mark.parametrize("others_look", [True, False])
def test_what_one_leaves_ends_unless_others_look(others_look: bool) -> None:
    jobs = Jobs(most_kept=3)
    begun, go_on, over = (threading.Event() for _ in range(3))
    finished = []

    def work(tell: Tell) -> str:
        begun.set()
        go_on.wait(LONG)
        try:
            tell(0.5)
            finished.append(True)
        finally:
            over.set()
        return "all"

    mine, other = (Computation(jobs, "a", work, who=who, finish=str.upper) for who in (1, 2))
    mine.leave()  # which nobody has asked for
    assert mine.look().state in (WAITING, RUNNING)
    assert begun.wait(LONG)
    if others_look:
        other.look()
    mine.leave()
    go_on.set()
    assert over.wait(LONG)
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
    assert jobs.result("a") is None
    assert ended(jobs, "a", lambda tell: 1).result == 1 == jobs.result("a")


def test_what_nobody_foresaw_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    def crash(tell: Tell) -> None:
        raise KeyError("secret")

    failed = ended(Jobs(most_kept=3), "a", crash)
    assert failed.state == FAILED
    assert "secret" not in failed.error
    assert "KeyError" in caplog.text


def test_who_shares_threads_waits_for_the_others() -> None:
    thread = Turns()
    first, second = (Jobs(most_kept=3, turns=thread) for _ in range(2))
    go_on = threading.Event()
    first.ask("a", lambda tell: go_on.wait(LONG))
    waiting = second.ask("a", lambda tell: "here")
    assert waiting == Progress(WAITING)
    go_on.set()
    assert ended(second, "a", lambda tell: "never").result == "here"


def test_a_bounded_number_of_results_is_kept() -> None:
    jobs = Jobs(most_kept=3)
    for key in range(5):
        ended(jobs, key, lambda tell: "result")
    jobs.ask(2, lambda tell: "anew")  # looked at again, so it stays longest
    ended(jobs, 5, lambda tell: "result")
    ended(jobs, 6, lambda tell: "result")
    asked = [ended(jobs, key, lambda tell: "anew").result for key in (2, 6, 0, 1)]
    assert asked == ["result", "result", "anew", "anew"]


def test_without_their_owner_jobs_end() -> None:
    jobs, begun, over = Jobs(most_kept=3), threading.Event(), threading.Event()

    def work(tell: Tell) -> None:
        try:
            while True:
                tell(0.5)
                begun.set()
        finally:
            over.set()

    jobs.ask("a", work)
    assert begun.wait(LONG)
    del jobs
    gc.collect()
    assert over.wait(LONG)


def test_a_job_that_waits_unwatched_never_begins() -> None:
    now, runs = [0.0], []
    jobs = Jobs(most_kept=3, unwatched_seconds=10, clock=lambda: now[0])
    block = threading.Event()
    for worker in range(2):
        jobs.ask(("busy", worker), lambda tell: block.wait(LONG))
    jobs.ask("late", lambda tell: runs.append(1))
    now[0] = 11.0
    block.set()
    assert ended(jobs, "last", lambda tell: "after it").result == "after it"
    assert not runs


def test_whoever_knows_the_key_stops_it_and_keeps_what_there_is() -> None:
    jobs, begun = Jobs(most_kept=3), threading.Event()

    def work(tell: Tell) -> str:
        try:
            while True:
                tell(0.5, "half")
                begun.set()
        except StoppedError:
            return "the best so far"

    jobs.ask("a", work, who="somebody")
    assert begun.wait(LONG)
    assert jobs.look("a") == Progress(RUNNING, 0.5, "half")
    jobs.stop("a")
    jobs.stop("unknown")
    stopped = jobs._jobs["a"]
    assert stopped.over.wait(LONG)
    assert jobs.look("a") == Progress(STOPPED, 0.5, "the best so far")


def test_one_that_waits_is_stopped_at_once_and_the_line_moves_up() -> None:
    jobs, go_on = Jobs(most_kept=9, turns=Turns()), threading.Event()
    begun = threading.Event()

    def busy(tell: Tell) -> None:
        begun.set()
        go_on.wait(LONG)

    jobs.ask("first", busy)
    assert begun.wait(LONG)
    jobs.ask("second", lambda tell: 2, so_far=0)
    assert jobs.ask("third", lambda tell: 3) == Progress(WAITING, ahead=2)
    jobs.stop("second")
    second = jobs.look("second")
    assert second is not None and (second.state, second.result) == (STOPPED, 0)
    assert second.error
    assert jobs.look("third") == Progress(WAITING, ahead=1)
    go_on.set()
    assert ended(jobs, "third", lambda tell: "never").result == 3
    assert jobs.look("unknown") is None


def test_the_line_is_bounded() -> None:
    jobs = Jobs(most_kept=9, turns=Turns(), most_waiting=2)
    begun, go_on = threading.Event(), threading.Event()

    def busy(tell: Tell) -> None:
        begun.set()
        go_on.wait(LONG)

    jobs.ask("first", busy)
    assert begun.wait(LONG)
    for key in ("second", "third"):
        jobs.ask(key, lambda tell: 1)
    with pytest.raises(LineFullError, match="2 others"):
        jobs.ask("fourth", lambda tell: 1)
    go_on.set()


@pytest.mark.parametrize("watched", [True, False])
def test_a_result_is_kept_until_those_who_wait_have_seen_it(watched: bool) -> None:
    now = [0.0]
    jobs = Jobs(most_kept=1, turns=Turns(), unwatched_seconds=10, clock=lambda: now[0])
    runs: list[str] = []

    def work_on(key: str) -> Callable[[Tell], str]:
        def work(tell: Tell) -> str:
            runs.append(key)
            return key.upper()

        return work

    for key in "abc":
        jobs.ask(key, work_on(key), who=key)
    jobs.ask("last", work_on("last"), who="me", wait=LONG)
    if not watched:
        now[0] = 11.0
    jobs.ask("new", work_on("new"), who="me", wait=LONG)
    found = [jobs.ask(key, work_on(key), who=key, wait=LONG).result for key in "abc"]
    assert found == ["A", "B", "C"]
    # As many results again as are kept: b and c outlast the newer one that everybody has seen.
    again = ["a"] if watched else ["a", "b", "c"]
    assert runs == ["a", "b", "c", "last", "new", *again]


def test_tabs_of_one_person_look_separately_and_take_turns_as_one() -> None:
    jobs, done = Jobs(most_kept=9, turns=Turns()), []
    go_on, begun = threading.Event(), threading.Event()

    def busy(tell: Tell) -> None:
        begun.set()
        go_on.wait(LONG)

    jobs.ask("first", busy, who="nobody")
    assert begun.wait(LONG)
    tabs = [Visitor("me", tab) for tab in ("one", "two")]
    for key, who in (("a", tabs[0]), ("b", tabs[1]), ("c", Visitor("you", "one"))):
        jobs.ask(key, lambda tell, key=key: done.append(key), who=who)  # type: ignore[misc]
    jobs.ask("a", lambda tell: None, who=tabs[1])
    jobs.leave("a", who=tabs[0])  # it stays open in the other tab, as this person's newest
    go_on.set()
    for key in "abc":
        jobs.ask(key, lambda tell: None, who=tabs[1], wait=LONG)
    assert done == ["a", "c", "b"]


def test_a_full_line_is_a_sentence() -> None:
    jobs, go_on = Jobs(most_kept=9, turns=Turns(), most_waiting=1), threading.Event()
    for key in ("first", "second"):
        Computation(jobs, key, lambda tell: go_on.wait(LONG)).look(wait=0.01)
    third = Computation(jobs, "third", lambda tell: 3)
    refused = third.look()
    assert refused.state == FAILED and refused.error
    go_on.set()


def test_shares_add_up_to_one_and_no_more() -> None:
    told: list[float] = []
    more = in_shares(lambda share, so_far=None, /: told.append(share), 4)
    for count in (1, 2, 2):
        more(count)
    assert told == [0.25, 0.75, 1.0]


def test_a_cache_makes_a_value_once_for_all_who_ask_and_forgets_the_oldest() -> None:
    cache, made, together = Cache(2), [], threading.Barrier(5)

    def make() -> int:
        made.append(1)
        return 7

    def ask(person: int) -> int:
        together.wait()
        return cache.get("a", make)

    with ThreadPoolExecutor(5) as people:
        assert list(people.map(ask, range(5))) == [7] * 5
    assert len(made) == 1
    with pytest.raises(ZeroDivisionError):
        cache.get("b", lambda: 1 // 0)
    assert [cache.get(key, lambda: 1) for key in ("b", "a", "c")] == [1, 7, 1]
    assert [cache.get(key, lambda: 2) for key in ("a", "b")] == [7, 2]
