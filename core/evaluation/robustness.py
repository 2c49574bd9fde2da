"""What attacks make of a network over a range of ε, measured once and kept in a file."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core import files
from core.attacks import ATTACKS
from core.data.mnist import Digits
from core.measures import accuracy, evasion_rate
from core.networks import LIBRARY, Network

EPSILONS = tuple(round(step * 0.025, 3) for step in range(13))  # 0 to 0.3
MEASURED_ATTACKS = ("fgsm", "pgd")  # with their own defaults: PGD of 40 steps, exact gradient
CACHE = LIBRARY.folder / "robustness.json"
_VERSION = 1  # counted up when figures measured before are no longer those measured now


class RobustnessFileError(ValueError):
    """A file that holds no measured figures; the message says which file."""


@dataclass(frozen=True)
class Robustness:
    """How a network fares, clean and under attack; all rates are shares of all `images`.

    Attributes:
        images: how many test images were attacked.
        clean_accuracy: without an attack, in [0, 1].
        epsilons: the E L∞ budgets a pixel, rising.
        evasion_rates: for each attack its E evasion rates, in [0, 1].

    Raises:
        ValueError: the rates are not one for each budget, or are outside [0, 1].
    """

    images: int
    clean_accuracy: float
    epsilons: tuple[float, ...]
    evasion_rates: Mapping[str, tuple[float, ...]]

    def __post_init__(self) -> None:
        for attack, rates in self.evasion_rates.items():
            if len(rates) != len(self.epsilons):
                raise ValueError(f"evasion_rates: {attack} must have one rate for each epsilon")
        rates = (self.clean_accuracy, *sum(self.evasion_rates.values(), ()))
        if not all(0 <= rate <= 1 for rate in rates):
            raise ValueError("clean_accuracy and evasion_rates must be from 0 to 1")

    def evasion_rate(self, attack: str, epsilon: float) -> float:
        """The evasion rate at one of the budgets, in [0, 1].

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
        network: to attack.
        test: the images.
        on_progress: is told again and again how many more of the budgets are done; what it
            raises ends the measurement.
    """
    rates: dict[str, list[float]] = {attack: [] for attack in MEASURED_ATTACKS}
    for epsilon in EPSILONS:
        for attack, found in rates.items():
            x_adv = ATTACKS[attack](network, test.x, test.y, epsilon)
            found.append(evasion_rate(network, x_adv, test.y))
        on_progress(1)
    return Robustness(
        images=len(test),
        clean_accuracy=accuracy(network, test.x, test.y),
        epsilons=EPSILONS,
        evasion_rates={attack: tuple(found) for attack, found in rates.items()},
    )


# What was measured on MNIST's 10,000 test images, as a file


def digest(network: Network) -> str:
    """What stands for a network's numbers and the measurement's settings, in 64 characters.

    Another training gives another digest, so that no network is shown with another's figures.
    """
    sha = hashlib.sha256(repr((_VERSION, MEASURED_ATTACKS, EPSILONS)).encode())
    for member in network.members:
        sha.update(repr((member.sizes, str(member.dtype))).encode())
        for array in member.weights + member.biases:
            sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


def read_cache(path: Path = CACHE) -> dict[str, Robustness]:
    """All that is in the file, by the networks' digests; nothing where there is no file.

    Raises:
        RobustnessFileError: it is damaged or can't be read.
    """
    try:
        entries = json.loads(path.read_bytes())
        return {key: _robustness(fields) for key, fields in entries.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RobustnessFileError(f"{path.name} can't be read: {error.strerror}.") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise RobustnessFileError(
            f"{path.name} is damaged; `python -m core measure` makes it anew."
        ) from None


def cached(network: Network, *, path: Path = CACHE) -> Robustness | None:
    """What the file knows of a network, None where that is nothing; errors as in `read_cache`."""
    return read_cache(path).get(digest(network))


def write_cache(
    networks: Mapping[str, Network],
    test: Digits,
    *,
    path: Path = CACHE,
    on_progress: Callable[[int], object] = lambda budgets: None,
) -> None:
    """Measure the networks that the file doesn't know, and forget all others that it knows.

    The file is written anew after each network, whole or not at all, so that nothing is lost when
    this is stopped, and the next time goes on from there. A damaged file is begun again.

    Args:
        networks: by name; the names are for those who read the file.
        test: MNIST's test images.
        path: of the file.
        on_progress: as in `measure`; of each network it is told all of `EPSILONS`.

    Raises:
        RobustnessFileError: the file can't be written.
    """
    try:
        known = read_cache(path)
    except RobustnessFileError:
        known = {}
    keys = {name: digest(network) for name, network in networks.items()}
    known = {key: known[key] for key in keys.values() if key in known}
    _write(path, keys, known)
    for name, network in networks.items():
        if keys[name] in known:
            on_progress(len(EPSILONS))
        else:
            known[keys[name]] = measure(network, test, on_progress=on_progress)
            _write(path, keys, known)


def _robustness(fields: dict[str, Any]) -> Robustness:
    """What `_write` wrote of one network; raises much where it is something else."""
    rates = {attack: tuple(fields["evasion_rates"][attack]) for attack in MEASURED_ATTACKS}
    if tuple(fields["epsilons"]) != EPSILONS:
        raise ValueError("epsilons of another measurement")
    return Robustness(int(fields["images"]), fields["clean_accuracy"], EPSILONS, rates)


def _write(path: Path, keys: Mapping[str, str], known: Mapping[str, Robustness]) -> None:
    """Write what is known of the networks, by digest and with their names, in one step."""
    entries = {
        key: {"network": name, **asdict(known[key])} for name, key in keys.items() if key in known
    }
    try:
        files.write(path, json.dumps(entries, indent=1).encode())
    except OSError as error:
        raise RobustnessFileError(f"{path} can't be written: {error.strerror}.") from None
