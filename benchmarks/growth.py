"""How time and memory grow with images, budgets, networks and layers.

Each cell beyond a table's first row has the time as a multiple of the first row's, and in brackets
that multiple divided by the growth of what the row counts: 1 is linear growth, less is better.
The first row has the time itself. Times are CPU seconds of all cores and processes, so that what
else the machine does matters little.

`python -m benchmarks.growth images layers` prints some of the tables.
"""

import argparse
import contextlib
import multiprocessing
import statistics
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.attacks import blas_kernels
from benchmarks.measuring import cpu_timed, print_machine, print_table
from core import batches
from core.attacks import fgsm, pgd
from core.bounds import certified, margins
from core.classifier import FloatArray
from core.data import mnist
from core.data.mnist import Digits
from core.evaluation import executors, sweep
from core.evaluation.rates import evasion_curve
from core.evaluation.sweep import Task, digits
from core.measures import evasion_rate
from core.networks import LIBRARY, MLP, Network

EPSILON = 0.1
IMAGES = (100, 1000, 10_000, 70_000)
BUDGETS = (1, 11, 51, 101)
BUDGET_IMAGES = 1000
LARGEST = 0.3  # of the budgets
NETWORKS = (1, 2, 4, 8, 15)
NETWORK_IMAGES = 10_000
LAYERS = (2, 3, 4, 6, 8)
WIDTH = 128
LAYER_IMAGES = 256
LAYER_EPSILON = 0.01
LONG = 1.0  # seconds; what takes longer is measured once

Growth = Mapping[str, Sequence[float]]  # the seconds of each work, one a row


def main() -> None:
    """Measure and print the tables that are named, all without a name."""
    measures = {
        "images": of_images,
        "budgets": of_budgets,
        "networks": of_networks,
        "layers": of_layers,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(measures))
    chosen = parser.parse_args().tables or list(measures)
    if unknown := sorted({*chosen} - {*measures}):
        parser.error(f"there is no table {unknown[0]!r} among {', '.join(measures)}")
    tables = [measures[name]() for name in chosen]
    print_machine()
    for header, rows, about in tables:
        print_table(header, rows)
        print(f"\n{about}\n")
    print(
        f"On {batches.threads()} cores, one work after the other. All cores work on more than "
        f"{batches.BATCH} images; then they share memory and caches, and each takes longer. "
        f"NumPy multiplies with OpenBLAS's code for {', '.join(sorted(blas_kernels()))}."
    )


Table = tuple[list[str], list[list[str]], str]


def cells(seconds: Sequence[float], counts: Sequence[float]) -> list[str]:
    """Return a column: the first row's time, then multiples of it, and of linear growth."""
    first, *others = seconds
    growth = [count / counts[0] for count in counts[1:]]
    return [
        f"{1000 * first:.1f} ms",
        *(
            f"× {each / first:.1f} ({each / first / linear:.2f})"
            for each, linear in zip(others, growth, strict=True)
        ),
    ]


def table_of(
    what: str, names: Sequence[str], growth: Growth, counts: Sequence[float]
) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table, a column for each work.

    Args:
        what: the header of the first column.
        names: of the rows.
        growth: the seconds of each work.
        counts: what would grow like the time if growth were linear, one a row.
    """
    columns = [list(names), *(cells(seconds, counts) for seconds in growth.values())]
    return [what, *growth], [list(row) for row in zip(*columns, strict=True)]


def seconds_of(work: Callable[[], object]) -> float:
    """Return the CPU seconds of a work: the first run's if it is long, else a median of three."""
    first, _ = cpu_timed(work)
    if first > LONG:
        return first
    return statistics.median(cpu_timed(work)[0] for _ in range(3))


def of_images() -> Table:
    """Measure FGSM, PGD and CROWN on more and more images, each in a process of its own."""
    growth, memory = {}, {}
    for name in WORKS:
        found = [in_a_child(on_images, name, images) for images in IMAGES]
        growth[name] = [seconds for seconds, _ in found]
        memory[f"{name}, memory"] = [peak for _, peak in found]
    header, rows = table_of("images", [f"{n:,}" for n in IMAGES], growth, IMAGES)
    for peaks in memory.values():
        for row, peak in zip(rows, peaks, strict=True):
            row.append(f"{peak:.0f} MB")
    return (
        [*header, *memory],
        rows,
        f"The report's network, ε = {EPSILON}; up to 10,000 test images, 70,000 with MNIST's "
        "training images. Memory: the most that the process held while it worked, the images and "
        f"the result included; {IMAGES[-1]:,} images take {IMAGES[-1] * 784 * 4 / 1e6:.0f} MB.",
    )


WORKS: Mapping[str, Callable[[Network, Digits], object]] = {
    "FGSM": lambda network, some: fgsm(network, some.x, some.y, EPSILON),
    "PGD-40": lambda network, some: pgd(network, some.x, some.y, EPSILON),
    "CROWN": lambda network, some: certified(network, some.x, some.y, EPSILON),
}


def on_images(name: str, images: int) -> tuple[float, float]:
    """Return the seconds of a work on so many images, and the most memory in MB."""
    network, _ = LIBRARY.load("report")
    some = first_digits(images)
    forget_peak()
    seconds = seconds_of(lambda: WORKS[name](network, some))
    return seconds, peak_memory()


def first_digits(images: int) -> Digits:
    """Return the first of MNIST's test images, then of its training images."""
    test = mnist.load("test")
    if images <= len(test):
        return Digits(test.x[:images].copy(), test.y[:images])
    training, more = mnist.load("train"), images - len(test)
    return Digits(
        np.concatenate([test.x, training.x[:more]]), np.concatenate([test.y, training.y[:more]])
    )


