"""What a server remembers stays below its limit, counted in the bytes of arrays that are alive."""

import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.attacks import METHODS
from core.data.mnist import Digits
from core.networks import MLP, Library
from core.recipe import Recipe
from core.serving.cache import Cache
from core.serving.evaluations import Evaluations
from core.serving.jobs import DONE, Jobs, LineFullError, Tell
from core.serving.memory import LIMIT, MEGABYTES, Memory, limit, size_of
from core.serving.networks import ServedNetwork
from core.serving.questions import ALL, Question
from core.serving.server import Server
from core.serving.trainings import Trainings
from core.serving.turns import Turns
from tests.conftest import SHIPPED, random_mlp
from tests.core.networks.samples import CARD

LONG = 600  # seconds that no test needs, unless something is broken
MB = 10**6
Floats = NDArray[np.float64]


class Alive:
    """Arrays that a test has made, and which of them are still in memory."""

    def __init__(self) -> None:
        self._known: list[tuple[weakref.ref[Any], int]] = []

    def array(self, megabytes: int = 1) -> Floats:
        """Make an array."""
        return self.note(np.zeros(megabytes * MB // 8))

    def note(self, array: NDArray[Any]) -> NDArray[Any]:
        """Count an array while it is alive; return it."""
        self._known.append((weakref.ref(array), array.nbytes))
        return array

    @property
    def bytes(self) -> int:
        """What the arrays take that are alive."""
        gc.collect()
        return sum(size for array, size in self._known if array() is not None)


@pytest.fixture
def alive() -> Alive:
    return Alive()


def total(value: object) -> int:
    """Return the bytes of a value as `Memory` counts them."""
    memory = Memory()
    memory.hold("it", value, forget=lambda: None)
    return memory.bytes


@dataclass
class _Pair:
    first: object
    second: object


def test_a_size_is_that_of_all_arrays_inside_each_counted_once() -> None:
    big = np.zeros(MB)
    holders: list[object] = [
        big,
        big[:1],
        big.reshape(1000, -1)[5],
        [big, (big, {"x": big})],
        {"x": {"y": [_Pair(big, None)]}},
        _Pair(big, big[1:]),
        SimpleNamespace(x=big),
        np.frombuffer(bytes(8 * MB)),
        np.frombuffer(memoryview(bytes(8 * MB))),
        bytes(8 * MB),
    ]
    assert [round(total(each) / MB, 2) for each in holders] == [8.0] * len(holders)
    assert total([np.zeros(MB), np.zeros(MB)]) > 16 * MB
    assert total([1.5 * number for number in range(10_000)]) > 10_000 * 24
    assert total(["x" * 50_000 + str(number) for number in range(10)]) > 500_000
    ring: list[object] = [big]
    ring.append(ring)
    assert round(total(ring) / MB, 2) == 8.0
    assert total([np, len, Memory, METHODS["fgsm"].attack]) < 1000
    assert not size_of(None).buffers


def test_what_several_things_hold_is_counted_once_and_until_the_last_goes() -> None:
    memory, shared = Memory(), np.zeros(MB)
    for thing in ("a", "b"):
        memory.hold(thing, [shared], forget=lambda: None)
    assert 8 * MB < memory.bytes < 8.1 * MB
    memory.release("a")
    assert 8 * MB < memory.bytes < 8.1 * MB
    memory.release("b")
    memory.release("b")
    assert memory.bytes == 0
    memory.leave_out(shared)
    memory.hold("a", [shared[:5]], forget=lambda: None)
    assert memory.bytes < 1000


def test_the_least_recently_used_goes_first_whatever_holds_it(alive: Alive) -> None:
    memory = Memory(10.5 * MB)
    first, second = Cache(1000, memory), Cache(1000, memory)
    made: list[object] = []

    def get(cache: Cache, key: int) -> None:
        def make() -> Floats:
            made.append(key)
            return alive.array()

        cache.get(key, make)

    for key in range(5):
        get(first, key)
        get(second, key)
    get(first, 0)
    for key in range(5, 10):
        get(second, key)
    assert alive.bytes == 10 * MB
    made.clear()
    get(first, 0)
    get(second, 4)
    assert made == []
    get(first, 1)
    assert made == [1]
    for key in range(200):
        get(first, 1000 + key)
    assert alive.bytes == 10 * MB
    assert 10 * MB < memory.bytes < 10.5 * MB
    first.get("larger than all", lambda: alive.array(20))
    assert alive.bytes <= 10 * MB


def test_small_things_outlast_large_ones(alive: Alive) -> None:
    memory = Memory(10 * MB)
    small, large = Cache(10**6, memory), Cache(10**6, memory)
    made: list[int] = []

    def get(key: int) -> None:
        small.get(key, lambda: (made.append(key), bytes(500))[1])  # type: ignore[func-returns-value]

    for key in range(100):
        get(key)
    for key in range(50):
        large.get(key, alive.array)
    made.clear()
    for key in range(100):
        get(key)
    assert made == [] and alive.bytes == 9 * MB


def test_results_far_beyond_the_limit(alive: Alive) -> None:
    memory = Memory(10.5 * MB)
    several = [Jobs(most_kept=1000, memory=memory) for _ in range(3)]
    for key in range(150):
        jobs = several[key % 3]
        jobs.ask(key, lambda tell: {"found": [alive.array()]}, wait=LONG)
    assert alive.bytes == 10 * MB
    assert 10 * MB < memory.bytes < 10.5 * MB
    kept = [key for key in range(150) if several[key % 3].result(key) is not None]
    assert kept == list(range(140, 150))


def test_what_somebody_waits_for_goes_last_and_is_as_much_again_at_most(alive: Alive) -> None:
    memory, turns = Memory(5.6 * MB), Turns()
    jobs = Jobs(most_kept=1000, memory=memory, turns=turns, clock=lambda: 0.0)
    begun, go_on = threading.Event(), threading.Event()

    def first(tell: Tell) -> None:
        begun.set()
        go_on.wait(LONG)

    jobs.ask("first", first)
    assert begun.wait(LONG)
    for key in range(20):
        jobs.ask(key, lambda tell: alive.array(), who=key)
    go_on.set()
    jobs.ask("last", lambda tell: None, who="me", wait=LONG)  # it comes after all
    assert alive.bytes == 11 * MB
    waited_for = [key for key in range(20) if jobs.result(key) is not None]
    assert len(waited_for) == 11
    for key in waited_for:  # who has seen it waits no more
        assert jobs.ask(key, lambda tell: None, who=key, wait=LONG).result is not None
    jobs.ask("new", lambda tell: None, who="me", wait=LONG)
    assert alive.bytes == 5 * MB


def test_work_that_has_ended_holds_nothing(alive: Alive) -> None:
    jobs = Jobs(most_kept=1000)

    def work_with(network: Floats) -> Callable[[Tell], int]:
        return lambda tell: len(network)

    for key in range(20):
        jobs.ask(key, work_with(alive.array()), wait=LONG)
    assert alive.bytes <= MB  # the pool's thread may hold the last one


def test_those_who_wait_need_no_more_than_the_line_may(alive: Alive) -> None:
    line = Memory(3.5 * MB)
    several = [Jobs(most_kept=9, line=line, turns=Turns()) for _ in range(2)]
    begun, go_on = threading.Event(), threading.Event()
    shared = alive.array()

    def ask(key: int, needs: Floats, wait: float = 0.0) -> str:
        def work(tell: Tell) -> int:
            begun.set()
            go_on.wait(LONG)
            return len(needs)

        return several[key % 2].ask(key, work, needs=needs, who=key, wait=wait).state

    ask(0, shared)
    assert begun.wait(LONG)
    for key in range(2, 30, 2):
        ask(key, shared)
    ask(1, alive.array())
    ask(3, alive.array())
    for key in (5, 32):
        with pytest.raises(LineFullError):
            ask(key, alive.array())
    assert alive.bytes == 3 * MB
    several[1].stop(3)  # it waits, so it is gone at once
    ask(7, alive.array())
    go_on.set()
    for key in [*range(0, 30, 2), 1, 7]:
        assert ask(key, shared, LONG) == DONE
    assert line.bytes == 0


@pytest.fixture
def few(test_digits: Digits) -> Callable[[str], Digits]:
    return lambda split: Digits(test_digits.x[:500], test_digits.y[:500])


def test_attacks_on_all_images(few: Callable[[str], Digits], alive: Alive) -> None:
    one = 500 * 784 * 4  # bytes of the adversarial images
    memory = Memory(4.2 * one)
    digits = few("test")
    memory.leave_out(digits)
    evaluations = Evaluations(lambda split: digits, memory=memory)
    report = ServedNetwork("report", 0, *SHIPPED.load("report"))
    question = Question(report, METHODS["fgsm"], ALL)
    for budget in np.linspace(0.01, 0.3, 12):
        progress = evaluations.evaluation(question, float(budget)).look(wait=LONG)
        assert progress.state == DONE
        alive.note(progress.result.x_adv)
    del progress
    assert 3 * one <= alive.bytes <= 4 * one  # the network and the norms take the rest
    for place in range(12):  # and one digit under all budgets
        path = evaluations.path(report, METHODS["fgsm"], digits.x[place : place + 1], 7, None)
        alive.note(path.x_adv)
    del path
    assert alive.bytes <= 4.2 * one


@pytest.mark.thorough
@pytest.mark.training
def test_trained_networks(few: Callable[[str], Digits], alive: Alive) -> None:
    memory = Memory(16 * MB)
    queue = Trainings(load=few, memory=memory)
    recipe = Recipe(hidden=(1024, 1024), epochs=1, training_images=20)  # 7.4 MB
    runs = []
    for _ in range(4):
        runs.append(queue.submit(recipe, who=object()))
        queue._jobs.ask(runs[-1], lambda tell: None, wait=LONG, who=runs[-1])
        status = queue.status(runs[-1])
        assert status is not None and status.result is not None
        network = status.result[0]
        assert isinstance(network, MLP)
        for array in (*network.weights, *network.biases):
            alive.note(array)
    del status, network, array
    assert 2 * 7.4 * MB < alive.bytes <= 16 * MB
    assert [queue.status(run) is not None for run in runs] == [False, False, True, True]


def test_networks_that_are_read(
    library: Library, alive: Alive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT, "10")
    server = Server()
    for seed in range(12):
        network = random_mlp((784, 500, 10), seed=seed, dtype=np.float32)  # 1.6 MB
        name = library.keep(f"network {seed}", network, CARD)
        read = server.network(name).network
        assert isinstance(read, MLP)
        alive.note(read.weights[0])
    del read
    assert 4 * MB < alive.bytes <= 7.5 * MB


def test_the_limit_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LIMIT, raising=False)
    assert limit() == MEGABYTES * 1e6
    monkeypatch.setenv(LIMIT, "100")
    assert limit() == 100e6
    for nonsense in ("much", "-1", "nan"):
        monkeypatch.setenv(LIMIT, nonsense)
        assert limit() == MEGABYTES * 1e6


def test_many_threads_at_once(alive: Alive) -> None:
    memory = Memory(5.5 * MB)
    caches = [Cache(7, memory) for _ in range(3)]
    several = [Jobs(most_kept=5, memory=memory) for _ in range(2)]

    def visit(person: int) -> None:
        rng = np.random.default_rng(person)
        for _ in range(60):
            cache, jobs, key = caches[rng.integers(3)], several[rng.integers(2)], rng.integers(12)
            cache.get(key, alive.array)
            jobs.ask(key, lambda tell: alive.array(), wait=LONG, who=person)

    with ThreadPoolExecutor(8) as people:
        list(people.map(visit, range(8)))
    for cache in caches:
        for key in range(20, 30):
            cache.get(key, lambda: None)
    assert alive.bytes <= 11 * MB
    assert abs(memory.bytes - alive.bytes) < 0.1 * MB
