"""An ensemble: several networks whose probabilities are averaged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from core.classifier import FloatArray
from core.networks.mlp import MLP
from core.networks.sequential import Sequential

Single: TypeAlias = MLP | Sequential  # a network that is no ensemble


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Networks whose softmax probabilities are averaged; an attack sees them as one network.

    Args:
        members: at least one, all with the same inputs, outputs and dtype. Their hidden layers
            may differ.

    Raises:
        ValueError: there is no member, or they differ in inputs, outputs or dtype.
    """

    members: tuple[Single, ...]

    def __post_init__(self) -> None:
        if not self.members:
            raise ValueError("members must hold at least one network")
        maps = [f"{m.sizes[0]} inputs to {m.sizes[-1]} outputs in {m.dtype}" for m in self.members]
        for number, own in enumerate(maps):
            if own != maps[0]:
                raise ValueError(
                    f"members must agree: members[0] maps {maps[0]}, members[{number}] {own}"
                )

    @property
    def parameter_count(self) -> int:
        """The number of weights and biases of all members."""
        return sum(member.parameter_count for member in self.members)

    def logits(self, x: FloatArray) -> FloatArray:
        """Return the log of the mean probabilities: `(N, inputs)` to `(N, outputs)`."""
        return self._log_mean(_log_softmax([member.logits(x) for member in self.members]))

    def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """Return the logits, and the pull-back through all members at once (see `Classifier`).

        Let p_kj be member k's probabilities and c the cotangent of log Σ_k p_kj. The cotangent of
        member k's logits is w_ki − p_ki Σ_j w_kj, where w_kj = c_j p_kj / Σ_k p_kj. It is computed
        in float64 from logarithms: confident members neither underflow nor overflow.
        """
        passes = [member.vjp(x) for member in self.members]
        log_p = _log_softmax([logits for logits, _ in passes])
        p = np.exp(log_p)
        shares = np.exp(log_p - _log_sum(log_p))  # p_kj / Σ_k p_kj
        dtype = self.members[0].dtype

        def pull_back(cotangent: FloatArray) -> FloatArray:
            w = cotangent * shares
            cotangents = (w - p * w.sum(axis=2, keepdims=True)).astype(dtype)
            gradient, *others = (
                pull(own) for (_, pull), own in zip(passes, cotangents, strict=True)
            )
            for other in others:
                gradient += other
            return gradient

        return self._log_mean(log_p), pull_back

    def _log_mean(self, log_p: FloatArray) -> FloatArray:
        """Return log(mean_k p_k) in the members' dtype: `(K, N, 10)` to `(N, 10)`."""
        log_mean: FloatArray = _log_sum(log_p) - np.log(len(self.members))
        return log_mean.astype(self.members[0].dtype)


Network: TypeAlias = Single | Ensemble  # what a file holds


def _log_softmax(logits: list[FloatArray]) -> FloatArray:
    """Return each member's log p in float64: K arrays `(N, 10)` to `(K, N, 10)`."""
    log_p = np.stack(logits).astype(np.float64)
    log_p -= log_p.max(axis=2, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(axis=2, keepdims=True))
    return log_p


def _log_sum(log_p: FloatArray) -> FloatArray:
    """Return log Σ_k p_k over the members: `(K, N, 10)` to `(N, 10)`."""
    largest = log_p.max(axis=0)
    log_sum: FloatArray = largest + np.log(np.exp(log_p - largest).sum(axis=0))
    return log_sum
