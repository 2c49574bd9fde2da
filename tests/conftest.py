"""What all tests share: no clock, samples of what is slow, the data, the shipped network.

**No clock.** A test passes on any machine, however slow or busy. It waits for what is to happen,
never for a time; a timeout is there to end a test that hangs, and is far longer than any machine
needs. Hypothesis has no deadline and draws the same examples in every run.

**The samples.** `make thorough` (`pytest --thorough`) runs every test. Those marked `thorough` take
long; all that a browser runs are. `make test` runs all others, and a sample of these: a tenth of
each function's cases, and a third of a file's functions without cases; in a browser, where cases
are windows of other sizes, one case, and a sixth of all functions. `make quick` (`pytest --quick`)
runs a sixth of each file's tests that are fast, need no browser and train nothing. Of everything
at least one runs: those whose names have the smallest SHA-256. So a sample is the same in every run
and on every machine, until somebody renames or adds a test. `thorough(always=True)` is in every
sample. With `each="name"` there is one for each value of that parameter; `thorough(left_out=True)`
is for what other tests in the sample cover, and always needs `--thorough`. Any other case is run by
its name: `pytest "tests/test_x.py::test_y[case]"`.

**The markers** `browser` and `training`, which `make quick` leaves out too, are set by folder or
file in `MARKS`. A single test that is slow or trains says so itself.
"""

import gc
import hashlib
import os
import sys
from collections import defaultdict

# One process a core runs the tests (pytest-xdist), so a process's libraries are to use one each.
# They read this when they are imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from core.data import mnist
from core.data.mnist import Digits
from core.networks import LIBRARY, MLP, Library, Network

SHIPPED = Library(Path(__file__).parent.parent / "models")  # whatever `library` does to LIBRARY

MARKS = {
    "tests/browser/": "browser thorough",
    "tests/core/training/": "training",
    "tests/core/serving/test_people_who_train.py": "training",
    "tests/core/serving/test_trainings.py": "training",
    "tests/pages/test_train.py": "training",
    # Each of these attacks all test images, for one page or another.
    "tests/pages/test_remedies.py": "thorough",
    "tests/pages/test_report.py": "thorough",
    "tests/pages/test_transfer.py": "thorough",
    "tests/pages/test_whole_test_set.py": "thorough",
}
# Without --thorough, one of so many runs. `WAYS` are through the pages, in a browser.
FUNCTIONS, CASES, WINDOWS, WAYS, QUICK = 3, 10, 1000, 6, 6

for name, examples in (("sample", 25), ("thorough", 200)):
    settings.register_profile(
        name,
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],  # the machine's own affair
    )
