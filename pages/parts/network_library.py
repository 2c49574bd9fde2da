"""The list of all networks: their cards, their files, and a place to upload others."""

from functools import partial

import streamlit as st

from core.evaluation.seeds import known_spread
from core.evaluation.shipped import MeasuredFileError
from core.networks import (
    LIBRARY,
    SUFFIX,
    Card,
    Network,
    NetworkFileError,
    exchange,
    parse,
    shown_name,
)
from core.networks.foreign import SUFFIXES, is_ours
from core.presentation import words
from core.presentation.layers import on_layers
from core.presentation.recipe_words import on_recipe
from core.recipe import Recipe
from pages.parts.address import one_of, put_in_address
from pages.parts.escaped import escaped, with_code
from pages.parts.import_form import begin_import, show_import, stem_of
from pages.parts.lecturer import show_lecturer
from pages.parts.server import server, who
from pages.parts.state import CARD
from pages.parts.trainings import show_accuracies

BRING = (
    "A file that was downloaded here, or a network of your own, a perceptron or a convolutional "
    "one: PyTorch's `state_dict` (.pt, .pth or .safetensors) or ONNX, as PyTorch, Keras and "
    "scikit-learn export it."
)


def show_library() -> None:
    """Show a network's card and file, and a place to upload another one."""
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.markdown("## Networks", width="content")
        show_lecturer()
    if said := st.session_state.pop("library_said", None):
        kind, text = said
        (st.success if kind == "good" else st.error)(escaped(text))
    names = LIBRARY.names()
    if names:
        CARD.start(parse=one_of(names), default=names[0])
        if CARD.get() not in names:  # it was deleted
            CARD.set(names[0])
    left, right = st.columns([1, 2], gap="large")
    with left:
        name = st.selectbox(
            "Network",
            names,
            format_func=shown_name,
            key=CARD.key,
            persist_state="session",
            help=words.on_networks(names),
        )
        file = st.file_uploader(
            "Bring a network along",
            type=[suffix.removeprefix(".") for suffix in SUFFIXES],
            key="upload",
            on_change=_bring_along,
            disabled=server().lecturer.is_closed(who=who()),
            help=BRING,
        )
        if file is not None and st.session_state.get("importing") == file.file_id:
            show_import(file)
    with right:
        if name is not None:
            put_in_address({CARD: None if name == names[0] else name})
            _show_card(name)


def _show_card(name: str) -> None:
    """Show what is known about a network, with buttons to download and to delete it."""
    try:
        chosen, content = server().network(name), LIBRARY.path(name).read_bytes()
    except (NetworkFileError, OSError) as error:
        st.error(escaped(str(error)))
        content = b""
    else:
        card = chosen.card
        show_accuracies(card)
        st.markdown(_about(card, chosen.network, len(content)))
        if card.recipe:
            _show_spread(card.recipe)
    with st.container(horizontal=True):
        if content:
            st.download_button("Download", content, file_name=f"{name}{SUFFIX}", on_click="ignore")
            with st.popover("For other programs"):
                _show_exchange(name, chosen.network)
        if LIBRARY.is_shipped(name):
            st.caption("This network is shipped with the app and can't be overwritten or deleted.")
        elif not server().may_delete(name, who=who()):
            st.caption("Only the person who kept this network, or the lecturer, can delete it.")
        else:
            with st.popover("Delete …"):
                st.write(f"This deletes {escaped(name)} for everybody.")
                st.button("Delete it", key="delete", on_click=_delete, args=[name])


def _about(card: Card, network: Network, size: int) -> str:
    """Return what is known about a network and its file of `size` bytes, in Markdown."""
    large = f"{on_layers(network)}, {network.parameter_count:,} parameters, {size / 1e6:.1f} MB."
    if card.recipe is None:
        return f"Imported on {card.created}: {large} {escaped(words.on_origin(card))}"
    took = "" if card.train_seconds is None else f" in {card.train_seconds:.0f} s"
    return (
        f"Trained on {card.created}{took} with seed {card.recipe.seed}. The weights are those of "
        f"epoch {card.epochs_trained}: {large} {escaped(on_recipe(card.recipe))} "
        f"{words.on_reproducibility(card.recipe)}"
    )


def _show_exchange(name: str, network: Network) -> None:
    """Show buttons for the network's files for other programs, and how PyTorch reads its one."""
    st.write("The same weights as a file for PyTorch or ONNX. The last layer gives logits.")
    with st.container(horizontal=True):
        for program, ending, write in (
            ("PyTorch", "pt", exchange.to_state_dict),
            ("ONNX", "onnx", exchange.to_onnx),
        ):
            st.download_button(
                f"{program} (.{ending})",
                partial(write, network),
                file_name=f"{name}.{ending}",
                key=program.lower(),
                on_click="ignore",
            )
    st.write("These lines load the file for PyTorch:")
    st.code(exchange.loading_lines(network, f"{name}.pt"), wrap_lines=True)


def _show_spread(recipe: Recipe) -> None:
    """Show how much a recipe's networks differ by their seeds, where that was measured."""
    try:
        spread = known_spread(recipe)
    except MeasuredFileError as error:
        st.warning(with_code(str(error)))
    else:
        if spread is not None:
            st.markdown(words.on_spread(spread))


def _bring_along() -> None:
    """Keep an uploaded file of ours under its own name; another one is looked at first."""
    file = st.session_state["upload"]
    st.session_state.pop("importing", None)
    if file is None:
        return
    try:
        server().lecturer.check_open(who=who())
        if not is_ours(file.getvalue()):
            begin_import(file)
            return
        network, card = parse(file.getvalue(), file.name)
        name = server().keep(stem_of(file.name), network, card, who=who())
    except ValueError as error:
        st.session_state["library_said"] = ("bad", str(error))
    except OSError as error:
        st.session_state["library_said"] = ("bad", f"The file can't be written: {error.strerror}.")
    else:
        st.session_state["library_said"] = ("good", f"Kept as “{name}”.")
        CARD.set(name)


def _delete(name: str) -> None:
    try:
        server().delete(name, who=who())
    except ValueError as error:
        st.session_state["library_said"] = ("bad", str(error))
    except OSError as error:
        st.session_state["library_said"] = ("bad", f"{name} can't be deleted: {error.strerror}.")
    else:
        st.session_state["library_said"] = ("good", f"{name} is deleted.")
