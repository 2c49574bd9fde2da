"""The units: what each hidden unit does without and with the attack, at the slider's place."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.classifier import FloatArray
from core.evaluation.units import Units, hidden_shapes, pixel_weights, watch
from core.networks import Single
from core.presentation.code import Shown
from core.serving.networks import ServedNetwork
from pages.parts.address import put_in_address, whole_number
from pages.parts.epsilon_explorer import AXES
from pages.parts.inside.opening import opened
from pages.parts.state import MEMBER, UNITS

MOST = 1024  # units; more are too many to be told apart
MOST_OF_MAPS = 6000  # numbers of all convolutions, for each place of the slider a byte
_FOLDER = Path(__file__).parent
_units = st.components.v2.component(
    "inside_units",
    html=(_FOLDER / "units.html").read_text("utf-8"),
    css=(_FOLDER / "units.css").read_text("utf-8"),
    js="".join((_FOLDER / name).read_text("utf-8") for name in ("drawing.js", "units.js")),
)


def show_units(shown: Shown, chosen: ServedNetwork) -> None:
    """Show the hidden units under an attack, computed once they are asked for."""
    view = opened(UNITS, "The units")
    member = None
    if view is not None:
        with view:
            member = _chosen_member(chosen)
            _show(shown, chosen.network.members[member or 0])
    put_in_address({MEMBER: str(member) if member else None})


def _chosen_member(chosen: ServedNetwork) -> int | None:
    """Return which member of an ensemble to look at; None if the network is no ensemble."""
    count = len(chosen.network.members)
    if count == 1:
        return None
    MEMBER.start(parse=whole_number(count - 1), default=0)
    MEMBER.set(min(MEMBER.get(), count - 1))  # the ensemble before may have had more
    st.write(
        f"This network is an ensemble: it averages the probabilities of {count} networks. "
        "Choose one of them to look into."
    )
    st.segmented_control(
        "Network of the ensemble",
        range(count),
        format_func=lambda member: str(member + 1),
        required=True,
        key=MEMBER.key,
        persist_state="session",
    )
    return MEMBER.get()


def _show(shown: Shown, network: Single) -> None:
    """Show a network's units, or say why they can't be shown."""
    try:
        shapes = hidden_shapes(network)
    except ValueError:
        st.write("This network's outputs are no sums of its hidden units, so these are not shown.")
        return
    hidden = sum(shape[0] for shape in shapes if len(shape) == 1)
    if not shapes:
        st.write("This network has no hidden units: its pixels lead straight to the ten digits.")
    elif len(shapes[-1]) > 1:
        st.write(
            "This network's convolutions lead straight to the ten digits. This view is about the "
            "units of a layer between them, as LeNet-5 has it, and there is none."
        )
    elif hidden > MOST:
        st.write(
            f"This network has {hidden:,} hidden units, too many to tell apart. Choose a "
            f"network with at most {MOST:,} to see what each one does."
        )
    else:
        maps = [shape for shape in shapes if len(shape) > 1]
        small = sum(map(math.prod, maps)) <= MOST_OF_MAPS
        if maps and small:
            st.write(
                "Each small picture is what a channel of a convolution passes on: first without "
                "the attack, then with it, then the change. Orange gets brighter, blue darker."
            )
        elif maps:
            st.write("This network's convolutions are too large to be shown; its last layers are.")
        st.write(
            "Each cell is a hidden unit: its upper half without the attack, its lower half with "
            "it, the brighter the more active. Compare the two halves. The attack makes some units "
            "more active and others less; the table shows which changes count most."
        )
        units = watch(network, shown.path.x_adv, maps=small)
        _units(data=message(shown, network, units), key="units_shown")


def message(shown: Shown, network: Single, units: Units) -> bytes:
    """Return all that the browser needs to follow the slider without the server.

    Four bytes with the length of a JSON text; the text; as float32 the budgets `(B,)`, the
    activations of each hidden layer `(B, units)`, the logits `(B, 10)`, the last layer's weights
    `(units, 10)`; as int32 which of those weights carry the change, `(B, K)`; as int8 the first
    layer's weights `(units, 784)`, scaled for each unit to ±127, if it is one of units; as int8
    what each convolution gives, `(B, channels, height, width)`, scaled for each to ±127.
    """
    places = range(len(units.logits))
    carriers = [unit * 10 + digit for unit, digit in map(units.carriers, places)]
    weights = pixel_weights(network)
    pictures, largest = (None, None) if weights is None else _as_bytes(weights.T)
    maps = [_as_bytes(each.reshape(1, -1))[0] for each in units.maps]
    numbers = [shown.path.scale.budgets, *units.activations, units.logits, units.weights]
    about: dict[str, Any] = {
        "axis": AXES[shown.path.scale.name],
        "attack": shown.method.name.replace("_", "-"),  # in the name of the downloaded picture
        "title": shown.method.title,
        "label": shown.label,
        "start": shown.place,
        "budgets": len(units.logits),
        "maps": [each.shape[1:] for each in units.maps],
        "before": len(hidden_shapes(network)) - len(units.activations),
        "hidden": [each.shape[1] for each in units.activations],
        "carriers": len(carriers[0]),
        "largest": None if largest is None else largest.round(4).tolist(),
    }
    head = json.dumps(about).encode()
    return (
        len(head).to_bytes(4, "little")
        + head
        + b"".join(array.astype("<f4").tobytes() for array in numbers)
        + np.array(carriers).astype("<i4").tobytes()
        + (b"" if pictures is None else pictures.tobytes())
        + b"".join(each.tobytes() for each in maps)
    )


def _as_bytes(weights: FloatArray) -> tuple[np.ndarray, FloatArray]:
    """Return each row as bytes from -127 to 127, and each row's largest absolute value."""
    largest: FloatArray = np.abs(weights).max(axis=1)
    scale = np.where(largest > 0, largest, 1)[:, None]
    return np.round(weights / scale * 127).astype(np.int8), largest