settings.load_profile("sample")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--quick`, `--thorough` and `--hostile`."""
    parser.addoption(
        "--hostile", action="store_true", help="run all that the tests in tests/hostile generate"
    )
    parser.addoption("--quick", action="store_true", help="run a sixth of the tests that are fast")
    parser.addoption(
        "--thorough", action="store_true", help="run all cases of the tests marked thorough"
    )


def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than there are cores: a browser's tests wait half of their time."""
    return (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    """Have Hypothesis look further where there is time; before any test is imported."""
    if config.getoption("--thorough"):
        settings.load_profile("thorough")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by their folders, and leave out what the sample doesn't hold."""
    for item in items:
        for folder, marks in MARKS.items():
            if item.nodeid.startswith(folder):
                for mark in marks.split():
                    item.add_marker(mark)
    if config.getoption("--thorough"):
        return
    chosen = {*(quick_sample(items) if config.getoption("--quick") else usual_sample(items))}
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    # A browser's tests come first: begun last, one of them would keep the other cores waiting.
    items[:] = [item for item in items if item in chosen]
    items.sort(key=lambda item: not item.get_closest_marker("browser"))


def pytest_collection_finish() -> None:
    """Keep the garbage collector from going through all that has been imported, test by test."""
    gc.collect()
    gc.freeze()


def quick_sample(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return a sixth of each file's tests that need no browser, train nothing and are fast."""
    fast = [item for item in items if not {"browser", "training", "thorough"} & {*item.keywords}]
    return sample(fast, lambda item: (str(item.path), QUICK))


def usual_sample(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return all that is fast, and a sample of the rest."""
    long = [item for item in items if item.get_closest_marker("thorough")]
    cases = sample([item for item in long if not set_by(item, "left_out")], cases_of)
    fast = [item for item in items if not item.get_closest_marker("thorough")]
    return fast + sample(cases, functions_of)


def sample(
    items: list[pytest.Item], group_of: Callable[[pytest.Item], tuple[str, int]]
) -> list[pytest.Item]:
    """Return some of each group's tests: those that always run, and one of so many of the others.

    Args:
        items: the tests.
        group_of: returns a test's group, and that one of how many of its tests runs.
    """
    groups = defaultdict(list)
    for item in items:
        groups[group_of(item)].append(item)
    chosen = []
    for (_, one_of), group in groups.items():
        always = [item for item in group if set_by(item, "always")]
        others = sorted((item for item in group if item not in always), key=place_in_line)
        number = -(-len(group) // one_of)
        chosen += always + others[: max(0, number - len(always))]
    return chosen


def cases_of(item: pytest.Item) -> tuple[str, int]:
    """Return the group of a test's cases: a function's, or those with one value of `each`."""
    values = [item.callspec.params[name] for name in set_by(item, "each")]  # type: ignore[attr-defined]
    group = (item.nodeid.partition("[")[0], *values)
    return str(group), WINDOWS if item.get_closest_marker("browser") else CASES


def functions_of(item: pytest.Item) -> tuple[str, int]:
    """Return the group of a test: all in a browser; or the functions of a file without cases."""
    if item.get_closest_marker("browser"):
        return "browser", WAYS
    return (item.nodeid, 1) if hasattr(item, "callspec") else (str(item.path), FUNCTIONS)


def set_by(item: pytest.Item, setting: str) -> list[Any]:
    """Return the values of a setting in a test's marks `thorough`."""
    marks = item.iter_markers("thorough")
    return [mark.kwargs[setting] for mark in marks if setting in mark.kwargs]


def place_in_line(item: pytest.Item) -> bytes:
    """Return a hash of a case's name, by which it comes into the sample or not."""
    return hashlib.sha256(item.nodeid.encode()).digest()


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Put the program's main module back: AppTest leaves the app in its place.

    A process that a later test starts would run the app.
    """
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def training_digits() -> Digits:
    """MNIST's 60,000 training images."""
    return mnist.load("train")


@pytest.fixture(scope="session")
def test_digits() -> Digits:
    """MNIST's 10,000 test images."""
    return mnist.load("test")


@pytest.fixture(scope="session")
def report_network() -> MLP:
    """The network that is shipped."""
    network, _ = SHIPPED.load("report")
    assert isinstance(network, MLP)
    return network


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """The library that core and the pages use, with an empty folder for this test alone."""
    with pytest.MonkeyPatch.context() as patch:  # its own: a test may undo `monkeypatch`
        patch.setitem(vars(LIBRARY), "folder", tmp_path)  # setattr refuses: it is frozen
        yield LIBRARY


@pytest.fixture(scope="session")
def small_network() -> MLP:
    """An untrained float64 network of 12 pixels, not confident of anything."""
    return random_mlp((12, 9, 7, 10), seed=3)


def perceptrons(network: Network) -> tuple[MLP, ...]:
    """Return the members of a network, which all are perceptrons."""
    found = tuple(member for member in network.members if isinstance(member, MLP))
    assert len(found) == len(network.members)
    return found


def random_mlp(sizes: tuple[int, ...], *, seed: int, dtype: type = np.float64) -> MLP:
    """Return a network with normally distributed weights and biases."""
    rng = np.random.default_rng(seed)
    pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
    return MLP(
        tuple((rng.normal(size=pair) / np.sqrt(pair[0])).astype(dtype) for pair in pairs),
        tuple(rng.normal(size=pair[1]).astype(dtype) for pair in pairs),
    )
