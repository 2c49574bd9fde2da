"""A network that another program trained: what was found in its file, and a name to keep it."""

import datetime
import re

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.evaluation.imported import Choice, by_reading
from core.networks import MAX_NAME
from core.networks.foreign import SUFFIXES
from core.presentation.imported import on_choice, on_found, on_reading
from core.serving.imports import Import
from core.validate import network_name
from pages.parts.escaped import escaped
from pages.parts.server import server, who
from pages.parts.state import CARD

_MOST_READINGS = 5  # to choose from


def stem_of(name: str) -> str:
    """Return what to call the network of an uploaded file."""
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    # Browsers add a number in brackets to a second download of the same name.
    return re.sub(r" ?\(\d+\)$", "", name)


def begin_import(file: UploadedFile) -> None:
    """Have the file read when the page is shown, which says so meanwhile."""
    state = st.session_state
    state["importing"], state["import_problem"] = file.file_id, ""
    state["import_name"] = stem_of(file.name)[:MAX_NAME]
    state.pop("import_layers", None)
    state.pop("import_pixels", None)


def show_import(file: UploadedFile) -> None:
    """Show what was found in a file, how it can be read, and a name to keep it under."""
    state = st.session_state
    if not state["import_problem"]:
        try:
            with st.spinner("Reading the file and trying what fits …"):
                found = server().imports.read(file.getvalue(), file.name)
        except ValueError as error:
            state["import_problem"] = str(error)
        else:
            _show_found(found)
            return
    st.error(escaped(state["import_problem"]))


def _show_found(found: Import) -> None:
    readings = _readings(found)
    with st.container(border=True, key="import"):
        chosen = _chosen(readings)
        st.markdown(escaped(on_found(found.found, chosen)))
        if len(readings) > 1:
            st.radio(
                "Layers, with the accuracy then",
                range(len(readings)),
                format_func=lambda number: escaped(on_reading(readings[number][0])),
                key="import_layers",
                help="The file holds the weights alone. All of these fit them; the most accurate "
                "one comes first. Your own program says which is right.",
            )
        by_input = {
            choice.pixels: choice for choice in readings[st.session_state.get("import_layers", 0)]
        }
        st.selectbox(
            "Pixels, with the accuracy then",
            list(by_input),
            format_func=lambda pixels: on_choice(by_input[pixels]),
            key="import_pixels",
            help="How its own program prepared the pixels. It becomes part of the network.",
        )
        st.text_input("Name", max_chars=MAX_NAME, key="import_name")
        st.button("Keep it", key="import_keep", type="primary", on_click=_keep, args=[found])


def _readings(found: Import) -> list[list[Choice]]:
    """Return the choices of the best readings."""
    return by_reading(found.choices)[:_MOST_READINGS]


def _chosen(readings: list[list[Choice]]) -> Choice:
    """Return what the two lists say; the best one at first, and of other layers."""
    state = st.session_state
    number = state.get("import_layers", 0)
    by_input: dict[str, Choice] = {choice.pixels: choice for choice in readings[number]}
    pixels: str = state.get("import_pixels", "")
    if pixels not in by_input:
        pixels = state["import_pixels"] = readings[number][0].pixels
    return by_input[pixels]


def _keep(found: Import) -> None:
    """Keep the network as it is chosen, under the name in the text box."""
    state = st.session_state
    chosen = _chosen(_readings(found))
    try:
        server().lecturer.check_open(who=who())
        network_name(state["import_name"])  # before the measuring, which takes a while
        today = datetime.date.today().isoformat()
        with st.spinner("Measuring its accuracy …"):
            card = server().imports.card(found, chosen, today=today)
        name = server().keep(state["import_name"], chosen.network, card, who=who())
    except ValueError as error:
        state["library_said"] = ("bad", str(error))
    except OSError as error:
        state["library_said"] = ("bad", f"The file can't be written: {error.strerror}.")
    else:
        state["library_said"] = ("good", f"Kept as “{name}”.")
        state.pop("importing", None)
        CARD.set(name)
