"""Evasion curves of FGSM and PGD over 51 budgets on the report's network, beside Foolbox.

Both get all budgets in one call and return an evasion rate for each. FGSM attacks MNIST's 10,000
test images, PGD the first 1,000 of them. Foolbox has its fastest batch size.
"""

import statistics
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from benchmarks.attacks import STEP_SIZE, STEPS, torch_module
from benchmarks.measuring import medians_in_turn, print_machine, print_table, timed
from core.attacks import Attack, fgsm, pgd
from core.classifier import FloatArray
from core.data import mnist
from core.data.mnist import Digits
from core.evaluation.rates import evasion_curve
from core.networks import LIBRARY
from core.networks.mlp import MLP

EPSILONS = np.arange(51) / 100
SHOWN = (10, 20, 30, 50)  # places in EPSILONS of the rates to print
BATCH_SIZES = (256, 1000, 10_000)
PGD_IMAGES = 1000
ROUNDS = {"FGSM": 5, "PGD": 1}
GOALS = {"FGSM": 5, "PGD": 2}

# From a batch size to a curve.
Peer = Callable[[int], Callable[[], FloatArray]]


def main() -> None:
    """Measure and print a table for each attack."""
    network = LIBRARY.load("report")[0]
    assert isinstance(network, MLP)
    test = mnist.load("test")
    first = Digits(test.x[:PGD_IMAGES], test.y[:PGD_IMAGES])
    tables = {
        "FGSM": measure("FGSM", network, test, fgsm),
        "PGD": measure("PGD", network, first, partial(pgd, steps=STEPS, step_size=STEP_SIZE)),
    }
    print_machine()
    shown = [f"at ε = {EPSILONS[place]}" for place in SHOWN]
    for name, rows in tables.items():
        print_table([name, "seconds", "times ours", *shown, "target"], rows)
        print()
    print(
        f"{len(EPSILONS)} budgets from {EPSILONS[0]:g} to {EPSILONS[-1]:g} in one call. FGSM on "
        f"all {len(test):,} test images; PGD of {STEPS} steps of {STEP_SIZE} from a random start "
        f"on the first {len(first):,}. At ε: the evasion rate, misclassified / all images. Medians "
        f"of {ROUNDS['FGSM']} (FGSM) and {ROUNDS['PGD']} (PGD) rounds in turn."
    )


def measure(name: str, network: MLP, images: Digits, attack: Attack) -> list[list[str]]:
    """Return the rows of an attack's table: ours and Foolbox's."""
    peer = foolbox_peer(name, network, images)
    batch_size = best_batch_size(peer, name, len(images))
    ours, theirs = "Small Change", f"Foolbox, batches of {batch_size:,}"
    works = {
        ours: lambda: evasion_curve(network, attack, images.x, images.y, EPSILONS),
        theirs: peer(batch_size),
    }
    rates = {who: work() for who, work in works.items()}
    seconds = medians_in_turn(works, ROUNDS[name])
    behind = [
        f"by {round((peer - own) * len(images))} images at ε = {epsilon}"
        for epsilon, own, peer in zip(EPSILONS, rates[ours], rates[theirs], strict=True)
        if own < peer
    ]
    targets = {
        ours: "; ".join(["no rate lower", *behind]),
        theirs: f"at least {GOALS[name]}",
    }
    return [
        [
            who,
            f"{seconds[who]:.2f}",
            f"{seconds[who] / seconds[ours]:.2f}",
            *(f"{rates[who][place]:.2%}" for place in SHOWN),
            targets[who],
        ]
        for who in works
    ]


def foolbox_peer(name: str, network: MLP, images: Digits) -> Peer:
    """Return Foolbox's attack, called with all budgets at once, batch by batch."""
    from foolbox.attacks.fast_gradient_method import LinfFastGradientAttack
    from foolbox.attacks.projected_gradient_descent import LinfProjectedGradientDescentAttack
    from foolbox.models.pytorch import PyTorchModel

    model = PyTorchModel(torch_module(network), bounds=(0, 1))
    attack = {
        "FGSM": LinfFastGradientAttack(random_start=False),
        "PGD": LinfProjectedGradientDescentAttack(
            abs_stepsize=STEP_SIZE, steps=STEPS, random_start=True
        ),
    }[name]
    x, y = torch.tensor(images.x), torch.tensor(images.y)
    budgets = EPSILONS.tolist()

    def peer(batch_size: int) -> Callable[[], FloatArray]:
        batches = list(zip(x.split(batch_size), y.split(batch_size), strict=True))

        def curve() -> FloatArray:
            evaded = [attack(model, *batch, epsilons=budgets)[2] for batch in batches]
            rates: FloatArray = torch.cat(evaded, dim=1).double().mean(dim=1).numpy()
            return rates

        return curve

    return peer


def best_batch_size(peer: Peer, name: str, images: int) -> int:
    """Return a peer's fastest batch size; for PGD, which takes long, each is tried once."""

    def seconds(batch_size: int) -> float:
        work = peer(batch_size)
        return statistics.median(timed(work)[0] for _ in range(3 if name == "FGSM" else 1))

    sizes = [size for size in BATCH_SIZES if size <= images]
    return min(sizes, key=seconds)


if __name__ == "__main__":
    main()
