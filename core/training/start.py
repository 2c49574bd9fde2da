"""The start of a training: random weights, or an existing network."""

import numpy as np

from core.classifier import FloatArray
from core.networks import LIBRARY, MLP
from core.recipe import Recipe


def initial_network(recipe: Recipe) -> MLP:
    """Return an untrained network with weights uniform in ±1/√inputs, as in torch.nn.Linear."""
    rng = recipe.random_stream("initial weights")

    def uniform(bound: float, shape: tuple[int, ...]) -> FloatArray:
        # Not rng.uniform, whose product and sum a compiler may fuse.
        return (bound * (2 * rng.random(shape) - 1)).astype(np.float32)

    weights, biases = [], []
    for inputs, outputs in zip(recipe.sizes[:-1], recipe.sizes[1:], strict=True):
        bound = 1 / np.sqrt(inputs)
        weights.append(uniform(bound, (inputs, outputs)))
        biases.append(uniform(bound, (outputs,)))
    return MLP(tuple(weights), tuple(biases))


def load_start(recipe: Recipe) -> MLP | None:
    """Read the network that a recipe starts from; return None for random weights.

    Raises:
        ValueError: there is no such network, it is an ensemble, or it has other layers.
    """
    if not recipe.start:
        return None
    network, _ = LIBRARY.load(recipe.start)
    if not isinstance(network, MLP):
        raise ValueError(f"start: {recipe.start} is an ensemble; start from a single network")
    check_start(network, recipe)
    return network


def check_start(network: MLP, recipe: Recipe) -> None:
    """Check that a network has the recipe's layers.

    Raises:
        ValueError: it has other layers; the message names both.
    """
    if network.sizes != recipe.sizes:
        own, wanted = ("-".join(map(str, sizes)) for sizes in (network.sizes, recipe.sizes))
        raise ValueError(f"start: {recipe.start} has the layers {own}, the recipe {wanted}")
