"""The ε explorer: one image under every budget, redrawn in the browser while the slider moves."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.attacks import L2, LINF, WAY, Method
from core.evaluation.path import AttackPath
from core.measures import linf_norm
from pages.parts import copy_link
from pages.parts.state import EPSILON

# How the slider shows its budgets: name, factor, decimals, unit.
AXES: Mapping[str, dict[str, Any]] = {
    LINF.name: {"name": "ε", "factor": 1, "digits": 3, "unit": ""},
    L2.name: {"name": "ε (L2)", "factor": 1, "digits": 2, "unit": ""},
    WAY.name: {"name": "way", "factor": 100, "digits": 0, "unit": "%"},
}
_FOLDER = Path(__file__).parent
_SCRIPTS = ("message.js", "pictures.js", "network.js", "explorer.js")
_explorer = st.components.v2.component(
    "epsilon_explorer",
    html=(_FOLDER / "explorer.html").read_text("utf-8"),
    css=copy_link.CSS + (_FOLDER / "explorer.css").read_text("utf-8"),
    js=copy_link.JS + "".join((_FOLDER / name).read_text("utf-8") for name in _SCRIPTS),
)


def epsilon_explorer(
    path: AttackPath,
    *,
    name: str,
    method: Method,
    label: int,
    on_label: Callable[[int], None],
    sentence: str,
    on_epsilon: Callable[[float], None],
    start: float,
    placed: int,
    key: str,
) -> None:
    """Show a path with a slider that works without the server.

    Args:
        path: the image under every budget. The pictures are shown on 256 grey levels; the verdicts
            are of the same pictures if the path was followed on as many.
        name: the network's.
        method: the attack.
        label: the true label.
        on_label: called with the new label when somebody changes it.
        sentence: describes the whole path.
        on_epsilon: called with the budget where the slider has come to rest.
        start: the first budget shown; later the slider keeps its position when the path changes.
        placed: counts how often the slider is placed at `start` again.
        key: the component's key in the session state.
    """
    linf = linf_norm(path.x_adv[0], path.x_adv)
    table = np.column_stack([path.scale.budgets, path.l2_norm, linf, path.probabilities])
    frames = (path.x_adv * 255).round().astype(np.uint8)
    numbers = table.astype("<f8").tobytes() + frames.tobytes()
    about: dict[str, Any] = {
        "axis": AXES[path.scale.name],
        "flip": path.flip and {"epsilon": path.flip.epsilon, "after": path.flip.after},
        "attack": method.name.replace("_", "-"),  # in the names of downloaded pictures
        "parameter": EPSILON.name,
        "label": label,
        "sentence": sentence,
        "name": name,
        "second": None,
    }
    about["id"] = hashlib.sha1(numbers + repr(about).encode(), usedforsecurity=False).hexdigest()
    head = json.dumps({**about, "start": start, "placed": placed, "budgets": len(table)}).encode()
    # Bytes reach the browser unchanged. As JSON they would be 1.5 times as large and parsed twice.
    _explorer(
        data=len(head).to_bytes(4, "little") + head + numbers,
        on_epsilon_change=lambda: on_epsilon(float(st.session_state[key]["epsilon"])),
        on_label_change=lambda: on_label(int(st.session_state[key]["label"])),
        key=key,
    )
