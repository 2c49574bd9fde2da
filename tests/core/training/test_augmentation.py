"""Augmentation beside torchvision's transforms, one image at a time."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.classifier import FloatArray
from core.data.mnist import Digits
from core.data.torchvision_import import torchvision_datasets
from core.recipe import Recipe
from core.training.augmentation import augment

SOME = Recipe(rotation=20, shift=2, scaling=0.2, flip=True)


def augmented(x: FloatArray, recipe: Recipe, seed: int = 0) -> FloatArray:
    return augment(x, recipe, np.random.default_rng(seed))


def draws(recipe: Recipe, count: int, seed: int = 0) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what `augment` draws: each image's angle in degrees, scale, and move in x and y."""
    angle, size, *move = 2 * np.random.default_rng(seed).random((4, count)) - 1
    return recipe.rotation * angle, 1 + recipe.scaling * size, recipe.shift * np.stack(move, 1)


def moved(image: FloatArray, right: int, down: int) -> FloatArray:
    """Return a `(28, 28)` image moved by whole pixels, filled with black."""
    out = np.zeros((28 + 2 * 28, 28 + 2 * 28), image.dtype)
    out[28 + down : 56 + down, 28 + right : 56 + right] = image
    inside: FloatArray = out[28:56, 28:56]
    return inside


def test_next_to_no_change_returns_the_images(test_digits: Digits) -> None:
    x = test_digits.x[:50]
    nearly_nothing = Recipe(rotation=1e-4, shift=1e-4, scaling=1e-6)
    np.testing.assert_allclose(augmented(x, nearly_nothing), x, atol=1e-3)


def test_a_move_by_a_whole_pixel_moves_every_pixel_by_one() -> None:
    count, recipe = 10_000, Recipe(shift=2)
    image = np.random.default_rng(0).random((28, 28)).astype(np.float32)
    _, _, moves = draws(recipe, count)
    x = augmented(np.tile(image.reshape(1, 784), (count, 1)), recipe)
    whole = np.flatnonzero((np.abs(moves - moves.round()) < 0.03).all(axis=1))
    for signs in (moves[whole].round(), -moves[whole].round()):
        assert (signs > 0).any(axis=0).all()  # left, right, up and down
    for n in whole:
        right, down = (int(pixels) for pixels in moves[n].round())
        np.testing.assert_allclose(x[n].reshape(28, 28), moved(image, right, down), atol=0.07)


@pytest.mark.parametrize(
    "options",
    [
        {"rotation": 30},
        {"rotation": 180},
        {"shift": 3.5},
        {"scaling": 0.5},
        {"rotation": 20, "shift": 2, "scaling": 0.2},
    ],
)
def test_it_is_torchvision_s_affine(options: dict[str, Any], test_digits: Digits) -> None:
    torchvision_datasets()  # torchvision can be imported afterwards
    from torchvision.transforms import InterpolationMode, functional

    count, recipe = 10, Recipe(**options)
    x = test_digits.x[:count]
    ours = augmented(x, recipe)
    angles, sizes, moves = draws(recipe, count)
    for n in range(count):
        expected = functional.affine(
            torch.tensor(x[n]).reshape(1, 28, 28),
            angle=float(angles[n]),
            translate=[float(move) for move in moves[n]],
            scale=float(sizes[n]),
            shear=[0.0, 0.0],
            interpolation=InterpolationMode.BILINEAR,
        )
        np.testing.assert_allclose(ours[n], expected.numpy().reshape(784), atol=1e-5)
    assert np.abs(ours - x).max() > 0.5


def test_about_half_of_the_images_are_mirrored(test_digits: Digits) -> None:
    x = test_digits.x[:1000]
    mirrored = x.reshape(-1, 28, 28)[:, :, ::-1].reshape(-1, 784)
    out = augmented(x, Recipe(flip=True))
    same, other = (np.abs(out - images).max(axis=1) < 1e-4 for images in (x, mirrored))
    assert (same | other).all()
    assert 400 < other.sum() < 600


def test_images_are_mirrored_before_they_are_turned(test_digits: Digits) -> None:
    x = test_digits.x[:200]
    mirrored: FloatArray = x.reshape(-1, 28, 28)[:, :, ::-1].reshape(-1, 784).copy()
    plain: dict[str, Any] = {"rotation": 40, "shift": 2, "scaling": 0.2}
    out = augmented(x, Recipe(**plain, flip=True))
    turned = [augmented(images, Recipe(**plain)) for images in (x, mirrored)]
    same, other = (np.abs(out - images).max(axis=1) < 1e-4 for images in turned)
    assert (same ^ other).all()
    assert 60 < other.sum() < 140


@given(
    rotation=st.floats(0, 180),
    shift=st.floats(0, 14),
    scaling=st.floats(0, 0.5),
    flip=st.booleans(),
    seed=st.integers(0, 2**32),
    count=st.integers(1, 5),
)
def test_what_comes_out_is_images(
    rotation: float, shift: float, scaling: float, flip: bool, seed: int, count: int
) -> None:
    recipe = Recipe(rotation=rotation, shift=shift, scaling=scaling, flip=flip)
    x = np.random.default_rng(seed).random((count, 784)).astype(np.float32).round(1)
    before = x.copy()
    out = augmented(x, recipe, seed)
    assert out.shape == x.shape
    assert out.dtype == np.float32
    assert out.min() >= 0
    assert out.max() <= 1
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(out, augmented(x, recipe, seed))


def test_each_image_has_draws_of_its_own(test_digits: Digits) -> None:
    out = augmented(np.tile(test_digits.x[:1], (20, 1)), SOME)
    assert len(np.unique(out, axis=0)) == 20
    assert np.abs(out - augmented(np.tile(test_digits.x[:1], (20, 1)), SOME, seed=1)).max() > 0.1


def test_the_same_generator_goes_on_drawing(test_digits: Digits) -> None:
    rng = np.random.default_rng(0)
    one, two = (augment(test_digits.x[:3], SOME, rng) for _ in range(2))
    assert np.abs(one - two).max() > 0.1
