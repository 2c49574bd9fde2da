"""Attacks: functions of a classifier, images, labels and budgets.

All of them are called alike (see `Attack`), so that one can stand where another stands.
"""

from collections.abc import Mapping
from types import MappingProxyType

from core.attacks.fgsm import fgsm
from core.attacks.noise import noise
from core.attacks.pgd import pgd
from core.attacks.problem import Attack

ATTACKS: Mapping[str, Attack] = MappingProxyType({"fgsm": fgsm, "pgd": pgd, "noise": noise})

__all__ = ["ATTACKS", "Attack", "fgsm", "noise", "pgd"]
