import dataclasses
from collections.abc import Iterable

import numpy as np
import pytest

from core import measures
from core.data.mnist import Digits
from core.networks.ensemble import Ensemble
from core.recipe import Recipe
from core.training import EpochResult, of_digits, split, train
from core.training.outcome import Epochs, learned_nothing, log_lines, outcome

RECIPE = Recipe(hidden=(16,), epochs=3, training_images=1500)


@pytest.fixture(scope="module")
def results(training_digits: Digits, test_digits: Digits) -> list[EpochResult]:
    training, validation = split(RECIPE, training_digits, test_digits)
    return list(train(RECIPE, training, validation))


def kept(results: Iterable[EpochResult]) -> Epochs:
    """Return what is kept of some epochs."""
    epochs = Epochs()
    for result in results:
        epochs = epochs.after(result)
    return epochs


def test_a_training_that_came_to_its_end_keeps_the_last_epoch(
    results: list[EpochResult], training_digits: Digits, test_digits: Digits
) -> None:
    training, validation = split(RECIPE, training_digits, test_digits)
    network, card = outcome(
        RECIPE,
        kept(results),
        training=training,
        validation=validation,
        test=test_digits,
        seconds=1.234,
        today="2026-01-02",
        stopped=False,
    )
    assert network is results[-1].network
    assert card.epochs_trained == 3
    assert card.train_accuracy == measures.accuracy(network, training.x, training.y)
    assert card.test_accuracy == measures.accuracy(network, test_digits.x, test_digits.y)
    assert card.validation_accuracy == card.test_accuracy
    assert (card.train_seconds, card.created) == (1.2, "2026-01-02")
    assert card.log == tuple(result.logged for result in results)
    assert [(logged.member, logged.epoch) for logged in card.log] == [(1, 1), (1, 2), (1, 3)]


def with_numbers(result: EpochResult, **numbers: float) -> EpochResult:
    logged = dataclasses.replace(result.logged, **numbers)  # type: ignore[arg-type]
    return dataclasses.replace(result, logged=logged)


def test_one_that_was_stopped_keeps_its_best_epoch(
    results: list[EpochResult], test_digits: Digits
) -> None:
    few = Digits(test_digits.x[:100], test_digits.y[:100])
    worse = [with_numbers(result, validation_accuracy=0.1) for result in results]
    worse[1] = results[1]
    network, card = outcome(
        RECIPE,
        kept(worse),
        training=few,
        validation=few,
        test=few,
        seconds=1,
        today="2026-01-02",
        stopped=True,
    )
    assert network is results[1].network
    assert card.epochs_trained == 2
    assert [logged.epoch for logged in card.log] == [1, 2, 3]


def test_a_loss_that_is_no_number_leaves_no_log(
    results: list[EpochResult], test_digits: Digits
) -> None:
    few = Digits(test_digits.x[:100], test_digits.y[:100])
    astray = [*results[:2], with_numbers(results[2], validation_loss=float("nan"))]
    network, card = outcome(
        RECIPE,
        kept(astray),
        training=few,
        validation=few,
        test=few,
        seconds=1,
        today="2026-01-02",
        stopped=False,
    )
    assert network is results[2].network
    assert card.log == ()


def test_an_ensemble_that_was_stopped_keeps_its_members_so_far(
    training_digits: Digits, test_digits: Digits
) -> None:
    few = Digits(training_digits.x[:300], training_digits.y[:300])
    recipe = Recipe(hidden=(8,), epochs=1, members=3)
    results = list(train(recipe, few, few))[:2]
    network, card = outcome(
        recipe,
        kept(results),
        training=few,
        validation=few,
        test=test_digits,
        seconds=1,
        today="2026-01-02",
        stopped=True,
    )
    assert isinstance(network, Ensemble)
    assert len(network.members) == 2
    assert [(logged.member, logged.epoch) for logged in card.log] == [(1, 1), (2, 1)]


@pytest.mark.parametrize(
    ("accuracy", "labels", "expected"),
    [
        (0.5, [0, 0, 1, 2], True),  # as good as always answering 0
        (0.51, [0, 0, 1, 2], False),
        (0.0, [4, 7], True),
        (1.0, [7, 7, 7], False),  # nothing to tell apart
    ],
)
def test_to_learn_is_to_beat_the_most_frequent_digit(
    accuracy: float, labels: list[int], expected: bool
) -> None:
    assert learned_nothing(accuracy, np.array(labels)) is expected


@pytest.mark.parametrize(("rate", "expected"), [(2.0, True), (0.01, False)])
def test_too_large_steps_learn_nothing(
    training_digits: Digits, rate: float, expected: bool
) -> None:
    some = Digits(training_digits.x[:1500], training_digits.y[:1500])
    *_, last = train(Recipe(epochs=1, learning_rate=rate), some, some)
    accuracy = measures.accuracy(last.kept, some.x, some.y)
    assert learned_nothing(accuracy, some.y) is expected


def test_only_the_digits_that_were_learned_count(training_digits: Digits) -> None:
    some = of_digits(training_digits, (3, 7))
    assert set(some.y) == {3, 7}
    assert len(some) == np.isin(training_digits.y, (3, 7)).sum()


def test_the_log_is_the_report_s(results: list[EpochResult]) -> None:
    result = with_numbers(
        results[0],
        train_loss=0.3238,
        train_accuracy=0.8964,
        validation_loss=0.194,
        validation_accuracy=0.9383,
    )
    assert log_lines(Recipe(), result.logged) == (
        "Epoch [1/20], Train Loss: 0.3238, Train Accuracy: 0.8964\n"
        "Epoch [1/20], Validation Loss: 0.1940, Validation Accuracy: 0.9383"
    )
    assert log_lines(Recipe(members=5), result.logged).startswith("Network [1/5], Epoch [1/20], ")
