"""How far proof and attack come together when one waits: branch and bound on single digits.

The first test digits that a network reads correctly, one after the other, on one core. Before, the
strongest attack and FAB look for the nearest misread image. Then `refine` raises what CROWN
proves, and lowers what was found where it comes across something nearer. Seconds are CPU seconds
of this process, so that other programs don't count.

`python -m benchmarks.refine --images 2 --seconds 1 5` measures less.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from benchmarks.measuring import print_machine, print_table
from core import batches
from core.attacks import fab, strongest
from core.bounds import Proof, refine
from core.classifier import FloatArray
from core.data import mnist
from core.networks import LIBRARY, MLP

NETWORKS = ("report", "adversarial-pgd")
IMAGES = 10
SECONDS = (2.0, 10.0, 60.0)
SEARCHES = 10  # halvings of what the strongest attack needs


def main() -> None:
    """Measure and print a table for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--seconds", type=float, nargs="+", default=SECONDS)
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=LIBRARY.names())
    chosen = parser.parse_args()
    limits = sorted(chosen.seconds)
    tables = {name: table(name, chosen.images, limits) for name in chosen.networks}
    print_machine()
    for name, rows in tables.items():
        waits = [f"{limit:g} s" for limit in limits]
        header = [name, "CROWN", *waits, "found after", "found before"]
        print_table([*header, *(f"closed in {wait}" for wait in waits), "nodes a second"], rows)
        print()
    print(
        "The largest ε within which no change alters the label, as it is proved at once and after "
        "so many CPU seconds; and the smallest at which a change does, as it was found. Closed: "
        "the share of the gap between CROWN's ε and the one found before that is gone, at either "
        "end."
    )


def table(name: str, images: int, limits: Sequence[float]) -> list[list[str]]:
    """Return the rows of a network: one a digit, and their means."""
    network, _ = LIBRARY.load(name)
    assert isinstance(network, MLP)
    test = mnist.load("test")
    right = np.flatnonzero(network.logits(test.x).argmax(axis=1) == test.y)[:images]
    rows, figures = [], []
    for image in right:
        x, y = test.x[image], int(test.y[image])
        with batches.at_most(1):
            found = nearest_found(network, x, y)
            seconds, (first, *proofs) = snapshots(refine(network, x, y, found=found), limits)
        epsilons = [first.proved, *(each.proved for each in proofs), proofs[-1].found, found]
        closed = [gap_closed(first.proved, found, each) for each in proofs]
        figures.append([*epsilons, *closed, proofs[-1].nodes / seconds])
        rows.append([f"digit {image}, a {y}", *shown(figures[-1], len(epsilons))])
        print(name, *rows[-1], file=sys.stderr, flush=True)
    mean: list[float] = np.mean(figures, axis=0).tolist()
    return [*rows, ["mean", *shown(mean, len(epsilons))]]


def shown(figures: Sequence[float], epsilons: int) -> list[str]:
    """Return the cells of some ε, shares and a number."""
    *others, nodes = figures
    return [
        *(f"{epsilon:.4f}" for epsilon in others[:epsilons]),
        *(f"{share:.0%}" for share in others[epsilons:]),
        f"{nodes:,.0f}",
    ]


def gap_closed(start: float, found: float, proof: Proof) -> float:
    """Return the share of the gap between two ε that a proof has closed, in [0, 1]."""
    if found <= start:
        return 1.0
    return 1 - max(0.0, proof.found - proof.proved) / (found - start)


def snapshots(
    proofs: Iterator[Proof],
    limits: Sequence[float],
    clock: Callable[[], float] = time.process_time,
) -> tuple[float, list[Proof]]:
    """Wait for better and better proofs.

    Args:
        proofs: as `refine` yields them, at least one.
        limits: rising, in seconds.
        clock: tells seconds.

    Returns:
        How many seconds it took; the first proof, and the latest within each of the limits.
    """
    start = clock()
    latest = next(proofs)
    kept = [latest]
    for limit in limits:
        while clock() - start < limit and (proof := next(proofs, None)):
            latest = proof
        kept.append(latest)
    return clock() - start, kept


def nearest_found(network: MLP, x: FloatArray, y: int) -> float:
    """Return the L∞ distance of the nearest misread image that attacks find."""
    nearest = distance(x, fab(network, x[None], y)[0])
    low, high = 0.0, nearest
    for _ in range(SEARCHES):
        epsilon = (low + high) / 2
        x_adv = strongest(network, x[None], y, epsilon)
        if network.logits(x_adv).argmax() != y:
            high = epsilon
            nearest = min(nearest, distance(x, x_adv[0]))
        else:
            low = epsilon
    return nearest


def distance(x: FloatArray, x_adv: FloatArray) -> float:
    """Return the L∞ norm of a perturbation."""
    return float(np.abs(x_adv.astype(np.float64) - x).max())


if __name__ == "__main__":
    main()
