"""Networks: perceptrons, convolutional networks, ensembles, their files, and the shared library.

`core.networks.torch_module` turns any PyTorch module into a classifier. It has to be imported by
itself.
"""

from core.networks.card import Card, LoggedEpoch, Origin
from core.networks.ensemble import Ensemble, Network, Single
from core.networks.file import SUFFIX, NetworkFileError, load_file, parse, save_file
from core.networks.library import (
    LIBRARY,
    Library,
    LibraryError,
    shown_name,
)
from core.networks.mlp import MLP
from core.networks.sequential import Sequential
from core.validate import MAX_NAME, NetworkNameError

__all__ = [
    "LIBRARY",
    "MAX_NAME",
    "MLP",
    "SUFFIX",
    "Card",
    "Ensemble",
    "Library",
    "LibraryError",
    "LoggedEpoch",
    "Network",
    "NetworkFileError",
    "NetworkNameError",
    "Origin",
    "Sequential",
    "Single",
    "load_file",
    "parse",
    "save_file",
    "shown_name",
]
