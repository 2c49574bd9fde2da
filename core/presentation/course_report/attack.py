"""The report's sections on the attack: how often it succeeds, on what, and what comes of it."""

from collections.abc import Iterable

import numpy as np

from core.classifier import IntArray
from core.evaluation.confusion import most_mistaken
from core.evaluation.replication import EPSILONS, PRECISION, Evasion
from core.presentation.course_report import facts
from core.presentation.course_report.charts import evasion_beside_reported
from core.presentation.course_report.content import (
    REPORT,
    Block,
    Chart,
    Gallery,
    Picture,
    Table,
    Text,
    arrow,
    counted,
    percent,
)
from core.presentation.course_report.findings import Findings
from core.presentation.words import on_mistakes

EXACT, ROUNDED = "exact gradient", "float32 autograd's gradient"


def on_evasion(findings: Findings) -> Iterable[Block]:
    """Which ε gives the report's evasion rate, and why that depends on the gradient."""
    exact, rounded = findings.evasion["exact"], findings.evasion["float32_autograd"]
    reported = percent(facts.EVASION_RATE)
    yield Text(
        f"The report's evasion rate is {reported}: so many of all adversarial examples are "
        "misclassified. It names neither the attack nor its ε. Here the attack is FGSM, and ε is "
        f"sought: the smallest at which {reported} are reached, to within {PRECISION:g}."
    )
    yield Table(
        f"FGSM on {exact.images:,} test images",
        (
            "gradient",
            f"ε for {reported}",
            "evasion rate there",
            f"highest up to ε = {EPSILONS[-1]:g}",
            "images with a vanished term",
        ),
        tuple(
            (
                name,
                "never reached" if each.epsilon is None else f"{each.epsilon:.3f}",
                "" if each.epsilon is None else percent(each.evasion_rate),
                percent(max(each.rates)),
                percent(each.vanished.sum() / each.images),
            )
            for name, each in ((EXACT, exact), (ROUNDED, rounded))
        ),
    )
    yield Chart(
        "The evasion rate (misclassified / all images) under FGSM",
        evasion_beside_reported(
            EPSILONS,
            {EXACT: exact.rates, ROUNDED: rounded.rates},
            reported=facts.EVASION_RATE,
        ),
    )
    yield Text(_on_gradients(exact, rounded))
    large = [each.epsilon for each in (exact, rounded) if each.epsilon and each.epsilon >= 0.5]
    if large:
        yield Text(
            f"An ε of {large[0]:.3f} is half of a pixel's range or more. With so much, anybody can "
            "paint every image the same grey; that it misleads a network says little."
        )
    yield Text(
        f"At ε = {exact.attacked_at:.3f}, FGSM with the exact gradient has "
        f"{percent(exact.evasion_rate)} of the images misread, PGD of 40 steps "
        f"{percent(findings.controls['pgd'])}, and noise of the same size "
        f"{percent(findings.controls['noise'])}. Without its attack and its ε, "
        "an evasion rate says little."
    )


def _on_gradients(exact: Evasion, rounded: Evasion) -> str:
    """Why the two gradients need different budgets, or that they don't."""
    lost = percent(rounded.vanished.sum() / rounded.images)
    why = (
        "Where the network is sure, float32 rounds the probability of the true label to 1, and the "
        f"largest term of the gradient to 0. That is so for {lost} of the images"
    )
    withstood = rounded.withstood
    blame = (
        f"{rounded.withstood_vanished:,} of the {withstood:,} images that withstand it at "
        f"ε = {rounded.attacked_at:.3f} are of that kind."
    )
    if exact.epsilon == 0:
        return "This network misreads so many without any attack."
    if exact.epsilon is None and rounded.epsilon is None:
        return (
            f"Whatever ε, FGSM has at most {percent(max(exact.rates))} of the images misread with "
            f"the exact gradient, and {percent(max(rounded.rates))} with the one that automatic "
            f"differentiation gives in float32. {why}."
        )
    if rounded.epsilon is None:
        return (
            "With the gradient that automatic differentiation gives in float32, FGSM never gets "
            f"so far. {why}, and what is left of their gradient points elsewhere: {blame}"
        )
    if exact.epsilon is None:
        return (
            "Only with the gradient that automatic differentiation rounds does FGSM get so far. It "
            "takes one straight step, and a large one may end better in a worse direction."
        )
    if not rounded.vanished.any():
        return (
            "Both gradients need the same ε: this network is never so sure that float32 rounds the "
            "probability of the true label to 1."
        )
    if rounded.epsilon > exact.epsilon + 0.01:
        times = f"{rounded.epsilon / exact.epsilon:.1f} times the ε" if exact.epsilon else "an ε"
        return (
            "With the gradient that automatic differentiation gives in float32, it takes "
            f"{times}. {why}, and what is left of their gradient points elsewhere: {blame}"
        )
    return f"Both gradients need about the same ε. {why}, and makes no difference that counts here."


