from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from core.attacks import fgsm, pgd
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.measures import evasion_rate
from core.networks.ensemble import Ensemble
from core.networks.mlp import MLP
from tests.conftest import perceptrons, random_mlp
from tests.core.torch_twin import torch_twin

HIDDEN = [(), (9,), (8, 7)]


def small_ensemble(scale: float = 1, dtype: type = np.float64) -> Ensemble:
    """Members of 12 pixels with different hidden layers; of a large scale, confident ones."""
    members = [random_mlp((12, *hidden, 10), seed=len(hidden)) for hidden in HIDDEN]
    return Ensemble(tuple(rescaled(member, scale, dtype) for member in members))


def rescaled(network: MLP, scale: float, dtype: type) -> MLP:
    """The network with its logits multiplied."""
    last = len(network.weights) - 1
    factors = [scale if layer == last else 1 for layer in range(last + 1)]
    return MLP(
        tuple((w * f).astype(dtype) for w, f in zip(network.weights, factors, strict=True)),
        tuple((b * f).astype(dtype) for b, f in zip(network.biases, factors, strict=True)),
    )


def torch_logits(members: tuple[MLP, ...], x: torch.Tensor) -> torch.Tensor:
    """The log of the members' mean probabilities, as torch has it."""
    log_p = torch.stack([torch_twin(member)(x).log_softmax(dim=1) for member in members])
    logits: torch.Tensor = log_p.logsumexp(dim=0) - np.log(len(members))
    return logits


def of_logits(*members: FloatArray) -> tuple[Ensemble, FloatArray]:
    """An ensemble whose members have these logits, `(N, 10)` each, and the N images."""
    kind = members[0].dtype
    networks = (MLP((logits,), (np.zeros(10, kind),)) for logits in members)
    images: FloatArray = np.eye(len(members[0])).astype(kind)
    return Ensemble(tuple(networks)), images


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_is_the_mean_of_its_members_probabilities(dtype: type) -> None:
    ensemble = small_ensemble(dtype=dtype)
    x: FloatArray = np.random.default_rng(0).random((20, 12)).astype(dtype)
    probabilities = [np.exp(member.logits(x)) for member in ensemble.members]
    probabilities = [p / p.sum(axis=1, keepdims=True) for p in probabilities]
    logits = ensemble.logits(x)
    assert logits.dtype == dtype
    np.testing.assert_allclose(np.exp(logits), np.mean(probabilities, axis=0), rtol=1e-5)


