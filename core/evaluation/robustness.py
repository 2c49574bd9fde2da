"""A network's evasion rates over a range of ε, measured once and kept in a file."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.attacks import ATTACKS
from core.batches import BATCH
from core.classifier import Classifier, FloatArray
from core.data.mnist import Digits
from core.evaluation import shipped
from core.measures import accuracy, accuracy_by_digit, evasion_rate
from core.networks import LIBRARY, Network

EPSILONS = tuple(round(step * 0.025, 3) for step in range(13))  # 0 to 0.3
MEASURED_ATTACKS = ("fgsm", "pgd")  # with their own defaults: PGD of 40 steps, exact gradient
GRADIENTS = (len(EPSILONS) - 1) * (1 + 40)  # of each image, for these attacks at every ε above 0
BLOCK = 20 * BATCH  # gradients between two reports of progress
CACHE = LIBRARY.folder / "robustness.json"
_VERSION = 2  # to be raised whenever the same network would be measured differently


@dataclass(frozen=True)
class Robustness:
    """A network's accuracy without an attack and its evasion rates, over all `images`.

    Another processor adds up the products of a layer in another order. An image at a decision
    boundary may then fall on the other side, so a few images in 10,000 may differ.

    Attributes:
        images: the number of test images.
        clean_accuracy: without an attack, in [0, 1].
        epsilons: `(E,)` L∞ budgets in pixel units, rising.
        evasion_rates: for each attack its `(E,)` evasion rates, in [0, 1].
        accuracy_by_digit: `(10,)`, the share of each digit's images that are classified correctly
            without an attack.
        mirrored_by_digit: the same for the images mirrored left to right.
    """

    images: int
    clean_accuracy: float
    epsilons: tuple[float, ...]
    evasion_rates: Mapping[str, tuple[float, ...]]
    accuracy_by_digit: tuple[float, ...]
    mirrored_by_digit: tuple[float, ...]

    def evasion_rate(self, attack: str, epsilon: float) -> float:
        """Return the evasion rate at one of the budgets, in [0, 1].

        Raises:
            ValueError: the attack or the budget was not measured.
        """
        if attack not in self.evasion_rates:
            raise ValueError(f"attack must be one of {', '.join(self.evasion_rates)}")
        if epsilon not in self.epsilons:
            raise ValueError(f"epsilon must be one of {', '.join(map(str, self.epsilons))}")
        return self.evasion_rates[attack][self.epsilons.index(epsilon)]


class _Counted:
    """A network that reports how many gradients it was asked for, a block of them at a time."""

    def __init__(self, network: Classifier, on_progress: Callable[[int], object]) -> None:
        self._network = network
        self._on_progress = on_progress
        self._count = 0
        self._lock = threading.Lock()
        self.logits = network.logits

    def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """See `Classifier.vjp`."""
        self.report(len(x), at_least=BLOCK)
        return self._network.vjp(x)

    def report(self, more: int = 0, *, at_least: int = 1) -> None:
        """Count some gradients, and report all since the last time if there are enough."""
        with self._lock:
            self._count += more
            if self._count >= at_least:
                done, self._count = self._count, 0
                self._on_progress(done)


def measure(
    network: Network, test: Digits, *, on_progress: Callable[[int], object] = lambda gradients: None
) -> Robustness:
    """Attack every test image with every attack at every one of `EPSILONS`.

    One budget at a time: all of them at once would need 400 MB.

    Args:
        network: the network to attack.
        test: images of every digit.
        on_progress: called with numbers of gradients that add up to `GRADIENTS` for each image;
            one call at a time, from several threads. An exception that it raises ends the work.
    """
    clean_accuracy = accuracy(network, test.x, test.y)
    rates: dict[str, list[float]] = {attack: [] for attack in MEASURED_ATTACKS}
    counted = _Counted(network, on_progress)
    for epsilon in EPSILONS:
        for attack, found in rates.items():
            if epsilon == 0:  # every attack returns the clean images
                found.append(1 - clean_accuracy)
            else:
                x_adv = ATTACKS[attack](counted, test.x, test.y, epsilon)
                found.append(evasion_rate(network, x_adv, test.y))
        counted.report()
    return Robustness(
        images=len(test),
        clean_accuracy=clean_accuracy,
        epsilons=EPSILONS,
        evasion_rates={attack: tuple(found) for attack, found in rates.items()},
        accuracy_by_digit=tuple(accuracy_by_digit(network, test.x, test.y).tolist()),
        mirrored_by_digit=tuple(accuracy_by_digit(network, mirrored(test.x), test.y).tolist()),
    )


def mirrored(x: FloatArray) -> FloatArray:
    """Return images mirrored left to right, `(N, 784)` to `(N, 784)`."""
    images: FloatArray = x.reshape(-1, 28, 28)[:, :, ::-1].reshape(-1, 784)
    return images


def digest(network: Network) -> str:
    """Return the key of a network's figures in the file (see `shipped.digest`)."""
    return shipped.digest(network, _VERSION, MEASURED_ATTACKS, EPSILONS)


def read_cache(path: Path | None = None) -> dict[str, Robustness]:
    """Return all figures of the file, by the networks' digests; errors as in `shipped.read`."""
    return shipped.read(path or CACHE, Robustness)


def cached(network: Network, *, path: Path | None = None) -> Robustness | None:
    """Return a network's figures from the file, or None; errors as in `shipped.read`."""
    key = digest(network)
    return shipped.read(path or CACHE, Robustness, [key]).get(key)


def write_cache(
    networks: Mapping[str, Network],
    test: Digits,
    *,
    path: Path | None = None,
    on_progress: Callable[[int], object] = lambda gradients: None,
) -> None:
    """Measure the networks that the file doesn't have (see `shipped.complete`).

    Args:
        networks: by name.
        test: MNIST's test images.
        path: the file; None for `CACHE`.
        on_progress: as in `measure`, for each network.

    Raises:
        MeasuredFileError: the file can't be written.
    """
    shipped.complete(
        path or CACHE,
        {name: digest(network) for name, network in networks.items()},
        lambda name: measure(networks[name], test, on_progress=on_progress),
        on_known=lambda: on_progress(GRADIENTS * len(test)),
    )
