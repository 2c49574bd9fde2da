"""Random draws that follow from a seed and the image itself.

An image gets the same draws whatever it is batched with, and so it gets the same result.
"""

import hashlib

import numpy as np

from core.classifier import FloatArray


def generator(seed: int, use: str, image: FloatArray) -> np.random.Generator:
    """Return a generator that the SHA-256 of all arguments seeds.

    Args:
        seed: any whole number.
        use: what the draws are for, so that two uses don't get the same ones.
        image: `(784,)`. The same pixels in float32 and in float64 give the same draws.
    """
    pixels = image.astype("<f8") + 0.0  # this turns -0 into 0
    digest = hashlib.sha256(f"{seed} {use} ".encode() + pixels.tobytes()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))


def uniform(seed: int, use: str, images: FloatArray) -> FloatArray:
    """Return draws from [−1, 1) in the shape and dtype of `images`, `(N, 784)`."""
    draws = np.empty_like(images)
    for image, out in zip(images, draws, strict=True):
        out[:] = generator(seed, use, image).random(len(image))
    draws *= 2
    draws -= 1
    return draws
