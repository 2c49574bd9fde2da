"""A recipe in widgets: a choice of presets, and every setting."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from types import MappingProxyType
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.networks import LIBRARY, shown_name
from core.presentation.recipe_words import on_recipe
from core.presentation.words import on_networks
from core.recipe import (
    ADVERSARIES,
    MOST_CHANNELS,
    MOST_CONVOLUTIONS,
    OPTIMIZERS,
    PRESETS,
    SCHEDULES,
    Recipe,
)
from pages.parts.address import number_up_to, on_or_off, one_of, put_in_address, whole_number
from pages.parts.escaped import escaped
from pages.parts.state import RECIPE, Setting

FRESH = "fresh weights"
SETTINGS = "settings"
LISTS = MappingProxyType(  # what the form has as text: what it is called, and an example
    {"convolutions": ("channels of convolutions", "6, 16"), "hidden": ("hidden layers", "128, 64")}
)
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "sgd": "SGD",
        "momentum": "SGD with momentum",
        "adam": "Adam",
        "step": "in steps",
        "fgsm": "one step (FGSM)",
        "pgd": "PGD",
        "interval": "all at once (interval bounds)",
    }
)


def show_recipe_form(
    place: DeltaGenerator,
    settings_place: DeltaGenerator,
    *,
    train: Callable[[], None],
    not_now: str,
) -> None:
    """Show the choice of a recipe, a button that calls `train`, and all settings.

    If the settings make no recipe, a sentence says why and the button is disabled.

    Args:
        place: for the choice and the button.
        settings_place: for the settings.
        train: called on a click.
        not_now: why no training can begin now, a sentence; empty if one can.
    """
    RECIPE.start(parse=one_of(list(PRESETS)), default="report")
    for name, value in _values(PRESETS[RECIPE.get()]).items():
        Setting[Any](_key(name)).start(parse=_parser(name, value), default=value)
    place.selectbox(
        "Recipe",
        list(PRESETS),
        format_func=shown_name,
        key=RECIPE.key,
        persist_state="session",
        help=on_networks(PRESETS),
        on_change=_fill_in,
    )
    _put_in_address()
    with settings_place:
        _show_settings()
    with place:
        try:
            st.caption(escaped(on_recipe(recipe_in_form())))
            ready = True
        except ValueError as error:
            st.warning(f"These settings make no recipe: {escaped(str(error))}.")
            ready = False
        st.button(
            "Train",
            type="primary",
            disabled=bool(not_now) or not ready,
            on_click=train,
            key="train",
        )
        if not_now:
            st.caption(not_now)


def recipe_in_form() -> Recipe:
    """Return the recipe that the widgets show.

    Raises:
        ValueError: the settings make no recipe; the message names the setting.
    """
    values = {field.name: st.session_state[_key(field.name)] for field in fields(Recipe)}
    for name in LISTS:
        values[name] = _whole_numbers(values[name], name)
    values["digits"] = sorted(values["digits"])
    values["start"] = "" if values["start"] == FRESH else values["start"]
    return Recipe(**values)


def _key(field: str) -> str:
    return f"recipe_{field}"


def _fill_in() -> None:
    """Give every widget the preset's value."""
    for name, value in _values(PRESETS[RECIPE.get()]).items():
        st.session_state[_key(name)] = value


def _put_in_address() -> None:
    """Put into the address what differs from the preset."""
    settings = {}
    for name, preset in _values(PRESETS[RECIPE.get()]).items():
        setting = Setting[Any](_key(name))
        settings[setting] = None if setting.get() == preset else _text(setting.get())
    put_in_address(settings)


def _values(recipe: Recipe) -> dict[str, Any]:
    """Return the widgets' values by the names of a recipe's fields."""
    return {
        # A widget for floats needs floats, also where a preset has a whole number.
        **{name: type(getattr(Recipe, name))(value) for name, value in vars(recipe).items()},
        **{name: ", ".join(map(str, getattr(recipe, name))) for name in LISTS},
        "digits": list(recipe.digits),
        "start": recipe.start or FRESH,
    }


