"""The walk: an iterated attack's steps on the digit, one by one."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.attacks import Method
from core.classifier import FloatArray
from core.evaluation.walk import Walk
from core.presentation.code import Shown
from core.presentation.walk import NORMS, on_no_walk, on_walk, steps_chart
from core.serving.networks import ServedNetwork
from pages.parts import downloads
from pages.parts.inside.opening import opened
from pages.parts.server import server
from pages.parts.state import WALK

_FOLDER = Path(__file__).parent / "walk_player"
_player = st.components.v2.component(
    "walk_player",
    html=(_FOLDER / "player.html").read_text("utf-8"),
    css=(_FOLDER / "player.css").read_text("utf-8"),
    js=(_FOLDER / "player.js").read_text("utf-8"),
)


def show_walk(shown: Shown, chosen: ServedNetwork, x: FloatArray) -> None:
    """Show the steps of an attack at the slider's ε, recorded once this is opened.

    Args:
        shown: the attack, and where the slider has come to rest.
        chosen: the network under attack.
        x: `(1, 784)`, the digit.
    """
    place = opened(WALK, "The walk: the attack step by step", tells_flip=True)
    if place is None:
        return
    method, label = shown.method, shown.label
    with place:
        walk = server().evaluations.walk(chosen, method, x, label, shown.target, shown.budget)
        if walk is None:
            st.write(on_no_walk(method))
            return
        st.write(
            "Look for the step at which the digit changes, and for what the loss does before and "
            f"after it. {on_walk(walk, method, label=label)}"
        )
        _player(data=_content(walk, method, label), key="walk_player")
        st.plotly_chart(
            steps_chart(walk),
            config=downloads.chart(f"walk-{label}-{method.name}"),
            key="walk_chart",
        )
        st.caption(
            "Orange pixels get lighter, blue pixels get darker. What leaves the budget or the "
            "range from black to white is taken back after each step."
        )


def _content(walk: Walk, method: Method, label: int) -> bytes:
    """Return what the player shows, as it reads it."""
    # The largest change of each step has the full colour.
    largest = np.abs(walk.moves).max(axis=1, keepdims=True)
    largest[largest == 0] = 1
    changes = [
        np.clip(127 * each / largest, -127, 127).round().astype(np.int8).tobytes()
        for each in (walk.moves, walk.x_adv - walk.moved)
    ]
    pictures = (walk.shown * 255).round().astype(np.uint8).tobytes() + b"".join(changes)
    digits = {"linf": 3, "l2": 2, "l0": 0}[method.norm]
    about: dict[str, Any] = {
        "epsilon": walk.epsilon,
        "label": label,
        "labels": walk.predictions.tolist(),
        "confidence": walk.probabilities.max(axis=1).round(4).tolist(),
        "loss": walk.loss.round(5).tolist(),
        "distance": walk.distance.round(5).tolist(),
        "counts": walk.taken_back.tolist(),
        "flip": walk.flip,
        "norm": NORMS[method.norm],
        "digits": digits,
        "budget": "" if walk.epsilon is None else f" of at most {walk.epsilon:.{digits}f}",
    }
    about["id"] = hashlib.sha1(pictures + repr(about).encode(), usedforsecurity=False).hexdigest()
    head = json.dumps(about).encode()
    return len(head).to_bytes(4, "little") + head + pictures
