"""The map: the plane through the digit, the attack's image and a third image."""

import streamlit as st

from core.attacks import WAY
from core.classifier import FloatArray
from core.evaluation.plane import Surroundings
from core.presentation.code import Shown
from core.presentation.plane import map_chart, on_map
from core.serving.networks import ServedNetwork
from pages.parts import downloads
from pages.parts.address import one_of, put_in_address
from pages.parts.epsilon_explorer import AXES
from pages.parts.inside.opening import opened
from pages.parts.server import server
from pages.parts.state import ACROSS, MAP

RUNNER_UP, RANDOM = "runner-up", "random"


def show_plane(shown: Shown, chosen: ServedNetwork, x: FloatArray) -> None:
    """Show the map around a digit, computed once it is opened.

    Arguments are those of `pages.parts.inside.walk.show_walk`.
    """
    ACROSS.start(parse=one_of([RUNNER_UP, RANDOM]), default=RUNNER_UP)
    place = opened(MAP, "The map: what the network sees around it", tells_flip=True)
    put_in_address({ACROSS: ACROSS.get() if MAP.get() else None})
    if place is None:
        return
    method, label = shown.method, shown.label
    with place:
        st.segmented_control(
            "Across the attack's direction",
            [RUNNER_UP, RANDOM],
            format_func={RUNNER_UP: "Towards the runner-up", RANDOM: "Random noise"}.__getitem__,
            required=True,
            key=ACROSS.key,
            persist_state="session",
        )
        try:
            around = server().evaluations.surroundings(
                chosen,
                *(method, x, label, shown.target, shown.budget),
                random=ACROSS.get() == RANDOM,
            )
        except ValueError:
            st.write("The two directions are the same here. Choose the other one.")
            return
        if around is None:
            st.write("The attack changes nothing here, so there is no direction to show.")
            return
        axis = AXES[method.scale.name]
        budget = f"{axis['factor'] * around.budget:.{axis['digits']}f}{axis['unit']}"
        st.write(
            "Each point stands for 784 pixels, and its colour is the digit that the network sees "
            "in them; the paler, the less sure. Look for how near the border is in the attack's "
            f"direction, to the right, and how far it is across. {_upwards(around)} The attack's "
            f"image is the one at {axis['name']} = {budget}."
        )
        st.plotly_chart(
            map_chart(around),
            config=downloads.chart(f"map-{label}-{method.name}-{ACROSS.get()}"),
            key="map_chart",
        )
        near = f"within {axis['name']} = {budget} of the digit"
        if method.scale is WAY:
            near = "as near to the digit as the attack's"
        said = f"{on_map(around)} Inside the dashed line: the images {near}."
        if around.trail is not None:
            said += " Dots: the attack's steps, seen from straight above the plane."
        st.caption(said)


def _upwards(around: Surroundings) -> str:
    """Say where the map's other direction leads."""
    if around.towards is None:
        return "Upwards leads a change of the same size, lighter or darker at random in each pixel."
    return (
        f"Upwards leads towards {around.towards}, the runner-up: the most probable digit apart "
        "from those that the network sees without and with the attack."
    )
