"""FGSM and PGD beside Torchattacks, Foolbox and ART: how long they take, how often they succeed.

All attack the report's network on MNIST's 10,000 test images, with the same settings, each with
its fastest batch size. A referee of its own checks what they return.
"""

import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import threadpoolctl
import torch

from benchmarks.measuring import medians_in_turn, print_machine, print_table, timed
from core import batches
from core.attacks import fgsm, pgd
from core.classifier import FloatArray
from core.data import mnist
from core.data.torchvision_import import torchvision_datasets
from core.networks import LIBRARY, MLP, Network, exchange

EPSILON = 0.1
STEP_SIZE = 0.01
STEPS = 40
BATCH_SIZES = (256, 1000, 10_000)
ROUNDS = {"FGSM": 21, "PGD": 5}

# From a batch size to an attack on all images.
Peer: TypeAlias = Callable[[int], Callable[[], FloatArray]]


def main() -> None:
    """Measure and print a table for each attack."""
    torchvision_datasets()  # Torchattacks imports torchvision
    network = LIBRARY.load("report")[0]
    assert isinstance(network, MLP)
    test = mnist.load("test")
    module = torch_module(network)
    peers = {
        "Torchattacks": torchattacks_peers(module, test),
        "Foolbox": foolbox_peers(module, test),
        "ART": art_peers(module, test),
    }
    tables = {name: measure(name, network, test, peers) for name in ROUNDS}
    print_machine()
    for name, rows in tables.items():
        print_table([name, "ms", "times ours", "evasion rate", "target"], rows)
        print()
    print(
        f"{len(test):,} test images, ε = {EPSILON}; PGD of {STEPS} steps of {STEP_SIZE} from a "
        "random start, last iterate. Evasion rate: misclassified / all images. Medians of "
        f"{ROUNDS['FGSM']} (FGSM) and {ROUNDS['PGD']} (PGD) rounds in turn. NumPy multiplies "
        f"with OpenBLAS's code for {', '.join(blas_kernels())}."
    )


def measure(
    attack: str, network: MLP, test: mnist.Digits, peers: Mapping[str, Mapping[str, Peer]]
) -> list[list[str]]:
    """Return the rows of an attack's table: ours, the peers', and the products that all need."""
    passes = {"FGSM": 1, "PGD": STEPS}[attack]
    ours, autograd = "Small Change", "Small Change, float32 autograd's gradient"
    products = {
        f"bare matrix products of {library}, {passes} × forward and back": multiply
        for library, multiply in (("NumPy", bare_products), ("PyTorch", bare_torch_products))
    }
    works: dict[str, Callable[[], FloatArray]] = {
        ours: lambda: our_attack(attack, network, test, "exact"),
        autograd: lambda: our_attack(attack, network, test, "float32_autograd"),
    }
    for name, attacks in peers.items():
        batch_size, work = with_best_batch_size(attacks[attack])
        works[f"{name}, batches of {batch_size:,}"] = work
    rates = {name: referee(network, test, work(), EPSILON) for name, work in works.items()}
    seconds = medians_in_turn(
        works | {name: multiply(network, test.x, passes) for name, multiply in products.items()},
        ROUNDS[attack],
    )
    targets = dict.fromkeys(seconds, "at least 2" if attack == "PGD" else "at least 1")
    targets |= {ours: "evasion rate no lower than any", autograd: ""} | dict.fromkeys(products, "")
    faster = min(products, key=lambda name: seconds[name])
    most, bare = {"FGSM": 1.3, "PGD": 1.2}[attack], seconds[ours] / seconds[faster]
    targets[faster] = f"ours at most {most} times the faster of both: {bare:.2f}"
    return [
        [
            name,
            f"{1000 * seconds[name]:.1f}",
            f"{seconds[name] / seconds[ours]:.2f}",
            f"{rates[name]:.2%}" if name in rates else "",
            targets[name],
        ]
        for name in seconds
    ]


def referee(network: Network, test: mnist.Digits, x_adv: FloatArray, epsilon: float) -> float:
    """Return the evasion rate of what an attack returned.

    Raises:
        ValueError: the images are not within the budget or [0, 1], or have another shape.
    """
    rounding = 1e-6
    if x_adv.shape != test.x.shape:
        raise ValueError(f"shape {x_adv.shape}, not {test.x.shape}")
    norm = np.abs(x_adv.astype(np.float64) - test.x).max()
    if not norm <= epsilon + rounding:
        raise ValueError(f"L∞ norm {norm}, more than {epsilon}")
    if not (x_adv.min() >= -rounding and x_adv.max() <= 1 + rounding):
        raise ValueError(f"pixels from {x_adv.min()} to {x_adv.max()}, not in [0, 1]")
    return float((network.logits(x_adv).argmax(axis=1) != test.y).mean())


def blas_kernels() -> set[str]:
    """Return for which processor NumPy's BLAS runs its code; a wrong guess halves the speed."""
    libraries = threadpoolctl.threadpool_info()
    return {blas.get("architecture", "?") for blas in libraries if blas["user_api"] == "blas"}


def our_attack(attack: str, network: MLP, test: mnist.Digits, gradient: str) -> FloatArray:
    """Run our attack, with the exact gradient or with the one that vanishes."""
    if attack == "FGSM":
        return fgsm(network, test.x, test.y, EPSILON, gradient=gradient)
    return pgd(
        network, test.x, test.y, EPSILON, steps=STEPS, step_size=STEP_SIZE, gradient=gradient
    )


