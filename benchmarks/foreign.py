"""The saliency map and PGD in L2 beside the peers' on networks that plain PyTorch trained.

`foreign_networks.py` describes those networks. The report's network stands beside them. All attack
MNIST's first test images with the same settings. A referee of its own checks what they return.

`python -m benchmarks.foreign --images 200 --networks wide` measures less.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.attacks import torch_module
from benchmarks.foreign_networks import FOREIGN, load
from benchmarks.measuring import print_machine, print_table
from benchmarks.other_attacks import (
    MOST_PIXELS,
    Work,
    art_classifier,
    art_jsma,
    one_hot,
    pictured,
    with_foolbox,
    with_torchattacks,
)
from core import measures
from core.attacks import jsma, pgd_l2
from core.classifier import Classifier, FloatArray, IntArray
from core.data import mnist
from core.data.mnist import Digits
from core.data.torchvision_import import torchvision_datasets
from core.networks import LIBRARY
from core.networks.mlp import MLP
from core.networks.torch_module import TorchClassifier

IMAGES = 1000
SHIPPED = "report"
L2_EPSILONS = (1.0, 1.5)
STEPS = 40
MOST_LARGER = 1.02  # times as many pixels

DEFAULT, OTHER = "lead", "product"  # of jsma's `saliency`


@dataclass(frozen=True)
class Subject:
    """A network under attack, as core takes it and as the peers do, on `(N, 784)` pixels."""

    name: str
    classifier: Classifier
    module: torch.nn.Module

    @classmethod
    def of(cls, name: str) -> "Subject":
        """Return one of `FOREIGN`, or the shipped network."""
        if name in FOREIGN:
            module = load(name)
            return cls(name, TorchClassifier(module), module)
        network = LIBRARY.load(name)[0]
        assert isinstance(network, MLP)
        return cls(name, network, torch_module(network))


def main() -> None:
    """Measure and print the tables."""
    names = [*FOREIGN, SHIPPED]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=IMAGES, metavar="N", help="the first N")
    parser.add_argument("--networks", nargs="+", default=names, choices=names)
    chosen = parser.parse_args()
    torchvision_datasets()  # Torchattacks imports torchvision
    torch.manual_seed(0)  # for the peers' random starts
    np.random.seed(0)
    everything = mnist.load("test")
    test = Digits(everything.x[: chosen.images], everything.y[: chosen.images])
    networks, saliency, projected = [], [], []
    for subject in map(Subject.of, chosen.networks):
        accuracy = measures.accuracy(subject.classifier, everything.x, everything.y)
        what = FOREIGN[subject.name].description if subject.name in FOREIGN else "as shipped"
        networks.append([subject.name, what, f"{accuracy:.2%}"])
        saliency.append(saliency_row(subject, test))
        projected += [l2_row(subject, test, epsilon) for epsilon in L2_EPSILONS]
        print(subject.name, saliency[-1], projected[-2:], file=sys.stderr, flush=True)
    print_machine()
    print_table(["network", "what it is", "accuracy on 10,000 test images"], networks)
    print()
    ours = [f"ours, {DEFAULT} (default)", f"ours, {OTHER}"]
    verdict = ["points ahead", "at least level"]
    print_table(["JSMA", *ours, "ART", "pixels fewer", *verdict], saliency)
    print(
        f"\nTowards the next digit, at most {MOST_PIXELS} pixels, θ = 1: taken for the target / "
        "all images, and the mean number of changed pixels of those that all three took there "
        "from a correct prediction.\n"
    )
    header = ["ours", "ours, random start", "Torchattacks", "Foolbox", "ART"]
    print_table(["PGD (L2)", "ε", *header, *verdict], projected)
    print(
        f"\n{STEPS} steps of 2.5 ε / {STEPS}, last iterate: misclassified / all images. Peers: "
        "from the image itself, then from a random start as each draws it.\n"
    )
    print(
        f"The first {len(test):,} test images. Ahead is our default minus the best peer. Level is "
        f"not behind, and for JSMA with at most {MOST_LARGER - 1:.0%} more pixels."
    )


def saliency_row(subject: Subject, test: Digits) -> list[str]:
    """Return the table's row for the saliency map on one network."""
    target = (test.y + 1) % 10
    share = (MOST_PIXELS + 1) / test.x.shape[1]
    works: Mapping[str, Work] = {
        saliency: lambda saliency=saliency: jsma(
            subject.classifier,
            test.x,
            test.y,
            target=target,
            pixel_share=share,
            saliency=saliency,
        )
        for saliency in (DEFAULT, OTHER)
    } | {"ART": art_jsma(subject.module, test)}
    found = {name: work() for name, work in works.items()}
    reached = {
        name: predictions(subject.classifier, test, x_adv) == target
        for name, x_adv in found.items()
    }
    right = subject.classifier.logits(test.x).argmax(axis=1) == test.y
    alike = right & np.all(list(reached.values()), axis=0)
    pixels = {
        name: float((x_adv != test.x)[alike].sum(axis=1).mean()) for name, x_adv in found.items()
    }
    rates = {name: float(each.mean()) for name, each in reached.items()}
    ahead = rates[DEFAULT] - rates["ART"]
    fewer = pixels["ART"] - pixels[DEFAULT]
    level = is_level(ahead) and pixels[DEFAULT] <= MOST_LARGER * pixels["ART"]
    return [
        subject.name,
        *(f"{rates[name]:.1%}, {pixels[name]:.1f} pixels" for name in works),
        f"{fewer:+.1f}",
        f"{100 * ahead:+.1f}",
        "yes" if level else "no",
    ]


