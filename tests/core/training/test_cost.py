"""What a training costs, and that it looks for Stop after a bounded amount of work.

Multiply-adds are counted where they are made: in the compiled loop's functions, in PyTorch's
layers, and in the networks that are measured.
"""

import dataclasses
import gc
import logging
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks import MLP, Sequential
from core.recipe import PRESETS, Recipe
from core.training import compiled, cost, split, train
from core.training.cost import Limits, estimate, pieces
from core.training.outcome import Epochs, outcome
from tests.core.training.comparison import first

BOUND = 3e7  # multiply-adds, in place of `cost.A_SECOND`: the tests need no second's worth
WEIGHTS = 784 * 64 + 64 * 10
RECIPE = Recipe(hidden=(64,), epochs=2, training_images=1500)
ADAM = dataclasses.replace(RECIPE, optimizer="adam", batch_size=32)
RECIPES = {
    "compiled": (RECIPE, "compiled"),
    "dropout and decay": (
        dataclasses.replace(RECIPE, dropout=0.2, weight_decay=1e-3),
        "compiled",
    ),
    "changed images": (dataclasses.replace(RECIPE, elastic=1, refit=True), "compiled"),
    "ensemble": (dataclasses.replace(RECIPE, members=2, epochs=1), "compiled"),
    "early stopping": (dataclasses.replace(RECIPE, held_out=700, patience=2), "compiled"),
    "one image a step, PyTorch": (
        dataclasses.replace(RECIPE, training_images=500, epochs=1),
        "torch",
    ),
    "Adam": (ADAM, "torch"),
    "batch normalisation": (dataclasses.replace(ADAM, batch_norm=True), "torch"),
    "FGSM": (dataclasses.replace(ADAM, adversary="fgsm"), "torch"),
    "bounds": (dataclasses.replace(ADAM, adversary="interval"), "torch"),
    "convolutions": (dataclasses.replace(ADAM, convolutions=(2,), hidden=(16,)), "torch"),
    "convolutions, FGSM": (
        dataclasses.replace(ADAM, convolutions=(2, 3), hidden=(16,), adversary="fgsm", epochs=1),
        "torch",
    ),
    "PGD": (dataclasses.replace(ADAM, adversary="pgd", batch_size=150, epochs=1), "torch"),
}


