import numpy as np
import pytest

from core import measures
from core.data.mnist import Digits
from core.networks.mlp import MLP
from tests.conftest import random_mlp


def test_accuracy_and_evasion_by_a_plain_count(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:500], test_digits.y[:500]
    right = 0
    for image, label in zip(x, y, strict=True):
        right += int(report_network.logits(image[None]).argmax()) == label
    assert measures.accuracy(report_network, x, y) == right / 500
    assert measures.evasion_rate(report_network, x, y) == pytest.approx(1 - right / 500)


def test_logits_in_batches_are_the_network_s(report_network: MLP, test_digits: Digits) -> None:
    x = test_digits.x[:1000]
    np.testing.assert_allclose(
        measures.logits(report_network, x), report_network.logits(x), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_array_equal(
        measures.predict(report_network, x), report_network.logits(x).argmax(axis=1)
    )


def test_the_first_of_each_digit(test_digits: Digits) -> None:
    expected = [test_digits.y.tolist().index(digit) for digit in range(10)]
    assert measures.first_of_each(test_digits.y).tolist() == expected


def test_accuracy_by_digit_is_the_accuracy_on_its_images(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:500], test_digits.y[:500]
    shares = measures.accuracy_by_digit(report_network, x, y)
    for digit in range(10):
        expected = measures.accuracy(report_network, x[y == digit], y[y == digit])
        assert shares[digit] == pytest.approx(expected)


def test_a_digit_without_an_image_is_named() -> None:
    network = random_mlp((784, 10), seed=0)
    with pytest.raises(ValueError, match="^y must have each digit .* no 4$"):
        y = np.array([0, 1, 2, 3, 5, 6, 7, 8, 9])
        measures.accuracy_by_digit(network, np.zeros((9, 784)), y)


def test_norms_of_a_known_perturbation() -> None:
    x = np.zeros((2, 4), np.float32)
    x_adv = np.array([[0.3, 0.4, 0, 0], [0.5, 0.5, 0.5, 0.5]], np.float32)
    np.testing.assert_allclose(measures.l2_norm(x, x_adv), [0.5, 1.0], atol=1e-7)
    np.testing.assert_allclose(measures.linf_norm(x, x_adv), [0.4, 0.5], atol=1e-7)
    assert measures.l2_norm(x[0], np.stack([x_adv, x_adv])).shape == (2, 2)


def test_every_byte_is_one_of_the_levels_of_a_screen(test_digits: Digits) -> None:
    levels = np.arange(256, dtype=np.uint8)
    shown = levels / np.float32(255)
    for nearby in (shown, np.clip(shown + 0.49 / 255, 0, 1), np.clip(shown - 0.49 / 255, 0, 1)):
        rounded = measures.rounded(nearby.astype(np.float32), 256)
        assert rounded.dtype == np.float32
        np.testing.assert_array_equal(rounded, shown)
        np.testing.assert_array_equal((rounded * 255).round().astype(np.uint8), levels)
    np.testing.assert_array_equal(measures.rounded(test_digits.x[:10], 256), test_digits.x[:10])


def test_rounding_to_a_few_levels_or_to_none() -> None:
    x = np.array([[0.1, 0.3, 0.7, 1.0]])
    assert measures.rounded(x, 3).tolist() == [[0, 0.5, 0.5, 1]]
    assert measures.rounded(x, 2).tolist() == [[0, 0, 1, 1]]
    assert measures.rounded(x, None) is x
    for levels in (1, 0, True):
        with pytest.raises(ValueError, match="^levels must"):
            measures.rounded(x, levels)


def test_bad_arguments_are_named(report_network: MLP) -> None:
    with pytest.raises(ValueError, match="^x must hold at least one"):
        measures.predict(report_network, np.zeros((0, 784)))
    with pytest.raises(ValueError, match="^x must be pixels"):
        measures.accuracy(report_network, np.full((1, 784), 2.0), [1])
    with pytest.raises(ValueError, match="^y must"):
        measures.evasion_rate(report_network, np.zeros((2, 784)), [1])
