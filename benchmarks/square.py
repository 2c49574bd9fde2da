"""The square attack beside Torchattacks': how often it succeeds, how often it asks, how long.

Both attack MNIST's first 1,000 test images on the same weights, with at most 1,000 queries for an
image. Each gets one core, and the CPU seconds count. A referee of its own checks what they return.

`python -m benchmarks.square --images 200 --networks report` measures less.
"""

import argparse
import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.attacks import blas_kernels
from benchmarks.foreign import Subject, predictions
from benchmarks.foreign_networks import FOREIGN
from benchmarks.measuring import cpu_timed, print_machine, print_table
from benchmarks.other_attacks import pictured
from core.attacks import CountedAttack, square_l2_search, square_search
from core.batches import at_most, one_thread_a_product
from core.classifier import FloatArray
from core.data import mnist
from core.data.mnist import Digits
from core.data.torchvision_import import torchvision_datasets

IMAGES = 1000
QUERIES = 1000
NETWORKS = ("report", "adversarial-pgd", "deep")
SEEDS = (0, 1, 2)
LEAST_TIMES = 2


@dataclass(frozen=True)
class Norm:
    """A norm, as numpy and Torchattacks call it, our attack in it, and the budgets."""

    title: str
    order: float
    theirs: str
    ours: CountedAttack
    epsilons: Mapping[str, float]


NORMS = (
    Norm("L∞", np.inf, "Linf", square_search, {"adversarial-pgd": 0.2, "other": 0.1}),
    Norm("L2", 2, "L2", square_l2_search, {"adversarial-pgd": 2.0, "other": 1.5}),
)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=IMAGES, metavar="N", help="the first N")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, metavar="NAME")
    chosen = parser.parse_args()
    torchvision_datasets()  # Torchattacks imports torchvision
    everything = mnist.load("test")
    test = Digits(everything.x[: chosen.images], everything.y[: chosen.images])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows = []
    for name in chosen.networks:
        subject = Subject.of(name)
        for norm in NORMS:
            rows.append(row(subject, norm, test))
            print(rows[-1], file=sys.stderr, flush=True)
    torch.set_num_threads(threads)
    print_machine()
    header = ["network", "norm", "ε", "ours", "Torchattacks", "points more", "our queries, median"]
    print_table([*header, "s", "Torchattacks' s", "times ours", "both goals met"], rows)
    print(
        f"\nThe first {len(test):,} test images; rates are misclassified / all images, means of "
        f"{len(SEEDS)} seeds. Queries are the median of the images that the attack misled. The "
        f"goals: at least Torchattacks' rate, and at least {LEAST_TIMES} times as fast. Seconds "
        "are medians of the seeds, taken in turn. Most of ours are the network's own: where it is "
        "slow, both attacks take as long as it does. "
        f"*deep*: {FOREIGN['deep'].description}. "
        f"NumPy multiplies with OpenBLAS's code for {', '.join(blas_kernels())}."
    )


def row(subject: Subject, norm: Norm, test: Digits) -> list[str]:
    """Return the table's row for a network and a norm."""
    epsilon = norm.epsilons.get(subject.name, norm.epsilons["other"])
    rates: dict[str, list[float]] = {"ours": [], "theirs": []}
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    right = predictions(subject.classifier, test, test.x) == test.y
    queries = []
    norm.ours(subject.classifier, test.x, test.y, 0.0)  # loads what is compiled
    for seed in SEEDS:
        settings: dict[str, Any] = {"queries": QUERIES, "seed": seed}
        attack = partial(norm.ours, subject.classifier, test.x, test.y, epsilon, **settings)
        with at_most(1), one_thread_a_product:
            took, found = cpu_timed(attack)
        took_theirs, theirs = cpu_timed(
            partial(torchattacks_square, subject, norm, test, epsilon, seed)
        )
        misled = referee(subject, norm, test, found.x_adv, epsilon)
        queries.append(np.median(found.queries[right & misled]))
        rates["ours"].append(misled.mean())
        rates["theirs"].append(referee(subject, norm, test, theirs, epsilon).mean())
        seconds["ours"].append(took)
        seconds["theirs"].append(took_theirs)
    ours, peer = (statistics.mean(rates[who]) for who in ("ours", "theirs"))
    own, other = (statistics.median(seconds[who]) for who in ("ours", "theirs"))
    missed = [*(["fewer misled"] if ours < peer else [])]
    missed += ["not as fast"] if other < LEAST_TIMES * own else []
    return [
        *(subject.name, norm.title, f"{epsilon:g}"),
        *(f"{ours:.1%}", f"{peer:.1%}", f"{100 * (ours - peer):+.1f}"),
        f"{statistics.mean(queries):.0f}",
        *(f"{own:.2f}", f"{other:.2f}", f"{other / own:.1f}"),
        "no: " + ", ".join(missed) if missed else "yes",
    ]


def torchattacks_square(
    subject: Subject, norm: Norm, test: Digits, epsilon: float, seed: int
) -> FloatArray:
    """Return the adversarial images of Torchattacks' attack, all images in one batch."""
    import torchattacks

    attack = torchattacks.Square(
        pictured(subject.module), norm=norm.theirs, eps=epsilon, n_queries=QUERIES, seed=seed
    )
    x_adv = attack(torch.tensor(test.x).reshape(-1, 1, 28, 28), torch.tensor(test.y))
    found: FloatArray = x_adv.reshape(len(test), -1).detach().numpy()
    return found


def referee(
    subject: Subject, norm: Norm, test: Digits, x_adv: FloatArray, epsilon: float
) -> NDArray[np.bool_]:
    """Return on which of the images the attack succeeds, `(N,)` bool.

    Raises:
        ValueError: a perturbation is larger than the budget; or see `predictions`.
    """
    size = np.linalg.norm(x_adv.astype(np.float64) - test.x, norm.order, axis=1).max()
    if not size <= epsilon * (1 + 1e-5):
        raise ValueError(f"{norm.title} norm {size}, more than {epsilon}")
    misled: NDArray[np.bool_] = predictions(subject.classifier, test, x_adv) != test.y
    return misled


if __name__ == "__main__":
    main()
