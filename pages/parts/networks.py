"""The networks that pages can choose from."""

import streamlit as st

from core import models
from core.mlp import MLP
from pages.parts.address import one_of, start_from_address


@st.cache_resource(max_entries=20, show_spinner=False)
def _load(name: str, modified: int) -> MLP:
    """A network, read once for all sessions as long as its file stays the same."""
    return models.load(models.path_of(name))[0]


def choose_network() -> tuple[str, MLP] | None:
    """A selection box of the networks; the one chosen by name, or None when none can be used."""
    names = models.names()
    if not names:
        st.error(
            "The folder models holds no network. Restore it from a fresh clone, or train one: "
            "`python -m core train report`"
        )
        return None
    start_from_address("model", parse=one_of(names), default=names[0])
    name = st.selectbox("Network", names, key="model", persist_state="session", width=165)
    try:
        path = models.path_of(name)
        return name, _load(name, path.stat().st_mtime_ns if path.exists() else 0)
    except models.ModelFileError as error:
        st.error(f"{error} Choose another network, or train it anew: `python -m core train report`")
        return None
