"""Attacks: functions of a classifier, images and labels, and of a budget where they have one.

Those of a kind are called alike (see `Attack` and `MinimalAttack`), so that one can stand where
another stands. `METHODS` has them all.
"""

from collections.abc import Mapping
from types import MappingProxyType

from core.attacks.carlini_wagner import carlini_wagner
from core.attacks.deepfool import deepfool
from core.attacks.fgsm import fgsm
from core.attacks.jsma import jsma
from core.attacks.method import Method
from core.attacks.mi_fgsm import mi_fgsm
from core.attacks.minimal import towards, within
from core.attacks.noise import noise
from core.attacks.pgd import bim, pgd, pgd_l2
from core.attacks.problem import Attack, MinimalAttack

_ALL = (
    Method(
        name="fgsm",
        title="FGSM",
        norm="linf",
        targeted=True,
        attack=fgsm,
        summary="One step: every pixel goes up or down by ε, whichever raises the loss. "
        "The fast gradient sign method (Goodfellow, Shlens and Szegedy, 2015).",
    ),
    Method(
        name="bim",
        title="BIM",
        norm="linf",
        targeted=True,
        attack=bim,
        summary="FGSM in several small steps, and the gradient is computed anew before each. "
        "The basic iterative method (Kurakin, Goodfellow and Bengio, 2017).",
    ),
    Method(
        name="mi_fgsm",
        title="MI-FGSM",
        norm="linf",
        targeted=True,
        attack=mi_fgsm,
        summary="Small steps along a running sum of all gradients so far, so that one odd gradient "
        "doesn't lead astray. Momentum iterative FGSM (Dong and others, 2018).",
    ),
    Method(
        name="pgd",
        title="PGD",
        norm="linf",
        targeted=True,
        attack=pgd,
        summary="Many small steps from a random start, each brought back to within ε of the image. "
        "Projected gradient descent (Madry and others, 2018), the usual yardstick.",
    ),
    Method(
        name="noise",
        title="Random noise",
        norm="linf",
        targeted=False,
        attack=noise,
        summary="Every pixel goes up or down by ε at random, whatever the network. It is no attack "
        "but the control, which shows how much the direction matters.",
    ),
    Method(
        name="pgd_l2",
        title="PGD (L2)",
        norm="l2",
        targeted=True,
        attack=pgd_l2,
        summary="PGD with another budget: not how far each pixel may go, but how long the whole "
        "perturbation may be, its L2 norm (Madry and others, 2018).",
    ),
    Method(
        name="deepfool",
        title="DeepFool",
        norm="l2",
        targeted=False,
        minimal=deepfool,
        summary="Needs no budget: it goes straight to the nearest decision boundary as if the "
        "network were linear, looks again, and goes on until it is across (Moosavi-Dezfooli, "
        "Fawzi and Frossard, 2016).",
    ),
    Method(
        name="carlini_wagner",
        title="Carlini–Wagner",
        norm="l2",
        targeted=True,
        minimal=carlini_wagner,
        summary="Needs no budget: it makes the perturbation itself smaller and smaller, step by "
        "step, while the network stays misled (Carlini and Wagner, 2017). Slow, and hard to beat.",
    ),
    Method(
        name="jsma",
        title="Saliency map (JSMA)",
        norm="l0",
        targeted=True,
        minimal=jsma,
        summary="Changes as few pixels as it can, but those all the way: the two that matter most "
        "become white, then the next two, until the network is misled (Papernot and others, 2016).",
    ),
)

METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _ALL})

# Those with an L∞ budget, which can stand for one another.
ATTACKS: Mapping[str, Attack] = MappingProxyType(
    {
        method.name: method.attack
        for method in _ALL
        if method.attack is not None and method.norm == "linf"
    }
)

MINIMAL_ATTACKS: Mapping[str, MinimalAttack] = MappingProxyType(
    {method.name: method.minimal for method in _ALL if method.minimal is not None}
)

__all__ = [
    "ATTACKS",
    "METHODS",
    "MINIMAL_ATTACKS",
    "Attack",
    "Method",
    "MinimalAttack",
    "bim",
    "carlini_wagner",
    "deepfool",
    "fgsm",
    "jsma",
    "mi_fgsm",
    "noise",
    "pgd",
    "pgd_l2",
    "towards",
    "within",
]
