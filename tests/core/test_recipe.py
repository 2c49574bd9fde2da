import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.recipe import ADVERSARIES, OPTIMIZERS, PRESETS, SCHEDULES, Recipe

NAN, INFINITE = float("nan"), float("inf")


def test_the_report_s_recipe() -> None:
    recipe = PRESETS["report"]
    assert (recipe.hidden, recipe.epochs, recipe.batch_size) == ((128, 64), 20, 1)
    assert recipe.learning_rate == 0.01
    assert (recipe.optimizer, recipe.schedule, recipe.members) == ("sgd", "constant", 1)
    assert not recipe.augmented


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_differs_from_the_others_and_survives_a_card(name: str) -> None:
    recipe = PRESETS[name]
    assert [other for other, preset in PRESETS.items() if preset == recipe] == [name]
    assert Recipe(**json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe
    assert recipe.start == "" or recipe.start in PRESETS


def test_transfer_fits_the_network_that_it_starts_from() -> None:
    transfer, rival = PRESETS["transfer"], PRESETS["few-images"]
    assert transfer.hidden == PRESETS[transfer.start].hidden
    assert dataclasses.replace(transfer, start="", frozen=0) == rival


def test_every_field_is_tried() -> None:
    assert [*PLAUSIBLE] == [field.name for field in dataclasses.fields(Recipe)]


def test_equal_settings_are_equal_recipes() -> None:
    assert Recipe(hidden=[128, 64]) == Recipe()  # type: ignore[arg-type]
    assert Recipe(digits=[*range(10)]) == Recipe()  # type: ignore[arg-type]
    assert hash(Recipe(hidden=[128, 64])) == hash(Recipe())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("hidden", value) for value in (5, None, "12", (128, 0), (12.5,), (2049,), (True,))],
        ("hidden", (8,) * 9),
        *[("convolutions", value) for value in (6, None, "6", (6, 0), (6.5,), (65,), (True,))],
        ("convolutions", (6, 16, 120)),
        *[("epochs", value) for value in (0, 1001, 2.5, True, None)],
        *[("batch_size", value) for value in (0, 10_001, "8")],
        *[("optimizer", value) for value in ("rmsprop", "", None, 1, "SGD")],
        *[("learning_rate", value) for value in (0, -0.1, 10.1, NAN, INFINITE, "fast", True)],
        *[("schedule", value) for value in ("linear", None)],
        *[("weight_decay", value) for value in (-0.1, 0.11, NAN, "", False)],
        *[("dropout", value) for value in (-0.1, 0.91, 1, NAN, None)],
        *[("batch_norm", value) for value in (1, "yes", None)],
        *[("rotation", value) for value in (-1, 181, NAN, INFINITE)],
        *[("shift", value) for value in (-1, 14.5, NAN)],
        *[("scaling", value) for value in (-0.1, 0.6, NAN)],
        *[("shear", value) for value in (-0.1, 1.1, NAN)],
        *[("stretching", value) for value in (-0.1, 0.6, NAN)],
        *[("elastic", value) for value in (-1, 5.1, NAN)],
        *[("stroke_width", value) for value in (-0.1, 1.1, NAN)],
        *[("hooks", value) for value in (-0.1, 1.1, NAN)],
        *[("refit", value) for value in (1, "no", None)],
        *[("flip", value) for value in (1, "no", None)],
        *[("training_images", value) for value in (-1, 10**7 + 1, 0.5)],
        *[("held_out", value) for value in (-1, 10**7 + 1, 0.5)],
        *[("patience", value) for value in (-1, 1001, 0.5)],
        *[("digits", value) for value in ((), (10,), (-1,), (2, 1), (1, 1), ("1",), 3, None)],
        *[("members", value) for value in (0, 21, 1.0)],
        *[("start", value) for value in (None, 3, ("report",))],
        *[("frozen", value) for value in (-1, 3, 0.5)],
        *[("adversary", value) for value in ("cw", None)],
        *[("adversary_epsilon", value) for value in (0, 1.1, NAN, "0.1")],
        *[("seed", value) for value in (-1, 2**53 + 1, 0.5)],
    ],
)
def test_a_bad_setting_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field} must .*[^.]$"):
        Recipe(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("hidden", value) for value in ((), (1,), (2048,), (3,) * 8)],
        *[("convolutions", value) for value in ((), (1,), (64,), (64, 64))],
        *[("epochs", value) for value in (1, 1000)],
        *[("batch_size", value) for value in (1, 10_000)],
        *[("optimizer", value) for value in OPTIMIZERS],
        *[("learning_rate", value) for value in (1e-9, 1, 10)],
        *[("schedule", value) for value in SCHEDULES],
        *[("weight_decay", value) for value in (0, 0.1)],
        *[("dropout", value) for value in (0, 0.9)],
        *[("rotation", value) for value in (0, 180)],
        *[("shift", value) for value in (0, 14)],
        *[("scaling", value) for value in (0, 0.5)],
        *[("shear", value) for value in (0, 1)],
        *[("stretching", value) for value in (0, 0.5)],
        *[("elastic", value) for value in (0, 5)],
        *[("stroke_width", value) for value in (0, 1)],
        *[("hooks", value) for value in (0, 1)],
        *[("training_images", value) for value in (1, 10**7)],
        *[("held_out", value) for value in (1, 10**7)],
        *[("digits", value) for value in ((0,), (3, 9))],
        *[("members", value) for value in (1, 20)],
        *[("adversary", value) for value in ADVERSARIES],
        *[("adversary_epsilon", value) for value in (0.001, 1)],
        *[("seed", value) for value in (0, 2**53)],
    ],
)
def test_the_ends_of_a_range_are_in_it(field: str, value: Any) -> None:
    assert getattr(Recipe(**{field: value}), field) == value


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epochs": 1001}, "epochs must be from 1 to 1000, not 1001"),
        ({"frozen": 3, "start": "report"}, "frozen must be from 0 to 2, not 3"),
        (
            {"frozen": 4, "start": "mine", "convolutions": (6,)},
            "frozen must be from 0 to 3, not 4",
        ),
        ({"frozen": 1, "start": "report", "hidden": ()}, "frozen must be from 0 to 0, not 1"),
        ({"optimizer": "lion"}, "optimizer must be one of sgd, momentum, adam, not 'lion'"),
        ({"batch_norm": True}, "batch_norm needs a batch_size of at least 2: "),
        ({"patience": 3}, "patience needs held_out images: "),
        (
            {"training_images": 50, "held_out": 50},
            "held_out must be fewer than the 50 training_images$",
        ),
        ({"frozen": 1}, "frozen layers need a network to start from$"),
        (
            {"batch_norm": True, "batch_size": 8, "start": "report"},
            "batch_norm can't start from a network: ",
        ),
        ({"adversary": "interval", "dropout": 0.1}, "dropout can't be combined with .* interval: "),
        (
            {"adversary": "interval", "batch_norm": True, "batch_size": 8},
            "batch_norm can't be combined with adversary interval: ",
        ),
        (
            {"adversary": "interval", "held_out": 8, "patience": 1},
            "patience can't be combined with adversary interval: ",
        ),
        (
            {"adversary": "interval", "convolutions": (6,)},
            "convolutions can't be combined with adversary interval: ",
        ),
        (
            {"learning_rate": 10, "weight_decay": 0.1},
            "learning_rate times weight_decay must be below 1: ",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        Recipe(**settings)


@pytest.mark.parametrize(
    ("settings", "changed"),
    [({"rotation": 1}, True), ({"shift": 1}, True), ({"scaling": 0.1}, True)]
    + [({"shear": 0.1}, True), ({"stretching": 0.1}, True), ({"elastic": 1}, True)]
    + [({"stroke_width": 0.1}, True), ({"hooks": 0.1}, True), ({"refit": True}, True)]
    + [({"flip": True}, True), ({"dropout": 0.5}, False)],
)
def test_whether_images_are_changed(settings: dict[str, Any], changed: bool) -> None:
    assert Recipe(**settings).augmented is changed


@pytest.mark.parametrize(
    ("schedule", "epochs", "expected"),
    [
        ("constant", 3, [0.4, 0.4, 0.4]),
        ("constant", 1, [0.4]),
        ("step", 1, [0.4]),
        ("step", 2, [0.4, 0.04]),
        ("step", 4, [0.4, 0.4, 0.04, 0.004]),
        ("step", 5, [0.4, 0.4, 0.4, 0.04, 0.004]),
        ("cosine", 1, [0.4]),
        ("cosine", 2, [0.4, 0.2]),
        ("cosine", 3, [0.4, 0.3, 0.1]),
        ("cosine", 4, [0.4, 0.2 + 0.1 * 2**0.5, 0.2, 0.2 - 0.1 * 2**0.5]),
    ],
)
def test_the_schedule_epoch_by_epoch(schedule: str, epochs: int, expected: list[float]) -> None:
    recipe = Recipe(schedule=schedule, epochs=epochs, learning_rate=0.4)
    rates = [recipe.learning_rate_in(epoch) for epoch in range(1, epochs + 1)]
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


@given(st.sampled_from(SCHEDULES), st.integers(1, 200))
def test_a_learning_rate_never_rises_and_never_ends(schedule: str, epochs: int) -> None:
    recipe = Recipe(schedule=schedule, epochs=epochs)
    rates = [recipe.learning_rate_in(epoch) for epoch in range(1, epochs + 1)]
    assert rates[0] == 0.01
    assert min(rates) > 0
    assert rates == sorted(rates, reverse=True)


ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.lists(st.integers(0, 10) | st.floats() | st.text(), max_size=4)
)
PLAUSIBLE: dict[str, st.SearchStrategy[Any]] = {
    "convolutions": st.lists(st.integers(1, 64), max_size=2),
    "hidden": st.lists(st.integers(1, 2048), max_size=8),
    "epochs": st.integers(1, 1000),
    "batch_size": st.integers(1, 10_000),
    "optimizer": st.sampled_from(OPTIMIZERS),
    "learning_rate": st.floats(1e-6, 10),
    "schedule": st.sampled_from(SCHEDULES),
    "weight_decay": st.floats(0, 0.1),
    "dropout": st.floats(0, 0.9),
    "batch_norm": st.booleans(),
    "rotation": st.floats(0, 180),
    "shift": st.floats(0, 14),
    "scaling": st.floats(0, 0.5),
    "shear": st.floats(0, 1),
    "stretching": st.floats(0, 0.5),
    "elastic": st.floats(0, 5),
    "stroke_width": st.floats(0, 1),
    "hooks": st.floats(0, 1),
    "refit": st.booleans(),
    "flip": st.booleans(),
    "training_images": st.integers(0, 1000),
    "held_out": st.integers(0, 1000),
    "patience": st.integers(0, 1000),
    "digits": st.sets(st.integers(0, 9), min_size=1).map(sorted),
    "members": st.integers(1, 20),
    "start": st.sampled_from(["", "report"]),
    "frozen": st.integers(0, 3),
    "adversary": st.sampled_from(ADVERSARIES),
    "adversary_epsilon": st.floats(0.001, 1),
    "seed": st.integers(0, 2**53),
}


