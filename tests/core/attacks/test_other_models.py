"""Models without a gradient: whatever gives scores can be attacked by the square attacks."""

from typing import Any

import numpy as np
import pytest

from core.attacks import noise, square, square_l2
from core.classifier import FloatArray
from core.data import mnist
from core.data.mnist import Digits

EPSILON, L2_EPSILON, IMAGES, TRAINED_ON = 0.2, 3.0, 60, 3000


class Scikit:
    """A classifier of scikit-learn: the logits are the log of its probabilities, clipped."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def logits(self, x: FloatArray) -> FloatArray:
        """Return `(N, 784)` to `(N, 10)`."""
        probabilities: FloatArray = self.model.predict_proba(x)
        return np.log(np.clip(probabilities, 1e-6, 1))


@pytest.fixture(scope="module", params=["k-nearest neighbours", "random forest"])
def model(request: pytest.FixtureRequest) -> Scikit:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.neighbors import KNeighborsClassifier

    train = mnist.load("train")
    models = {
        "k-nearest neighbours": KNeighborsClassifier(15, weights="distance"),
        "random forest": RandomForestClassifier(50, random_state=0),
    }
    fitted = models[request.param].fit(train.x[:TRAINED_ON], train.y[:TRAINED_ON])
    return Scikit(fitted)


@pytest.mark.thorough
def test_they_are_misled_far_more_often_than_by_noise(model: Scikit, test_digits: Digits) -> None:
    x, y = test_digits.x[:IMAGES], test_digits.y[:IMAGES]

    def misled(x_adv: FloatArray) -> float:
        return float((model.model.predict(x_adv) != y).mean())

    x_adv = square(model, x, y, EPSILON, queries=100)
    assert np.abs(x_adv.astype(np.float64) - x).max() <= EPSILON + 1e-6
    control = misled(noise(model, x, y, EPSILON))  # type: ignore[arg-type]
    in_l2 = square_l2(model, x, y, L2_EPSILON, queries=100)
    assert np.linalg.norm(in_l2.astype(np.float64) - x, axis=1).max() <= L2_EPSILON + 1e-5
    same_norm = L2_EPSILON / np.sqrt(784)
    control_in_l2 = misled(noise(model, x, y, same_norm))  # type: ignore[arg-type]
    assert misled(x) < 0.25
    assert misled(x_adv) > control + 0.2
    assert misled(in_l2) > control_in_l2 + 0.2
