"""The facts, against the report's tables typed in a second time, column by column."""

from decimal import Decimal

import pytest

from core.presentation.course_report import facts
from core.presentation.remedies import NOT_NAMED, REMEDIES
from core.recipe import PRESETS, Recipe

# Ten-thousandths: the loss and the accuracy of training, then of validation, epochs 1 to 20.
COLUMNS = {
    "train_loss": "3238 1332 959 747 583 455 385 356 311 257 "
    "239 208 252 178 208 200 211 124 142 152",
    "train_accuracy": "8964 9589 9690 9758 9809 9847 9880 9884 9895 9914 "
    "9916 9932 9916 9944 9937 9937 9933 9958 9954 9955",
    "validation_loss": "1940 1311 1140 1268 1263 1065 1218 1066 1151 1143 "
    "1415 1353 1174 1265 1588 1892 1395 1276 1296 1457",
    "validation_accuracy": "9383 9568 9656 9626 9643 9716 9679 9739 9741 9756 "
    "9783 9729 9751 9741 9669 9657 9756 9763 9767 9747",
}


@pytest.mark.parametrize("column", COLUMNS)
def test_the_log_is_the_report_s(column: str) -> None:
    typed = [Decimal(number) / 10_000 for number in COLUMNS[column].split()]
    logged = [Decimal(str(getattr(epoch, column))) for epoch in facts.LOG]
    assert logged == typed


def test_the_log_counts_the_epochs() -> None:
    assert [epoch.epoch for epoch in facts.LOG] == list(range(1, 21))
    assert len(facts.LOG) == facts.EPOCHS
    lowest = min(facts.LOG, key=lambda epoch: epoch.validation_loss)
    assert (lowest.epoch, lowest.validation_loss) == (6, 0.1065)


def test_the_accuracies_are_the_log_s_last() -> None:
    last = facts.LOG[-1]
    assert facts.TRAIN_ACCURACY == last.train_accuracy == 0.9955
    assert facts.VALIDATION_ACCURACY == last.validation_accuracy == 0.9747
    assert facts.TEST_ACCURACY == 0.9747
    assert facts.EVASION_RATE == 0.7213


def test_the_ten_labels_are_the_report_s() -> None:
    labels = {each.digit: each.label for each in facts.MISTAKEN}
    assert labels == {0: 9, 1: 3, 2: 7, 3: 0, 4: None, 5: 7, 6: 8, 7: 3, 8: 2, 9: 4}
    for each in facts.MISTAKEN:
        assert bool(each.explanation) == (each.label is not None)
    halves = {each.digit: each.similar_half for each in facts.MISTAKEN if each.similar_half}
    assert halves == {2: "upper", 5: "upper", 6: "lower", 8: "upper"}


def test_the_report_s_recipe_is_the_default() -> None:
    assert Recipe() == Recipe(
        hidden=facts.LAYERS[1:-1],
        epochs=facts.EPOCHS,
        batch_size=facts.BATCH_SIZE,
        optimizer=facts.OPTIMIZER.lower(),
        learning_rate=facts.LEARNING_RATE,
    )
    assert (facts.LAYERS[0], facts.LAYERS[-1]) == (784, 10)


def test_each_of_the_eight_recommendations_has_been_tried() -> None:
    assert len(facts.RECOMMENDATIONS) == 8
    tried = [preset for presets in facts.RECOMMENDATIONS.values() for preset in presets]
    assert len(set(tried)) == len(tried) == 9
    assert set(tried) <= set(PRESETS)
    recommended = [remedy.preset for remedy in REMEDIES if remedy.expectation != NOT_NAMED]
    assert set(recommended) - set(tried) == {"all-together"}
