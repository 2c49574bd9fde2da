"""Several networks that answer together: the mean of their probabilities."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.classifier import FloatArray
from core.networks.mlp import MLP


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Networks whose softmax probabilities are averaged; attacked as one, not one by one.

    Args:
        members: at least one, all with the same inputs, outputs and type; their hidden layers
            may differ.

    Raises:
        ValueError: there is no member, or they differ in inputs, outputs or type.
    """

    members: tuple[MLP, ...]

    def __post_init__(self) -> None:
        if not self.members:
            raise ValueError("members must hold at least one network")
        first, *others = map(_interface, self.members)
        for number, other in enumerate(others, start=1):
            if other != first:
                raise ValueError(
                    f"members must be alike: members[0] maps {first}, members[{number}] {other}"
                )

    def logits(self, x: FloatArray) -> FloatArray:
        """The log of the mean probabilities: `(N, inputs)` to `(N, outputs)`, in their type."""
        return self._log_mean(_log_softmax([member.logits(x) for member in self.members]))

    def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """The logits of `x`, and the pull-back through all members at once (see `Classifier`).

        With member k's probabilities p_kj and c the cotangent of log Σ_k p_kj, each member is
        given w_ki − p_ki Σ_j w_kj, where w_kj = c_j p_kj / Σ_k p_kj. All of it is computed in
        float64 from logarithms, so that confident members neither under- nor overflow.
        """
        passes = [member.vjp(x) for member in self.members]
        log_p = _log_softmax([logits for logits, _ in passes])
        p = np.exp(log_p)
        shares = np.exp(log_p - _log_sum(log_p))  # p_kj / Σ_k p_kj
        kind = passes[0][0].dtype

        def pull_back(cotangent: FloatArray) -> FloatArray:
            w = cotangent * shares
            cotangents = (w - p * w.sum(axis=2, keepdims=True)).astype(kind)
            gradient, *others = (
                pull(own) for (_, pull), own in zip(passes, cotangents, strict=True)
            )
            for other in others:
                gradient += other
            return gradient

        return self._log_mean(log_p), pull_back

    def _log_mean(self, log_p: FloatArray) -> FloatArray:
        """log(mean_k p_k) in the members' type: `(K, N, 10)` to `(N, 10)`."""
        log_mean: FloatArray = _log_sum(log_p) - np.log(len(self.members))
        return log_mean.astype(self.members[0].weights[0].dtype)


def _interface(member: MLP) -> str:
    """What members must share."""
    return f"{member.sizes[0]} inputs to {member.sizes[-1]} outputs in {member.weights[0].dtype}"


def _log_softmax(logits: list[FloatArray]) -> FloatArray:
    """Each member's log p in float64: K of `(N, 10)` to `(K, N, 10)`."""
    log_p = np.stack(logits).astype(np.float64)
    log_p -= log_p.max(axis=2, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(axis=2, keepdims=True))
    return log_p


def _log_sum(log_p: FloatArray) -> FloatArray:
    """The members' log Σ_k p_k: `(K, N, 10)` to `(N, 10)`."""
    largest = log_p.max(axis=0)
    log_sum: FloatArray = largest + np.log(np.exp(log_p - largest).sum(axis=0))
    return log_sum
