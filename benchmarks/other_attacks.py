"""The other attacks beside Torchattacks, Foolbox and ART: time, success, size of the change.

All attack the report's network on MNIST's first 1,000 test images, with the same settings within a
table. A referee of its own checks what they return.
"""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.attacks import blas_kernels, in_batches, torch_module
from benchmarks.measuring import print_machine, print_table, timed
from core.attacks import bim, carlini_wagner, deepfool, jsma, mi_fgsm, pgd_l2
from core.classifier import FloatArray, IntArray
from core.data import mnist
from core.data.mnist import Digits
from core.data.torchvision_import import torchvision_datasets
from core.networks import LIBRARY
from core.networks.mlp import MLP

OURS = "Small Change"
IMAGES = 1000
FEW_IMAGES = 20  # for the attack that takes seconds an image

EPSILON = 0.1
L2_EPSILON = 1.5
MOST_PIXELS = 80

Work: TypeAlias = Callable[[], FloatArray]


@dataclass(frozen=True)
class Norm:
    """A measure of a perturbation's size, and the number of decimals to print."""

    order: float
    places: int


# The orders are numpy.linalg.norm's; order 0 counts the changed pixels.
NORMS: Mapping[str, Norm] = {
    "L∞ norm": Norm(np.inf, 3),
    "L2 norm": Norm(2, 3),
    "pixels": Norm(0, 0),
}


@dataclass(frozen=True)
class Contest:
    """One attack, ours and the peers'.

    Attributes:
        title: of its table.
        settings: in words.
        norm: a name in `NORMS`.
        test: the images.
        works: by name, ours first; each takes nothing and returns `x_adv`.
        target: the labels to aim for, None for an untargeted attack.
        rounds: how often each work is timed, in turn.
    """

    title: str
    settings: str
    norm: str
    test: Digits
    works: Mapping[str, Work]
    target: IntArray | None = None
    rounds: int = 1


def main() -> None:
    """Measure and print a table for each attack."""
    torchvision_datasets()  # Torchattacks imports torchvision
    network = LIBRARY.load("report")[0]
    assert isinstance(network, MLP)
    everything = mnist.load("test")
    test = Digits(everything.x[:IMAGES], everything.y[:IMAGES])
    few = Digits(test.x[:FEW_IMAGES], test.y[:FEW_IMAGES])
    module = torch_module(network)
    contests = [
        bim_contest(network, module, test),
        mi_fgsm_contest(network, module, test),
        pgd_l2_contest(network, module, test),
        deepfool_contest(network, module, test),
        carlini_wagner_contest(network, module, test),
        jsma_contest(network, test, "ART", art_jsma(module, test)),
        jsma_contest(network, few, "Torchattacks", torchattacks_jsma(module, few)),
    ]
    tables = [(contest, measure(contest, network)) for contest in contests]
    print_machine()
    for contest, rows in tables:
        wanted = "misclassified" if contest.target is None else "taken for the target"
        header = ["ms", "times ours", wanted, f"median {contest.norm}", "all goals met"]
        print_table([contest.title, *header], rows)
        print(f"\n{contest.settings}, the first {len(contest.test):,} test images.\n")
    print(
        "The goals: not slower than a peer, no fewer images misclassified, a median norm at most "
        "2 % larger. Shares are of all images. Median norms are over the images that were "
        "classified correctly before and are misclassified in every row of a table. Times are "
        f"medians of {contests[0].rounds} rounds in turn for the first three tables, of one round "
        f"for the others. NumPy multiplies with OpenBLAS's code for {', '.join(blas_kernels())}."
    )


def measure(contest: Contest, network: MLP) -> list[list[str]]:
    """Return the rows of a contest's table."""
    seconds: dict[str, list[float]] = {name: [] for name in contest.works}
    found: dict[str, FloatArray] = {}
    for _ in range(contest.rounds):
        for name, work in contest.works.items():
            took, found[name] = timed(work)
            seconds[name].append(took)
    x, y = contest.test.x, contest.test.y
    misled = {name: referee(contest, network, x_adv) for name, x_adv in found.items()}
    alike = (network.logits(x).argmax(axis=1) == y) & np.all(list(misled.values()), axis=0)
    median_seconds = {name: statistics.median(times) for name, times in seconds.items()}
    norms = {name: median_norm(contest, x_adv, alike) for name, x_adv in found.items()}
    rows = []
    for name in contest.works:
        times = median_seconds[name] / median_seconds[OURS]
        goals = {
            "slower": times >= 1,
            "fewer": misled[OURS].mean() >= misled[name].mean(),
            "larger": norms[OURS] <= 1.02 * norms[name],
        }
        missed = [what for what, met in goals.items() if not met]
        rows.append(
            [
                name,
                f"{1000 * median_seconds[name]:.0f}",
                f"{times:.2f}",
                f"{misled[name].mean():.1%}",
                f"{norms[name]:.{NORMS[contest.norm].places}f}",
                "" if name == OURS else f"no, ours {' and '.join(missed)}" if missed else "yes",
            ]
        )
    return rows


