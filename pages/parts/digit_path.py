"""A digit's path under an attack, computed once for all who look at it.

It is not on the page that shows it, because a page runs anew at every click, and would make
another cache each time.
"""

import numpy as np
import streamlit as st

from core.attacks import METHODS
from core.classifier import Classifier
from core.evaluation import path


@st.cache_resource(max_entries=128, show_spinner=False)
def follow(
    _network: Classifier,
    network_name: str,
    network_version: int,
    attack: str,
    pixels: bytes,
    label: int,
    target: int | None,
) -> path.AttackPath:
    """A digit's path under an attack."""
    x = np.frombuffer(pixels, np.float32).reshape(1, 784)
    return path.follow(_network, METHODS[attack], x, label, target=target)
