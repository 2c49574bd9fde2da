import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.attacks import fgsm
from core.classifier import FloatArray, IntArray
from core.data.mnist import Digits
from core.evaluation.attribution import explain
from core.evaluation.rates import Evaluation, evaluate
from core.networks.mlp import MLP
from tests.conftest import random_mlp
from tests.core.attacks.referee import in_float64
from tests.core.torch_twin import torch_twin


def attacked(network: MLP, x: FloatArray, y: IntArray, epsilon: float) -> Evaluation:
    return evaluate(network, lambda x, y: fgsm(network, x, y, epsilon), x, y)


def test_an_explanation_by_autograd_in_float64(report_network: MLP, test_digits: Digits) -> None:
    network = in_float64(report_network)
    x, y = test_digits.x[:3000].astype(np.float64), test_digits.y[:3000]
    evaluation = attacked(network, x, y, 0.1)
    found = explain(network, evaluation, 4, 9)

    module = torch_twin(network)
    before = module(torch.tensor(x)).argmax(dim=1).numpy()
    after = module(torch.tensor(evaluation.x_adv)).argmax(dim=1).numpy()
    chosen = (y == 4) & (before == 4) & (after == 9)
    leaf = torch.tensor(x[chosen], requires_grad=True)
    logits = module(leaf)
    gap = logits[:, 4] - logits[:, 9]
    (gradient,) = torch.autograd.grad(gap.sum(), leaf)
    change = evaluation.x_adv[chosen] - x[chosen]
    late = module(torch.tensor(evaluation.x_adv[chosen])).detach().numpy()

    assert found.images == chosen.sum() > 20
    np.testing.assert_allclose(found.perturbation, change.mean(axis=0), rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        found.contributions, (gradient.numpy() * change).mean(axis=0), rtol=0, atol=1e-9
    )
    assert found.gap_before == pytest.approx(gap.mean().item(), abs=1e-9)
    assert found.gap_after == pytest.approx((late[:, 4] - late[:, 9]).mean(), abs=1e-9)
    np.testing.assert_allclose(found.digit_mean, x[(y == 4) & (before == 4)].mean(axis=0))
    assert found.label_mean is not None
    np.testing.assert_allclose(found.label_mean, x[(y == 9) & (before == 9)].mean(axis=0))


@pytest.mark.parametrize("sizes", [(12, 10), (12, 9, 7, 10)])
@given(seed=st.integers(0, 1000), epsilon=st.floats(0.05, 1))
def test_the_contributions_are_the_whole_change_if_the_network_is_linear(
    sizes: tuple[int, ...], seed: int, epsilon: float
) -> None:
    network = random_mlp(sizes, seed=seed)
    x = np.random.default_rng(seed).random((40, 12))
    y = network.logits(x).argmax(axis=1)
    evaluation = attacked(network, x, y, epsilon)
    turned = sorted({(d, a) for d, a in zip(y, evaluation.after, strict=True) if d != a})
    for digit, label in turned:
        chosen = (y == digit) & (evaluation.after == label)
        before, after = (
            (network.logits(images[chosen]) @ (np.eye(10)[digit] - np.eye(10)[label])).mean()
            for images in (x, evaluation.x_adv)
        )
        found = explain(network, evaluation, int(digit), int(label))
        assert found.gap_after - found.gap_before == pytest.approx(after - before, abs=1e-9)
        assert found.gap_before > 0 > found.gap_after
        if len(sizes) == 2:
            assert found.contributions.sum() == pytest.approx(after - before, abs=1e-9)
            assert found.linear_share == pytest.approx(1)


def test_where_there_is_nothing_to_explain_it_says_so(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:200], test_digits.y[:200]
    untouched = evaluate(report_network, lambda x, y: x, x, y)
    with pytest.raises(ValueError, match="^evaluation must have a 4 that was classified correctly"):
        explain(report_network, untouched, 4, 9)
    with pytest.raises(ValueError, match="^label must be another digit than 4"):
        explain(report_network, untouched, 4, 4)
    with pytest.raises(ValueError, match="^digit must be"):
        explain(report_network, untouched, 10, 4)
    with pytest.raises(ValueError, match="^label must be"):
        explain(report_network, untouched, 4, -1)


def test_a_label_of_which_there_is_no_image_has_no_mean(
    report_network: MLP, test_digits: Digits
) -> None:
    fours = test_digits.y == 4
    evaluation = attacked(report_network, test_digits.x[fours], test_digits.y[fours], 0.1)
    found = explain(report_network, evaluation, 4, 9)
    assert found.label_mean is None
    assert found.digit_mean.shape == (784,)