@given(
    st.fixed_dictionaries({}, optional=PLAUSIBLE)
    | st.dictionaries(st.sampled_from([*PLAUSIBLE]), ANYTHING, max_size=4)
)
def test_a_recipe_is_built_or_refused_by_a_field_s_name(settings: dict[str, Any]) -> None:
    try:
        recipe = Recipe(**settings)
    except ValueError as error:
        assert any(field in str(error) for field in settings)
        assert "\n" not in str(error)
    else:
        assert Recipe(**json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe
        hash(recipe)
        assert 0 < recipe.learning_rate_in(recipe.epochs) <= recipe.learning_rate


def test_a_recipe_is_no_larger_than_a_small_server_holds() -> None:
    with pytest.raises(ValueError, match="hidden and members make 10,014,720 weights"):
        Recipe(hidden=(2048, 2048, 2048))
    with pytest.raises(ValueError, match="hidden and members"):
        Recipe(hidden=(512, 512), members=20)


def test_what_a_recipe_s_convolutions_hold() -> None:
    """The numbers of LeNet-5, counted by hand (LeCun et al. 1998, section II.B)."""
    recipe = PRESETS["convolutional"]
    assert recipe.maps == ((1, 6, 28), (6, 16, 10))
    assert recipe.sizes == (400, 120, 84, 10)
    assert recipe.weights == 150 + 2400 + 48_000 + 10_080 + 840
    assert recipe.work == 150 * 784 + 2400 * 100 + 48_000 + 10_080 + 840
    one = Recipe(convolutions=(6,), hidden=())
    assert one.sizes == (6 * 14 * 14, 10)
    plain = PRESETS["report"]
    assert plain.maps == ()
    assert plain.weights == plain.work == 784 * 128 + 128 * 64 + 64 * 10
    with pytest.raises(ValueError, match="^convolutions and members make .* multiplications"):
        Recipe(convolutions=(64, 64), hidden=(10,), members=5)
    with pytest.raises(ValueError, match="^hidden and members make"):
        Recipe(convolutions=(64, 64), hidden=(2048, 2048, 2048))


def test_whole_numbers_of_numpy_s_become_python_s() -> None:
    recipe = Recipe(epochs=np.int64(3), hidden=(np.int32(16),))  # type: ignore[arg-type]
    assert json.dumps(dataclasses.asdict(recipe))
