"""A recipe is told by what it changes."""

import dataclasses
from typing import Any

import pytest

from core.presentation.recipe_words import _SAID, on_recipe
from core.recipe import PRESETS, Recipe


def test_a_recipe_is_told_by_what_it_changes() -> None:
    assert on_recipe(Recipe()) == on_recipe(Recipe(seed=5))
    changed = Recipe(hidden=(300, 100), epochs=5, flip=True, dropout=0.25)
    assert on_recipe(changed).endswith(
        ": hidden layers 300-100, 5 epochs, dropout 0.25, half of the images mirrored."
    )
    assert on_recipe(Recipe(hidden=())).endswith(": no hidden layers.")
    assert ": convolutions of 6 and 16 channels, hidden layers 120-84, 15 epochs, " in on_recipe(
        PRESETS["convolutional"]
    )


def test_every_setting_has_words() -> None:
    fields = {field.name for field in dataclasses.fields(Recipe)}
    assert {*_SAID} == fields - {"seed", "adversary_epsilon"}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_told_without_a_field_s_name(name: str) -> None:
    said, recipe = on_recipe(PRESETS[name]), PRESETS[name]
    changed = [key for key, value in vars(recipe).items() if value != getattr(Recipe, key)]
    assert said.count(",") >= len([key for key in changed if key != "adversary_epsilon"]) - 1
    assert not any(key in said for key in vars(recipe) if "_" in key)
    assert "True" not in said and "(" not in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 1}, "1 epoch"),
        ({"digits": (3,)}, "digit 3 alone"),
        ({"start": "report", "frozen": 1}, "started from standard, 1 frozen layer"),
        ({"adversary": "fgsm"}, "images attacked by FGSM within ε = 0.1"),
        ({"adversary": "pgd", "adversary_epsilon": 0.2}, "images attacked by PGD within ε = 0.2"),
        (
            {"adversary": "interval", "adversary_epsilon": 0.11},
            "interval bounds on every change within ε = 0.11",
        ),
        ({"adversary_epsilon": 0.3, "members": 2}, "2 networks"),
    ],
)
def test_a_few_settings(changes: dict[str, Any], said: str) -> None:
    assert on_recipe(Recipe(**changes)) == f"The standard recipe, except: {said}."
