"""Augmentation beside torchvision's transforms, one image at a time."""

from dataclasses import replace
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
from core.training.augmentation import _elastic_field, augment

SOME = Recipe(rotation=20, shift=2, scaling=0.2, flip=True)
ALL = replace(SOME, shear=0.3, stretching=0.3, elastic=2, stroke_width=0.7, hooks=0.5, refit=True)


def augmented(x: FloatArray, recipe: Recipe, seed: int = 0) -> FloatArray:
    return augment(x, np.ones(len(x), np.int64), recipe, np.random.default_rng(seed))


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


def warped(x: FloatArray, u: FloatArray, v: FloatArray) -> FloatArray:
    """Sample `(N, 784)` images at columns `u` and rows `v`, `(N, 28, 28)`, by PyTorch."""
    grid = torch.tensor(np.stack([u, v], axis=-1) * 2 / 27 - 1).float()
    images = torch.tensor(x).reshape(-1, 1, 28, 28)
    sampled: FloatArray = torch.nn.functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="zeros", align_corners=True
    ).numpy()
    return sampled.reshape(len(x), 784)


ROWS, COLUMNS = np.mgrid[0:28, 0:28].astype(float)


@pytest.mark.parametrize(
    "options",
    [
        {"shear": 0.6},
        {"stretching": 0.4},
        {"rotation": 25, "shift": 2, "scaling": 0.2, "shear": 0.4, "stretching": 0.3},
    ],
)
def test_an_image_is_stretched_then_sheared_then_turned(
    options: dict[str, Any], test_digits: Digits
) -> None:
    count, recipe = 20, Recipe(**options)
    x = test_digits.x[:count]
    rng = np.random.default_rng(0)
    angle, size, across, down = 2 * rng.random((4, count)) - 1
    slant = recipe.shear * (2 * rng.random(count) - 1) if recipe.shear else np.zeros(count)
    stretch = recipe.stretching * (2 * rng.random((2, count)) - 1) if recipe.stretching else 0
    wide, tall = np.ones((2, count)) + stretch
    turn, size = np.radians(recipe.rotation * angle), 1 + recipe.scaling * size
    u, v = np.empty((2, count, 28, 28))
    for n in range(count):
        cos, sin = np.cos(turn[n]), np.sin(turn[n])
        forward = size[n] * np.array([[cos, -sin], [sin, cos]])
        forward = forward @ [[1, -slant[n]], [0, 1]] @ np.diag([wide[n], tall[n]])
        move = 13.5 + recipe.shift * np.array([across[n], down[n]])
        pixels = np.stack([COLUMNS.ravel(), ROWS.ravel()]) - move[:, None]
        u[n], v[n] = (np.linalg.inv(forward) @ pixels + 13.5).reshape(2, 28, 28)
    found = augmented(x, recipe)
    np.testing.assert_allclose(found, warped(x, u, v), atol=1e-4)
    assert np.abs(found - x).max() > 0.5


def test_elastic_distortion_moves_pixels_by_smoothed_noise(test_digits: Digits) -> None:
    count, largest = 10, 3.0
    x = test_digits.x[:count]
    rng = np.random.default_rng(0)
    rng.random((4, count))
    sizes = largest * rng.random(count)
    noise = torch.tensor(2 * rng.random((count, 2, 28, 28), np.float32) - 1).double()
    gaussian = np.exp(-(np.arange(-12, 13) ** 2) / (2 * 4**2))
    kernel = torch.tensor(np.outer(gaussian, gaussian) / (gaussian**2).sum() * 3**0.5)
    smooth = torch.nn.functional.conv2d(
        noise.reshape(-1, 1, 28, 28), kernel[None, None], padding=12
    ).reshape(noise.shape)
    moves = smooth.numpy() * sizes[:, None, None, None]
    expected = warped(x, COLUMNS + moves[:, 0], ROWS + moves[:, 1])
    found = augmented(x, Recipe(elastic=largest))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(found - x).max() > 0.5


