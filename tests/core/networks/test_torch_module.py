from collections.abc import Callable

import numpy as np
import pytest
import torch

from core.attacks import Attack, fgsm, pgd, pgd_l2, strongest
from core.classifier import FloatArray
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
    classifier = TorchClassifier(module)
    x = np.random.default_rng(0).random((3, 784)).astype(np.float32)
    y = classifier.logits(x).argmax(axis=1)
    x_adv = pgd(classifier, x, y, 0.1)
    assert x_adv.shape == (3, 784)
    assert x_adv.dtype == np.float32
    assert (classifier.logits(x_adv).argmax(axis=1) != y).all()
    assert all(parameter.grad is None for parameter in module.parameters())


class Changed(torch.nn.Module):
    """An affine layer whose input and output go through functions."""

    def __init__(
        self,
        after: Callable[[torch.Tensor], object] = lambda z: z,
        before: Callable[[torch.Tensor], torch.Tensor] = lambda x: x,
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(784, 10)
        self.after, self.before = after, before
        self.eval()

    def forward(self, x: torch.Tensor) -> object:
        """Return what `after` makes of the layer's output."""
        return self.after(self.layer(self.before(x)))


def images(count: int) -> FloatArray:
    return np.random.default_rng(1).random((count, 784)).astype(np.float32)


def test_a_part_in_training_mode_is_refused_now_and_later() -> None:
    with pytest.raises(ValueError, match=r"call module\.eval\(\) first"):
        TorchClassifier(torch.nn.Linear(784, 10))
    module = torch.nn.Sequential(torch.nn.Linear(784, 10), torch.nn.Dropout(0.5)).eval()
    classifier = TorchClassifier(module)
    module[1].train()
    for call in (classifier.logits, classifier.vjp):
        with pytest.raises(ValueError, match=r"its part '1' is in training mode"):
            call(images(2))
    with pytest.raises(ValueError, match=r"its part '1' is in training mode"):
        TorchClassifier(module)
    module.eval()
    assert classifier.logits(images(2)).shape == (2, 10)


def test_a_batch_of_one_may_be_squeezed() -> None:
    squeezed, whole = TorchClassifier(Changed(torch.squeeze)), TorchClassifier(Changed())
    for count in (1, 3):
        x = images(count)
        np.testing.assert_array_equal(squeezed.logits(x), whole.logits(x))
        (_, one), (_, other) = squeezed.vjp(x), whole.vjp(x)
        ones = np.ones((count, 10))
        np.testing.assert_array_equal(one(ones), other(ones))


def test_the_logits_may_be_the_only_table_of_a_tuple() -> None:
    expected = TorchClassifier(Changed()).logits(images(3))
    beside = TorchClassifier(Changed(lambda z: (z, z.sum(), "and a word")))
    np.testing.assert_array_equal(beside.logits(images(3)), expected)
    for returned in (
        lambda z: (z, torch.softmax(z, 1)),  # which of them is it?
        lambda z: {"logits": z},
        lambda z: z.argmax(dim=1),
        lambda z: z.sum(dim=1),
        lambda z: None,
    ):
        with pytest.raises(ValueError, match="must return logits"):
            TorchClassifier(Changed(returned), image_shape=(784,)).logits(images(3))


@pytest.mark.parametrize(
    ("shape", "before"),
    [
        ((784,), lambda x: x),
        ((1, 28, 28), lambda x: torch.nn.functional.avg_pool2d(x, 1).flatten(1)),
        ((28, 28), lambda x: torch.einsum("nij->nji", x).flatten(1)),
    ],
)
def test_the_shape_of_an_image_is_found(
    shape: tuple[int, ...], before: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    module = Changed(before=before)
    classifier = TorchClassifier(module)
    x = images(4)
    expected = module(torch.tensor(x).reshape(4, *shape)).detach().numpy()
    np.testing.assert_array_equal(classifier.logits(x), expected)
    _, pull_back = classifier.vjp(x)
    assert pull_back(np.ones((4, 10))).shape == (4, 784)


def test_a_module_for_images_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"takes no images of the shapes .* name its image_shape"):
        TorchClassifier(torch.nn.Linear(100, 10).eval())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_refused(dtype: torch.dtype) -> None:
    name = str(dtype).removeprefix("torch.")
    with pytest.raises(ValueError, match=rf"layer\.weight of the module is in {name}"):
        TorchClassifier(Changed().to(dtype))
    with pytest.raises(ValueError, match=rf"what the module returns is in {name}"):
        TorchClassifier(Changed(lambda z: z.to(dtype)), image_shape=(784,)).logits(images(2))


@pytest.mark.parametrize("attack", [fgsm, pgd, pgd_l2, strongest])
@pytest.mark.parametrize(
    ("after", "problem"),
    [
        (lambda z: z + (0 * z).sqrt(), "is not finite"),
        (lambda z: z.detach(), "no gradient at the pixels"),
    ],
)
def test_a_gradient_that_is_none_is_an_error_that_says_so(
    attack: Attack, after: Callable[[torch.Tensor], object], problem: str
) -> None:
    classifier = TorchClassifier(Changed(after))
    with pytest.raises(ValueError, match=problem):
        attack(classifier, images(3), classifier.logits(images(3)).argmax(axis=1), 0.1)
