"""An iterated attack may keep the best of its iterates."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.attacks import bim, mi_fgsm, pgd, pgd_l2
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks.mlp import MLP
from tests.core.attacks import referee
from tests.core.attacks.referee import misclassified

iterated_attack = pytest.mark.parametrize("attack", [bim, mi_fgsm, pgd, pgd_l2])


@iterated_attack
@pytest.mark.parametrize("targeted", [False, True])
def test_the_best_iterate_is_the_one_that_a_search_through_all_of_them_finds(
    attack: Callable[..., FloatArray], targeted: bool, small_network: MLP
) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.random((40, 12)), rng.integers(0, 10, 40)
    goal = (y + 3) % 10 if targeted else None

    def run(**settings: Any) -> FloatArray:
        return attack(small_network, x, y, 0.3, target=goal, **settings)

    iterates = [run(steps=1, step_size=0)] + [run(steps=n, step_size=0.2) for n in range(1, 7)]
    found = run(steps=6, step_size=0.2, keep_best=True)
    chosen = []
    for row, image in enumerate(found):
        leads = []
        for iterate in iterates:
            logits = small_network.logits(iterate[row : row + 1])[0]
            label = y[row] if goal is None else goal[row]
            lead = logits[label] - max(np.delete(logits, label))
            leads.append(lead if goal is None else -lead)
        chosen.append(int(np.argmin(leads)))
        np.testing.assert_allclose(image, iterates[chosen[-1]][row], atol=1e-12)
    assert len(set(chosen)) > 2  # neither always the first nor always the last


@given(
    attack=st.sampled_from([bim, mi_fgsm, pgd, pgd_l2]),
    seed=st.integers(0, 1000),
    targeted=st.booleans(),
    epsilon=st.floats(0.01, 1),
    step_size=st.floats(0.01, 1),
    steps=st.integers(1, 8),
    more=st.integers(1, 8),
)
def test_the_best_iterate_never_evades_less_with_more_steps(
    small_network: MLP,
    attack: Callable[..., FloatArray],
    seed: int,
    targeted: bool,
    epsilon: float,
    step_size: float,
    steps: int,
    more: int,
) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.random((20, 12)), rng.integers(0, 10, 20)
    goal = (y + rng.integers(1, 10, 20)) % 10 if targeted else None

    def evades(count: int) -> np.ndarray:
        settings = {"steps": count, "step_size": step_size, "keep_best": True}
        x_adv = attack(small_network, x, y, epsilon, target=goal, **settings)
        labels = small_network.logits(x_adv).argmax(axis=1)
        return np.asarray(labels != y if goal is None else labels == goal)

    fewer, most = evades(steps), evades(steps + more)
    assert (most | ~fewer).all()


def test_the_last_iterate_may_evade_less_which_is_why_one_keeps_the_best(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:500], test_digits.y[:500]

    def rate(*, keep_best: bool) -> float:
        x_adv = pgd(report_network, x, y, 0.1, steps=10, step_size=0.1, keep_best=keep_best)
        referee.check(x, x_adv, linf=0.1)
        return misclassified(report_network, x_adv, y)

    assert rate(keep_best=True) > rate(keep_best=False) + 0.01
