import numpy as np
import pytest

from core.data.mnist import Digits
from core.evaluation.similarity import rank, similarity


def test_similarity_by_a_plain_loop(test_digits: Digits) -> None:
    x, y = test_digits.x[:2000], test_digits.y[:2000]
    cosines = similarity(x, y)
    means = [
        np.mean([image for image, own in zip(x, y, strict=True) if own == d], 0) for d in range(10)
    ]
    for a, first in enumerate(means):
        for b, second in enumerate(means):
            lengths = float(first @ first) ** 0.5 * float(second @ second) ** 0.5
            assert cosines[a, b] == pytest.approx(float(first @ second) / lengths, abs=1e-5)
    # As one would guess: 9 is the digit most similar to 4, and 1 the least similar to 0.
    assert rank(cosines, 4, 9) == 1
    assert rank(cosines, 0, 1) == 9
    for digit in range(10):
        places = [rank(cosines, digit, label) for label in range(10) if label != digit]
        assert sorted(places) == list(range(1, 10))


def test_classes_absent_from_a_sample(test_digits: Digits) -> None:
    some = np.isin(test_digits.y, [1, 4, 9])
    cosines = similarity(test_digits.x[some], test_digits.y[some])
    known = np.isin(np.arange(10), [1, 4, 9])
    np.testing.assert_array_equal(np.isfinite(cosines), np.outer(known, known))
    assert (rank(cosines, 4, 9), rank(cosines, 4, 1)) == (1, 2)
    with pytest.raises(ValueError, match="^similarity must have a number for 4 and 7"):
        rank(cosines, 4, 7)
    with pytest.raises(ValueError, match="^similarity must have a number for 7 and 4"):
        rank(cosines, 7, 4)
    with pytest.raises(ValueError, match="^label must be another"):
        rank(cosines, 4, 4)
    assert np.isnan(similarity(np.zeros((2, 784)), np.array([0, 1]))).all()
