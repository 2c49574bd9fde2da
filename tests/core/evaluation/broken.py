"""Classifiers that deceive an attack, each made of a network that does not."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from core.classifier import Classifier, FloatArray
from core.losses import softmax

PullBack: TypeAlias = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Masked:
    """A network with a function applied to its images and their pixel gradient."""

    network: Classifier
    mask: Callable[[FloatArray, FloatArray], FloatArray]

    def logits(self, x: FloatArray) -> FloatArray:
        """See `Classifier`."""
        return self.network.logits(x)

    def vjp(self, x: FloatArray) -> tuple[FloatArray, PullBack]:
        """See `Classifier`."""
        logits, pull_back = self.network.vjp(x)
        return logits, lambda cotangent: self.mask(x, pull_back(cotangent))


@dataclass(frozen=True)
class Probabilities:
    """A network whose outputs are its probabilities, and their true derivatives."""

    network: Classifier

    def logits(self, x: FloatArray) -> FloatArray:
        """See `Classifier`."""
        return softmax(self.network.logits(x))

    def vjp(self, x: FloatArray) -> tuple[FloatArray, PullBack]:
        """See `Classifier`."""
        logits, pull_back = self.network.vjp(x)
        p = softmax(logits)

        def through_softmax(cotangent: FloatArray) -> FloatArray:
            return pull_back(p * (cotangent - np.vecdot(p, cotangent)[:, None]))

        return p, through_softmax


@dataclass(frozen=True)
class Scaled:
    """A network whose logits are multiplied by a factor, and their true derivatives."""

    network: Classifier
    factor: float

    def logits(self, x: FloatArray) -> FloatArray:
        """See `Classifier`."""
        return self.network.logits(x) * np.float32(self.factor)

    def vjp(self, x: FloatArray) -> tuple[FloatArray, PullBack]:
        """See `Classifier`."""
        logits, pull_back = self.network.vjp(x)
        factor = np.float32(self.factor)
        return logits * factor, lambda cotangent: pull_back(cotangent * factor)


@dataclass(frozen=True)
class Quantised:
    """A network that rounds its input to grey levels and gives the gradient at what it sees."""

    network: Classifier
    levels: int

    def _seen(self, x: FloatArray) -> FloatArray:
        steps = x.dtype.type(self.levels - 1)
        seen: FloatArray = np.round(x * steps) / steps
        return seen

    def logits(self, x: FloatArray) -> FloatArray:
        """See `Classifier`."""
        return self.network.logits(self._seen(x))

    def vjp(self, x: FloatArray) -> tuple[FloatArray, PullBack]:
        """See `Classifier`."""
        return self.network.vjp(self._seen(x))


def noisy(share: float) -> Callable[[FloatArray, FloatArray], FloatArray]:
    """Return a mask that makes a share of the gradient noise, of its own size in each image."""

    def mask(x: FloatArray, gradient: FloatArray) -> FloatArray:
        rng = np.random.default_rng(zlib.crc32(x.tobytes()))
        size = np.sqrt(np.square(gradient).mean(axis=1, keepdims=True))
        noise = rng.standard_normal(gradient.shape).astype(gradient.dtype)
        mixed: FloatArray = (1 - share) * gradient + share * size * noise
        return mixed

    return mask