def on_twins(findings: Findings) -> Iterable[Block]:
    """Figure 4: ten digits, their adversarial examples, and the norms."""
    twins, at = findings.twins, findings.evasion["exact"].attacked_at
    columns = []
    for digit, x, x_adv, before, after, norm in zip(
        twins.y, twins.x, twins.x_adv, twins.before, twins.after, twins.l2_norm, strict=True
    ):
        pictures = (
            Picture(x, f"a {digit}, read as {before}"),
            Picture(x_adv, f"its adversarial twin, read as {after}"),
        )
        columns.append((pictures, f"{arrow(before, after)} L2\N{NO-BREAK SPACE}{norm:.2f}"))
    yield Gallery(
        "Figure 4: the original, its adversarial example, what each is read as, and the L2 norm of "
        "their difference",
        tuple(columns),
    )
    fooled = int((twins.after != twins.y).sum())
    yield Text(
        f"They are the first test image of each digit, under FGSM with the exact gradient at "
        f"ε = {at:.3f}; {fooled} of the {len(twins.y)} are misclassified. Every pixel changes by ε "
        f"at most, so that no L2 norm exceeds 28 ε = {28 * at:.2f}. It is less, as no pixel "
        "leaves the range from black to white."
    )


def on_labels(findings: Findings) -> Iterable[Block]:
    """Figure 5: what each digit is most often taken for."""
    exact, rounded = findings.evasion["exact"], findings.evasion["float32_autograd"]
    known = findings.card.recipe.digits
    ours = {name: most_mistaken(findings.evasion[name].confusion) for name in findings.evasion}
    rows = []
    for said in facts.MISTAKEN:
        if said.digit in known:
            mistakes = [ours[name][said.digit] for name in ("exact", "float32_autograd")]
            rows.append(
                (
                    str(said.digit),
                    "not misclassified" if said.label is None else f"taken for {said.label}",
                    *map(on_mistakes, mistakes),
                )
            )
    yield Table(
        "Figure 5: the label that each digit's adversarial examples are most often taken for",
        (
            "digit",
            REPORT,
            f"here, {EXACT}, ε = {exact.attacked_at:.3f}",
            f"here, {ROUNDED}, ε = {rounded.attacked_at:.3f}",
        ),
        tuple(rows),
    )
    same = {
        name: [each.digit for each in findings.turned if each.label in mistakes[each.digit].labels]
        for name, mistakes in ours.items()
    }
    if told := len(findings.turned):
        yield Text(
            f"The label is the report's for {counted(same['exact'], told)} with the exact "
            f"gradient, and for {counted(same['float32_autograd'], told)} with the rounded one. "
            f"Whoever guessed would be right about once in {len(known) - 1}."
        )
    if 4 in known:
        yield Text(_on_fours(findings))


def _on_fours(findings: Findings) -> str:
    """What is to be thought of the report's 4, none of which was misclassified."""
    exact, rounded = findings.evasion["exact"], findings.evasion["float32_autograd"]
    fours = int(findings.clean[4].sum())
    clean, with_exact, with_rounded = (
        _misread(matrix)[4] for matrix in (findings.clean, exact.confusion, rounded.confusion)
    )
    said = (
        f"The report says that no 4 is misclassified, while of all digits "
        f"{percent(facts.EVASION_RATE)} are. Here, of the {fours:,} fours, {clean:,} are "
        f"misread without any attack, {with_exact:,} under FGSM with the exact gradient, and "
        f"{with_rounded:,} with the rounded one."
    )
    if with_rounded == 0 or with_exact == 0:
        return f"{said} So it can happen."
    if not rounded.vanished.any():
        return f"{said} The report does not say how many fours it attacked."
    lost = rounded.vanished[4] / fours
    lost_of_all = rounded.vanished.sum() / rounded.images
    return (
        f"{said} Vanishing gradients don't explain it either: that happened to {percent(lost)} of "
        f"the fours, and to {percent(lost_of_all)} of all images. The report does not say how many "
        "fours it attacked."
    )


def _misread(matrix: IntArray) -> IntArray:
    """Of each row's digit, how many images are taken for another."""
    misread: IntArray = matrix.sum(axis=1) - np.diag(matrix)
    return misread
