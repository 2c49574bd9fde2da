import numpy as np
import pytest

from core.attacks import METHODS
from core.data.mnist import Digits
from core.evaluation.path import follow
from core.evaluation.remarkable import NOTHING, Remarkable, remarkable
from core.measures import SCREEN, predict
from core.networks import MLP

FGSM = METHODS["fgsm"]
BUDGETS = FGSM.scale.budgets[1:]


def test_the_first_to_flip_are_those_of_the_paths_that_a_page_shows(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:150], test_digits.y[:150]
    found = remarkable(report_network, x, y, BUDGETS, levels=SCREEN)
    predicted = predict(report_network, x)
    np.testing.assert_array_equal(found.wrong, np.flatnonzero(predicted != y))
    flips = np.full(len(x), np.inf)
    for index in np.flatnonzero(predicted == y):
        path = follow(report_network, FGSM, x[[index]], int(y[index]), levels=SCREEN)
        changed = path.predictions != y[index]
        if changed.any():
            flips[index] = path.scale.budgets[changed.argmax()]
    for digit in range(10):
        assert y[found.first[digit]] == digit
        assert found.budgets[digit] == flips[found.first[digit]] == flips[y == digit].min()
    assert flips[found.very_first] == flips.min()


def test_where_nothing_flips_nothing_is_found(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:1], test_digits.y[:1]
    found = remarkable(report_network, x, y, [0.0])
    assert found.very_first == NOTHING
    assert (found.first == NOTHING).all()
    wrong = remarkable(report_network, x, (y + 1) % 10, [0.5])
    assert list(wrong.wrong) == [0]
    assert wrong.very_first == NOTHING


def test_some_images_keep_the_numbers_that_they_have_among_all() -> None:
    first = np.array([2, NOTHING, 0, *7 * [NOTHING]])
    found = Remarkable(first, np.where(first < 0, np.nan, 0.1), np.array([1, 2]))
    among = found.among(np.array([30, 50, 90]))
    assert among.first.tolist() == [90, NOTHING, 30, *7 * [NOTHING]]
    assert among.wrong.tolist() == [50, 90]
    assert among.very_first == 90


def test_bad_arguments_are_named(report_network: MLP) -> None:
    with pytest.raises(ValueError, match="^y must be 2 labels"):
        remarkable(report_network, np.zeros((2, 784)), [1], [0.1])
