"""Attacks: functions of a classifier, images, labels and, for most of them, a budget.

`Attack` and `MinimalAttack` are the two signatures. `METHODS` describes every attack by its name,
`BY_TITLE` by its title; `FOLLOWED` has those that Draw offers. `apgd` and `fab` stand beside them:
they are parts of `strongest`, which runs several attacks in turn. Those in `WATCHED` and
`WATCHED_MINIMAL` tell of each of their steps.
"""

from collections.abc import Mapping
from types import MappingProxyType

from core.attacks.apgd import apgd
from core.attacks.carlini_wagner import carlini_wagner, carlini_wagner_nearest
from core.attacks.deepfool import deepfool
from core.attacks.fab import fab
from core.attacks.fgsm import fgsm
from core.attacks.jsma import jsma
from core.attacks.method import L2, LINF, WAY, BudgetMethod, Method, MinimalMethod, Scale
from core.attacks.mi_fgsm import mi_fgsm
from core.attacks.minimal import towards, within
from core.attacks.noise import noise
from core.attacks.pgd import bim, pgd, pgd_l2
from core.attacks.problem import Attack, MinimalAttack
from core.attacks.random_search import CountedAttack, Searched
from core.attacks.square import square, square_search
from core.attacks.square_l2 import square_l2, square_l2_search
from core.attacks.steps import Step, Watch, WatchedAttack, WatchedMinimalAttack
from core.attacks.strongest import (
    ALREADY,
    SEQUENCE,
    WITHSTOOD,
    WorstCase,
    strongest,
    worst_case,
)

_ALL: tuple[Method, ...] = (
    BudgetMethod(
        name="fgsm",
        title="FGSM",
        norm="linf",
        attack=fgsm,
        cost="one step",
        summary="One step: every pixel goes up or down by ε, whichever raises the loss. "
        "The fast gradient sign method (Goodfellow, Shlens and Szegedy, 2015).",
    ),
    BudgetMethod(
        name="bim",
        title="BIM",
        norm="linf",
        attack=bim,
        summary="FGSM in several small steps, with a new gradient before each step. "
        "The basic iterative method (Kurakin, Goodfellow and Bengio, 2017).",
    ),
    BudgetMethod(
        name="mi_fgsm",
        title="MI-FGSM",
        norm="linf",
        attack=mi_fgsm,
        summary="Small steps along a running sum of all gradients so far, so that one odd gradient "
        "has little effect. Momentum iterative FGSM (Dong and others, 2018).",
    ),
    BudgetMethod(
        name="pgd",
        title="PGD",
        norm="linf",
        attack=pgd,
        summary="Many small steps from a random start. After each step the image is brought back "
        "to within ε of the original. Projected gradient descent (Madry and others, 2018) is the "
        "standard test of robustness.",
    ),
    BudgetMethod(
        name="strongest",
        title="Strongest",
        norm="linf",
        attack=strongest,
        cost="slow",
        # An image that withstands takes 20 ms or more; Draw would try dozens of ε around the flip.
        followed=False,
        summary="All attacks in turn, each on the images that withstood those before: FGSM, "
        "Auto-PGD, Auto-PGD towards each other digit, FAB, and the square attack, which needs no "
        "gradient. The idea is AutoAttack's (Croce and Hein, 2020). Slow. It is the closest that "
        "attacks get to the worst case here.",
    ),
    BudgetMethod(
        name="square",
        title="Square",
        norm="linf",
        attack=square,
        counted=square_search,
        cost="slow",
        summary="Needs no gradient, only the network's outputs: it sets random squares of pixels "
        "to +ε or −ε and keeps those that bring the network closer to a mistake, with at most "
        "1,000 queries for an image. It is chance, so it may fail at an ε above one that it "
        "succeeded at (Andriushchenko, Croce, Flammarion and Hein, 2020).",
    ),
    BudgetMethod(
        name="noise",
        title="Random noise",
        norm="linf",
        targeted=False,
        attack=noise,
        cost="one step",
        summary="Every pixel goes up or down by ε at random. It ignores the network. It is the "
        "control that shows how much the direction of an attack matters.",
    ),
    BudgetMethod(
        name="pgd_l2",
        title="PGD (L2)",
        norm="l2",
        attack=pgd_l2,
        summary="PGD with another budget: ε bounds the L2 norm of the whole perturbation, not the "
        "change of each pixel (Madry and others, 2018).",
    ),
    BudgetMethod(
        name="square_l2",
        title="Square (L2)",
        norm="l2",
        attack=square_l2,
        counted=square_l2_search,
        cost="slow",
        summary="Square with another budget: it moves the perturbation from one random window to "
        "another, and its L2 norm stays ε. It needs only the network's outputs, at most 1,000 "
        "times for an image (Andriushchenko, Croce, Flammarion and Hein, 2020).",
    ),
    MinimalMethod(
        name="deepfool",
        title="DeepFool",
        norm="l2",
        targeted=False,
        attack=deepfool,
        summary="Finds its own size: it treats the network as linear, steps to the nearest "
        "decision boundary, and repeats this until the prediction changes. Quick, but an attack "
        "of more steps often flips at a smaller change (Moosavi-Dezfooli, Fawzi and Frossard, "
        "2016).",
    ),
    MinimalMethod(
        name="carlini_wagner",
        title="Carlini–Wagner",
        norm="l2",
        attack=carlini_wagner,
        thorough=carlini_wagner_nearest,
        cost="slow",
        summary="Finds its own size: it makes the perturbation smaller step by step while the "
        "network still misclassifies the image. Slow. Few attacks find smaller changes in L2, and "
        "none proves that its change is the smallest (Carlini and Wagner, 2017).",
    ),
    MinimalMethod(
        name="jsma",
        title="Saliency map (JSMA)",
        norm="l0",
        attack=jsma,
        summary="Changes as few pixels as possible: the two that matter most become white, then "
        "the next two, until the network misclassifies the image. After Papernot and others "
        "(2016), with another measure of what matters.",
    ),
)

METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _ALL})
BY_TITLE: Mapping[str, Method] = MappingProxyType({method.title: method for method in _ALL})
# The attacks that one image can be followed under, by title.
FOLLOWED: Mapping[str, Method] = MappingProxyType(
    {method.title: method for method in _ALL if method.followed}
)

# The attacks with an L∞ budget, which are interchangeable.
ATTACKS: Mapping[str, Attack] = MappingProxyType(
    {
        method.name: method.attack
        for method in _ALL
        if isinstance(method, BudgetMethod) and method.norm == "linf"
    }
)

# The attacks that can be watched step by step, by name.
WATCHED: Mapping[str, WatchedAttack] = MappingProxyType(
    {"bim": bim, "mi_fgsm": mi_fgsm, "pgd": pgd, "pgd_l2": pgd_l2}
)
WATCHED_MINIMAL: Mapping[str, WatchedMinimalAttack] = MappingProxyType(
    {"deepfool": deepfool, "jsma": jsma}
)

__all__ = [
    "ALREADY",
    "ATTACKS",
    "BY_TITLE",
    "FOLLOWED",
    "L2",
    "LINF",
    "METHODS",
    "SEQUENCE",
    "WATCHED",
    "WATCHED_MINIMAL",
    "WAY",
    "WITHSTOOD",
    "Attack",
    "BudgetMethod",
    "CountedAttack",
    "Method",
    "MinimalAttack",
    "MinimalMethod",
    "Scale",
    "Searched",
    "Step",
    "Watch",
    "WorstCase",
    "apgd",
    "bim",
    "carlini_wagner",
    "carlini_wagner_nearest",
    "deepfool",
    "fab",
    "fgsm",
    "jsma",
    "mi_fgsm",
    "noise",
    "pgd",
    "pgd_l2",
    "square",
    "square_l2",
    "square_l2_search",
    "square_search",
    "strongest",
    "towards",
    "within",
    "worst_case",
]
