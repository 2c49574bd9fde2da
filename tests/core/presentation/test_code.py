"""The lines are run, and the formulas' numbers are compared with the attacks' own."""

import contextlib
import io
import re
from typing import Any

import numpy as np
import pytest

from core.attacks import FOLLOWED, METHODS, MinimalMethod
from core.data import link
from core.data.mnist import Digits
from core.evaluation.path import follow
from core.measures import SCREEN
from core.networks import MLP
from core.presentation import code
from core.presentation.code import Shown

INDEX = 4


def shown_by(
    network: MLP, digits: Digits, attack: str, *, target: int | None = None, share: float = 0.5
) -> Shown:
    """Return an attack on a test image, at a share of its slider."""
    method, label = METHODS[attack], int(digits.y[INDEX])
    path = follow(network, method, digits.x[[INDEX]], label, target=target, levels=SCREEN)
    budgets = path.scale.budgets
    return Shown(path, method, label, target, float(budgets[int(share * (len(budgets) - 1))]))


def run(text: str) -> dict[str, Any]:
    """Run lines of Python in a namespace of their own; return it, with what they printed."""
    namespace: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(text, namespace)
    return {**namespace, "printed": printed.getvalue()}


CASES = [
    (method.name, target)
    for method in FOLLOWED.values()
    for target in (None, 3)[: 1 + method.targeted]
]


@pytest.mark.thorough
@pytest.mark.parametrize(("attack", "target"), CASES)
@pytest.mark.parametrize("drawn", [False, True], ids=["test digit", "link"])
def test_the_lines_compute_what_is_shown(
    report_network: MLP, test_digits: Digits, attack: str, target: int | None, drawn: bool
) -> None:
    shown = shown_by(report_network, test_digits, attack, target=target, share=1)
    pixels = (test_digits.x[INDEX] * 255).round().astype(np.uint8)
    digit = link.encode(pixels) if drawn else INDEX
    text = code.lines(shown, network="report", digit=digit)
    assert len(text.splitlines()) <= 10
    found = run(text)
    np.testing.assert_array_equal(found["x"], shown.path.x_adv[:1])
    np.testing.assert_array_equal(found["x_adv"], shown.path.x_adv[[shown.place]])
    before, after, l2, linf = map(float, re.findall(r"[\d.]+", found["printed"]))
    assert [before, after] == list(shown.predictions)
    assert (l2, linf) == pytest.approx(shown.norms)
    # The comments say what the lines print.
    said = re.findall(r"\[([\d.]+)\] \[([\d.]+)\]$", text, re.MULTILINE)
    assert [float(each) for pair in said for each in pair] == pytest.approx(
        [before, after, l2, linf], abs=0.005
    )
    if target is None and attack != "noise":
        assert before != after  # otherwise the lines could have attacked nothing


def test_a_network_may_have_any_name(report_network: MLP, test_digits: Digits) -> None:
    shown = shown_by(report_network, test_digits, "fgsm")
    text = code.lines(shown, network='my "best" net\'s', digit=INDEX)
    assert compile(text, "lines", "exec")


@pytest.mark.parametrize("attack", ["bim", "mi_fgsm", "pgd", "pgd_l2"])
def test_the_steps_in_the_formula_are_the_attack_s(
    report_network: MLP, test_digits: Digits, attack: str
) -> None:
    shown = shown_by(report_network, test_digits, attack, share=0.3)
    method = METHODS[attack]
    assert not isinstance(method, MinimalMethod)
    x, size = test_digits.x[[INDEX]], code.step_size(shown)
    by_default = method.attack(report_network, x, [shown.label], shown.budget)
    settings: dict[str, Any] = {"step_size": size}
    with_size = method.attack(report_network, x, [shown.label], shown.budget, **settings)
    np.testing.assert_allclose(with_size, by_default, atol=1e-5)
    settings = {"step_size": 1.1 * size}
    other = method.attack(report_network, x, [shown.label], shown.budget, **settings)
    assert np.abs(other - by_default).max() > 1e-3
    assert any(f"{size:.4g}" in line for line in code.formula(shown))


@pytest.mark.thorough
@pytest.mark.parametrize(("attack", "target"), CASES)
def test_every_attack_has_a_formula_with_its_numbers(
    report_network: MLP, test_digits: Digits, attack: str, target: int | None
) -> None:
    shown = shown_by(report_network, test_digits, attack, target=target)
    said = "\n".join(code.formula(shown))
    assert said.count("{") == said.count("}")
    assert shown.number in said
    assert f"= {shown.norms[0]:.2f}" in said and f"= {shown.norms[1]:.3f}" in said
    before, after = shown.predictions
    assert f"= {before}\n" in said and said.endswith(f"= {after}")
    if target is not None:
        assert re.search(rf"\b{target}\)|Z_{target}\b", said)
