import threading
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.serving.turns import Place, Turns

LONG = 600  # seconds that no test needs, unless something is broken


class Line:
    """A line before one thread, which does nothing until `let_go`."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.done: list[str] = []
        self.go_on = threading.Event()
        self._asked = 0
        begun = threading.Event()

        def hold_up() -> None:
            begun.set()
            self.go_on.wait(LONG)

        self.turns.submit(Place(hold_up, dict))
        assert begun.wait(LONG)

    def ask(self, name: str, *people: str, rank: int = 0) -> Place:
        """Put work into the line for some people."""
        self._asked += 1
        wanted: dict[Hashable, int] = dict.fromkeys(people, self._asked)
        return self.turns.submit(Place(lambda: self.done.append(name), lambda: wanted, rank))

    def let_go(self) -> str:
        """Have all work done; return the names in order."""
        self.go_on.set()
        over = threading.Event()
        self.turns.submit(Place(over.set, lambda: {"the last one": 10**9}))
        assert over.wait(LONG)
        return " ".join(self.done)


@pytest.fixture
def line() -> Line:
    return Line()


def test_everybody_gets_a_turn_before_anybody_gets_a_second_one(line: Line) -> None:
    for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
        line.ask(name, name[0])
    assert line.let_go() == "a3 b2 c1 a2 b1 a1"


def test_a_person_s_small_ranks_come_first_and_others_are_not_held_up_by_them(line: Line) -> None:
    for name, rank in (("a2", 2), ("a0", 0), ("a1", 1), ("b1", 1)):
        line.ask(name, name[0], rank=rank)
    assert line.let_go() == "a0 b1 a1 a2"


def test_who_wants_the_same_work_has_had_a_turn_with_it(line: Line) -> None:
    line.ask("b1", "b")
    line.ask("both", "a", "b")
    line.ask("c1", "c")
    line.ask("a1", "a")
    # b comes first and wants the newest: what a wants, too. So c is next.
    assert line.let_go() == "both c1 b1 a1"


def test_who_comes_back_is_behind_those_who_came_before(line: Line) -> None:
    def again() -> None:
        line.done.append("a1")
        line.ask("b1", "b")
        line.ask("a2", "a")
        line.ask("a3", "a")

    line.turns.submit(Place(again, lambda: {"a": 0}))
    line.ask("c1", "c")
    line.go_on.set()
    assert line.let_go() == "a1 c1 b1 a3 a2"


def test_what_nobody_wants_is_called_at_once_and_what_is_cancelled_never(line: Line) -> None:
    line.ask("a1", "a")
    gone = line.ask("a2", "a")
    line.ask("left")
    assert line.turns.cancel(gone)
    assert not line.turns.cancel(gone)
    assert line.let_go() == "left a1"


def test_people_may_come_and_leave_while_a_turn_is_given() -> None:
    """Whatever the work says of who wants it, each piece is done once."""
    done: list[int] = []
    turns = Turns(2)

    def wanted(number: int) -> Callable[[], Mapping[Hashable, int]]:
        asked = iter(range(10**9))
        return lambda: {number % 3: number} if next(asked) % 2 else {number % 5: number}

    def submit(number: int) -> None:
        turns.submit(Place(lambda: done.append(number), wanted(number)))

    with ThreadPoolExecutor(8) as people:
        list(people.map(submit, range(200)))
    turns._threads.shutdown(wait=True)
    assert sorted(done) == list(range(200))
