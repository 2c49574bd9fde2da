"""The course report's section on what lies between the attacks and the proof."""

import math
from collections.abc import Iterable

from core.evaluation.limits import PRECISION, Limits
from core.evaluation.replication import EPSILONS, Evasion
from core.presentation import words
from core.presentation.course_report import facts
from core.presentation.course_report.charts import found_and_proved
from core.presentation.course_report.content import Block, Chart, Table, percent
from core.presentation.course_report.findings import Findings

REPORTED = percent(facts.EVASION_RATE)


def on_limits(findings: Findings) -> Iterable[Block]:
    """Say how many images attacks can fool at least and at most, and for which ε."""
    exact, limits = findings.evasion["exact"], findings.limits
    if exact.epsilon == 0:
        yield (
            f"Without any attack, this network misclassifies {percent(exact.evasion_rate)} of the "
            f"images. That is at least {REPORTED}, so there is no ε to ask about."
        )
        return
    yield (
        "How many images can be fooled at all is not known exactly. It lies between two numbers: "
        "those that some attack fools, and those that are not proved safe. The strongest attack "
        "here runs several in turn, each on the images that withstood those before (the idea is "
        "Croce and Hein's, 2020). The proof bounds the network's logits for all changes within ε "
        "(CROWN, Zhang and others, 2018)."
    )
    at, misread = exact.attacked_at, 1 - findings.clean.trace() / findings.clean.sum()
    yield Table(
        f"{exact.images:,} test images at ε = {at:.3f}",
        ("images", "share of all"),
        (
            ("misclassified without an attack", percent(misread)),
            ("fooled by random noise", percent(findings.controls["noise"])),
            ("fooled by FGSM with the exact gradient", percent(exact.evasion_rate)),
            ("fooled by PGD with 40 steps", percent(findings.controls["pgd"])),
            ("fooled by the strongest attack", percent(limits.found)),
            ("proved safe from every attack", _proved(limits)),
            ("can be fooled", _between(limits)),
        ),
    )
    yield _at_the_epsilon(exact, limits)
    yield Chart(
        "What attacks reach, and what no attack can exceed: the proof's limit",
        found_and_proved(EPSILONS, exact.rates, at, limits, reported=facts.EVASION_RATE),
    )
    yield _for_the_rate(exact, limits)


def _proved(limits: Limits) -> str:
    return "not known" if limits.proved is None else percent(limits.proved)


def _between(limits: Limits) -> str:
    least = f"at least {percent(limits.found)}"
    return least if limits.proved is None else f"{least}, at most {percent(1 - limits.proved)}"


def _at_the_epsilon(exact: Evasion, limits: Limits) -> str:
    """Say what lies between the limits at one ε."""
    said = (
        f"At ε = {exact.attacked_at:.3f}, at least {percent(limits.found)} of the images can be "
        "fooled: the strongest attack does it. "
    )
    if limits.proved is None:
        said += "This network is too large for the proof, so no other limit is known. "
    elif limits.proved == 0:
        said += "Nothing is proved at this ε, so it may be all of them. "
    else:
        said += (
            f"At most {percent(1 - limits.proved)} can be, since {percent(limits.proved)} are "
            "proved safe. "
        )
    more = words.in_percent(limits.found, 2) - words.in_percent(exact.evasion_rate, 2)
    said += (
        f"FGSM alone fools {percent(exact.evasion_rate)}; other attacks fool another "
        f"{percent(more / 100)}. "
    )
    if exact.epsilon is None:
        return said.rstrip()
    return (
        f"{said}If the report attacked by FGSM with this ε, its {REPORTED} says how often FGSM "
        "succeeds. It does not say how often the network can be fooled. That is more often."
    )


def _for_the_rate(exact: Evasion, limits: Limits) -> str:
    """Say for which ε the report's evasion rate is possible."""
    said = []
    if limits.excluded is None:
        said.append("A proof for all images would take too long here, so no ε is excluded.")
    elif limits.excluded < PRECISION:
        said.append(
            f"Even for ε = {PRECISION:g}, it is not proved that an attack can't fool {REPORTED} of "
            "these images."
        )
    else:
        excluded = math.floor(1000 * limits.excluded) / 1000
        said.append(
            f"Up to ε = {excluded:.3f}, no attack at all fools {REPORTED} of these images. That is "
            "proved."
        )
    if limits.reached is None:
        said.append("Neither FGSM nor PGD did it at any ε that was tried.")
    else:
        if limits.reached < exact.attacked_at:
            reached = math.ceil(1000 * limits.reached) / 1000
            said.append(f"PGD does it by ε = {reached:.3f}.")
        if exact.epsilon is not None:
            said.append(f"FGSM needs ε = {exact.epsilon:.3f}.")
    said.append(
        "So the same rate can mean a strong attack with a small ε, or a weak attack with a large "
        "one. The report names neither, so its rate can't be checked. The weights of the report's "
        "own network are not known, so nothing is proved about that network."
    )
    return " ".join(said)
