"""How a network fares over a range of ε, measured once and kept in a file."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.attacks import ATTACKS
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.evaluation import shipped
from core.measures import accuracy, accuracy_by_digit, evasion_rate
from core.networks import LIBRARY, Network

EPSILONS = tuple(round(step * 0.025, 3) for step in range(13))  # 0 to 0.3
MEASURED_ATTACKS = ("fgsm", "pgd")  # with their own defaults: PGD of 40 steps, exact gradient
CACHE = LIBRARY.folder / "robustness.json"
_VERSION = 2  # counted up when figures measured before are no longer those measured now


@dataclass(frozen=True)
class Robustness:
    """How a network fares without and under attack; all rates are shares of all `images`.

    Figures measured on another processor may differ by a few images in 10,000: it adds up the
    products of a layer in another order, and an image at a decision boundary falls on one side or
    the other.

    Attributes:
        images: how many test images were attacked.
        clean_accuracy: without an attack, in [0, 1].
        epsilons: the E L∞ budgets a pixel, rising.
        evasion_rates: for each attack its E evasion rates, in [0, 1].
        accuracy_by_digit: without an attack, the share of each digit's images that are classified
            correctly.
        mirrored_by_digit: the same of the images mirrored left to right.

    Raises:
        ValueError: the rates are not one for each budget or digit, or are outside [0, 1].
    """

    images: int
    clean_accuracy: float
    epsilons: tuple[float, ...]
    evasion_rates: Mapping[str, tuple[float, ...]]
    accuracy_by_digit: tuple[float, ...]
    mirrored_by_digit: tuple[float, ...]

    def __post_init__(self) -> None:
        for attack, rates in self.evasion_rates.items():
            if len(rates) != len(self.epsilons):
                raise ValueError(f"evasion_rates: {attack} must have one rate for each epsilon")
        by_digit = (self.accuracy_by_digit, self.mirrored_by_digit)
        if any(len(shares) != 10 for shares in by_digit):
            raise ValueError("accuracy_by_digit and mirrored_by_digit must have ten shares")
        if not 0 <= self.clean_accuracy <= 1:
            raise ValueError("clean_accuracy must be from 0 to 1")
        if not all(0 <= rate <= 1 for rate in sum((*self.evasion_rates.values(), *by_digit), ())):
            raise ValueError("evasion_rates and shares by digit must be from 0 to 1")

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


def measure(
    network: Network, test: Digits, *, on_progress: Callable[[int], object] = lambda budgets: None
) -> Robustness:
    """Attack every test image with every attack at every one of `EPSILONS`.

    One budget at a time: all of them at once would need 400 MB.

    Args:
        network: the network to attack.
        test: the images, every digit among them.
        on_progress: is told again and again how many more budgets are done; what it raises ends
            the measurement.
    """
    clean_accuracy = accuracy(network, test.x, test.y)
    rates: dict[str, list[float]] = {attack: [] for attack in MEASURED_ATTACKS}
    for epsilon in EPSILONS:
        for attack, found in rates.items():
            if epsilon == 0:  # the images stay what they are
                found.append(1 - clean_accuracy)
            else:
                x_adv = ATTACKS[attack](network, test.x, test.y, epsilon)
                found.append(evasion_rate(network, x_adv, test.y))
        on_progress(1)
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


# The file of what was measured on MNIST's 10,000 test images


def digest(network: Network) -> str:
    """Return 64 characters that stand for the network's numbers and for what is measured."""
    return shipped.digest(network, _VERSION, MEASURED_ATTACKS, EPSILONS)


def read_cache(path: Path = CACHE) -> dict[str, Robustness]:
    """Return all that the file knows, by the networks' digests; errors as in `shipped.read`."""
    return shipped.read(path, _decoded)


def cached(network: Network, *, path: Path = CACHE) -> Robustness | None:
    """Return what the file knows of a network, or None; errors as in `shipped.read`."""
    key = digest(network)
    return shipped.read(path, _decoded, [key]).get(key)


def write_cache(
    networks: Mapping[str, Network],
    test: Digits,
    *,
    path: Path = CACHE,
    on_progress: Callable[[int], object] = lambda budgets: None,
) -> None:
    """Measure the networks that the file doesn't know, as in `shipped.complete`.

    Args:
        networks: by name.
        test: MNIST's test images.
        path: of the file.
        on_progress: as in `measure`; it is told all of `EPSILONS` for each network.

    Raises:
        MeasuredFileError: the file can't be written.
    """
    shipped.complete(
        path,
        {name: digest(network) for name, network in networks.items()},
        lambda name: measure(networks[name], test, on_progress=on_progress),
        decode=_decoded,
        encode=asdict,
        on_known=lambda: on_progress(len(EPSILONS)),
    )


def _decoded(fields: dict[str, Any]) -> Robustness:
    """Turn an entry of the file into figures."""
    rates = {attack: tuple(found) for attack, found in fields["evasion_rates"].items()}
    lists = ("epsilons", "accuracy_by_digit", "mirrored_by_digit")
    tuples = {name: tuple(fields[name]) for name in lists}
    return Robustness(**{**fields, **tuples, "evasion_rates": rates})
