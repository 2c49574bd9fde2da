"""A network's evasion rates over a range of ε, measured once and kept in a file."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.attacks import ATTACKS
from core.batches import BATCH
from core.classifier import FloatArray, IntArray
from core.data.mnist import Digits
from core.evaluation import shipped, sweep
from core.evaluation.sweep import Stored, Task
from core.evaluation.worst import can_be_bounded, worst
from core.measures import accuracy, accuracy_by_digit, predict
from core.networks import LIBRARY, Card, Network

EPSILONS = tuple(round(step * 0.025, 3) for step in range(13))  # 0 to 0.3
QUICK = ("fgsm", "pgd")
STRONGEST = "strongest"
MEASURED_ATTACKS = (*QUICK, STRONGEST)
# The strongest attack takes up to a minute for a thousand images and all budgets, so one in ten
# is attacked. They are spread over all: the first half of MNIST's test images is easier to read.
ONE_IN = 10
# Progress is counted in passes over the attacked images.
_CLEAN, _QUICK, _WORST = 1, 1, 4
PASSES = _CLEAN + _QUICK + _WORST
CACHE = LIBRARY.folder / "robustness.json"
_VERSION = 5  # to be raised whenever the same network would be measured differently


@dataclass(frozen=True)
class Robustness:
    """A network's accuracy without an attack, what attacks find, and what is proved.

    Another processor adds up the products of a layer in another order. An image at a decision
    boundary may then fall on the other side, so a few images in 10,000 may differ.

    Attributes:
        images: the number of test images.
        clean_accuracy: over all of them, without an attack, in [0, 1].
        attacked: the number of images that were attacked: every tenth of them.
        epsilons: `(E,)` L∞ budgets in pixel units, rising.
        evasion_rates: for each attack its `(E,)` evasion rates, misled / all `attacked`, in [0, 1].
            An image counts as misled where a smaller budget is enough, so no rate falls. And what
            a weaker attack finds counts for "strongest", too. Each is a lower bound of what the
            best attack within the budget would reach.
        certified: `(E,)` shares of the `attacked` that are classified correctly and proved to stay
            so, whatever the attack (CROWN, see `core.bounds`); None if the network is too large.
        accuracy_by_digit: `(10,)`, the share of each digit's images that are classified correctly
            without an attack.
        mirrored_by_digit: the same for the images mirrored left to right.
    """

    images: int
    clean_accuracy: float
    attacked: int
    epsilons: tuple[float, ...]
    evasion_rates: Mapping[str, tuple[float, ...]]
    certified: tuple[float, ...] | None
    accuracy_by_digit: tuple[float, ...]
    mirrored_by_digit: tuple[float, ...]

    def evasion_rate(self, attack: str, epsilon: float) -> float:
        """Return the evasion rate at one of the budgets, in [0, 1].

        Raises:
            ValueError: the attack or the budget was not measured.
        """
        if attack not in self.evasion_rates:
            raise ValueError(f"attack must be one of {', '.join(self.evasion_rates)}")
        return self.evasion_rates[attack][self._place(epsilon)]

    def proved(self, epsilon: float) -> float | None:
        """Return the share in `certified` at one of the budgets.

        Raises:
            ValueError: the budget was not measured.
        """
        place = self._place(epsilon)
        return None if self.certified is None else self.certified[place]

    def band(self, epsilon: float) -> float | None:
        """Return the share of the `attacked` that are neither misled nor proved, in [0, 1].

        The evasion rate under the best attack is above that of "strongest" by at most this. It is
        None if nothing could be proved.

        Raises:
            ValueError: the budget was not measured.
        """
        proved = self.proved(epsilon)
        if proved is None:
            return None
        # Rounding may leave a little less than 0.
        return max(0.0, 1 - proved - self.evasion_rate(STRONGEST, epsilon))

    def _place(self, epsilon: float) -> int:
        if epsilon not in self.epsilons:
            raise ValueError(f"epsilon must be one of {', '.join(map(str, self.epsilons))}")
        return self.epsilons.index(epsilon)


def every_tenth(test: Digits) -> Digits:
    """Return the images that are attacked."""
    return Digits(test.x[::ONE_IN], test.y[::ONE_IN])


def measure(
    network: Network, test: Digits, *, on_progress: Callable[[int], object] = lambda images: None
) -> Robustness:
    """Attack every tenth test image with every attack at every one of `EPSILONS`, and prove it.

    Args:
        network: the network to attack.
        test: images of every digit.
        on_progress: called in the caller's thread with numbers of images, which may be 0, and add
            up to `PASSES` × the attacked ones. An exception that it raises ends the work within
            `BATCH` images.
    """
    some = every_tenth(test)
    clean = _clean(network, test)
    on_progress(_CLEAN * len(some))
    return _with_counts(
        clean, [_counts(network, some, rows, on_progress) for rows in _blocks(len(some))]
    )


def _blocks(images: int) -> list[slice]:
    """Return the blocks of images that are attacked at once, here or in a worker."""
    return [slice(start, min(start + BATCH, images)) for start in range(0, images, BATCH)]


def _counts(
    network: Network, some: Digits, rows: slice, on_progress: Callable[[int], object]
) -> IntArray:
    """Attack and prove a block of images.

    Returns:
        `(attacks + 1, E)`: how many images each of `MEASURED_ATTACKS` misleads within each of
        `EPSILONS`, and how many are proved safe.
    """
    x, y = some.x[rows], some.y[rows]
    quick = []
    for attack in QUICK:
        x_adv = ATTACKS[attack](network, x, y, EPSILONS)
        wrong = np.array([predict(network, each) != y for each in x_adv])
        quick.append(np.logical_or.accumulate(wrong))
    on_progress(_QUICK * len(x))
    either = np.logical_or.reduce(quick)
    found = worst(
        network,
        x,
        y,
        EPSILONS[1:],
        either[1:],
        on_progress=lambda images: on_progress(_WORST * images),
    )
    strongest = np.concatenate([either[:1], found.misled])
    right: NDArray[np.bool_] = ~either[:1]  # without a budget, nothing can change that
    safe = np.zeros_like(found.misled) if found.certified is None else found.certified
    counts: IntArray = np.sum([*quick, strongest, np.concatenate([right, safe])], axis=2)
    return counts


def _clean(network: Network, test: Digits) -> Robustness:
    """Return what is known without an attack."""
    some = every_tenth(test)
    wrong = 1 - accuracy(network, some.x, some.y)
    return Robustness(
        images=len(test),
        clean_accuracy=accuracy(network, test.x, test.y),
        attacked=len(some),
        epsilons=(0.0,),
        evasion_rates={attack: (wrong,) for attack in MEASURED_ATTACKS},
        certified=(1 - wrong,) if can_be_bounded(network, some.x) else None,
        accuracy_by_digit=tuple(accuracy_by_digit(network, test.x, test.y).tolist()),
        mirrored_by_digit=tuple(accuracy_by_digit(network, mirrored(test.x), test.y).tolist()),
    )


def _with_counts(clean: Robustness, counts: list[IntArray]) -> Robustness:
    """Add what was counted in all blocks of images."""
    shares = np.sum(counts, axis=0) / clean.attacked
    *rates, proved = (tuple(each) for each in shares.tolist())
    return replace(
        clean,
        epsilons=EPSILONS,
        evasion_rates=dict(zip(MEASURED_ATTACKS, rates, strict=True)),
        certified=None if clean.certified is None else proved,
    )


def mirrored(x: FloatArray) -> FloatArray:
    """Return images mirrored left to right, `(N, 784)` to `(N, 784)`."""
    images: FloatArray = x.reshape(-1, 28, 28)[:, :, ::-1].reshape(-1, 784)
    return images


def digest(network: Network) -> str:
    """Return the key of a network's figures in the file (see `shipped.digest`)."""
    return shipped.digest(network, _VERSION, MEASURED_ATTACKS, EPSILONS, ONE_IN)


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
    on_progress: Callable[[int], object] = lambda images: None,
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
        on_known=lambda: on_progress(PASSES * len(every_tenth(test))),
    )