def referee(contest: Contest, network: MLP, x_adv: FloatArray) -> NDArray[np.bool_]:
    """Return on which of the images the attack succeeds, `(N,)` bool.

    Raises:
        ValueError: the images are not in [0, 1], or have another shape.
    """
    rounding = 1e-6
    if x_adv.shape != contest.test.x.shape:
        raise ValueError(f"shape {x_adv.shape}, not {contest.test.x.shape}")
    if not (x_adv.min() >= -rounding and x_adv.max() <= 1 + rounding):
        raise ValueError(f"pixels from {x_adv.min()} to {x_adv.max()}, not in [0, 1]")
    predictions = network.logits(x_adv).argmax(axis=1)
    misled: NDArray[np.bool_] = (
        predictions != contest.test.y if contest.target is None else predictions == contest.target
    )
    return misled


def median_norm(contest: Contest, x_adv: FloatArray, images: NDArray[np.bool_]) -> float:
    """Return the median size of the perturbations of some of a contest's images."""
    perturbation = (x_adv.astype(np.float64) - contest.test.x)[images]
    return float(np.median(np.linalg.norm(perturbation, NORMS[contest.norm].order, axis=1)))


def bim_contest(network: MLP, module: torch.nn.Module, test: Digits) -> Contest:
    """Return the contest in BIM, which all three peers have."""
    import torchattacks
    from art.attacks.evasion import BasicIterativeMethod
    from foolbox.attacks.basic_iterative_method import LinfBasicIterativeAttack

    steps, step_size = 10, 0.0125
    art = BasicIterativeMethod(
        art_classifier(module), EPSILON, step_size, steps, batch_size=IMAGES, verbose=False
    )
    return Contest(
        "BIM",
        f"ε = {EPSILON}, {steps} steps of {step_size}",
        "L∞ norm",
        test,
        {
            OURS: lambda: bim(network, test.x, test.y, EPSILON, steps=steps, step_size=step_size),
            "Torchattacks": with_torchattacks(
                torchattacks.BIM(pictured(module), EPSILON, step_size, steps), test
            ),
            "Foolbox": with_foolbox(
                LinfBasicIterativeAttack(abs_stepsize=step_size, steps=steps, random_start=False),
                module,
                test,
                epsilon=EPSILON,
            ),
            "ART": lambda: art.generate(test.x, one_hot(test.y)),
        },
        rounds=5,
    )


def mi_fgsm_contest(network: MLP, module: torch.nn.Module, test: Digits) -> Contest:
    """Return the contest in MI-FGSM; Foolbox's skips the L1 norm and is another algorithm."""
    import torchattacks
    from art.attacks.evasion import MomentumIterativeMethod

    steps, step_size = 10, 0.01
    art = MomentumIterativeMethod(
        art_classifier(module),
        eps=EPSILON,
        eps_step=step_size,
        max_iter=steps,
        batch_size=IMAGES,
        verbose=False,
    )
    return Contest(
        "MI-FGSM",
        f"ε = {EPSILON}, {steps} steps of {step_size}, decay 1",
        "L∞ norm",
        test,
        {
            OURS: lambda: mi_fgsm(
                network, test.x, test.y, EPSILON, steps=steps, step_size=step_size
            ),
            "Torchattacks": with_torchattacks(
                torchattacks.MIFGSM(pictured(module), EPSILON, step_size, steps), test
            ),
            "ART": lambda: art.generate(test.x, one_hot(test.y)),
        },
        rounds=5,
    )


def pgd_l2_contest(network: MLP, module: torch.nn.Module, test: Digits) -> Contest:
    """Return the contest in L2 PGD, which all three peers have."""
    import torchattacks
    from art.attacks.evasion import ProjectedGradientDescentPyTorch
    from foolbox.attacks.projected_gradient_descent import L2ProjectedGradientDescentAttack

    steps = 40
    step_size = 2.5 * L2_EPSILON / steps
    art = ProjectedGradientDescentPyTorch(
        art_classifier(module),
        norm=2,
        eps=L2_EPSILON,
        eps_step=step_size,
        max_iter=steps,
        num_random_init=1,
        batch_size=IMAGES,
        verbose=False,
    )
    return Contest(
        "PGD (L2)",
        f"ε = {L2_EPSILON}, {steps} steps of {step_size:.3f}, random start",
        "L2 norm",
        test,
        {
            OURS: lambda: pgd_l2(
                network,
                test.x,
                test.y,
                L2_EPSILON,
                steps=steps,
                step_size=step_size,
                random_start=True,
            ),
            "Torchattacks": with_torchattacks(
                torchattacks.PGDL2(pictured(module), L2_EPSILON, step_size, steps), test
            ),
            "Foolbox": with_foolbox(
                L2ProjectedGradientDescentAttack(abs_stepsize=step_size, steps=steps),
                module,
                test,
                epsilon=L2_EPSILON,
            ),
            "ART": lambda: art.generate(test.x, one_hot(test.y)),
        },
        rounds=5,
    )