@pytest.mark.parametrize("scale", [1, 30, 1000])
def test_logits_and_pull_back_are_torch_s(scale: float) -> None:
    ensemble = small_ensemble(scale)
    rng = np.random.default_rng(1)
    x, cotangent = rng.random((25, 12)), rng.normal(size=(25, 10))
    leaf = torch.tensor(x, requires_grad=True)
    expected = torch_logits(perceptrons(ensemble), leaf)
    (slope,) = torch.autograd.grad(expected, leaf, torch.tensor(cotangent))
    logits, pull_back = ensemble.vjp(x)
    np.testing.assert_array_equal(logits, ensemble.logits(x))
    np.testing.assert_allclose(logits, expected.detach().numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(pull_back(cotangent), slope.numpy(), rtol=1e-9, atol=1e-9 * scale)


def test_pull_back_can_be_called_again() -> None:
    _, pull_back = small_ensemble().vjp(np.full((2, 12), 0.5))
    first = pull_back(np.eye(10)[:2])
    first_copy = first.copy()
    first *= 0  # the gradient is the caller's to overwrite
    np.testing.assert_array_equal(pull_back(np.eye(10)[:2]), first_copy)


def in_float64(ensemble: Ensemble) -> Ensemble:
    return Ensemble(tuple(rescaled(member, 1, np.float64) for member in perceptrons(ensemble)))


@pytest.fixture(scope="module")
def confident(report_network: MLP) -> Ensemble:
    """The report's network beside itself with its hidden units damaged, sure of every image."""
    rng = np.random.default_rng(2)
    members = [report_network]
    for _ in range(2):
        factors = rng.uniform(0.7, 1.3, 128).astype(np.float32)
        first, *later = report_network.weights
        members.append(MLP((first * factors, *later), report_network.biases))
    return Ensemble(tuple(rescaled(member, 2, np.float32) for member in members))


def test_of_confident_members_the_sign_is_float64_s(
    confident: Ensemble, test_digits: Digits
) -> None:
    x, y = test_digits.x[:500], test_digits.y[:500]
    logits = confident.logits(x)
    assert np.median(np.exp(logits).max(axis=1)) == 1  # float32 rounds most probabilities to 1
    perturbation = fgsm(confident, x, y, 0.1) - x
    expected = fgsm(in_float64(confident), x.astype(np.float64), y, 0.1) - x
    assert (np.sign(perturbation) == np.sign(expected)).mean() > 0.999


def test_fgsm_is_autograd_s_in_float64(confident: Ensemble, test_digits: Digits) -> None:
    # Confident by half, so that float64's softmax keeps the true class's term.
    ensemble = Ensemble(tuple(rescaled(m, 0.25, np.float64) for m in perceptrons(confident)))
    x, y = test_digits.x[:100].astype(np.float64), test_digits.y[:100]
    leaf = torch.tensor(x, requires_grad=True)
    logits = torch_logits(perceptrons(ensemble), leaf)
    loss = torch.nn.functional.nll_loss(logits, torch.tensor(y), reduction="sum")
    (slope,) = torch.autograd.grad(loss, leaf)
    expected = np.clip(x + 0.1 * np.sign(slope.numpy()), 0, 1)
    np.testing.assert_allclose(fgsm(ensemble, x, y, 0.1), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("attack", [fgsm, pgd])
def test_an_attack_on_it_evades_it(
    attack: Callable[..., FloatArray], confident: Ensemble, test_digits: Digits
) -> None:
    x, y = test_digits.x[:300], test_digits.y[:300]
    clean = evasion_rate(confident, x, y)
    x_adv = attack(confident, x, y, [0.0, 0.2])
    np.testing.assert_array_equal(x_adv[0], x)
    assert np.abs(x_adv[1] - x).max() <= 0.2 + 1e-7
    assert clean < 0.1
    assert evasion_rate(confident, x_adv[1], y) > 0.7


def test_one_member_is_the_member(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:500], test_digits.y[:500]
    alone = Ensemble((report_network,))
    np.testing.assert_array_equal(
        alone.logits(x).argmax(axis=1), report_network.logits(x).argmax(axis=1)
    )
    same = fgsm(alone, x, y, 0.1) == fgsm(report_network, x, y, 0.1)
    assert same.mean() > 0.9999
    wide, x = in_float64(alone), x.astype(np.float64)
    np.testing.assert_allclose(
        fgsm(wide, x, y, 0.1), fgsm(wide.members[0], x, y, 0.1), rtol=0, atol=1e-12
    )


def test_the_same_member_twice_is_the_member(report_network: MLP, test_digits: Digits) -> None:
    x, y = test_digits.x[:200], test_digits.y[:200]
    np.testing.assert_allclose(
        Ensemble((report_network,) * 2).logits(x),
        Ensemble((report_network,)).logits(x),
        rtol=1e-6,
        atol=1e-6,
    )
    same = fgsm(Ensemble((report_network,) * 2), x, y, 0.1) == fgsm(report_network, x, y, 0.1)
    assert same.mean() > 0.9999


def members_logits(dtype: type, bound: float, width: int) -> st.SearchStrategy[FloatArray]:
    """Logits `(K, N, 10)` as large as they may be."""
    numbers = st.floats(-bound, bound, width=width) | st.floats(-500, 500, width=width)  # type: ignore[arg-type]
    shapes = array_shapes(min_dims=2, max_dims=2, max_side=3).map(lambda shape: (*shape, 10))
    return arrays(dtype, shapes, elements=numbers)


@given(members_logits(np.float32, 2.0**100, 32) | members_logits(np.float64, 2.0**1000, 64))
def test_extreme_logits_give_finite_gradients(extreme: FloatArray) -> None:
    ensemble, x = of_logits(*extreme)
    logits, pull_back = ensemble.vjp(x)
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(np.exp(logits).sum(axis=1), 1, rtol=1e-5)
    gradient = pull_back(np.eye(10, dtype=logits.dtype)[np.arange(len(x)) % 10])
    assert gradient.dtype == extreme.dtype
    assert np.isfinite(gradient).all()
    assert np.isfinite(fgsm(ensemble, x, 0, 0.1)).all()


@given(arrays(np.float32, (3, 10), elements=st.floats(-500, 500, width=32)))
def test_the_jacobian_of_float32_members_is_float64_s(biases: FloatArray) -> None:
    jacobians = []
    for dtype in (np.float32, np.float64):
        members = (MLP((np.eye(10, dtype=dtype),), (bias.astype(dtype),)) for bias in biases)
        _, pull_back = Ensemble(tuple(members)).vjp(np.zeros((10, 10), dtype))
        jacobians.append(pull_back(np.eye(10, dtype=dtype)))
    np.testing.assert_allclose(jacobians[0], jacobians[1], rtol=0, atol=3e-7)


def test_a_member_that_is_sure_does_not_silence_the_others() -> None:
    """Where one member gives a class e^-800, below float64's range, the other's gradient stays."""
    sure, unsure = np.zeros((1, 10)), np.zeros((1, 10))
    sure[0, 0], unsure[0, 0] = 800, 1
    sure[0, 1:] = -np.arange(9)
    ensemble, x = of_logits(sure, unsure)
    logits, pull_back = ensemble.vjp(x)
    leaf = [torch.tensor(value, requires_grad=True) for value in (sure, unsure)]
    expected = torch.stack([z.log_softmax(dim=1) for z in leaf]).logsumexp(dim=0) - np.log(2)
    np.testing.assert_allclose(logits, expected.detach().numpy(), rtol=1e-12)
    pull = np.eye(10)[[3]]
    slopes = torch.autograd.grad(expected, leaf, torch.tensor(pull))
    weights = [member.weights[0] for member in perceptrons(ensemble)]
    by_hand = sum(slope.numpy() @ w.T for slope, w in zip(slopes, weights, strict=True))
    np.testing.assert_allclose(pull_back(pull), by_hand, rtol=1e-12)
    assert np.abs(slopes[1].numpy()).max() > 0.1


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (random_mlp((11, 10), seed=0), r"members\[1\] 11 inputs to 10 outputs in float64"),
        (random_mlp((12, 9), seed=0), r"members\[1\] 12 inputs to 9 outputs"),
        (random_mlp((12, 10), seed=0, dtype=np.float32), "float32"),
    ],
)
def test_members_that_do_not_fit_are_refused(other: MLP, said: str) -> None:
    with pytest.raises(ValueError, match=f"^members must agree: .*{said}"):
        Ensemble((random_mlp((12, 10), seed=0), other))


def test_no_member_is_refused() -> None:
    with pytest.raises(ValueError, match="^members must hold at least one network$"):
        Ensemble(())


def test_images_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="x must be"):
        small_ensemble().logits(np.zeros((2, 11)))


def test_members_can_t_be_exchanged() -> None:
    with pytest.raises(AttributeError):
        small_ensemble().members = ()  # type: ignore[misc]
