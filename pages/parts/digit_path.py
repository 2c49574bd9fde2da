"""A digit's path under an attack, computed once for all who look at it.

It is not on the page that shows it, because a page runs anew at every click, and would make
another cache each time.
"""

import numpy as np
import streamlit as st

from core.attacks import METHODS
from core.classifier import Classifier
from core.evaluation import scales
from core.evaluation.path import Path


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
    method = METHODS[attack]
    path = scales.follow(_network, method, x, label, target=target)
    return path, scales.random_flips(_network, scales.scale_of(method), x, path)
