"""What is proved of the digit in the live ε, and the least change that is found to flip it.

The browser asks for the proof once it shows the digit, for a closer look when somebody wants one. A
stroke's answer has no part in this, so that it comes at once. The explorer asks by a component of
its own, in a fragment of its own: some hundred bytes each way. It asks again while something is
being computed, and no more once that has ended.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.classifier import FloatArray
from core.networks import NetworkFileError
from core.serving.networks import ServedNetwork
from core.serving.proofs import Proofs, Standing
from pages.parts.sent import SentError, taken, text
from pages.parts.server import server, who

_KEY = "proofs"  # of the component
_WANTED = "to_prove"  # in the session: what the browser may ask for, by key
_ASKED = "proofs_asked"  # in the session: the key to look closer at, empty for none
_courier = st.components.v2.component(
    "proofs", js=(Path(__file__).parent / "courier.js").read_text("utf-8")
)


@dataclass(frozen=True, eq=False)
class _ToProve:
    """A digit on a network. The network itself is the server's to keep or to forget."""

    name: str
    version: int
    x: FloatArray


def keys_to_prove(networks: Sequence[ServedNetwork], x: FloatArray) -> dict[str, str]:
    """Say what the browser may ask for from now on: what is proved of one digit.

    Args:
        networks: those under attack.
        x: `(1, 784)`, the digit, pixels in [0, 1].

    Returns:
        The key of each network's proof, by its name.
    """
    keys = {each.name: Proofs.key(each, x) for each in networks}
    former = st.session_state.get(_WANTED, {})
    for key in former.keys() - set(keys.values()):
        server().proofs.leave(key, who=who())
    st.session_state[_WANTED] = {
        keys[each.name]: _ToProve(each.name, each.version, x) for each in networks
    }
    return keys


def answer_proofs() -> None:
    """Answer the browser if it has asked in this run; call it in a fragment of its own."""
    state = st.session_state
    more = state.pop(_ASKED, None)
    answers = []
    if more is not None:
        answers = [_answer(key, each, closer=key == more) for key, each in _wanted().items()]
        state["proofs_told"] = state.get("proofs_told", 0) + 1

    def asked() -> None:
        if _KEY not in state:
            return  # the page was left meanwhile
        wish = state[_KEY].get("asked")
        if not isinstance(wish, Mapping):
            raise SentError("a question about proofs is no object")
        key = text(wish.get("more"))
        if key and key not in _wanted():
            raise SentError(f"{key!r} is no proof that this session may ask for")
        state[_ASKED] = key

    # The count makes each answer another one, so that none is taken for the last one again. It goes
    # as bytes: in anything else Streamlit looks for tables, and imports pandas for that.
    message = {"told": state.get("proofs_told", 0), "proofs": answers}
    _courier(
        data=json.dumps(message).encode(),
        on_asked_change=taken("The proofs", asked),
        key=_KEY,
    )


def _wanted() -> dict[str, _ToProve]:
    wanted: dict[str, _ToProve] = st.session_state.get(_WANTED, {})
    return wanted


def _answer(key: str, wanted: _ToProve, *, closer: bool) -> dict[str, Any]:
    """Return what the browser is told about a proof."""
    try:
        network = server().network(wanted.name)
    except NetworkFileError as error:
        return _told(key, Standing(problem=str(error)))
    if network.version != wanted.version:
        return _told(key, Standing(problem="The network's file has changed; load the page again."))
    return _told(key, server().proofs.standing(network, wanted.x, who=who(), closer=closer))


def _told(key: str, standing: Standing) -> dict[str, Any]:
    """Return a proof's standing as the browser reads it."""
    proved = standing.proved
    return {
        "key": key,
        "epsilon": proved and proved.epsilon,
        "found": proved.found if proved and np.isfinite(proved.found) else None,
        "after": proved and proved.after,
        "finder": proved.finder if proved else "",
        "attacked": bool(proved and proved.attacked),
        "seconds": proved.seconds if proved else 0,
        "ended": standing.ended,
        "canRise": standing.can_rise,
        "share": standing.share,
        "ahead": standing.ahead,
        "problem": standing.problem,
    }
