"""Random draws that follow from a seed and the image itself.

An image gets the same draws whatever it is batched with, and so it gets the same result.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from core import one_pass
from core.batches import in_batches
from core.classifier import FloatArray


def generator(seed: int, use: str, image: FloatArray) -> np.random.Generator:
    """Return a generator that the SHA-256 of all arguments seeds.

    Args:
        seed: any whole number.
        use: what the draws are for, so that two uses don't get the same ones.
        image: `(784,)`. The same pixels in float32 and in float64 give the same draws.
    """
    return np.random.Generator(np.random.PCG64(int.from_bytes(_digest(seed, use, image), "little")))


def uniform(seed: int, use: str, images: FloatArray) -> FloatArray:
    """Return draws from [−1, 1) in the shape and dtype of `images`, `(N, 784)`.

    A `generator` for each image would take longer than some steps of an attack. So pixel i of an
    image gets the i-th number of a SplitMix64 that starts at the SHA-256 of all arguments, and
    those of many images are made at once.
    """
    draws = np.empty_like(images)
    digits = np.finfo(draws.dtype).nmant + 1  # the bits of a number in [1/2, 1)

    def draw(rows: slice) -> None:
        digests = b"".join(_digest(seed, use, image)[:8] for image in images[rows])
        states = np.frombuffer(digests, "<u8").astype(np.uint64)
        if loops := one_pass.loops(draws):
            loops.draw(draws[rows], states)
            return
        bits = split_mix(states, draws.shape[1])
        bits >>= 64 - digits
        draws[rows] = bits
        draws[rows] *= 2.0 ** (1 - digits)
        draws[rows] -= 1

    in_batches(draw, len(draws))
    return draws


def split_mix(states: NDArray[np.uint64], count: int) -> NDArray[np.uint64]:
    """Return the next numbers of SplitMix64 from each of some states, `(N,)` to `(N, count)`.

    Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators", with the factors
    of Stafford's variant 13, as in Java's `SplittableRandom`.
    """
    step = np.uint64(0x9E3779B97F4A7C15)
    bits: NDArray[np.uint64] = states[:, None] + np.arange(1, count + 1, dtype=np.uint64) * step
    bits ^= bits >> 30
    bits *= 0xBF58476D1CE4E5B9
    bits ^= bits >> 27
    bits *= 0x94D049BB133111EB
    bits ^= bits >> 31
    return bits


def _digest(seed: int, use: str, image: FloatArray) -> bytes:
    pixels = image.astype("<f8") + 0.0  # this turns -0 into 0
    return hashlib.sha256(f"{seed} {use} ".encode() + pixels.tobytes()).digest()