class Counter:
    """Counts multiply-adds since the last look."""

    def __init__(self) -> None:
        self.work = 0
        self.most = 0
        self.total = 0
        self.looks = 0

    def add(self, work: int) -> None:
        """Count work."""
        self.work += work
        self.total += work
        self.most = max(self.most, self.work)

    def look(self, images: int) -> None:
        """Begin anew."""
        self.work = 0
        self.looks += 1


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    """A counter of all multiply-adds that are made, and a small bound on them."""
    counted = Counter()

    def counting(function: Callable[..., Any], images: int, times: int) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            counted.add(times * len(arguments[images]) * WEIGHTS)
            return function(*arguments)

        return called

    def hook(module: torch.nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        # A step has gradients by weights and units, an attack by units alone.
        times = 3 if module.training else 2
        if isinstance(module, torch.nn.Linear):
            counted.add(times * len(inputs[0]) * module.weight.numel())
        if isinstance(module, torch.nn.Conv2d):
            places = output[0, 0].numel()
            counted.add(times * len(inputs[0]) * module.weight.numel() * places)

    def counted_linear(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        counted.add(3 * len(x) * weight.numel())
        return torch.nn.functional.linear(x, weight)

    def counted_logits(kind: type[MLP] | type[Sequential]) -> Callable[..., FloatArray]:
        logits: Callable[..., FloatArray] = kind.logits

        def called(self: MLP | Sequential, x: FloatArray) -> FloatArray:
            counted.add(len(x) * self.work)
            return logits(self, x)

        return called

    monkeypatch.setattr(compiled, "_descend", counting(compiled._descend, 2, 3))
    monkeypatch.setattr(compiled, "_evaluate", counting(compiled._evaluate, 0, 1))
    monkeypatch.setattr("core.training.proof.linear", counted_linear)
    for kind in (MLP, Sequential):
        monkeypatch.setattr(kind, "logits", counted_logits(kind))
    monkeypatch.setattr(cost, "A_SECOND", BOUND)
    handle = torch.nn.modules.module.register_module_forward_hook(hook)
    yield counted
    handle.remove()


@pytest.mark.parametrize("name", RECIPES)
def test_stop_is_looked_for_after_a_bounded_amount_of_work(
    name: str, counter: Counter, training_digits: Digits, test_digits: Digits
) -> None:
    recipe, engine = RECIPES[name]
    training, validation = split(recipe, training_digits, first(test_digits, 1000))
    epochs = Epochs()
    for result in train(recipe, training, validation, engine=engine, on_progress=counter.look):
        epochs = epochs.after(result)
    trained = counter.total
    assert BOUND / 3 < counter.most <= BOUND
    outcome(
        recipe,
        epochs,
        training=training,
        validation=validation,
        test=first(test_digits, 1000),
        seconds=1,
        today="2026-01-02",
        stopped=False,
        on_progress=counter.look,
    )
    assert counter.total > trained
    assert counter.most <= BOUND
    assert counter.total <= estimate(recipe, training_digits, first(test_digits, 1000)).work
    assert counter.looks >= counter.total / BOUND


@pytest.mark.parametrize("work", [1, 3e5, 1e9, 1e12])
def test_pieces_cover_everything_once(work: float) -> None:
    for images in (0, 1, 255, 256, 257, 10_000):
        for whole in (1, 256):
            slices = list(pieces(images, work, whole=whole))
            covered = np.concatenate([np.r_[each] for each in slices] or [np.zeros(0)])
            np.testing.assert_array_equal(covered, np.arange(images))
            assert all(each.start % whole == 0 for each in slices)
            longest = max(cost.A_SECOND, work * whole)
            assert all((each.stop - each.start) * work <= longest for each in slices)


def test_what_pieces_compute_is_the_same_to_the_bit(
    monkeypatch: pytest.MonkeyPatch, training_digits: Digits, test_digits: Digits
) -> None:
    recipe = dataclasses.replace(RECIPE, weight_decay=1e-3, dropout=0.2, elastic=1)
    training, validation = split(recipe, training_digits, first(test_digits, 1000))
    *_, whole = train(recipe, training, validation)
    monkeypatch.setattr(cost, "A_SECOND", BOUND / 7)
    *_, pieced = train(recipe, training, validation)
    assert whole.logged == pieced.logged
    for one, other in zip(whole.network.arrays, pieced.network.arrays, strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_preset_is_within_the_limits(training_digits: Digits, test_digits: Digits) -> None:
    for recipe in PRESETS.values():
        Limits().check(estimate(recipe, training_digits, test_digits))
    long = dataclasses.replace(PRESETS["report"], epochs=1000)
    Limits().check(estimate(long, training_digits, test_digits))


@pytest.mark.parametrize(
    ("recipe", "number"),
    [
        (Recipe(hidden=(2048, 2048), epochs=1000), "3600 s"),
        (Recipe(hidden=(2048, 2048), batch_size=10_000, optimizer="adam"), "512 MB"),
        (Recipe(hidden=(1024,), batch_size=5000, optimizer="adam"), "1.2e+10"),
        (Recipe(convolutions=(64, 64), epochs=100, batch_size=32), "3600 s"),
        (Recipe(convolutions=(6, 16), batch_size=2200), "5.3e+09"),
        (Recipe(hidden=(8,) * 8, epochs=1000, batch_size=2, optimizer="adam"), "3600 s"),
    ],
)
def test_what_costs_too_much_is_refused_with_the_numbers(
    recipe: Recipe, number: str, training_digits: Digits, test_digits: Digits
) -> None:
    found = estimate(recipe, training_digits, test_digits)
    with pytest.raises(ValueError, match="this server allows") as error:
        Limits().check(found)
    assert number in str(error.value).replace(",", "")


def test_a_cost_grows_with_everything_that_costs(
    training_digits: Digits, test_digits: Digits
) -> None:
    def of(**changes: Any) -> cost.Cost:
        return estimate(dataclasses.replace(ADAM, **changes), training_digits, test_digits)

    base = of()
    longer: list[dict[str, Any]] = [
        {"epochs": 4},
        {"members": 2},
        {"training_images": 3000},
        {"adversary": "pgd"},
        {"adversary": "interval"},
    ]
    larger: list[dict[str, Any]] = [
        {"hidden": (2048,)},
        {"convolutions": (64,)},
        {"batch_size": 1500},
        {"training_images": 50_000},
    ]
    for more in longer:
        assert of(**more).work > 1.3 * base.work
    for more in larger:
        assert of(**more).memory > 1.4 * base.memory
    assert of(epochs=1000).memory - base.memory < 1e6  # the log alone
    assert of(batch_size=64).step > 1.3 * base.step


def test_limits_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("SMALL_CHANGE_TRAINING_SECONDS", raising=False)
    monkeypatch.setenv("SMALL_CHANGE_TRAINING_MB", "100")
    assert Limits.from_environment() == Limits(memory=100e6)
    monkeypatch.setenv("SMALL_CHANGE_TRAINING_SECONDS", "60.5")
    assert Limits.from_environment() == Limits(seconds=60.5, memory=100e6)
    assert not caplog.records
    for nonsense in ("much", "-1", "nan", "0"):
        monkeypatch.setenv("SMALL_CHANGE_TRAINING_SECONDS", nonsense)
        with caplog.at_level(logging.WARNING):
            assert Limits.from_environment().seconds == Limits().seconds
    assert len(caplog.records) == 4


MEASURED = {
    "wide": Recipe(hidden=(1500, 1500), epochs=3, training_images=300, held_out=50),
    "copied images": Recipe(hidden=(64,), epochs=2, held_out=30_000, patience=1),
    "Adam": Recipe(
        hidden=(1500, 1500), epochs=3, optimizer="adam", batch_size=500, training_images=1500
    ),
    "bounds": Recipe(
        hidden=(512, 512),
        epochs=2,
        adversary="interval",
        optimizer="adam",
        batch_size=10_000,
        training_images=10_000,
    ),
    "large batch": Recipe(
        hidden=(512, 512),
        epochs=2,
        optimizer="adam",
        batch_norm=True,
        batch_size=10_000,
        training_images=10_000,
        dropout=0.2,
    ),
    "convolutions": Recipe(
        convolutions=(16, 32),
        hidden=(120, 84),
        epochs=2,
        optimizer="adam",
        batch_norm=True,
        batch_size=2000,
        training_images=2000,
    ),
    "changed images": Recipe(
        hidden=(16,), epochs=1, elastic=1, stroke_width=1, refit=True, training_images=6000
    ),
    "ensemble": Recipe(hidden=(700, 700), epochs=2, members=5, training_images=100),
}


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the unit differs")
@pytest.mark.parametrize("name", MEASURED)
def test_a_training_takes_no_more_memory_than_estimated(
    name: str, training_digits: Digits, test_digits: Digits
) -> None:
    code = f"from tests.core.training.test_cost import *; grown({name!r})"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True)
    estimated = estimate(MEASURED[name], training_digits, first(test_digits, 500)).memory
    assert 0.2 * estimated < int(done.stdout) <= estimated


def grown(name: str) -> None:
    """Print how many bytes a training takes at most.

    NumPy's arrays are counted where they are made, because the memory of the process has the BLAS
    library's buffers in it, which differ between machines. PyTorch's can't be counted like that.
    """
    from core.data import mnist

    recipe, everything, test = MEASURED[name], mnist.load("train"), mnist.load("test")
    few = first(test, 500)
    small: dict[str, Any] = {"hidden": (8,), "members": 1, "training_images": 200, "epochs": 1}
    small |= {"batch_size": min(recipe.batch_size, 64), "held_out": min(recipe.held_out, 100)}
    tiny = dataclasses.replace(recipe, **small)  # imports and compiles all that is needed
    list(train(tiny, *split(tiny, everything, few)))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = peak()
    tracemalloc.start()
    training, validation = split(recipe, everything, few)
    epochs = Epochs()
    for result in train(recipe, training, validation):
        epochs = epochs.after(result)
    _, counted = tracemalloc.get_traced_memory()
    sys.stdout.write(str(counted if recipe.reproducible else peak() - before))


def peak() -> int:
    """Return the most bytes that this process has had in memory."""
    (line,) = (each for each in Path("/proc/self/status").read_text().splitlines() if "HWM" in each)
    return 1024 * int(line.split()[1])
