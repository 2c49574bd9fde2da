import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.losses import (
    cross_entropy,
    doubt,
    exact_cotangent,
    float32_autograd_cotangent,
    pixel_gradient,
    softmax,
)
from core.networks.mlp import MLP
from tests.core.torch_twin import torch_twin

logit_rows = arrays(np.float32, (4, 10), elements=st.floats(-60, 60, width=32))
label_rows = arrays(np.int64, 4, elements=st.integers(0, 9))


@given(logit_rows, label_rows)
def test_exact_cotangent_points_where_arbitrary_precision_does(
    logits: np.ndarray, y: np.ndarray
) -> None:
    cotangent = exact_cotangent(logits, y)
    assert cotangent.dtype == np.float32
    with mpmath.workdps(120):
        for row, label, ours in zip(logits, y, cotangent, strict=True):
            exponentials = [mpmath.exp(float(value)) for value in row]
            total = mpmath.fsum(exponentials)
            truth = [value / total for value in exponentials]
            truth[label] -= 1
            largest = max(truth[j] for j in range(10) if j != label)
            expected = [float(value / largest) for value in truth]
            # Of logits 60 apart, float32 has no better than 1e-5 of their difference's exponential.
            np.testing.assert_allclose(ours, expected, rtol=2e-5, atol=1e-30)


@given(logit_rows, label_rows)
def test_doubt_is_what_arbitrary_precision_leaves_for_other_classes(
    logits: np.ndarray, y: np.ndarray
) -> None:
    with mpmath.workdps(120):
        for row, label, ours in zip(logits, y, doubt(logits, y), strict=True):
            exponentials = [mpmath.exp(float(value)) for value in row]
            expected = 1 - exponentials[label] / mpmath.fsum(exponentials)
            assert ours == pytest.approx(float(expected), rel=1e-12)


def test_the_true_class_s_term_survives_where_float32_autograd_loses_it() -> None:
    logits = np.zeros((1, 10), np.float32)
    logits[0, 7], logits[0, 3] = 40, 10
    y = np.array([7])
    assert softmax(logits)[0, 7] == 1
    flawed = float32_autograd_cotangent(logits, y)
    assert flawed[0, 7] == 0
    assert flawed[0, 3] > 0
    exact = exact_cotangent(logits, y)
    assert exact[0, 3] == 1
    assert exact[0, 7] == pytest.approx(-1, abs=1e-3)


@given(logit_rows, label_rows)
def test_float32_autograd_cotangent_is_what_torch_returns(
    logits: np.ndarray, y: np.ndarray
) -> None:
    leaf = torch.tensor(logits, requires_grad=True)
    torch.nn.functional.cross_entropy(leaf, torch.tensor(y), reduction="sum").backward()
    assert leaf.grad is not None
    ours = float32_autograd_cotangent(logits, y)
    np.testing.assert_allclose(ours, leaf.grad.numpy(), rtol=1e-5, atol=1e-6)


@given(logit_rows, label_rows)
def test_softmax_and_cross_entropy_are_torch_s(logits: np.ndarray, y: np.ndarray) -> None:
    wide = logits.astype(np.float64)
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(wide), torch.tensor(y), reduction="none"
    )
    np.testing.assert_allclose(cross_entropy(wide, y), expected.numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(softmax(wide), torch.tensor(wide).softmax(dim=1), atol=1e-12)


def test_pixel_gradient_is_a_positive_multiple_of_torch_s(small_network: MLP) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((6, 12)), rng.integers(0, 10, 6)
    leaf = torch.tensor(x, requires_grad=True)
    torch.nn.functional.cross_entropy(
        torch_twin(small_network)(leaf), torch.tensor(y), reduction="sum"
    ).backward()
    assert leaf.grad is not None
    expected = leaf.grad.numpy()
    ours = pixel_gradient(small_network, x, y)
    factors = np.linalg.norm(ours, axis=1) / np.linalg.norm(expected, axis=1)
    np.testing.assert_allclose(ours, factors[:, None] * expected, rtol=1e-9, atol=1e-12)


def test_a_gradient_of_another_name_is_refused(small_network: MLP) -> None:
    with pytest.raises(ValueError, match="gradient must be one of exact, float32_autograd"):
        pixel_gradient(small_network, np.zeros((1, 12)), np.array([0]), gradient="numeric")
