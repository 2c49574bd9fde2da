import dataclasses

import pytest

from core.networks import LoggedEpoch
from tests.core.networks.samples import CARD

LOG = (LoggedEpoch(1, 1, 2.5, 0.125, 0.1, 0.97), LoggedEpoch(1, 2, 0.25, 0.9, 0.05, 1.0))


@pytest.mark.parametrize(
    "log",
    [
        [*LOG],
        ((1, 1, 0.5, 0.9, 0.4, 0.9),),
        LOG[1:],
        LOG[::-1],
        (*LOG, *LOG),
        (*LOG, dataclasses.replace(LOG[0], epoch=3), dataclasses.replace(LOG[0], epoch=4)),
        (*LOG, dataclasses.replace(LOG[0], member=2)),
    ],
)
def test_a_log_that_no_run_could_write_is_refused(log: object) -> None:
    with pytest.raises(ValueError, match="^log must "):
        dataclasses.replace(CARD, log=log)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bad",
    [
        {"member": 0},
        {"epoch": 1.0},
        {"epoch": True},
        {"train_loss": float("nan")},
        {"validation_loss": -0.1},
        {"validation_loss": float("inf")},
        {"train_accuracy": 1.01},
        {"validation_accuracy": None},
    ],
)
def test_an_epoch_that_can_t_be_is_refused(bad: dict[str, object]) -> None:
    (field,) = bad
    logged = dataclasses.replace(LOG[0], **bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"^{field} must be"):
        dataclasses.replace(CARD, log=(logged,))


@pytest.mark.parametrize(
    "bad",
    [
        {"epochs_trained": -1},
        {"epochs_trained": 1.5},
        {"epochs_trained": True},
        {"created": "yesterday"},
        {"created": None},
        {"train_accuracy": 1.1},
        {"validation_accuracy": float("nan")},
        {"test_accuracy": "high"},
        {"train_seconds": -1.0},
        {"train_seconds": float("inf")},
    ],
)
def test_a_card_that_can_t_be_is_refused(bad: dict[str, object]) -> None:
    (field,) = bad
    with pytest.raises(ValueError, match=f"^{field} must be"):
        dataclasses.replace(CARD, **bad)  # type: ignore[arg-type]


def test_an_epoch_of_a_training_that_diverged_can_be_logged_but_not_on_a_card() -> None:
    astray = dataclasses.replace(LOG[0], train_loss=float("inf"), validation_loss=float("nan"))
    with pytest.raises(ValueError, match="^train_loss must be"):
        dataclasses.replace(CARD, log=(astray,))
