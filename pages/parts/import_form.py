"""A network that another program trained: what was found in its file, and a name to keep it."""

import datetime
import re

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.networks import MAX_NAME
from core.networks.foreign import SUFFIXES
from core.presentation.imported import on_choice, on_found
from core.serving.imports import Import
from pages.parts.escaped import escaped
from pages.parts.server import server, who
from pages.parts.state import CARD


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
    state.pop("import_pixels", None)


def show_import(file: UploadedFile) -> None:
    """Show what was found in a file, how pixels can be read, and a name to keep it under."""
    state = st.session_state
    if not state["import_problem"]:
        try:
            with st.spinner("Reading the file and trying how it reads pixels …"):
                found = server().imports.read(file.getvalue(), file.name)
        except ValueError as error:
            state["import_problem"] = str(error)
        else:
            _show_found(found)
            return
    st.error(escaped(state["import_problem"]))


def _show_found(found: Import) -> None:
    by_input = {choice.pixels: choice for choice in found.choices}
    with st.container(border=True, key="import"):
        chosen = by_input.get(st.session_state.get("import_pixels", ""), found.choices[0])
        st.markdown(escaped(on_found(found.found, chosen)))
        st.selectbox(
            "Pixels, with the accuracy then",
            list(by_input),
            format_func=lambda pixels: on_choice(by_input[pixels]),
            key="import_pixels",
            help="How its own program prepared the pixels. It becomes part of the network.",
        )
        st.text_input("Name", max_chars=MAX_NAME, key="import_name")
        st.button("Keep it", key="import_keep", type="primary", on_click=_keep, args=[found])


def _keep(found: Import) -> None:
    """Keep the network as it is chosen, under the name in the text box."""
    state = st.session_state
    chosen = {choice.pixels: choice for choice in found.choices}[state["import_pixels"]]
    try:
        server().lecturer.check_open(who=who())
        today = datetime.date.today().isoformat()
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
