"""The compiled loops return NumPy's numbers, in every pixel, and NumPy does without them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from core import one_pass
from core.attacks import apgd, bim, draws, fgsm, mi_fgsm, pgd
from core.attacks.iterated import LinfBall
from core.attacks.square import Squares
from core.batches import BATCH
from core.classifier import FloatArray, IntArray
from core.networks.ensemble import Ensemble
from core.networks.mlp import MLP
from tests.conftest import random_mlp

ROOT = Path(__file__).parent.parent.parent
ATTACKS: dict[str, Callable[..., FloatArray]] = {
    "fgsm": fgsm,
    "bim": bim,
    "pgd": pgd,
    "mi_fgsm": mi_fgsm,
    "apgd": apgd,
}
EPSILONS = [0.0, 0.03, 0.3, 1.0]
ONE_PROGRAM = """
import sys
import numpy as np
from core import one_pass
from core.attacks import pgd
from core.networks import LIBRARY
network = LIBRARY.load("report")[0]
x = np.random.default_rng(0).random((int(sys.argv[1]), 784), np.float32)
x_adv = pgd(network, x, 3, [0.05, 0.1], steps=3)
print("numba" in sys.modules, one_pass.loops(x) is not None, float(x_adv.sum(dtype=np.float64)))
"""


@contextmanager
def numpy_alone() -> Iterator[None]:
    with (
        mock.patch.object(one_pass, "_loops", None),
        mock.patch.object(one_pass, "_missing", True),
    ):
        one_pass.load(10 * BATCH)
        assert one_pass.loops(np.zeros((1, 1))) is None
        yield


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_draws_are_the_same(dtype: type) -> None:
    x, _ = problem(5, dtype)
    with numpy_alone():
        expected = draws.uniform(7, "test", x)
    one_pass.load(len(x))
    assert one_pass.loops(x) is not None
    np.testing.assert_array_equal(draws.uniform(7, "test", x), expected)


def problem(seed: int, dtype: type, images: int = BATCH + 3) -> tuple[FloatArray, IntArray]:
    """Images with many pixels of 0 and of 1, as MNIST's have, and labels."""
    rng = np.random.default_rng(seed)
    x: FloatArray = np.clip(rng.normal(0.4, 0.6, (images, 784)), 0, 1).astype(dtype)
    assert (x == 0).mean() > 0.1 < (x == 1).mean()
    return x, rng.integers(0, 10, images)


def network(seed: int, dtype: type, kind: str) -> MLP | Ensemble:
    """A perceptron or an ensemble whose first ten pixels have no gradient at all."""

    def member(sizes: tuple[int, ...]) -> MLP:
        drawn = random_mlp(sizes, seed=seed, dtype=dtype)
        first = drawn.weights[0].copy()
        first[:10] = 0
        return MLP((first, *drawn.weights[1:]), drawn.biases)

    if kind == "perceptron":
        return member((784, 32, 16, 10))
    return Ensemble((member((784, 24, 10)), member((784, 10)), member((784, 16, 12, 10))))


@pytest.mark.thorough
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["perceptron", "ensemble"])
@pytest.mark.parametrize("name", ATTACKS)
def test_every_pixel_is_numpy_s(name: str, kind: str, dtype: type, targeted: bool) -> None:
    for seed in range(1 if name == "apgd" else 3):
        (x, y), classifier = problem(seed, dtype), network(seed, dtype, kind)
        attack, settings = ATTACKS[name], {} if name == "fgsm" else {"steps": 7}
        for epsilon in (0.1, EPSILONS):
            goal = {"target": (y + 1 + seed) % 10 if targeted else None}
            x_adv = attack(classifier, x, y, epsilon, **goal, **settings)
            assert one_pass.loops(x) is not None
            with numpy_alone():
                expected = attack(classifier, x, y, epsilon, **goal, **settings)
            assert x_adv.dtype == expected.dtype == dtype
            np.testing.assert_array_equal(x_adv, expected)
        np.testing.assert_array_equal(x_adv[0], x)
        assert (x_adv[1:] != x).any(axis=(1, 2)).all()


