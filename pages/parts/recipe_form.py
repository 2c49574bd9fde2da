"""A recipe in widgets: one of the presets, and every setting of it."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import streamlit as st

from core import models
from core.recipe import ADVERSARIES, OPTIMIZERS, PRESETS, SCHEDULES, Recipe
from core.sentences import on_recipe
from pages.parts.address import one_of, start_from_address

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "report": "The report",
        "augmentation": "Data augmentation",
        "dropout": "Dropout",
        "weight-decay": "L2 weight decay",
        "schedule": "Learning-rate schedule",
        "adam": "Adam",
        "early-stopping": "Early stopping",
        "ensemble": "Ensemble of five",
        "first-digits": "Only 0 to 4 (to transfer from)",
        "few-images": "500 images only",
        "transfer": "Transfer to 500 images",
        "batch-norm": "Batch normalisation",
        "adversarial-fgsm": "Adversarial training, one step",
        "adversarial-pgd": "Adversarial training, PGD",
        "all-together": "All together",
    }
)
FRESH = "fresh weights"
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "sgd": "SGD",
        "momentum": "SGD with momentum",
        "adam": "Adam",
        "step": "in steps",
        "fgsm": "one step (FGSM)",
        "pgd": "PGD",
    }
)


def show_recipe_form(*, train: Callable[[], None]) -> None:
    """Choose a recipe, and a button that calls `train`.

    Where the settings don't make a recipe a sentence says why, and the button is disabled.
    """
    start_from_address("recipe", parse=one_of(list(PRESETS)), default="report")
    if _key("epochs") not in st.session_state:
        _fill_in()
    st.selectbox(
        "Recipe",
        list(PRESETS),
        format_func=lambda preset: TITLES[preset],
        key="recipe",
        persist_state="session",
        on_change=_fill_in,
    )
    place = st.container()
    with st.expander("Set everything yourself"):
        _show_settings()
    with place:
        try:
            st.caption(on_recipe(recipe_in_form()))
            ready = True
        except ValueError as error:
            st.warning(f"These settings don't make a recipe: {error}.")
            ready = False
        st.button("Train", type="primary", disabled=not ready, on_click=train, key="train")


def recipe_in_form() -> Recipe:
    """What the widgets say at this moment.

    Raises:
        ValueError: it is no recipe; the message names the setting.
    """
    values = {field.name: st.session_state[_key(field.name)] for field in fields(Recipe)}
    values["hidden"] = _whole_numbers(values["hidden"])
    values["digits"] = sorted(values["digits"])
    values["start"] = "" if values["start"] == FRESH else values["start"]
    return Recipe(**values)


def _key(field: str) -> str:
    return f"recipe_{field}"


def _fill_in() -> None:
    """Give every widget the preset's value."""
    recipe = PRESETS[st.session_state["recipe"]]
    for field in fields(Recipe):
        value = getattr(recipe, field.name)
        if field.name == "hidden":
            value = ", ".join(map(str, value))
        elif field.name == "digits":
            value = list(value)
        elif field.name == "start":
            value = value or FRESH
        elif isinstance(field.default, float):
            value = float(value)
        st.session_state[_key(field.name)] = value


def _show_settings() -> None:
    """A widget for each field of a recipe."""

    def number(field: str, label: str, least: float, most: float, **more: Any) -> None:
        st.number_input(label, least, most, key=_key(field), persist_state="session", **more)

    def choice(field: str, label: str, options: list[str]) -> None:
        st.selectbox(
            label,
            options,
            format_func=lambda option: WORDS.get(option, option),
            key=_key(field),
            persist_state="session",
        )

    def switch(field: str, label: str, **more: Any) -> None:
        st.toggle(label, key=_key(field), persist_state="session", **more)

    st.markdown("**Network**")
    st.text_input("Hidden layers, units of each", key=_key("hidden"), persist_state="session")
    starts = [FRESH, *models.names()]
    if st.session_state[_key("start")] not in starts:
        starts.append(st.session_state[_key("start")])
    st.selectbox("Start from", starts, key=_key("start"), persist_state="session")
    number("frozen", "Frozen layers, from the pixels on", 0, 8)
    number("members", "Networks in the ensemble", 1, 20)

    st.markdown("**Steps**")
    number("epochs", "Epochs", 1, 1000)
    number("batch_size", "Batch size", 1, 10_000)
    choice("optimizer", "Optimiser", list(OPTIMIZERS))
    number("learning_rate", "Learning rate", 0.0, 10.0, step=0.001, format="%.4f")
    choice("schedule", "Learning-rate schedule", list(SCHEDULES))
    number("patience", "Early stopping: patience in epochs, 0 for none", 0, 1000)
    number("seed", "Seed", 0, 2**31)

    st.markdown("**Regularisation**")
    number("weight_decay", "L2 weight decay", 0.0, 0.1, step=0.0001, format="%.4f")
    number("dropout", "Dropout, share of units", 0.0, 0.9, step=0.05)
    switch("batch_norm", "Batch normalisation")

    st.markdown("**Images**")
    number("training_images", "Training images, 0 for all", 0, 60_000, step=500)
    number("held_out", "Of these held out for validation, 0 for the test images", 0, 59_999)
    st.pills(
        "Digits to learn",
        range(10),
        selection_mode="multi",
        key=_key("digits"),
        persist_state="session",
    )
    number("rotation", "Turn by up to, degrees", 0.0, 180.0, step=5.0)
    number("shift", "Shift by up to, pixels", 0.0, 14.0, step=0.5)
    number("scaling", "Scale by up to, share", 0.0, 0.5, step=0.05)
    switch("flip", "Mirror half of them", help="Most mirrored digits are no digits: see Remedies.")

    st.markdown("**Adversarial training**")
    choice("adversary", "Attack while training", list(ADVERSARIES))
    number("adversary_epsilon", "Its ε", 0.001, 1.0, step=0.05)


def _whole_numbers(text: str) -> tuple[int, ...]:
    """What a list like "128, 64" says; a text that is none becomes a layer that is refused."""
    try:
        return tuple(int(part) for part in text.replace(";", ",").split(",") if part.strip())
    except ValueError:
        return (0,)
