from typing import Any

import pytest

from core.recipe import PRESETS, Recipe


def test_the_report_s_recipe() -> None:
    recipe = PRESETS["report"]
    assert (recipe.hidden, recipe.epochs, recipe.batch_size) == ((128, 64), 20, 1)
    assert recipe.learning_rate == 0.01


def test_equal_settings_are_equal_recipes() -> None:
    assert Recipe(hidden=[128, 64]) == Recipe()  # type: ignore[arg-type]
    assert hash(Recipe()) == hash(Recipe())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden", (128, 0)),
        ("hidden", (12.5,)),
        ("epochs", 0),
        ("epochs", 2.5),
        ("batch_size", 0),
        ("learning_rate", 0),
        ("learning_rate", -0.1),
        ("learning_rate", float("nan")),
        ("learning_rate", 11),
        ("learning_rate", "fast"),
        ("seed", -1),
    ],
)
def test_a_bad_setting_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field} must"):
        Recipe(**{field: value})