def _text(value: Any) -> str:
    """Return a widget's value as the address has it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return "".join(map(str, sorted(value))) if isinstance(value, list) else str(value)


def _parser(name: str, value: Any) -> Callable[[str], Any]:
    """Return a parser of `_text` for a field with values like this one."""
    choices = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "adversary": ADVERSARIES}
    if name in choices:
        return one_of(choices[name])
    if name == "start":
        return one_of([FRESH, *LIBRARY.names()])
    if name in LISTS:
        return lambda text: ", ".join(map(str, _whole_numbers(text, name)))
    if isinstance(value, list):
        return lambda text: sorted({int(digit) for digit in text})
    if isinstance(value, bool):
        return on_or_off
    # What a widget for numbers can hold; `Recipe` knows better.
    return whole_number(10**9) if isinstance(value, int) else number_up_to(1e9)


def _show_settings() -> None:
    """Show a widget for each field of a recipe, in groups; the usual ones come first."""

    def show(
        widget: Callable[..., Any], field: str, label: str, *options: Any, **more: Any
    ) -> None:
        widget(label, *options, key=_key(field), persist_state="session", **more)

    # Numbers have no limits here: `Recipe` checks them, and its message says what is wrong.
    number = partial(show, st.number_input, step=1)
    choice = partial(show, st.selectbox, format_func=lambda option: WORDS.get(option, option))
    switch = partial(show, st.toggle)

    _show_usual(show, number, choice)
    with st.expander("Start, ensemble and steps"):
        starts = [FRESH, *LIBRARY.names()]
        if st.session_state[_key("start")] not in starts:
            starts.append(st.session_state[_key("start")])
        show(st.selectbox, "start", "Start from", starts, format_func=shown_name)
        number("frozen", "Frozen layers, from the pixels on")
        number("members", "Networks in the ensemble")
        choice("schedule", "Learning-rate schedule", SCHEDULES)
        number("patience", "Early stopping: patience in epochs, 0 for none")
    with st.expander("Regularisation"):
        number("weight_decay", "L2 weight decay", step=0.0001, format="%.4f")
        number("dropout", "Dropout, share of units", step=0.05)
        switch("batch_norm", "Batch normalisation")
    with st.expander("Which images"):
        number("training_images", "Training images, 0 for all", step=500)
        number("held_out", "Of these held out for validation, 0 for the test images")
        show(st.pills, "digits", "Digits to learn", range(10), selection_mode="multi")
    with st.expander("Images changed at random"):
        _show_augmentation(number, switch)


def _show_usual(
    show: Callable[..., None], number: Callable[..., None], choice: Callable[..., None]
) -> None:
    """Show the settings that are changed most often."""
    with st.expander("The usual settings", key=SETTINGS):
        number("epochs", "Epochs")
        number("learning_rate", "Learning rate", step=0.001, format="%.4f")
        show(st.text_input, "hidden", "Hidden layers, units of each")
        show(
            st.text_input,
            "convolutions",
            "Convolutions before them, channels of each",
            help="Empty for none; 6, 16 for LeNet-5. Each has kernels of 5 × 5; ReLU and the mean "
            f"of each 2 × 2 follow. At most {MOST_CONVOLUTIONS}, of up to {MOST_CHANNELS} "
            "channels.",
        )
        choice("optimizer", "Optimiser", OPTIMIZERS)
        number("batch_size", "Batch size")
        choice(
            "adversary",
            "Attack while training",
            ADVERSARIES,
            help="FGSM and PGD change each image before the network learns from it. Interval "
            "bounds make no attack: they bound what every change within ε could do, and the "
            "network learns until that can be proved harmless.",
        )
        number("adversary_epsilon", "Its ε", step=0.05)
        number("seed", "Seed")


def _show_augmentation(number: Callable[..., None], switch: Callable[..., None]) -> None:
    """Show how images are changed before the network learns from them."""
    number("rotation", "Turn by up to, degrees", step=5.0)
    number("shift", "Shift by up to, pixels", step=0.5)
    number("scaling", "Scale by up to, share", step=0.05)
    number(
        "shear", "Slant by up to", step=0.05, help="Pixels to the side for each pixel of height."
    )
    number("stretching", "Stretch by up to, share", step=0.05, help="Width and height separately.")
    number(
        "elastic",
        "Elastic distortion of up to, pixels",
        step=0.5,
        help="Neighbouring pixels move together at random, as if the paper were rubber.",
    )
    number(
        "stroke_width",
        "Thicker or thinner strokes by up to, share",
        step=0.1,
        help="At 1, strokes become up to 2 pixels thicker or thinner.",
    )
    number(
        "hooks",
        "European 1 and 7, share",
        step=0.1,
        help="So many 1s get a hook, some of them a foot too; so many 7s get a bar.",
    )
    switch(
        "refit",
        "Fit and centre again after the changes",
        help="As MNIST’s digits were: 20 pixels for the longer side, the centre of mass in the "
        "middle. Drawn digits are prepared like that, too.",
    )
    switch("flip", "Mirror half of them", help="Most mirrored digits are not digits: see Remedies.")


def _whole_numbers(text: str, name: str) -> tuple[int, ...]:
    """Return the numbers of a list like "128, 64", one of `LISTS` by its name.

    Raises:
        ValueError: the text is no such list.
    """
    try:
        return tuple(int(part) for part in text.replace(";", ",").split(",") if part.strip())
    except ValueError:
        title, example = LISTS[name]
        raise ValueError(
            f"{title} must be whole numbers separated by commas, like {example}, not {text[:40]!r}"
        ) from None
