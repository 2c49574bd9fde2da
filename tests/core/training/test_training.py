"""Training as a generator of reports, and what each setting changes."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core import measures
from core.data.mnist import Digits
from core.losses import softmax
from core.networks.ensemble import Ensemble
from core.networks.mlp import MLP
from core.recipe import PRESETS, Recipe
from core.training import ENGINES, initial_network, of_digits, split, train
from tests.conftest import random_mlp
from tests.core.training.comparison import first, largest_difference

REPORT = PRESETS["report"]
every_engine = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture
def few(training_digits: Digits) -> Digits:
    """Some images to learn from."""
    return first(training_digits, 300)


@pytest.fixture
def others(test_digits: Digits) -> Digits:
    """Some images to validate on."""
    return first(test_digits, 100)


def numbered(count: int) -> Digits:
    """Return images whose first pixel tells their number, of the digits 0 to 9 in turn."""
    x = np.zeros((count, 784), np.float32)
    x[:, 0] = np.arange(count) / count
    return Digits(x, np.arange(count) % 10)


def black(count: int) -> Digits:
    """Return black images: in the first layer only the biases have a gradient."""
    return Digits(np.zeros((count, 784), np.float32), np.arange(count) % 10)


# Reports


@every_engine
def test_an_epoch_is_reported_as_it_was(
    engine: str, training_digits: Digits, test_digits: Digits
) -> None:
    training, validation = first(training_digits, 700), first(test_digits, 300)
    seen: list[int] = []
    recipe = dataclasses.replace(REPORT, epochs=2)
    reports = list(train(recipe, training, validation, engine=engine, on_progress=seen.append))
    assert [report.logged.epoch for report in reports] == [1, 2]
    assert [report.logged.member for report in reports] == [1, 1]
    assert sum(seen) == 1400
    assert reports[1].logged.train_loss < reports[0].logged.train_loss < 2.4
    last = reports[-1]
    accuracy = measures.accuracy(last.network, validation.x, validation.y)
    assert last.logged.validation_accuracy == pytest.approx(accuracy)
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(last.network.logits(validation.x)), torch.tensor(validation.y)
    )
    assert last.logged.validation_loss == pytest.approx(expected.item(), rel=1e-4)
    assert last.kept is last.network
    assert last.kept_epoch == 2


def test_closing_the_generator_stops_the_training(few: Digits, others: Digits) -> None:
    run = train(REPORT, few, others)
    next(run)
    run.close()
    assert list(run) == []


def test_a_training_that_diverges_says_so(few: Digits, others: Digits) -> None:
    with pytest.raises(ValueError, match="^training diverged in epoch 1: .* learning_rate$"):
        list(train(Recipe(learning_rate=10), few, others))


def test_the_initial_network_is_as_torch_starts() -> None:
    network = initial_network(Recipe(seed=3))
    assert network.sizes == (784, 128, 64, 10)
    for weight, bias in zip(network.weights, network.biases, strict=True):
        bound = 1 / np.sqrt(weight.shape[0])
        assert 0.98 * bound < np.abs(weight).max() <= bound
        assert np.abs(bias).max() <= bound
        assert weight.dtype == bias.dtype == np.float32


# Seeds

EVERYTHING: dict[str, Any] = {
    "hidden": (24, 16),
    "epochs": 3,
    "schedule": "cosine",
    "weight_decay": 0.01,
    "dropout": 0.2,
    "rotation": 10,
    "shift": 1.5,
    "scaling": 0.1,
    "shear": 0.2,
    "stretching": 0.2,
    "elastic": 1.5,
    "stroke_width": 0.5,
    "hooks": 0.5,
    "refit": True,
    "flip": True,
    "training_images": 200,
    "held_out": 40,
    "patience": 2,
    "digits": (0, 2, 3, 5, 7),
    "members": 2,
}
FROM_ANOTHER = {**EVERYTHING, "start": "another", "frozen": 1}
IN_BATCHES = {**EVERYTHING, "batch_size": 16, "optimizer": "adam", "adversary": "pgd"}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("engine", "options"),
    [
        ("compiled", {"epochs": 1}),
        ("compiled", EVERYTHING),
        ("compiled", FROM_ANOTHER),
        ("torch", {"epochs": 1}),
        ("torch", FROM_ANOTHER),
        ("torch", {**IN_BATCHES, "batch_norm": True}),
        ("torch", {**IN_BATCHES, "start": "another", "frozen": 2, "optimizer": "momentum"}),
    ],
)
def test_equal_recipes_give_equal_networks(
    engine: str, options: dict[str, Any], training_digits: Digits, test_digits: Digits
) -> None:
    def trained(seed: int) -> list[MLP]:
        recipe = Recipe(**options, seed=seed)
        training, validation = split(recipe, first(training_digits, 500), first(test_digits, 90))
        start = random_mlp((784, 24, 16, 10), seed=0, dtype=np.float32) if recipe.start else None
        *_, last = train(recipe, training, validation, start=start, engine=engine)
        return list(last.kept.members if isinstance(last.kept, Ensemble) else (last.kept,))

    one, same, other = trained(1), trained(1), trained(5)
    assert len(one) == options.get("members", 1)
    for member, again, another in zip(one, same, other, strict=True):
        assert largest_difference(member, again) == 0
        assert largest_difference(member, another) > 1e-3


# Engines


@every_engine
def test_both_engines_train_a_recipe_alike(engine: str, few: Digits, others: Digits) -> None:
    recipe = Recipe(hidden=(24, 16), epochs=2, dropout=0.2, weight_decay=0.01, schedule="cosine")
    recipe = dataclasses.replace(recipe, rotation=10, shift=1, scaling=0.1, flip=True)
    *_, chosen = train(recipe, few, others)
    *_, last = train(recipe, few, others, engine=engine)
    assert largest_difference(last.network, chosen.network) < 1e-4
    assert last.logged.train_loss == pytest.approx(chosen.logged.train_loss, rel=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 2},
        {"optimizer": "momentum"},
        {"optimizer": "adam"},
        {"batch_norm": True, "batch_size": 2},
        {"adversary": "pgd"},
    ],
)
def test_what_the_compiled_loop_does_not_cover_goes_to_torch(
    options: dict[str, Any], few: Digits, others: Digits
) -> None:
    recipe = Recipe(epochs=1, **options)
    with pytest.raises(ValueError, match="plain SGD with batch_size 1"):
        next(train(recipe, few, others, engine="compiled"))
    (chosen,) = train(recipe, few, others)
    (torched,) = train(recipe, few, others, engine="torch")
    assert largest_difference(chosen.network, torched.network) == 0


# Schedule


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.1] * 8),
        ("step", [0.1] * 4 + [0.01] * 2 + [0.001] * 2),
        ("cosine", [0.1 * (1 + np.cos(np.pi * done / 8)) / 2 for done in range(8)]),
    ],
)
@every_engine
def test_each_epoch_has_the_schedule_s_learning_rate(
    engine: str, schedule: str, expected: list[float]
) -> None:
    recipe = Recipe(hidden=(), epochs=8, learning_rate=0.1, schedule=schedule, weight_decay=0.1)
    images = black(100)
    used = []
    before = initial_network(recipe).weights[0]
    for report in train(recipe, images, images, engine=engine):
        # Weights without a gradient only decay, by learning rate × λ a step.
        ratio = np.median(report.network.weights[0] / before)
        used.append((1 - ratio ** (1 / len(images))) / recipe.weight_decay)
        before = report.network.weights[0]
    np.testing.assert_allclose(used, expected, rtol=1e-2)


# Weight decay


@every_engine
def test_decay_shrinks_weights_and_no_bias(engine: str, few: Digits, others: Digits) -> None:
    def trained(images: Digits, weight_decay: float) -> MLP:
        recipe = Recipe(hidden=(20,), epochs=1, weight_decay=weight_decay)
        (report,) = train(recipe, images, others, engine=engine)
        return report.network

    start = initial_network(Recipe(hidden=(20,)))
    plain, decayed = (trained(first(few, 1), decay) for decay in (0.0, 0.1))
    for layer in range(2):
        shrinkage = plain.weights[layer] - decayed.weights[layer]
        np.testing.assert_allclose(shrinkage, 0.001 * start.weights[layer], atol=1e-7)
        np.testing.assert_array_equal(plain.biases[layer], decayed.biases[layer])
    plain, decayed = (trained(few, decay) for decay in (0.0, 0.1))
    for layer in range(2):
        norms = [np.linalg.norm(network.weights[layer]) for network in (plain, decayed)]
        assert norms[1] < 0.9 * norms[0]


# Dropout


@every_engine
def test_dropout_keeps_the_expectation_and_is_off_afterwards(engine: str) -> None:
    # One hidden unit of output 1. In training it gives 1 / (1 - dropout) or, dropped, 0.
    second = np.zeros((1, 10), np.float32)
    second[0, 3] = 2
    start = MLP(
        (np.full((784, 1), 1 / 784, np.float32), second),
        (np.zeros(1, np.float32), np.zeros(10, np.float32)),
    )
    images = Digits(np.ones((4000, 784), np.float32), np.full(4000, 3))
    recipe = Recipe(hidden=(1,), epochs=1, dropout=0.25, learning_rate=1e-12, start="another")
    (report,) = train(recipe, images, images, start=start, engine=engine)

    def loss(hidden: float) -> float:
        return float(np.log(1 + 9 * np.exp(-2 * hidden)))

    assert report.logged.validation_loss == pytest.approx(loss(1), rel=1e-4)
    assert largest_difference(report.network, start) < 1e-6
    kept_share = (loss(0) - report.logged.train_loss) / (loss(0) - loss(1 / 0.75))
    assert kept_share == pytest.approx(0.75, abs=0.03)


# Frozen layers and other starts


@pytest.mark.parametrize("frozen", [0, 1, 2])
@every_engine
def test_frozen_layers_stay_and_the_rest_learns(
    engine: str, frozen: int, few: Digits, others: Digits
) -> None:
    start = random_mlp((784, 24, 16, 10), seed=1, dtype=np.float32)
    recipe = Recipe(hidden=(24, 16), epochs=2, start="another", frozen=frozen, weight_decay=0.01)
    *_, last = train(recipe, few, others, start=start, engine=engine)
    for layer in range(3):
        for before, after in (
            (start.weights[layer], last.network.weights[layer]),
            (start.biases[layer], last.network.biases[layer]),
        ):
            assert (before == after).all() == (layer < frozen)


@every_engine
def test_training_goes_on_from_the_start(engine: str, few: Digits, others: Digits) -> None:
    start = random_mlp((784, 24, 10), seed=1, dtype=np.float32)
    recipe = Recipe(hidden=(24,), epochs=1, start="another", learning_rate=1e-9)
    (report,) = train(recipe, few, others, start=start, engine=engine)
    assert largest_difference(report.network, start) < 1e-5
    assert report.logged.train_accuracy == measures.accuracy(start, few.x, few.y)


@pytest.mark.parametrize(
    ("name", "sizes", "said"),
    [
        ("another", None, "start must be the network that the recipe names: 'another'"),
        ("", (784, 128, 64, 10), "start must be the network that the recipe names"),
        ("another", (784, 128, 10), "start: another has the layers 784-128-10, the recipe"),
        ("another", (783, 128, 64, 10), "start: another has the layers 783-"),
        ("another", (784, 128, 64, 5), "start: another has the layers .*-5,"),
    ],
)
@every_engine
def test_a_start_that_does_not_fit_is_refused(
    engine: str, name: str, sizes: tuple[int, ...] | None, said: str, few: Digits, others: Digits
) -> None:
    start = random_mlp(sizes, seed=0, dtype=np.float32) if sizes else None
    with pytest.raises(ValueError, match=f"^{said}"):
        next(train(Recipe(start=name), few, others, start=start, engine=engine))


# Early stopping


def wrongly_labelled(digits: Digits) -> Digits:
    """Return the digits with every eighth label wrong: learning makes the loss on them rise."""
    y = digits.y.copy()
    y[::8] = (y[::8] + 1) % 10
    return Digits(digits.x, y)


@pytest.mark.parametrize("patience", [1, 3])
def test_early_stopping_keeps_the_epoch_of_the_lowest_validation_loss(
    patience: int, few: Digits, others: Digits
) -> None:
    recipe = Recipe(epochs=40, held_out=100, patience=patience)
    reports = list(train(recipe, few, wrongly_labelled(others)))
    losses = [report.logged.validation_loss for report in reports]
    best = int(np.argmin(losses))
    assert 0 < best < len(losses) - 1
    assert len(reports) == best + 1 + patience < 40
    for epoch, report in enumerate(reports, start=1):
        assert report.logged.epoch == epoch
        assert report.kept_epoch == 1 + int(np.argmin(losses[:epoch]))
        assert report.kept is reports[report.kept_epoch - 1].network


def test_without_patience_all_epochs_are_trained_and_the_last_kept(
    few: Digits, others: Digits
) -> None:
    reports = list(train(Recipe(epochs=15, held_out=100), few, wrongly_labelled(others)))
    assert len(reports) == 15
    losses = [report.logged.validation_loss for report in reports]
    assert np.argmin(losses) < 14
    assert all(report.kept is report.network for report in reports)
    assert [report.kept_epoch for report in reports] == list(range(1, 16))


def test_a_training_that_goes_on_improving_is_not_stopped(
    training_digits: Digits, few: Digits
) -> None:
    reports = list(train(Recipe(epochs=4, held_out=1, patience=1), few, few))
    assert [report.kept_epoch for report in reports] == [1, 2, 3, 4]


# Ensembles


@every_engine
def test_an_ensemble_is_the_mean_of_members_that_differ(
    engine: str, few: Digits, others: Digits
) -> None:
    recipe = Recipe(hidden=(20,), epochs=2, members=3)
    reports = list(train(recipe, few, others, engine=engine))
    assert [(report.logged.member, report.logged.epoch) for report in reports] == [
        (member, epoch) for member in (1, 2, 3) for epoch in (1, 2)
    ]
    kept = reports[-1].kept
    assert isinstance(kept, Ensemble)
    assert [*kept.members] == [report.network for report in reports[1::2]]
    expected = np.mean([softmax(m.logits(others.x)) for m in kept.members], axis=0)
    np.testing.assert_allclose(softmax(kept.logits(others.x)), expected, atol=1e-5)
    one, two, three = kept.members
    for pair in ((one, two), (one, three), (two, three)):
        assert largest_difference(*pair) > 0.01
    assert one is reports[1].network
    alone = list(train(dataclasses.replace(recipe, members=1), few, others, engine=engine))
    assert largest_difference(alone[-1].network, one) == 0


def test_what_is_kept_of_an_ensemble_so_far(few: Digits, others: Digits) -> None:
    recipe = Recipe(epochs=30, members=2, held_out=50, patience=1)
    reports = list(train(recipe, few, wrongly_labelled(others)))
    members = [
        [report for report in reports if report.logged.member == number] for number in (1, 2)
    ]
    best = [min(own, key=lambda report: report.logged.validation_loss) for own in members]
    assert all(len(own) < 30 for own in members)
    assert members[0][-1].kept is best[0].network
    second = members[1][0].kept
    assert isinstance(second, Ensemble)
    assert second.members == (best[0].network, members[1][0].network)
    last = reports[-1].kept
    assert isinstance(last, Ensemble)
    assert last.members == tuple(report.network for report in best)
    assert reports[-1].kept_epoch == best[1].logged.epoch


# Which images


@st.composite
def splits(draw: st.DrawFn) -> Recipe:
    held_out = draw(st.integers(0, 60))
    return Recipe(
        training_images=draw(st.just(0) | st.integers(held_out + 1, 300)),
        held_out=held_out,
        digits=tuple(sorted(draw(st.sets(st.integers(0, 9), min_size=1)))),
        seed=draw(st.integers(0, 2**53)),
    )


def numbers(digits: Digits, count: int) -> set[int]:
    """Return which of the numbered images these are."""
    return {int(number) for number in (digits.x[:, 0] * count).round()}


@given(splits())
def test_a_split_is_of_the_digits_disjoint_and_of_the_right_sizes(recipe: Recipe) -> None:
    images, test = numbered(1000), numbered(50)
    training, validation = split(recipe, images, test)
    known = 100 * len(recipe.digits)
    used = min(known, recipe.training_images or known)
    assert len(training) == used - recipe.held_out
    learned = numbers(training, 1000)
    assert len(learned) == len(training)
    if recipe.held_out:
        held_out = numbers(validation, 1000)
        assert len(held_out) == len(validation) == recipe.held_out
        assert not learned & held_out
    else:
        assert numbers(validation, 50) == {n for n in range(50) if n % 10 in recipe.digits}
    for part, total in ((training, 1000), (validation, 1000 if recipe.held_out else 50)):
        assert set(part.y) <= set(recipe.digits)
        assert ((part.x[:, 0] * total).round() % 10 == part.y).all()


def test_a_split_is_drawn_by_the_seed() -> None:
    def learned(seed: int) -> list[float]:
        recipe = Recipe(training_images=100, held_out=20, seed=seed)
        return list(split(recipe, numbered(1000), numbered(50))[0].x[:, 0])

    assert learned(0) == learned(0)
    assert learned(0) != learned(1)


def test_the_report_learns_from_all_images_and_validates_on_the_test_images() -> None:
    images, test = numbered(1000), numbered(50)
    assert split(REPORT, images, test) == (images, test)


def test_transfer_learns_from_the_same_images_as_its_rival(training_digits: Digits) -> None:
    few, transferred = (
        split(PRESETS[name], training_digits, numbered(50))[0]
        for name in ("few-images", "transfer")
    )
    np.testing.assert_array_equal(few.x, transferred.x)
    assert len(few) == 500


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"held_out": 50}, "held_out leaves none of the 50 training"),
        ({"held_out": 60}, "held_out leaves none of the 50 training"),
        ({"held_out": 5, "digits": (3,)}, "held_out leaves none of the 5 training"),
    ],
)
def test_too_few_images_to_split_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        split(Recipe(**options), numbered(50), numbered(50))


def test_images_of_some_digits() -> None:
    images = numbered(30)
    assert of_digits(images, tuple(range(10))) is images
    some = of_digits(images, (1, 4))
    assert list(some.y) == [1, 4] * 3
    assert numbers(some, 30) == {1, 4, 11, 14, 21, 24}


def test_what_can_t_be_trained_is_refused(test_digits: Digits) -> None:
    some, none = first(test_digits, 5), first(test_digits, 0)
    with pytest.raises(ValueError, match="engine must be one of compiled, torch, not 'jax'"):
        next(train(REPORT, some, some, engine="jax"))
    for training, validation in ((none, some), (some, none)):
        with pytest.raises(ValueError, match="at least one image each"):
            next(train(REPORT, training, validation))


# Presets


@pytest.mark.thorough
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_trained(
    name: str, training_digits: Digits, test_digits: Digits
) -> None:
    preset = PRESETS[name]
    changes: dict[str, Any] = {"epochs": 2, "training_images": 500}
    if preset.held_out:
        changes["held_out"] = 50
    recipe = dataclasses.replace(preset, **changes)
    training, validation = split(recipe, first(training_digits, 2000), first(test_digits, 100))
    start = initial_network(Recipe(hidden=recipe.hidden, seed=9)) if recipe.start else None
    *_, last = train(recipe, training, validation, start=start)
    assert last.logged.member == recipe.members
    assert last.network.sizes == (784, *recipe.hidden, 10)
    before = initial_network(recipe) if start is None else start
    assert largest_difference(last.network, before) > 1e-3
