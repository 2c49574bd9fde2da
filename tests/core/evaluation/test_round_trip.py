"""A picture that is saved and read again without centring gets the verdict it had."""

import numpy as np
import pytest
from PIL import Image

from core.attacks import FOLLOWED
from core.classifier import FloatArray
from core.data.drawing import to_mnist
from core.data.mnist import Digits
from core.data.pictures import decode
from core.evaluation.path import follow
from core.measures import predict
from core.networks.mlp import MLP
from core.presentation.images import png, to_bytes


def read_again(image: FloatArray, side: int = 28) -> FloatArray:
    """Save an image `(784,)` as a PNG file of this side, and read the file as Draw does."""
    picture = Image.fromarray(to_bytes(image)).resize((side, side), Image.Resampling.NEAREST)
    x: FloatArray = to_mnist(decode(png(picture)), centre=False).x[0]
    return x


@pytest.mark.thorough
@pytest.mark.parametrize("digit", range(10))
@pytest.mark.parametrize("title", FOLLOWED)
def test_at_every_stop_from_the_flip_on(
    title: str, digit: int, report_network: MLP, test_digits: Digits
) -> None:
    for index in np.flatnonzero(test_digits.y == digit)[:2]:
        x = test_digits.x[index : index + 1]
        before = int(predict(report_network, x)[0])
        path = follow(report_network, FOLLOWED[title], x, before, levels=256)
        if path.flip is None:  # noise may change nothing
            assert title == "Random noise"
            continue
        from_flip = path.scale.budgets >= path.flip.epsilon
        shown = path.x_adv[from_flip]
        read = np.stack([read_again(image) for image in shown])
        np.testing.assert_array_equal(read, shown)
        np.testing.assert_array_equal(read_again(shown[0], side=560), shown[0])
        assert predict(report_network, read).tolist() == path.predictions[from_flip].tolist()
        assert predict(report_network, read[:1])[0] != before
