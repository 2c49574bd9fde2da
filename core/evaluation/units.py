"""What a perceptron's hidden units do under an attack, and what carries their change further."""

from dataclasses import dataclass

import numpy as np

from core.classifier import FloatArray, IntArray
from core.networks import MLP


@dataclass(frozen=True, eq=False)
class Units:
    """The hidden units of a network on one image, under every budget of an attack.

    Attributes:
        activations: one `(B, units)` array a hidden layer, after ReLU.
        logits: `(B, 10)`.
        weights: `(units, 10)`, from the last hidden layer to the logits.
    """

    activations: tuple[FloatArray, ...]
    logits: FloatArray
    weights: FloatArray

    def contributions(self, budget: int) -> FloatArray:
        """Return what each weight of the last layer adds to the change of its logit.

        A contribution is the weight times the change of its unit's activation since the first
        budget. Those of all units add up to the change of the logit: the biases stay.

        Args:
            budget: its place among the B budgets.

        Returns:
            `(units, 10)`, in float64.
        """
        last = self.activations[-1].astype(np.float64)
        contributions: FloatArray = (last[budget] - last[0])[:, None] * self.weights
        return contributions

    def carriers(self, budget: int, count: int = 10) -> tuple[IntArray, IntArray]:
        """Return the weights with the largest contributions, the largest absolute value first.

        Args:
            budget: its place among the B budgets.
            count: how many; fewer if the last layer has fewer weights.

        Returns:
            The units and the digits that they connect, `(count,)` each.
        """
        sizes = np.abs(self.contributions(budget)).ravel()
        largest = np.argsort(-sizes, kind="stable")[:count]
        units, digits = np.divmod(largest, self.weights.shape[1])
        return units, digits


def watch(network: MLP, x_adv: FloatArray) -> Units:
    """Return what a network's units do.

    Args:
        network: the network.
        x_adv: `(B, 784)`, an image under each budget; the first one is the clean image.

    Raises:
        ValueError: the network has no hidden units, or `x_adv` is not of that shape.
    """
    *hidden, logits = network.activations(x_adv)
    if not hidden:
        raise ValueError("the network has no hidden units")
    return Units(tuple(hidden), logits, network.weights[-1])
