"""The networks that pages can choose from."""

from dataclasses import dataclass

import streamlit as st

from core.networks import models
from pages.parts.address import one_of, start_from_address


@dataclass(frozen=True, eq=False)
class ChosenNetwork:
    """A network that has been read.

    Attributes:
        name: its file's, without the suffix.
        version: differs when the file has changed.
        network: to attack.
        card: what its file says of it.
    """

    name: str
    version: int
    network: models.Network
    card: models.Card


@st.cache_resource(max_entries=20, show_spinner=False)
def _load(name: str, version: int) -> tuple[models.Network, models.Card]:
    """A network, read once for all sessions as long as its file stays the same."""
    return models.load(models.path_of(name))


def chosen_network() -> ChosenNetwork | None:
    """The network that is chosen; None, and a sentence, where there is none to use."""
    names = models.names()
    if not names:
        st.error(
            "The folder models holds no network. Restore it from a fresh clone, or train one: "
            "`python -m core train report`"
        )
        return None
    _start_from_address(names)
    name = st.session_state["model"]
    if name not in names:
        st.error(f"The network {name} is not there any more. Choose another one.")
        return None
    try:
        path = models.path_of(name)
        version = path.stat().st_mtime_ns if path.exists() else 0
        return ChosenNetwork(name, version, *_load(name, version))
    except models.ModelFileError as error:
        st.error(f"{error} Choose another network, or train it anew: `python -m core train report`")
        return None


def _start_from_address(names: list[str]) -> None:
    start_from_address("model", parse=one_of(names), default=names[0])


def show_network_choice() -> None:
    """A selection box of the networks."""
    if names := models.names():
        _start_from_address(names)
        st.selectbox("Network", names, key="model", persist_state="session", width=165)
