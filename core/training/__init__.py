"""Training by a `core.recipe.Recipe`: a generator that yields after each epoch.

`loop` trains, on one of two engines; `outcome` measures the network to keep.
"""

from core.training.loop import ENGINES, EpochResult, of_digits, split, train
from core.training.start import initial_network, load_start

__all__ = [
    "ENGINES",
    "EpochResult",
    "initial_network",
    "load_start",
    "of_digits",
    "split",
    "train",
]
