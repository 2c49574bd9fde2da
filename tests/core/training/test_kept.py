"""Which network a training keeps: the best epoch's, and of an ensemble its members'."""

import dataclasses

import numpy as np
import pytest

from core.data.mnist import Digits
from core.losses import softmax
from core.networks.ensemble import Ensemble
from core.recipe import Recipe
from core.training import train
from tests.core.training.comparison import every_engine, largest_difference

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
