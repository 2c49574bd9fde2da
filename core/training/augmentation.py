"""Images changed a little, anew each time they are seen."""

import numpy as np
import torch

from core.classifier import FloatArray
from core.recipe import Recipe

_SIDE = 28


def augment(x: FloatArray, recipe: Recipe, rng: np.random.Generator) -> FloatArray:
    """Each image turned, moved, scaled and mirrored at random, within the recipe's bounds.

    What torchvision's RandomAffine and RandomHorizontalFlip do, but with other draws for each
    image, all at once. Pixels are interpolated bilinearly; what comes in from outside is black.

    Args:
        x: `(N, 784)` float32 pixels in [0, 1].
        recipe: says by how much.
        rng: is drawn from.

    Returns:
        `(N, 784)` float32 pixels in [0, 1].
    """
    count = len(x)
    angle = np.radians(recipe.rotation) * rng.uniform(-1, 1, count)
    size = 1 + recipe.scaling * rng.uniform(-1, 1, count)
    move = recipe.shift * rng.uniform(-1, 1, (count, 2))
    mirror = np.where(rng.random(count) < 0.5, -1, 1) if recipe.flip else np.ones(count)
    # From a place in the new image to one in the old: back to the middle, unscaled, unturned.
    cosine, sine = np.cos(angle) / size, np.sin(angle) / size
    turn = np.stack(
        [np.stack([mirror * cosine, mirror * sine], 1), np.stack([-sine, cosine], 1)], 1
    )
    offset = -turn @ (2 * move / _SIDE)[:, :, None]  # the image spans -1 to 1
    places = torch.nn.functional.affine_grid(
        torch.from_numpy(np.concatenate([turn, offset], axis=2).astype(np.float32)),
        [count, 1, _SIDE, _SIDE],
        align_corners=False,
    )
    images = torch.tensor(x).reshape(count, 1, _SIDE, _SIDE)
    changed = torch.nn.functional.grid_sample(images, places, align_corners=False)
    pixels: FloatArray = changed.reshape(count, -1).clamp(0, 1).numpy()
    return pixels