def bare_products(network: MLP, x: FloatArray, passes: int) -> Callable[[], None]:
    """Return what computes the products of so many forward and backward passes, nothing else."""
    factors = _factors(network)

    def multiply(rows: slice) -> None:
        for _ in range(passes):
            out = x[rows]
            for factor in factors:
                out = out @ factor

    return lambda: batches.in_batches(multiply, len(x))


def bare_torch_products(network: MLP, x: FloatArray, passes: int) -> Callable[[], None]:
    """Return what computes the same with PyTorch's BLAS, one thread a product too."""
    factors, images = list(map(torch.tensor, _factors(network))), torch.tensor(x)

    def multiply(rows: slice) -> None:
        torch.set_num_threads(1)  # of the calling thread
        with torch.inference_mode():
            for _ in range(passes):
                out = images[rows]
                for factor in factors:
                    out = out @ factor

    def work() -> None:
        threads = torch.get_num_threads()
        batches.in_batches(multiply, len(x))
        torch.set_num_threads(threads)

    return work


def _factors(network: MLP) -> list[FloatArray]:
    """Return what a forward and a backward pass multiply by, each contiguous, which is fastest."""
    back = [weight.T.copy() for weight in reversed(network.weights)]
    return [*network.weights, *back]


def with_best_batch_size(peer: Peer) -> tuple[int, Callable[[], FloatArray]]:
    """Return a peer's fastest batch size, and its attack with that."""

    def seconds(batch_size: int) -> float:
        work = peer(batch_size)
        work()
        return statistics.median(timed(work)[0] for _ in range(3))

    best = min(BATCH_SIZES, key=seconds)
    return best, peer(best)


def torch_module(network: Network) -> torch.nn.Module:
    """Return the network in PyTorch, as a user loads its export; its weights are frozen."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.pt"
        file.write_bytes(exchange.to_state_dict(network))
        names: dict[str, Any] = {}
        exec(exchange.loading_lines(network, str(file)), names)
    module: torch.nn.Module = names["model"]
    return module.requires_grad_(False)


def torchattacks_peers(module: torch.nn.Module, test: mnist.Digits) -> dict[str, Peer]:
    """Return Torchattacks' FGSM and PGD."""
    import torchattacks

    attacks = {
        "FGSM": torchattacks.FGSM(module, eps=EPSILON),
        "PGD": torchattacks.PGD(
            module, eps=EPSILON, alpha=STEP_SIZE, steps=STEPS, random_start=True
        ),
    }
    return {name: in_batches(attack, test) for name, attack in attacks.items()}


def foolbox_peers(module: torch.nn.Module, test: mnist.Digits) -> dict[str, Peer]:
    """Return Foolbox's FGSM and PGD; `run` is the attack alone, without its success check."""
    from foolbox.attacks.fast_gradient_method import LinfFastGradientAttack
    from foolbox.attacks.projected_gradient_descent import LinfProjectedGradientDescentAttack
    from foolbox.models.pytorch import PyTorchModel

    model = PyTorchModel(module, bounds=(0, 1))
    attacks = {
        "FGSM": LinfFastGradientAttack(random_start=False),
        "PGD": LinfProjectedGradientDescentAttack(
            abs_stepsize=STEP_SIZE, steps=STEPS, random_start=True
        ),
    }

    def peer(name: str) -> Peer:
        def run(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            x_adv: torch.Tensor = attacks[name].run(model, x, y, epsilon=EPSILON)
            return x_adv

        return in_batches(run, test)

    return {name: peer(name) for name in attacks}


def art_peers(module: torch.nn.Module, test: mnist.Digits) -> dict[str, Peer]:
    """Return the FGSM and PGD of the Adversarial Robustness Toolbox, which makes batches itself."""
    from art.attacks.evasion import FastGradientMethod, ProjectedGradientDescentPyTorch
    from art.estimators.classification import PyTorchClassifier

    classifier = PyTorchClassifier(
        module,
        loss=torch.nn.CrossEntropyLoss(),
        input_shape=(784,),
        nb_classes=10,
        clip_values=(0, 1),
        device_type="cpu",
    )
    one_hot = np.eye(10, dtype=np.float32)[test.y]

    def fast_gradient(batch_size: int) -> Callable[[], FloatArray]:
        attack = FastGradientMethod(classifier, eps=EPSILON, batch_size=batch_size)
        return lambda: attack.generate(test.x, one_hot)

    def projected(batch_size: int) -> Callable[[], FloatArray]:
        attack = ProjectedGradientDescentPyTorch(
            classifier,
            eps=EPSILON,
            eps_step=STEP_SIZE,
            max_iter=STEPS,
            num_random_init=1,
            batch_size=batch_size,
            verbose=False,
        )
        return lambda: attack.generate(test.x, one_hot)

    return {"FGSM": fast_gradient, "PGD": projected}


def in_batches(
    attack: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], test: mnist.Digits
) -> Peer:
    """Turn an attack on tensors into one on all images, batch by batch."""
    x, y = torch.tensor(test.x), torch.tensor(test.y)

    def peer(batch_size: int) -> Callable[[], FloatArray]:
        batches = list(zip(x.split(batch_size), y.split(batch_size), strict=True))
        return lambda: torch.cat([attack(*batch) for batch in batches]).numpy()

    return peer


if __name__ == "__main__":
    main()