def l2_row(subject: Subject, test: Digits, epsilon: float) -> list[str]:
    """Return the table's row for PGD in L2 on one network with one budget."""
    x, y = test.x, test.y
    ours, ours_from_anywhere = (
        l2_rate(
            subject,
            test,
            epsilon,
            pgd_l2(subject.classifier, x, y, epsilon, steps=STEPS, random_start=random_start),
        )
        for random_start in (False, True)
    )
    theirs = {
        name: [
            l2_rate(subject, test, epsilon, attack()) for attack in (attacks[False], attacks[True])
        ]
        for name, attacks in l2_peers(subject.module, test, epsilon).items()
    }
    ahead = ours - max(rate for rates in theirs.values() for rate in rates)
    return [
        subject.name,
        f"{epsilon:g}",
        f"{ours:.1%}",
        f"{ours_from_anywhere:.1%}",
        *(" / ".join(f"{rate:.1%}" for rate in rates) for rates in theirs.values()),
        f"{100 * ahead:+.1f}",
        "yes" if is_level(ahead) else "no",
    ]


def l2_peers(module: torch.nn.Module, test: Digits, epsilon: float) -> dict[str, dict[bool, Work]]:
    """Return the peers' attacks by name, and by whether they start at random."""
    import torchattacks
    from art.attacks.evasion import ProjectedGradientDescentPyTorch
    from foolbox.attacks.projected_gradient_descent import L2ProjectedGradientDescentAttack

    step_size = 2.5 * epsilon / STEPS

    def art(random_start: bool) -> Work:
        attack = ProjectedGradientDescentPyTorch(
            art_classifier(module),
            norm=2,
            eps=epsilon,
            eps_step=step_size,
            max_iter=STEPS,
            num_random_init=int(random_start),
            batch_size=len(test),
            verbose=False,
        )
        return lambda: attack.generate(test.x, one_hot(test.y))

    def its(random_start: bool) -> dict[str, Work]:
        return {
            "Torchattacks": with_torchattacks(
                torchattacks.PGDL2(pictured(module), epsilon, step_size, STEPS, random_start), test
            ),
            "Foolbox": with_foolbox(
                L2ProjectedGradientDescentAttack(
                    abs_stepsize=step_size, steps=STEPS, random_start=random_start
                ),
                module,
                test,
                epsilon=epsilon,
            ),
            "ART": art(random_start),
        }

    still, random = its(False), its(True)
    return {name: {False: still[name], True: random[name]} for name in still}


def l2_rate(subject: Subject, test: Digits, epsilon: float, x_adv: FloatArray) -> float:
    """Return the share of images that are misclassified after an attack in L2.

    Raises:
        ValueError: a perturbation is larger than the budget; or see `predictions`.
    """
    norm = np.linalg.norm(x_adv.astype(np.float64) - test.x, axis=1).max()
    if not norm <= epsilon * (1 + 1e-5):
        raise ValueError(f"L2 norm {norm}, more than {epsilon}")
    return float((predictions(subject.classifier, test, x_adv) != test.y).mean())


def predictions(classifier: Classifier, test: Digits, x_adv: FloatArray) -> IntArray:
    """Return what the network takes the adversarial images for, `(N,)`.

    Raises:
        ValueError: the images are not in [0, 1], or have another shape.
    """
    rounding = 1e-6
    if x_adv.shape != test.x.shape:
        raise ValueError(f"shape {x_adv.shape}, not {test.x.shape}")
    if not (x_adv.min() >= -rounding and x_adv.max() <= 1 + rounding):
        raise ValueError(f"pixels from {x_adv.min()} to {x_adv.max()}, not in [0, 1]")
    labels: IntArray = classifier.logits(x_adv).argmax(axis=1)
    return labels


def is_level(ahead: float) -> bool:
    """Return whether a rate minus the best peer's, in [−1, 1], is at least level with it."""
    return round(ahead, 9) >= 0


if __name__ == "__main__":
    main()