def measure_files(
    files: Mapping[str, Path],
    executor: Executor,
    *,
    path: Path | None = None,
    images: int | None = None,
    on_progress: Callable[[int], object] = lambda images: None,
) -> None:
    """Do as `write_cache` does with networks in files, on an executor's workers.

    A block of images is one task. The figures are the same as `measure`'s.

    Args:
        files: the networks' files by their names.
        executor: see `core.evaluation.sweep.results`.
        path: the file of figures; None for `CACHE`.
        images: how many of MNIST's test images, from the first; None for all.
        on_progress: called in the caller's thread with numbers of images that add up to `PASSES` ×
            the attacked ones for each network; an exception that it raises ends the work.

    Raises:
        MeasuredFileError: the file can't be written.
        NetworkFileError: a network's file can't be used.
        SweepError: a worker has another network or another version of the program.
        DataFileError: MNIST is missing or damaged.
    """
    stored = {name: Stored.at(file, _key) for name, file in files.items()}
    # Here first: where MNIST has not been unpacked, several workers would do it at once.
    count = len(every_tenth(sweep.digits("test", images)))

    def measured(names: list[str]) -> Iterator[tuple[str, Robustness]]:
        tasks = {name: _tasks(stored[name], images, count) for name in names}
        for name, (clean, *counts) in sweep.results(executor, tasks, on_progress):
            yield name, _with_counts(clean, counts)

    shipped.complete(
        path or CACHE,
        {name: each.key for name, each in stored.items()},
        measured,
        on_known=lambda: on_progress(PASSES * count),
    )


def _tasks(stored: Stored, images: int | None, count: int) -> list[Task]:
    """Return what is to be done for a network: `_clean_of`, and `_counts_of` for each block."""
    return [
        Task(_clean_of, (stored, images), _CLEAN * count),
        *(
            Task(
                _counts_of,
                (stored, images, rows),
                (_QUICK + _WORST) * (rows.stop - rows.start),
            )
            for rows in _blocks(count)
        ),
    ]


def _key(network: Network, card: Card) -> str:
    return digest(network)


def _clean_of(stored: Stored, images: int | None) -> Robustness:
    return _clean(stored.load(_key)[0], sweep.digits("test", images))


def _counts_of(stored: Stored, images: int | None, rows: slice) -> IntArray:
    some = every_tenth(sweep.digits("test", images))
    return _counts(stored.load(_key)[0], some, rows, lambda images: None)
