"""An attack names what is wrong with its arguments and settings."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from core.attacks import bim, fgsm, mi_fgsm, noise, pgd, pgd_l2
from core.attacks.problem import Attack
from core.classifier import FloatArray
from core.networks.mlp import MLP
from tests.core.attacks.budgeted import every_attack


@every_attack
def test_no_images_are_no_trouble(attack: Attack, report_network: MLP) -> None:
    nothing = attack(report_network, np.zeros((0, 784)), np.zeros(0, int), [0.1, 0.2])
    assert nothing.shape == (2, 0, 784)


BAD_ARGUMENTS: list[tuple[str, Any]] = [
    ("x", np.zeros(784)),
    ("x", np.zeros((2, 28, 28))),
    ("x", np.full((2, 784), 1.01)),
    ("x", np.full((2, 784), -0.01)),
    ("x", np.full((2, 784), np.nan)),
    ("x", np.full((2, 784), 255, np.uint8)),
    ("x", [["a"] * 784] * 2),
    ("x", [[0.0], [0.0, 1.0]]),
    ("y", [1, 2, 3]),
    ("y", [1, 10]),
    ("y", [-1, 1]),
    ("y", [0.5, 1.0]),
    ("y", [[1], [2]]),
    ("target", 10),
    ("target", [1, 2, 3]),
    ("epsilon", -0.1),
    ("epsilon", np.nan),
    ("epsilon", [0.1, np.inf]),
    ("epsilon", []),
    ("epsilon", [[0.1]]),
    ("epsilon", "0.1"),
]


@every_attack
def test_a_bad_argument_is_named(attack: Callable[..., FloatArray], report_network: MLP) -> None:
    good: dict[str, Any] = {"x": np.zeros((2, 784)), "y": [1, 2], "epsilon": 0.1}
    for name, bad in BAD_ARGUMENTS:
        with pytest.raises(ValueError, match=rf"^{name} must"):
            attack(report_network, **{**good, name: bad})


@pytest.mark.parametrize("attack", [fgsm, bim, mi_fgsm, pgd, pgd_l2])
def test_images_of_another_size_are_refused(attack: Attack, report_network: MLP) -> None:
    with pytest.raises(ValueError, match="^x must"):
        attack(report_network, np.zeros((2, 783)), [1, 2], 0.1)


@pytest.mark.parametrize(
    ("attack", "name", "bad"),
    [
        *(
            (attack, name, bad)
            for attack in (bim, mi_fgsm, pgd, pgd_l2)
            for name, bad in [
                ("steps", 0),
                ("steps", 2.5),
                ("steps", True),
                ("step_size", -1),
                ("step_size", [0.1, 0.1]),
                ("gradient", "none"),
            ]
        ),
        *((attack, "seed", -1) for attack in (pgd, pgd_l2, noise)),
        *((mi_fgsm, "decay", bad) for bad in (-0.1, np.nan, [1.0, 1.0])),
    ],
)
def test_a_bad_setting_is_named(
    attack: Callable[..., FloatArray], name: str, bad: object, report_network: MLP
) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must"):
        attack(report_network, np.zeros((2, 784)), [1, 2], [0.1, 0.2], **{name: bad})
