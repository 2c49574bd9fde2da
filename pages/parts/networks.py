"""The networks that pages can choose from."""

from dataclasses import dataclass

import streamlit as st

from core.networks import LIBRARY, Card, Network, NetworkFileError
from pages.parts.address import one_of, start_from_address


@dataclass(frozen=True, eq=False)
class ChosenNetwork:
    """A network that has been read.

    Attributes:
        name: of its file, without the suffix.
        version: changes when the file does.
        network: to attack.
        card: what its file says about it.
    """

    name: str
    version: int
    network: Network
    card: Card


def load(name: str) -> ChosenNetwork:
    """Read a network once for all sessions, and again when its file has changed.

    Raises:
        NetworkFileError: there is no such network, or its file can't be used.
    """
    return _read(name, LIBRARY.version(name))


@st.cache_resource(max_entries=60, show_spinner=False)
def _read(name: str, version: int) -> ChosenNetwork:
    return ChosenNetwork(name, version, *LIBRARY.load(name))


def network_names() -> list[str]:
    """Return all networks' names; where there is none, the page says how to get one."""
    names = LIBRARY.names()
    if not names:
        st.error(
            "The folder models holds no network. Restore it from a fresh clone, or train one: "
            "`python -m core train report`"
        )
    return names


def chosen_network() -> ChosenNetwork | None:
    """Return the chosen network; None, after an error on the page, where it can't be used."""
    names = network_names()
    if not names:
        return None
    _start_from_address(names)
    name = st.session_state["model"]
    if name not in names:
        st.error(f"The network {name} no longer exists. Choose another one.")
        return None
    try:
        return load(name)
    except NetworkFileError as error:
        st.error(f"{error} Choose another network, or train it anew: `python -m core train report`")
        return None


def _start_from_address(names: list[str]) -> None:
    start_from_address("model", parse=one_of(names), default=names[0])


def show_network_choice() -> None:
    """Show a selection box of the networks."""
    if names := LIBRARY.names():
        _start_from_address(names)
        st.selectbox("Network", names, key="model", persist_state="session", width=165)
