import numpy as np
import pytest
import torch

from core.attacks import pgd
from core.networks.mlp import MLP
from core.networks.torch_module import TorchClassifier
from tests.core.torch_twin import torch_twin


def test_logits_and_pull_back_are_the_network_s(small_network: MLP) -> None:
    classifier = TorchClassifier(torch_twin(small_network), image_shape=(12,))
    rng = np.random.default_rng(0)
    x, cotangent = rng.random((5, 12)), rng.normal(size=(5, 10))
    np.testing.assert_allclose(classifier.logits(x), small_network.logits(x), atol=1e-12)
    logits, pull_back = classifier.vjp(x)
    _, ours = small_network.vjp(x)
    np.testing.assert_allclose(logits, small_network.logits(x), atol=1e-12)
    np.testing.assert_allclose(pull_back(cotangent), ours(cotangent), atol=1e-12)
    np.testing.assert_allclose(pull_back(2 * cotangent), ours(2 * cotangent), atol=1e-12)


def test_a_convolutional_network_can_be_attacked_and_keeps_no_gradients() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 5), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(2304, 10)
    ).eval()
    classifier = TorchClassifier(module, image_shape=(1, 28, 28))
    x = np.random.default_rng(0).random((3, 784)).astype(np.float32)
    y = classifier.logits(x).argmax(axis=1)
    x_adv = pgd(classifier, x, y, 0.1)
    assert x_adv.shape == (3, 784)
    assert x_adv.dtype == np.float32
    assert (classifier.logits(x_adv).argmax(axis=1) != y).all()
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_module_in_training_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"call module\.eval\(\) first"):
        TorchClassifier(torch.nn.Linear(784, 10))
