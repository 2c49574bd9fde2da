"""What is proved of MNIST's test images: how long it takes, and for how many of them.

Nobody else's CROWN runs beside this NumPy and PyTorch. So the first table has the matrix products
that CROWN needs if it bounds every hidden unit of every image, and interval bounds, which are
faster and prove far less. The second has what PGD leaves, between which and the proof the truth
lies. `python -m benchmarks.bounds --images 1000 --networks report` measures less.
"""

import argparse
import sys
import time

import numpy as np

from benchmarks.attacks import blas_kernels
from benchmarks.measuring import cpu_timed, print_machine, print_table
from core import batches
from core.attacks import pgd
from core.bounds import certified
from core.classifier import FloatArray
from core.data import mnist
from core.data.mnist import Digits
from core.networks import LIBRARY, MLP, Network

EPSILON = 0.1  # at which the time is measured
IMAGES = 10_000
NETWORKS = ("report", "adversarial-pgd", "all-together", "ensemble", "any-hand", "convolutional")
MOST_SECONDS = 15  # of CROWN on the report's network
SHARES_OF = ("report", "ensemble", "adversarial-pgd", "convolutional")
EPSILONS = (0.01, 0.02, 0.05, 0.1)
FIRST = 1000  # images whose shares are printed, and that are bounded by a large network
LARGE = 200_000  # multiply-adds for an image
BATCH = 2  # images whose products are computed at once: they stay in the cache


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=LIBRARY.names())
    chosen = parser.parse_args()
    everything = mnist.load("test")
    test = Digits(everything.x[: chosen.images], everything.y[: chosen.images])
    times = [cells(name, test) for name in chosen.networks]
    few = Digits(test.x[:FIRST], test.y[:FIRST])
    shares = [row for name in SHARES_OF if name in chosen.networks for row in proved(name, few)]
    print_machine()
    header = ["network", "images", "CROWN", "target", "CROWN's CPU time", "its products'", "ratio"]
    print_table([*header, "intervals'", "proved by CROWN", "by intervals"], times)
    print(
        f"\nFor the first test images at ε = {EPSILON} on {batches.threads()} cores, one after the "
        "other. The products: in float64, both ways for every hidden unit after the first layer, "
        "and for every label. CROWN needs fewer where intervals show a unit's sign, and none where "
        "one step of an attack misleads the network. Convolutions have no such matrices. "
        f"NumPy multiplies with OpenBLAS's code for {', '.join(sorted(blas_kernels()))}.\n"
    )
    header = ["network", "ε", "proved by intervals", "proved by CROWN", "right under PGD-40"]
    print_table([*header, "open, points"], shares)
    print(
        f"\nThe first {len(few):,} test images; shares of all of them. What is proved is a lower "
        "bound of the share that no attack changes, what is right under an attack an upper bound."
    )


def cells(name: str, test: Digits) -> list[str]:
    """Return the row of a network in the first table."""
    network, _ = LIBRARY.load(name)
    work = sum(member.work for member in network.members)
    images = len(test) if work < LARGE else min(FIRST, len(test))
    x, y = test.x[:images], test.y[:images]
    certified(network, x[:256], y[:256], EPSILON)  # so that the threads are there
    start = time.perf_counter()
    cpu, by_crown = cpu_timed(lambda: certified(network, x, y, EPSILON))
    seconds = time.perf_counter() - start
    of_matrices = all(isinstance(member, MLP) for member in network.members)
    products = cpu_timed(lambda: bare_products(network, x))[0] if of_matrices else float("nan")
    fast, by_intervals = cpu_timed(lambda: certified(network, x, y, EPSILON, method="interval"))
    row = [
        name,
        f"{images:,}",
        f"{seconds:.1f} s",
        f"at most {MOST_SECONDS} s" if name == "report" and images == IMAGES else "",
        f"{cpu:.1f} s",
        f"{products:.1f} s" if of_matrices else "",
        f"{cpu / products:.2f}" if of_matrices else "",
        f"{fast:.2f} s",
        f"{by_crown.mean():.1%}",
        f"{by_intervals.mean():.1%}",
    ]
    print(*row, file=sys.stderr, flush=True)
    return row


def bare_products(network: Network, x: FloatArray) -> None:
    """Compute the matrix products of CROWN for every hidden unit, and nothing else."""
    for member in network.members:
        assert isinstance(member, MLP)
        weights: list[FloatArray] = [weight.astype(np.float64) for weight in member.weights]
        # Both ways for the units of the hidden layers but the first, one way for the labels.
        rows = [2 * size for size in member.sizes[2:-1]] + [member.sizes[-1]]

        def multiply(
            images: slice, weights: list[FloatArray] = weights, rows: list[int] = rows
        ) -> None:
            for start in range(images.start, images.stop, BATCH):
                some = min(BATCH, images.stop - start)
                for layer, number in enumerate(rows, start=1):
                    out = np.ones((some, number, len(weights[layer])))
                    for weight in reversed(weights[:layer]):
                        out = out @ weight.T

        batches.in_batches(multiply, len(x))


def proved(name: str, test: Digits) -> list[list[str]]:
    """Return the rows of a network in the second table."""
    network, _ = LIBRARY.load(name)
    by_crown, by_intervals = (
        certified(network, test.x, test.y, EPSILONS, method=method).mean(axis=1)
        for method in ("crown", "interval")
    )
    rows = []
    for epsilon, low, lowest in zip(EPSILONS, by_crown, by_intervals, strict=True):
        x_adv = pgd(network, test.x, test.y, epsilon)
        high = (network.logits(x_adv).argmax(axis=1) == test.y).mean()
        rows.append(
            [
                name,
                f"{epsilon:g}",
                f"{lowest:.1%}",
                f"{low:.1%}",
                f"{high:.1%}",
                f"{100 * (high - low):.1f}",
            ]
        )
    return rows


if __name__ == "__main__":
    main()