def in_a_child(
    work: Callable[[str, int], tuple[float, float]], name: str, images: int
) -> tuple[float, float]:
    """Return what a function returns in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, name, images).result()


def forget_peak() -> None:
    """Have Linux forget how much memory this process has held at most."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> float:
    """Return how many MB this process has held at most; NaN where the system doesn't tell."""
    try:
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    except OSError:
        return float("nan")
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(peak) * 1024 / 1e6


def of_budgets() -> Table:
    """Measure curves and proofs over more and more budgets."""
    network, _ = LIBRARY.load("report")
    some = digits("test", BUDGET_IMAGES)
    works: Mapping[str, Callable[[FloatArray], object]] = {
        "FGSM's curve": lambda grid: evasion_curve(network, fgsm, some.x, some.y, grid),
        "PGD-40's curve": lambda grid: evasion_curve(network, pgd, some.x, some.y, grid),
        "CROWN": lambda grid: certified(network, some.x, some.y, grid),
    }
    growth = {
        name: [seconds_of(lambda: work(grid(number))) for number in BUDGETS]  # noqa: B023
        for name, work in works.items()
    }
    return (
        *table_of("budgets", [str(number) for number in BUDGETS], growth, BUDGETS),
        f"The report's network, the first {BUDGET_IMAGES:,} test images, budgets evenly up to "
        f"{LARGEST}. CROWN tries few of them: what is proved within one is proved within all "
        "smaller ones.",
    )


def grid(number: int) -> FloatArray:
    """Return so many budgets, evenly between 0 and `LARGEST`, whose middle is always the same."""
    budgets: FloatArray = (np.arange(number) + 0.5) / number * LARGEST
    return budgets


def of_networks() -> Table:
    """Measure FGSM and PGD on more and more shipped networks, and through the sweep."""
    sizes = {name: LIBRARY.load(name)[0].parameter_count for name in LIBRARY.names()}
    names = sorted(filter(LIBRARY.is_shipped, sizes), key=lambda name: sizes[name])

    def one_after_the_other(some: list[str]) -> None:
        for name in some:
            rates(name)

    def through_the_sweep(some: list[str]) -> None:
        tasks = {name: [Task(rates, (name,), 1)] for name in some}
        with executors.processes() as executor:
            list(sweep.results(executor, tasks, lambda amount: None))

    rates(names[0])  # the images are read
    works = {
        "one after the other": one_after_the_other,
        "sweep over processes": through_the_sweep,
    }
    growth = {
        name: [cpu_timed(lambda: work(names[:number]))[0] for number in NETWORKS]  # noqa: B023
        for name, work in works.items()
    }
    weights = [sum(sizes[name] for name in names[:number]) for number in NETWORKS]
    rows = [f"{n} ({count:,} weights)" for n, count in zip(NETWORKS, weights, strict=True)]
    return (
        *table_of("networks", rows, growth, weights),
        f"FGSM and PGD-40 at ε = {EPSILON} on {NETWORK_IMAGES:,} test images, the smallest shipped "
        "networks first. Linear growth is that of the number of weights. The sweep's processes "
        "also start, import, and read MNIST, once each.",
    )


def rates(name: str) -> list[float]:
    """Return the evasion rates of FGSM and PGD on a network of the library."""
    network, _ = LIBRARY.load(name)
    test = digits("test", NETWORK_IMAGES)
    return [
        evasion_rate(network, attack(network, test.x, test.y, EPSILON), test.y)
        for attack in (fgsm, pgd)
    ]


def of_layers() -> Table:
    """Measure FGSM, interval bounds and CROWN on networks of more and more layers."""
    networks = [untrained(layers) for layers in LAYERS]
    test = digits("test", LAYER_IMAGES)

    def bounds(network: MLP, method: str) -> None:
        y = network.logits(test.x).argmax(axis=1)
        margins(network, test.x, y, LAYER_EPSILON, method=method)

    works: Mapping[str, Callable[[MLP], object]] = {
        "FGSM": lambda network: fgsm(network, test.x, test.y, EPSILON),
        "intervals": lambda network: bounds(network, "interval"),
        "CROWN": lambda network: bounds(network, "crown"),
    }
    growth = {
        name: [seconds_of(lambda: work(network)) for network in networks]  # noqa: B023
        for name, work in works.items()
    }
    weights = [network.parameter_count for network in networks]
    rows = [f"{n} ({count:,} weights)" for n, count in zip(LAYERS, weights, strict=True)]
    return (
        *table_of("layers", rows, growth, weights),
        f"Untrained networks of {WIDTH} units a hidden layer, {LAYER_IMAGES:,} test images; the "
        f"bounds at ε = {LAYER_EPSILON}. Linear growth is that of the number of weights. CROWN "
        "bounds each hidden layer but the first by going back through all before it, so that its "
        "time grows with the square of the number of layers.",
    )


def untrained(layers: int) -> MLP:
    """Return a network of random weights whose units have about the same size in every layer."""
    random = np.random.default_rng(layers)
    sizes = [784, *[WIDTH] * (layers - 1), 10]
    pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
    return MLP(
        tuple(
            random.normal(0, np.sqrt(2 / inputs), (inputs, outputs)).astype(np.float32)
            for inputs, outputs in pairs
        ),
        tuple(np.zeros(outputs, np.float32) for _, outputs in pairs),
    )


if __name__ == "__main__":
    main()