@pytest.mark.parametrize("always_changes", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_squares_are_numpy_s(dtype: type, always_changes: bool) -> None:
    x, _ = problem(3, dtype, images=40)
    epsilon: FloatArray = np.linspace(0.01, 0.5, 40).astype(dtype)[:, None]
    sides = [28, 17, 3, 1, 1]

    def searched() -> list[FloatArray]:
        candidates = Squares(x, epsilon, sides=sides, seed=1, always_changes=always_changes)
        here, found = candidates.start(), []
        for query in range(len(sides)):
            take_back = candidates.change(here, query)
            found.append(here.copy())
            take_back(np.arange(40) % 3 == query % 3)
            found.append(here.copy())
        return found

    one_pass.load(BATCH)
    assert one_pass.loops(x) is not None
    found = searched()
    with numpy_alone():
        expected = searched()
    np.testing.assert_array_equal(found, expected)
    changed, taken_back = np.array(found[::2]), np.array(found[1::2])
    for query in range(len(sides)):
        rows = (changed[query] != taken_back[query]).any(axis=1)
        assert rows.any()
        assert not rows[np.arange(40) % 3 != query % 3].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logits_and_gradients_are_numpy_s(dtype: type) -> None:
    x, _ = problem(0, dtype)
    classifier = network(1, dtype, "perceptron")
    cotangent: FloatArray = np.random.default_rng(2).normal(size=(len(x), 10)).astype(dtype)
    one_pass.load(BATCH)
    logits, pull_back = classifier.vjp(x)
    gradient = pull_back(cotangent)
    np.testing.assert_array_equal(pull_back(cotangent), gradient)
    with numpy_alone():
        expected, slowly = classifier.vjp(x)
        np.testing.assert_array_equal(slowly(cotangent), gradient)
    np.testing.assert_array_equal(logits, expected)


@pytest.mark.parametrize("name", ATTACKS)
def test_arrays_of_any_layout_and_of_two_dtypes(name: str) -> None:
    x, y = problem(0, np.float32)
    classifier = network(0, np.float32, "perceptron")
    settings = {} if name == "fgsm" else {"steps": 3}
    expected = ATTACKS[name](classifier, x, y, 0.1, **settings)
    frozen = x.copy()
    frozen.setflags(write=False)
    for same in (np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2], frozen):
        x_adv = ATTACKS[name](classifier, same, y, 0.1, **settings)
        np.testing.assert_array_equal(x_adv, expected)
    wide = ATTACKS[name](classifier, x.astype(np.float64), y, 0.1, **settings)
    with numpy_alone():
        slowly = ATTACKS[name](classifier, x.astype(np.float64), y, 0.1, **settings)
    np.testing.assert_array_equal(wide, slowly)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("alone", [False, True])
def test_a_direction_that_is_no_number(number: float, alone: bool) -> None:
    x, _ = problem(0, np.float32, images=3)
    ball = LinfBall(x, np.full((1, 1), 0.1, np.float32))
    direction = np.ones_like(x)
    direction[1, 783] = number
    one_pass.load(BATCH)
    with pytest.raises(ValueError, match="not a number"):
        if alone:
            with numpy_alone():
                ball.step(x.copy(), direction, np.full((1, 1), 0.01, np.float32))
        else:
            ball.step(x.copy(), direction, np.full((1, 1), 0.01, np.float32))


def run(images: int, program: str = ONE_PROGRAM, **environment: str) -> list[str]:
    """Attack so many images in a new process; return what it prints."""
    out = subprocess.run(
        [sys.executable, "-c", program, str(images)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return out.stdout.split()


def test_only_many_images_load_numba() -> None:
    assert run(BATCH - 1)[:2] == ["False", "False"]
    assert run(BATCH)[:2] == ["True", "True"]


def test_numpy_does_the_same_without_numba_or_its_cache() -> None:
    expected = run(BATCH)
    assert expected[:2] == ["True", "True"]
    missing = "import sys\nsys.modules['numba'] = None\n"
    assert run(BATCH, missing + ONE_PROGRAM)[1:] == ["False", expected[2]]
    nowhere = run(BATCH, NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator")
    assert nowhere == ["True", "False", expected[2]]
