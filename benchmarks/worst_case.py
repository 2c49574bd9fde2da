"""The strongest attack beside Torchattacks' AutoAttack: how often they succeed, how long they take.

Both attack MNIST's first test images within the same L∞ budgets. AutoAttack is the standard
version, with the settings that Torchattacks gives it: APGD on the cross-entropy, then towards each
label, FAB towards each label, and the square attack, each on the images that withstood those
before. A referee of its own checks what both return.

`python -m benchmarks.worst_case --images 200 --networks report` measures less.
"""

import argparse
import sys
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.attacks import blas_kernels, referee, torch_module
from benchmarks.measuring import print_machine, print_table, timed
from core.attacks import pgd, strongest
from core.classifier import FloatArray
from core.data import mnist
from core.data.mnist import Digits
from core.data.torchvision_import import torchvision_datasets
from core.networks import LIBRARY
from core.networks.ensemble import Network

IMAGES = 1000
EPSILONS = (0.05, 0.1, 0.2, 0.3)
NETWORKS = ("report", "ensemble", "adversarial-pgd", "dropout")
LEAST_TIMES = 3
MOST_BELOW = 0.003  # of the images


@dataclass(frozen=True)
class Row:
    """What was measured for one network and one budget: rates in [0, 1] and seconds."""

    network: str
    epsilon: float
    pgd: float
    ours: float
    theirs: float
    seconds: float
    their_seconds: float

    def cells(self) -> list[str]:
        """Return the row of the table."""
        times = self.their_seconds / self.seconds
        missed = [
            *(["fewer misled"] if self.ours < self.theirs - MOST_BELOW else []),
            *(["not as fast"] if times < LEAST_TIMES else []),
        ]
        return [
            self.network,
            f"{self.epsilon:g}",
            f"{self.pgd:.1%}",
            f"{self.ours:.1%}",
            f"{self.theirs:.1%}",
            f"{100 * (self.ours - self.theirs):+.1f}",
            f"{self.seconds:.2f}",
            f"{self.their_seconds:.1f}",
            f"{times:.1f}",
            "no: " + ", ".join(missed) if missed else "yes",
        ]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=LIBRARY.names())
    chosen = parser.parse_args()
    torchvision_datasets()  # Torchattacks imports torchvision
    everything = mnist.load("test")
    test = Digits(everything.x[: chosen.images], everything.y[: chosen.images])
    rows = []
    for name in chosen.networks:
        network, _ = LIBRARY.load(name)
        for epsilon in EPSILONS:
            rows.append(measure(name, network, test, epsilon).cells())
            print(*rows[-1], file=sys.stderr, flush=True)
    print_machine()
    header = ["network", "ε", "PGD-40", "strongest", "AutoAttack", "points more"]
    print_table([*header, "s", "AutoAttack's s", "times ours", "both goals met"], rows)
    print(
        f"\nThe first {len(test):,} test images; rates are misclassified / all images. The goals: "
        f"never more than {100 * MOST_BELOW:.1f} points below AutoAttack, and at least "
        f"{LEAST_TIMES} times as fast. Each was run once, one after the other. NumPy multiplies "
        f"with OpenBLAS's code for {', '.join(blas_kernels())}."
    )


def measure(name: str, network: Network, test: Digits, epsilon: float) -> Row:
    """Return what the attacks find on one network within one budget."""
    seconds, ours = timed(lambda: strongest(network, test.x, test.y, epsilon))
    their_seconds, theirs = timed(lambda: auto_attack(network, test, epsilon))
    by_pgd = pgd(network, test.x, test.y, epsilon)
    return Row(
        name,
        epsilon,
        pgd=referee(network, test, by_pgd, epsilon),
        ours=referee(network, test, ours, epsilon),
        theirs=referee(network, test, theirs, epsilon),
        seconds=seconds,
        their_seconds=their_seconds,
    )


def auto_attack(network: Network, test: Digits, epsilon: float) -> FloatArray:
    """Return the adversarial images of Torchattacks' AutoAttack, all images in one batch."""
    import torchattacks

    module = Averaged([torch_module(member) for member in network.members]).eval()
    attack = torchattacks.AutoAttack(module, eps=epsilon, n_classes=10, seed=0)
    x_adv = attack(torch.tensor(test.x).reshape(-1, 1, 28, 28), torch.tensor(test.y))
    found: FloatArray = x_adv.reshape(len(test.x), -1).detach().numpy()
    return found


class Averaged(torch.nn.Module):
    """Networks whose probabilities are averaged, for pictures of 1 × 28 × 28; or one of them."""

    def __init__(self, members: list[torch.nn.Sequential]) -> None:
        super().__init__()
        self.members = torch.nn.ModuleList(members)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits: `(N, 1, 28, 28)` to `(N, 10)`."""
        flat = x.flatten(1)
        if len(self.members) == 1:
            logits: torch.Tensor = self.members[0](flat)
            return logits
        log_p = torch.stack([member(flat).log_softmax(dim=1) for member in self.members])
        return log_p.logsumexp(dim=0) - float(np.log(len(self.members)))


if __name__ == "__main__":
    main()