def deepfool_contest(network: MLP, module: torch.nn.Module, test: Digits) -> Contest:
    """Return the contest in DeepFool; Torchattacks' takes minutes, one image at a time."""
    from art.attacks.evasion import DeepFool
    from foolbox.attacks.deepfool import L2DeepFoolAttack

    steps, overshoot = 50, 0.02
    art = DeepFool(
        art_classifier(module),
        max_iter=steps,
        epsilon=overshoot,
        nb_grads=10,
        batch_size=IMAGES,
        verbose=False,
    )
    return Contest(
        "DeepFool",
        f"{steps} steps, overshoot {overshoot}, all 10 labels",
        "L2 norm",
        test,
        {
            OURS: lambda: deepfool(network, test.x, test.y, steps=steps, overshoot=overshoot),
            "Foolbox": with_foolbox(
                L2DeepFoolAttack(steps=steps, overshoot=overshoot), module, test
            ),
            "ART": lambda: art.generate(test.x),
        },
    )


def carlini_wagner_contest(network: MLP, module: torch.nn.Module, test: Digits) -> Contest:
    """Return the contest in Carlini–Wagner; Torchattacks' has a fixed c, ART's takes too long."""
    from foolbox.attacks.carlini_wagner import L2CarliniWagnerAttack

    searches, steps, step_size, c = 3, 60, 0.1, 1.0
    peer = L2CarliniWagnerAttack(
        binary_search_steps=searches,
        steps=steps,
        stepsize=step_size,
        initial_const=c,
        abort_early=False,
    )
    return Contest(
        "Carlini–Wagner",
        f"{searches} c from {c:g} on, {steps} steps of {step_size} each, confidence 0 (less than "
        "either's default, with which Foolbox would take too long)",
        "L2 norm",
        test,
        {
            OURS: lambda: carlini_wagner(
                network,
                test.x,
                test.y,
                searches=searches,
                steps=steps,
                step_size=step_size,
                initial_c=c,
            ),
            "Foolbox": with_foolbox(peer, module, test),
        },
    )


def jsma_contest(network: MLP, test: Digits, peer: str, work: Work) -> Contest:
    """Return the contest in the saliency map, towards the next digit: the peers need a target."""
    target = (test.y + 1) % 10
    return Contest(
        "Saliency map (JSMA)",
        f"Towards the next digit, at most {MOST_PIXELS} pixels, θ = 1",
        "pixels",
        test,
        {
            OURS: lambda: jsma(
                network, test.x, test.y, target=target, pixel_share=(MOST_PIXELS + 1) / 784
            ),
            peer: work,
        },
        target=target,
    )


def art_jsma(module: torch.nn.Module, test: Digits) -> Work:
    """Return ART's; it looks at the target's gradient only, and passes its limit by a pair."""
    from art.attacks.evasion import SaliencyMapMethod

    attack = SaliencyMapMethod(
        art_classifier(module), 1.0, (MOST_PIXELS - 1) / 784, batch_size=IMAGES, verbose=False
    )
    return lambda: attack.generate(test.x, one_hot((test.y + 1) % 10))


def torchattacks_jsma(module: torch.nn.Module, test: Digits) -> Work:
    """Return Torchattacks'; its default target is the next digit."""
    import torchattacks

    attack = torchattacks.JSMA(pictured(module), theta=1.0, gamma=(MOST_PIXELS - 1) / 784)
    return with_torchattacks(attack, test)


def with_torchattacks(attack: Any, test: Digits) -> Work:
    """Return an attack of Torchattacks, which takes `(N, 1, 28, 28)`, on all images at once."""

    def run(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        x_adv: torch.Tensor = attack(x.reshape(-1, 1, 28, 28), y)
        return x_adv.reshape(len(x), -1)

    return in_batches(run, test)(IMAGES)


def with_foolbox(attack: Any, module: torch.nn.Module, test: Digits, **budget: float) -> Work:
    """Return an attack of Foolbox on all images at once, without its success check."""
    from foolbox.models.pytorch import PyTorchModel

    model = PyTorchModel(module, bounds=(0, 1))

    def run(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        x_adv: torch.Tensor = attack.run(model, x, y, **budget)
        return x_adv

    return in_batches(run, test)(IMAGES)


def art_classifier(module: torch.nn.Module) -> Any:
    """Return the network as ART takes it."""
    from art.estimators.classification import PyTorchClassifier

    return PyTorchClassifier(
        module,
        loss=torch.nn.CrossEntropyLoss(),
        input_shape=(784,),
        nb_classes=10,
        clip_values=(0, 1),
        device_type="cpu",
    )


def pictured(module: torch.nn.Module) -> torch.nn.Module:
    """Return the network for pictures of 1 × 28 × 28."""
    return torch.nn.Sequential(torch.nn.Flatten(), module).eval()


def one_hot(y: IntArray) -> FloatArray:
    """Return labels as ART takes them, one-hot, `(N, 10)`."""
    return np.eye(10, dtype=np.float32)[y]


if __name__ == "__main__":
    main()
