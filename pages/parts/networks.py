"""The networks that a page can choose from."""

from collections.abc import Sequence

import streamlit as st

from core.networks import LIBRARY, NetworkFileError, shown_name
from core.presentation.words import on_networks
from core.serving.networks import ServedNetwork
from pages.parts.address import one_of
from pages.parts.escaped import escaped
from pages.parts.server import server
from pages.parts.state import MODEL

NO_NETWORK = (
    "The folder models holds no network. Restore it from a fresh clone, or train one: "
    "`python -m core train report`"
)


_GONE = "network_gone"  # a name in the session; "" if the address asks for none that is missing


def network_names() -> list[str]:
    """Return the names of all networks; show an error if there are none."""
    names = LIBRARY.names()
    if not names:
        st.error(NO_NETWORK)
    return names


def chosen_network() -> ServedNetwork | None:
    """Return the chosen network; show an error and return None if it can't be used."""
    network, problem = found_network()
    if problem:
        st.error(problem)
    elif gone := st.session_state.get(_GONE):
        st.warning(
            f"The address asks for the network *{escaped(shown_name(gone), most=60)}*, which is "
            f"not here (any more). You see *{escaped(shown_name(MODEL.get()))}*."
        )
    return network


def found_network() -> tuple[ServedNetwork | None, str]:
    """Return the chosen network, or None and a sentence, in Markdown, that says why."""
    names = LIBRARY.names()
    if not names:
        return None, NO_NETWORK
    _start(names)
    name = MODEL.get()
    if name not in names:
        gone = f"The network {escaped(shown_name(name))} no longer exists. Choose another one."
        return None, gone
    try:
        return server().network(name), ""
    except NetworkFileError as error:
        again = "Choose another network, or train this one again: `python -m core train report`"
        return None, f"{escaped(str(error))} {again}"


def show_network_choice() -> None:
    """Show a selection box of the networks."""
    if names := LIBRARY.names():
        _start(names)
        st.selectbox(
            "Network",
            names,
            format_func=shown_name,
            key=MODEL.key,
            persist_state="session",
            width=165,
            help=on_networks(names),
            on_change=_forget_gone,
        )


def _start(names: Sequence[str]) -> None:
    """Read the network from the address; note one that is missing until somebody chooses."""
    if MODEL.start(parse=one_of(names), default=names[0]):
        wanted = st.query_params.get(MODEL.name, "")
        st.session_state[_GONE] = "" if wanted in names else wanted


def _forget_gone() -> None:
    st.session_state[_GONE] = ""
