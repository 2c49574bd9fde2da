import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluation.confusion import Mistakes, confusion, most_mistaken

digits = st.integers(0, 9)


@given(pairs=st.lists(st.tuples(digits, digits), max_size=60))
def test_by_a_plain_count(pairs: list[tuple[int, int]]) -> None:
    y, predictions = [digit for digit, _ in pairs], [taken for _, taken in pairs]
    matrix = confusion(np.array(y, int), np.array(predictions, int))
    for digit in range(10):
        for label in range(10):
            assert matrix[digit, label] == pairs.count((digit, label))
    for digit, found in enumerate(most_mistaken(matrix)):
        wrong = [taken for own, taken in pairs if own == digit != taken]
        most = max((wrong.count(label) for label in wrong), default=0)
        assert found == Mistakes(
            digit=digit,
            images=y.count(digit),
            misclassified=len(wrong),
            labels=tuple(label for label in range(10) if most and wrong.count(label) == most),
            count=most,
        )


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="^y must be 2 labels"):
        confusion([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="^predictions must be whole numbers"):
        confusion([1, 2], [1, 10])
