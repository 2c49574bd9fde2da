"""A picture that is saved and read again gets the verdict it had."""

import io

import numpy as np
import pytest
from PIL import Image

from core.attacks import METHODS
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.evaluation.path import follow
from core.measures import predict
from core.networks.mlp import MLP
from core.presentation.images import png, to_bytes


def read_again(image: FloatArray) -> FloatArray:
    """Save an image `(784,)` as a PNG file and read the file."""
    file = png(Image.fromarray(to_bytes(image)))
    levels = np.asarray(Image.open(io.BytesIO(file)))
    assert levels.shape == (28, 28)
    read: FloatArray = levels.reshape(784) / np.float32(255)
    return read


@pytest.mark.thorough
@pytest.mark.parametrize("digit", range(10))
@pytest.mark.parametrize("name", METHODS)
def test_at_every_stop_from_the_flip_on(
    name: str, digit: int, report_network: MLP, test_digits: Digits
) -> None:
    for index in np.flatnonzero(test_digits.y == digit)[:2]:
        x = test_digits.x[index : index + 1]
        before = int(predict(report_network, x)[0])
        path = follow(report_network, METHODS[name], x, before, levels=256)
        if path.flip is None:  # noise may change nothing
            assert name == "noise"
            continue
        from_flip = path.scale.budgets >= path.flip.epsilon
        read = np.stack([read_again(image) for image in path.x_adv[from_flip]])
        assert predict(report_network, read).tolist() == path.predictions[from_flip].tolist()
        assert predict(report_network, read[:1])[0] != before
