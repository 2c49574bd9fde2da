"""A network's evasion rates over a range of ε, measured once and kept in a file."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

from core.attacks import ATTACKS
from core.batches import BATCH
from core.classifier import Classifier, FloatArray
from core.data.mnist import Digits
from core.evaluation import shipped, sweep
from core.evaluation.sweep import Stored, Task
from core.measures import accuracy, accuracy_by_digit, evasion_rate
from core.networks import LIBRARY, Card, Network

EPSILONS = tuple(round(step * 0.025, 3) for step in range(13))  # 0 to 0.3
_GRADIENTS_OF = {"fgsm": 1, "pgd": 40}  # an image, with the attacks' own defaults
MEASURED_ATTACKS = tuple(_GRADIENTS_OF)
# Of each image, for these attacks at every ε above 0. At ε = 0 they return the clean images.
GRADIENTS = (len(EPSILONS) - 1) * sum(_GRADIENTS_OF.values())
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
        evasion_rates: for each attack its `(E,)` evasion rates, in [0, 1]. Each is a lower bound of
            what the best attack within the budget would reach.
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
    counted = _Counted(network, on_progress)
    rates = {}
    for attack, epsilon in _attacked():
        rates[attack, epsilon] = _rate(counted, test, attack, epsilon)
    counted.report()
    return _with_rates(_clean(network, test), rates)


def _attacked() -> list[tuple[str, float]]:
    return [(attack, epsilon) for epsilon in EPSILONS if epsilon for attack in MEASURED_ATTACKS]


def _rate(network: Classifier, test: Digits, attack: str, epsilon: float) -> float:
    return evasion_rate(network, ATTACKS[attack](network, test.x, test.y, epsilon), test.y)


def _clean(network: Classifier, test: Digits) -> Robustness:
    """Return what is known without an attack."""
    clean_accuracy = accuracy(network, test.x, test.y)
    return Robustness(
        images=len(test),
        clean_accuracy=clean_accuracy,
        epsilons=(0.0,),
        evasion_rates={attack: (1 - clean_accuracy,) for attack in MEASURED_ATTACKS},
        accuracy_by_digit=tuple(accuracy_by_digit(network, test.x, test.y).tolist()),
        mirrored_by_digit=tuple(accuracy_by_digit(network, mirrored(test.x), test.y).tolist()),
    )


def _with_rates(clean: Robustness, rates: Mapping[tuple[str, float], float]) -> Robustness:
    """Add the evasion rates by attack and ε."""
    return replace(
        clean,
        epsilons=EPSILONS,
        evasion_rates={
            attack: (*first, *(rates[attack, epsilon] for epsilon in EPSILONS if epsilon))
            for attack, first in clean.evasion_rates.items()
        },
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
        lambda names: (
            (name, measure(networks[name], test, on_progress=on_progress)) for name in names
        ),
        on_known=lambda: on_progress(GRADIENTS * len(test)),
    )


def measure_files(
    files: Mapping[str, Path],
    executor: Executor,
    *,
    path: Path | None = None,
    images: int | None = None,
    on_progress: Callable[[int], object] = lambda gradients: None,
) -> None:
    """Do as `write_cache` does with networks in files, on an executor's workers.

    One attack with one ε is one task. The figures are the same as `measure`'s.

    Args:
        files: the networks' files by their names.
        executor: see `core.evaluation.sweep.results`.
        path: the file of figures; None for `CACHE`.
        images: how many of MNIST's test images, from the first; None for all.
        on_progress: called with numbers of gradients that add up to `GRADIENTS` for each image of
            each network, in the caller's thread; an exception that it raises ends the work.

    Raises:
        MeasuredFileError: the file can't be written.
        NetworkFileError: a network's file can't be used.
        SweepError: a worker has another network or another version of the program.
        DataFileError: MNIST is missing or damaged.
    """
    stored = {name: Stored.at(file, _key) for name, file in files.items()}
    # Here first: where MNIST has not been unpacked, several workers would do it at once.
    count = len(sweep.digits("test", images))

    def measured(names: list[str]) -> Iterator[tuple[str, Robustness]]:
        tasks = {name: _tasks(stored[name], images, count) for name in names}
        for name, (clean, *rates) in sweep.results(executor, tasks, on_progress):
            yield name, _with_rates(clean, dict(zip(_attacked(), rates, strict=True)))

    shipped.complete(
        path or CACHE,
        {name: each.key for name, each in stored.items()},
        measured,
        on_known=lambda: on_progress(GRADIENTS * count),
    )


def _tasks(stored: Stored, images: int | None, count: int) -> list[Task]:
    """Return what is to be done for a network: `_clean_of`, and `_rate_of` for each attack."""
    return [
        Task(_clean_of, (stored, images), 0),
        *(
            Task(_rate_of, (stored, images, attack, epsilon), _GRADIENTS_OF[attack] * count)
            for attack, epsilon in _attacked()
        ),
    ]


def _key(network: Network, card: Card) -> str:
    return digest(network)


def _clean_of(stored: Stored, images: int | None) -> Robustness:
    return _clean(stored.load(_key)[0], sweep.digits("test", images))


def _rate_of(stored: Stored, images: int | None, attack: str, epsilon: float) -> float:
    return _rate(stored.load(_key)[0], sweep.digits("test", images), attack, epsilon)
