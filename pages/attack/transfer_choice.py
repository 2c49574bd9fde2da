"""What decides what the Transfer page shows: networks, attack, ε and target."""

from collections.abc import Sequence

import streamlit as st

from core.attacks import BY_TITLE, METHODS, Method
from core.networks import NetworkFileError, shown_name
from core.presentation.words import on_networks
from core.serving.networks import ServedNetwork
from core.serving.questions import BUDGETS
from core.serving.transfers import MOST_NETWORKS, TransferQuestion
from pages.attack.scenes import ANY_OTHER
from pages.attack.transfer_cell import start_cell
from pages.parts.address import BETWEEN, listed, nearest_of, one_of, put_in_address
from pages.parts.escaped import escaped
from pages.parts.networks import network_names
from pages.parts.server import server, who
from pages.parts.state import AIM_FOR, AMONG, L2, LINF, MADE_BY

# What a class finds most different from one another; the first visit compares these.
FIRST = ("report", "convolutional", "dropout", "ensemble", "few-images", "adversarial-pgd")
ATTACKS = [title for title in BY_TITLE if title != METHODS["noise"].title]
TARGETS = [ANY_OTHER, *map(str, range(10))]
_GONE = "transfer_gone"  # of the session: names that a link or this session had, and we have not
_TOO_MANY = "transfer_too_many"
SLIDERS = {
    "linf": (LINF, 0.1, "ε, how far each pixel may move"),
    "l2": (L2, 2.0, "ε, the L2 norm that a perturbation may have"),
}


def choose() -> TransferQuestion | None:
    """Show the widgets and return what they ask; None if that can't be answered."""
    names = network_names()
    if not names:
        return None
    default = [name for name in FIRST if name in names]
    default = default if len(default) > 1 else names[:2]
    MADE_BY.start(parse=one_of(ATTACKS), default=METHODS["fgsm"].title)
    AIM_FOR.start(parse=one_of(TARGETS), default=ANY_OTHER)
    start_networks(names, default)
    method = BY_TITLE[MADE_BY.get()]
    chosen = st.multiselect(
        f"Networks, up to {MOST_NETWORKS}",
        names,
        format_func=shown_name,
        key=AMONG.key,
        persist_state="session",
        max_selections=MOST_NETWORKS,
        on_change=forget_gone,
        help=on_networks(names),
    )
    budget, target = show_attack_choice(method), target_wanted(method)
    put_in_address(
        {
            AMONG: None if chosen == default else listed(chosen),
            MADE_BY: method.title,
            AIM_FOR: None if target is None else str(target),
        }
    )
    networks = read(chosen)
    cell = start_cell([each.name for each in networks])
    note_gone([name for name in cell if name not in names])
    show_gone()
    if len(networks) < 2:
        st.info("Choose at least two networks.")
        return None
    return TransferQuestion(networks, method, budget, target, who())


def show_attack_choice(method: Method) -> float:
    """Show the widgets for the attack, its target and its budget; return the budget."""
    norm = "linf" if method.norm == "linf" else "l2"
    slider, usual, label = SLIDERS[norm]
    slider.start(parse=nearest_of(BUDGETS[norm]), default=usual)
    with st.container(horizontal=True):
        st.selectbox(
            "Attack",
            ATTACKS,
            key=MADE_BY.key,
            persist_state="session",
            help=method.summary,
            width=220,
        )
        show_target_choice(method)
        with st.container(width=420):
            st.select_slider(label, BUDGETS[norm].tolist(), key=slider.key, persist_state="session")
    put_in_address({LINF: None, L2: None, slider: f"{slider.get():g}"})
    return slider.get()


def start_networks(names: Sequence[str], default: list[str]) -> None:
    """Read the networks from the address; take those that exist, and note the others."""

    def parse(text: str) -> list[str]:
        return list(dict.fromkeys(name for name in text.split(BETWEEN) if name))

    if AMONG.start(parse=parse, default=default):
        forget_gone()
    wanted = AMONG.get()
    there = [name for name in wanted if name in names]
    note_gone([name for name in wanted if name not in names])
    if len(there) > MOST_NETWORKS:
        st.session_state[_TOO_MANY] = len(there)
    if there != wanted or len(there) > MOST_NETWORKS:
        AMONG.set(there[:MOST_NETWORKS])


def note_gone(names: Sequence[str]) -> None:
    """Note what is missing until somebody chooses networks: the page runs often."""
    known = st.session_state.setdefault(_GONE, [])
    known += [name for name in names if name not in known]


def forget_gone() -> None:
    """Forget what was missing: somebody has chosen networks."""
    st.session_state.pop(_GONE, None)
    st.session_state.pop(_TOO_MANY, None)


def show_gone() -> None:
    """Say which networks no longer exist, or that there were too many."""
    if gone := st.session_state.get(_GONE):
        shown = ", ".join(escaped(shown_name(name), most=60) for name in gone[:MOST_NETWORKS])
        st.warning(f"Left out, because no such network is here (any more): {shown}.")
    if number := st.session_state.get(_TOO_MANY):
        st.warning(f"Of the {number} networks in the link, the first {MOST_NETWORKS} are compared.")


def show_target_choice(method: Method) -> None:
    """Show the widget for the digit to aim for."""
    st.selectbox(
        "Aim for",
        TARGETS,
        key=AIM_FOR.key,
        persist_state="session",
        help="The digit that the attack aims for. An image then counts as fooled only if it is "
        "taken for this digit." + ("" if method.targeted else f" {method.title} can't aim."),
        disabled=not method.targeted,
        width=165,
    )


def target_wanted(method: Method) -> int | None:
    """Return the digit to aim for; None for any other, and for attacks that can't aim."""
    target = AIM_FOR.get()
    return int(target) if target != ANY_OTHER and method.targeted else None


def read(names: Sequence[str]) -> tuple[ServedNetwork, ...]:
    """Return the networks that can be used; show an error for each of the others."""
    networks = []
    for name in names:
        try:
            networks.append(server().network(name))
        except NetworkFileError as error:
            st.error(escaped(str(error)))
    return tuple(networks)