def test_elastic_moves_have_the_recipe_s_size_and_are_smooth() -> None:
    count, largest = 2000, 2.0
    field = _elastic_field(largest, count, np.random.default_rng(0))
    inside = field[:, :, 8:20, 8:20].astype(float)
    # The sizes are uniform from 0 to the largest, so their mean square is a third of its square.
    assert np.sqrt((inside**2).mean()) == pytest.approx(largest / 3**0.5, rel=0.05)
    steps = np.diff(inside, axis=3)
    # Neighbours of Gaussian-smoothed noise differ by 1 / (√2 σ) of its standard deviation.
    assert np.sqrt((steps**2).mean() / (inside**2).mean()) == pytest.approx(0.177, rel=0.05)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rotation": 20, "shear": 0.4, "stretching": 0.4},
        {"rotation": 20, "shear": 0.4, "stretching": 0.4, "elastic": 1},
    ],
)
def test_a_digit_is_fitted_and_centred_again(options: dict[str, Any], test_digits: Digits) -> None:
    count = 500
    loose = Recipe(shift=3, scaling=0.3)
    x = augmented(test_digits.x[:count], loose)
    found = augmented(x, Recipe(**options, refit=True)).reshape(-1, 28, 28).astype(float)
    mass = found.sum(axis=(1, 2))
    for axis in (1, 2):
        centre = found.sum(axis=axis) @ np.arange(28) / mass
        assert np.abs(centre - 14).mean() < 0.3
    sides = np.array([max(np.ptp(np.nonzero(image > 0.1), axis=1)) + 1 for image in found])
    assert np.abs(sides - 20).mean() < 1
    assert np.abs(sides - 20).max() <= 4


def test_scaling_and_shift_come_on_top_of_fitting(test_digits: Digits) -> None:
    x = test_digits.x[:200]
    recipe = Recipe(shift=3, scaling=0.3, refit=True)
    _, sizes, moves = draws(recipe, 200)
    inside = sizes < 0.9  # a larger digit may leave the image
    found = augmented(x, recipe).reshape(-1, 28, 28).astype(float)
    mass = found.sum(axis=(1, 2))
    for axis in (0, 1):
        centre = found.sum(axis=axis + 1) @ np.arange(28) / mass
        np.testing.assert_allclose(centre[inside] - 14, moves[inside, axis], atol=0.4)
    sides = np.array([max(np.ptp(np.nonzero(image > 0.1), axis=1)) + 1 for image in found])
    np.testing.assert_allclose(sides[inside], 20 * sizes[inside], atol=2)


def test_black_images_stay_black() -> None:
    black = np.zeros((5, 784), np.float32)
    np.testing.assert_array_equal(augmented(black, ALL), black)


def test_a_recipe_of_no_change_changes_nothing(test_digits: Digits) -> None:
    x = test_digits.x[:100]
    np.testing.assert_array_equal(augmented(x, Recipe()), x)


@pytest.mark.parametrize("flip", [False, True])
def test_kinds_that_are_off_draw_nothing(flip: bool, test_digits: Digits) -> None:
    x, y = test_digits.x[:7], test_digits.y[:7]
    rng, expected = np.random.default_rng(0), np.random.default_rng(0)
    augment(x, y, Recipe(rotation=5, refit=True, flip=flip), rng)
    expected.random(4 * 7 + 7 * flip)
    assert rng.random() == expected.random()


def test_1s_and_7s_get_hooks(test_digits: Digits) -> None:
    x, y = test_digits.x[:500], test_digits.y[:500]
    out = augment(x, y, Recipe(hooks=1), np.random.default_rng(0))
    changed = (out != x).any(axis=1)
    assert set(y[changed]) == {1, 7}
    assert changed[np.isin(y, (1, 7))].mean() > 0.95


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
    shear=st.floats(0, 1),
    stretching=st.floats(0, 0.5),
    elastic=st.floats(0, 5),
    stroke_width=st.floats(0, 1),
    hooks=st.floats(0, 1),
    refit=st.booleans(),
    flip=st.booleans(),
    seed=st.integers(0, 2**32),
    count=st.integers(1, 5),
)
def test_what_comes_out_is_images(seed: int, count: int, **options: Any) -> None:
    recipe = Recipe(**options)
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
    one, two = (augment(test_digits.x[:3], test_digits.y[:3], SOME, rng) for _ in range(2))
    assert np.abs(one - two).max() > 0.1
