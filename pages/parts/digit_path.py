"""A digit's path under an attack, computed once for all who look at it.

It is not on the page that shows it, because a page runs anew at every click, and would make
another cache each time.
"""

import numpy as np
import streamlit as st

from core.attacks import ATTACKS
from core.classifier import Classifier
from core.path import Path, random_flips, trace

EPSILONS = np.linspace(0, 0.5, 101)


@st.cache_resource(max_entries=128, show_spinner=False)
def follow(
    _network: Classifier,
    network_name: str,
    network_version: int,
    attack: str,
    pixels: bytes,
    label: int,
    target: int | None,
) -> tuple[Path, int]:
    """A digit's path under an attack, and how many of 100 random perturbations flip it too."""
    x = np.frombuffer(pixels, np.float32).reshape(1, 784)
    path = trace(
        _network,
        lambda epsilons: ATTACKS[attack](_network, x, [label], epsilons, target=target)[:, 0],
        EPSILONS,
        target=target,
    )
    return path, random_flips(_network, x, path.flip.epsilon) if path.flip else 0
