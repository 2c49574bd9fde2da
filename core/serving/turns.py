"""Threads that many people share by turns."""

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Place:
    """A piece of work in the line.

    Attributes:
        run: does the work.
        wanted_by: returns the people who want it now, each with a number that is the larger the
            later this person asked for it. It is called with the line locked, so it must not wait.
        rank: a person's work of a smaller rank comes first.
    """

    run: Callable[[], object]
    wanted_by: Callable[[], Mapping[Hashable, int]]
    rank: int = 0


class Turns:
    """Threads that do what people wait for, each person's in turn.

    Everybody in the line gets a turn before anybody gets a second one. A person's turn goes to the
    work of the smallest rank; of the same rank, to what this person asked for last. Everybody who
    wants that work has had a turn with it. Work that nobody wants any more is called at once,
    because it ends by itself.
    """

    def __init__(
        self,
        threads: int = 1,
        *,
        name: str = "turns",
        initializer: Callable[[], object] | None = None,
    ) -> None:
        """Start with nobody in the line.

        Args:
            threads: how many pieces of work may be done at the same time.
            name: of the threads.
            initializer: called in each thread before its first work.
        """
        self._threads = ThreadPoolExecutor(threads, name, initializer)
        self._places: list[Place] = []
        self._people: dict[Hashable, None] = {}  # in the line; whose turn is next comes first
        self._lock = threading.Lock()

    def submit(self, place: Place) -> Place:
        """Put work into the line and return it."""
        with self._lock:
            self._places.append(place)
            self._let_in([place.wanted_by()])
        self._threads.submit(self._take)
        return place

    def cancel(self, place: Place) -> bool:
        """Take work out of the line; return False if it has begun."""
        with self._lock:
            if place not in self._places:
                return False
            self._places.remove(place)
            return True

    def _take(self) -> None:
        """Do what comes next, unless it was cancelled."""
        with self._lock:
            place = self._next() if self._places else None
        if place is not None:
            place.run()

    def _next(self) -> Place:
        """Take out of the line what comes next."""
        wanted = {place: place.wanted_by() for place in self._places}
        chosen = next((place for place, people in wanted.items() if not people), None)
        if chosen is None:
            present = set().union(*wanted.values())
            self._people = {person: None for person in self._people if person in present}
            self._let_in(wanted.values())
            person = next(iter(self._people))
            own = [place for place, people in wanted.items() if person in people]
            chosen = min(own, key=lambda place: (place.rank, -wanted[place][person]))
        self._places.remove(chosen)
        for person in wanted.pop(chosen):
            self._people.pop(person, None)
        self._let_in(wanted.values())  # who still waits for something else has the last turn
        return chosen

    def _let_in(self, wanted: Iterable[Mapping[Hashable, int]]) -> None:
        """Put at the end of the line who is not in it yet; of several, who asked first."""
        asked: dict[Hashable, int] = {}
        for people in wanted:
            for person, number in people.items():
                asked[person] = min(number, asked.get(person, number))
        for person in sorted(asked, key=asked.__getitem__):
            self._people.setdefault(person)
