"""Eight networks, each attacked by FGSM on 10,000 test images, and what is made tried on all eight.

As on the Transfer page, images are made once on each network, and rounded to the grey levels of a
picture file. Beside it stand the matrix products that this needs at least: a forward and a backward
pass for each network's images, and a forward pass by each network for the images of each network
and for the noise. The CPU seconds hardly depend on what else the machine does.
"""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from benchmarks.measuring import cpu_timed, medians_in_turn, print_machine, print_table
from core import batches
from core.attacks import METHODS
from core.classifier import FloatArray
from core.data import mnist
from core.data.mnist import Digits
from core.evaluation.transfer import Transfer, transfer
from core.measures import SCREEN
from core.networks import LIBRARY
from core.networks.mlp import MLP
from core.serving.networks import ServedNetwork
from core.serving.transfers import MOST_NETWORKS, TransferQuestion

# Single networks, so that the products can be counted.
NAMES = (
    *("report", "augmentation", "dropout", "few-images"),
    *("adversarial-pgd", "adversarial-fgsm", "batch-norm", "early-stopping"),
)
EPSILON = 0.1
ROUNDS = 5
MOST = 1.5  # times the products' CPU seconds


def main() -> None:
    """Measure and print a table."""
    served = [ServedNetwork(name, 0, *LIBRARY.load(name)) for name in NAMES]
    networks = [each.network for each in served if isinstance(each.network, MLP)]
    assert len(networks) == MOST_NETWORKS
    question = TransferQuestion(tuple(served), METHODS["fgsm"], EPSILON)
    test = mnist.load("test")
    works: dict[str, Callable[[], object]] = {
        "Transfer": partial(ours, question, networks, test),
        "bare matrix products": bare_products(networks, test.x),
    }
    seconds = medians_in_turn(works, ROUNDS)
    cpu = {name: min(cpu_timed(work)[0] for _ in range(3)) for name, work in works.items()}
    rates = ours(question, networks, test).rates
    own = np.diag(rates)
    others = rates[:-1][~np.eye(len(networks), dtype=bool)]
    print_machine()
    bare = "bare matrix products"
    rows = [
        [
            name,
            f"{seconds[name]:.2f}",
            f"{seconds[name] / seconds[bare]:.2f}",
            f"{cpu[name]:.2f}",
            f"{cpu[name] / cpu[bare]:.2f}",
            "" if name == bare else f"at most {MOST} times the CPU seconds",
        ]
        for name in works
    ]
    print_table(
        [f"{len(networks)} networks", "s", "times the products", "CPU s", "times", "target"], rows
    )
    print(
        f"\nMedians of {ROUNDS} rounds in turn. FGSM at ε = {EPSILON}, of the images that both "
        f"networks classify correctly: with the weights {own.mean():.1%} are misclassified, made "
        f"on another network {others.mean():.1%}, with random noise {rates[-1].mean():.1%}."
    )


def ours(question: TransferQuestion, networks: list[MLP], test: Digits) -> Transfer:
    """Attack the images on each network and try them on all, as the Transfer page does."""
    return transfer(
        networks,
        question.attack,
        test.x,
        test.y,
        control=question.control,
        levels=SCREEN,
        at_once=question.at_once,
    )


def bare_products(networks: list[MLP], x: FloatArray) -> Callable[[], None]:
    """Return what computes the products that all this needs, and nothing else."""
    there_and_back = [
        # Contiguous, which is fastest.
        [*each.weights, *(weight.T.copy() for weight in reversed(each.weights))]
        for each in networks
    ]

    def multiply(rows: slice) -> None:
        for both in there_and_back:
            product(x[rows], both)
        for _ in range(len(networks) + 1):  # the images of each network, and the noise
            for network in networks:
                product(x[rows], network.weights)

    return lambda: batches.in_batches(multiply, len(x))


def product(x: FloatArray, matrices: Iterable[FloatArray]) -> FloatArray:
    """Return x times all matrices, one after the other."""
    for matrix in matrices:
        x = x @ matrix
    return x


if __name__ == "__main__":
    main()
