import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.losses import (
    cross_entropy,
    dlr,
    doubt,
    exact_cotangent,
    float32_autograd_cotangent,
    log_odds,
    pixel_gradient,
    softmax,
    targeted_dlr,
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


def torch_dlr(logits: torch.Tensor, y: int, target: int | None) -> torch.Tensor:
    """One image's difference of logits ratio as the paper writes it."""
    ranked = logits.sort(descending=True).values
    if target is not None:
        return -(logits[y] - logits[target]) / (ranked[0] - (ranked[2] + ranked[3]) / 2)
    others = torch.cat([logits[:y], logits[y + 1 :]])
    return -(logits[y] - others.max()) / (ranked[0] - ranked[2])


@pytest.mark.parametrize("targeted", [False, True])
def test_the_dlr_loss_and_its_gradient_are_autograd_s(targeted: bool) -> None:
    rng = np.random.default_rng(5)
    logits, y = rng.normal(size=(60, 10)), rng.integers(0, 10, 60)
    y[:20] = logits[:20].argmax(axis=1)
    target = (y + rng.integers(1, 10, 60)) % 10
    loss, cotangent = targeted_dlr(logits, y, target) if targeted else dlr(logits, y)
    for row in range(60):
        z = torch.tensor(logits[row], requires_grad=True)
        expected = torch_dlr(z, int(y[row]), int(target[row]) if targeted else None)
        (gradient,) = torch.autograd.grad(expected, z)
        assert loss[row] == pytest.approx(float(expected.detach()), abs=1e-12)
        # Both are 0 where y is third: the ratio is 1 then.
        ours = cotangent[row] / max(np.abs(cotangent[row]).max(), 1e-9)
        expected_gradient = gradient.numpy() / max(float(gradient.abs().max()), 1e-9)
        np.testing.assert_allclose(ours, expected_gradient, atol=1e-6)


@given(
    seed=st.integers(0, 1000),
    scale=st.floats(1e-3, 1e3),
    shift=st.floats(-100, 100),
)
def test_the_dlr_loss_does_not_change_with_the_scale_of_the_logits(
    seed: int, scale: float, shift: float
) -> None:
    rng = np.random.default_rng(seed)
    logits, y = rng.normal(size=(5, 10)), rng.integers(0, 10, 5)
    target = (y + 1) % 10
    for ours, scaled in zip(
        (*dlr(logits, y), *targeted_dlr(logits, y, target)),
        (
            *dlr(scale * logits + shift, y),
            *targeted_dlr(scale * logits + shift, y, target),
        ),
        strict=True,
    ):
        np.testing.assert_allclose(scaled, ours, rtol=1e-6, atol=1e-6)


def test_the_dlr_loss_of_equal_logits_is_a_number() -> None:
    for logits in (np.zeros((1, 10)), np.eye(10)[[3]]):
        for loss, cotangent in (dlr(logits, np.array([5])), targeted_dlr(logits, [5], [6])):  # type: ignore[arg-type]
            assert np.isfinite(loss).all()
            assert np.isfinite(cotangent).all()


@given(logit_rows, label_rows)
def test_log_odds_are_those_of_the_probabilities_and_never_round_to_a_bound(
    logits: np.ndarray, y: np.ndarray
) -> None:
    with mpmath.workdps(120):
        for row, label, ours in zip(logits, y, log_odds(logits, y), strict=True):
            exponentials = [mpmath.exp(float(value)) for value in row]
            others = mpmath.fsum(exponentials) - exponentials[label]
            assert float(ours) == pytest.approx(
                float(mpmath.log(others / exponentials[label])), rel=1e-4, abs=1e-4
            )
