"""Training: a generator that yields one report an epoch, on one of two engines.

`loop` trains by a `core.recipe.Recipe`, `outcome` measures what came of it, `terminal` prints it.
"""

from core.training.loop import ENGINES, EpochReport, of_digits, split, train
from core.training.start import initial_network, load_start

__all__ = [
    "ENGINES",
    "EpochReport",
    "initial_network",
    "load_start",
    "of_digits",
    "split",
    "train",
]
