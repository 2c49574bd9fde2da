"""The course report's sections on the attack: how often it succeeds, and its results."""

from collections.abc import Iterable

from core.evaluation.confusion import most_mistaken
from core.evaluation.replication import EPSILONS, PRECISION, Evasion
from core.measures import SCREEN
from core.presentation.course_report import facts
from core.presentation.course_report.charts import evasion_beside_reported
from core.presentation.course_report.content import (
    REPORT,
    Block,
    Chart,
    Gallery,
    Picture,
    Table,
    arrow,
    counted,
    percent,
)
from core.presentation.course_report.findings import Findings
from core.presentation.words import on_mistakes, with_article

EXACT, ROUNDED = "exact gradient", "float32 autograd's gradient"


def on_evasion(findings: Findings) -> Iterable[Block]:
    """Say which ε gives the report's evasion rate, and why that depends on the gradient.

    FGSM is tried at each of `EPSILONS`, so it is not known what it does between them.
    """
    exact, rounded = findings.evasion["exact"], findings.evasion["float32_autograd"]
    reported = percent(facts.EVASION_RATE)
    yield (
        f"The report's evasion rate is {reported}: this share of all adversarial examples is "
        "misclassified. The report names neither the attack nor its ε. Here the attack is FGSM, "
        f"with the smallest ε that reaches {reported}, to within {PRECISION:g}. Every rate of an "
        "attack on this page is a lower bound: another attack may fool more images."
    )
    yield Table(
        f"FGSM on {exact.images:,} test images. A vanished term: float32 rounds the largest term "
        "of the gradient to 0",
        (
            "gradient",
            f"ε for {reported}",
            "evasion rate there",
            f"highest rate up to ε = {EPSILONS[-1]:g}",
            "images with a vanished term",
        ),
        tuple(
            (
                name,
                "not reached" if each.epsilon is None else f"{each.epsilon:.3f}",
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
            EPSILONS, {EXACT: exact.rates, ROUNDED: rounded.rates}, reported=facts.EVASION_RATE
        ),
    )
    yield _on_gradients(exact, rounded)
    large = [each.epsilon for each in (exact, rounded) if each.epsilon and each.epsilon >= 0.5]
    if large:
        yield (
            f"An ε of {large[0]:.3f} is at least half of a pixel's range. It allows an attack to "
            "paint every image the same grey, so success at such an ε says little."
        )


def _on_gradients(exact: Evasion, rounded: Evasion) -> str:
    """Say why the two gradients need different budgets, or that they need the same."""
    lost = percent(rounded.vanished.sum() / rounded.images)
    why = (
        "If the network is very sure of the true label, float32 rounds its probability to 1 and "
        f"the largest term of the gradient to 0. This happens for {lost} of the images."
    )
    elsewhere = (
        f"{why} The rest of the gradient points in another direction. At ε = "
        f"{rounded.attacked_at:.3f}, {rounded.withstood:,} images are still classified correctly; "
        f"{rounded.withstood_vanished:,} of them have lost this term."
    )
    if exact.epsilon == 0:
        return "This network misclassifies at least as many images without any attack."
    if exact.epsilon is None and rounded.epsilon is None:
        return (
            f"At the {len(EPSILONS)} ε that were tried, FGSM fools the network on up to "
            f"{percent(max(exact.rates))} of the images with the exact gradient, and on up to "
            f"{percent(max(rounded.rates))} with {ROUNDED}. {why}"
        )
    if rounded.epsilon is None:
        tried = f"at none of the {len(EPSILONS)} ε that were tried"
        return f"With {ROUNDED}, FGSM reaches this rate {tried}. {elsewhere}"
    if exact.epsilon is None:
        return (
            f"FGSM reaches this rate only with {ROUNDED}. It takes one straight step, and a large "
            "step in a worse direction may happen to fool the network more often."
        )
    if not rounded.vanished.any():
        return (
            "Both gradients need the same ε: on none of these images is this network so sure of "
            "the true label that float32 rounds its probability to 1."
        )
    if rounded.epsilon > exact.epsilon + 0.01:
        times = f"{rounded.epsilon / exact.epsilon:.1f} times the ε"
        return f"With {ROUNDED}, FGSM needs {times}. {elsewhere}"
    return f"Both gradients need about the same ε. {why} Here it makes no real difference."


def on_twins(findings: Findings) -> Iterable[Block]:
    """Show Figure 4: ten digits, their adversarial examples, and the norms."""
    twins, at = findings.twins, findings.evasion["exact"].attacked_at
    columns = []
    for digit, x, x_adv, before, after, norm in zip(
        twins.y, twins.x, twins.x_adv, twins.before, twins.after, twins.l2_norm, strict=True
    ):
        pictures = (
            Picture(x, f"{with_article(digit)}, read as {before}"),
            Picture(x_adv, f"its adversarial twin, read as {after}"),
        )
        columns.append((pictures, f"{arrow(before, after)} L2\N{NO-BREAK SPACE}{norm:.2f}"))
    yield Gallery(
        "Figure 4: originals, their adversarial examples, what each is read as, and the L2 norm "
        "of the difference",
        tuple(columns),
    )
    fooled = int((twins.after != twins.y).sum())
    yield (
        f"These are the first test images of each digit, under FGSM with the exact gradient at "
        f"ε = {at:.3f}; {fooled} of the {len(twins.y)} are misclassified. No pixel changes by more "
        f"than ε, so no L2 norm exceeds 28 ε = {28 * at:.2f}. Most norms are smaller: every pixel "
        "must stay between black and white, so many pixels can't change by all of ε. The images "
        f"are judged as the attack computes them; a screen shows them rounded to {SCREEN} levels."
    )


def on_labels(findings: Findings) -> Iterable[Block]:
    """Show Figure 5: what each digit is most often taken for."""
    exact, rounded = findings.evasion["exact"], findings.evasion["float32_autograd"]
    known = findings.card.digits
    ours, ours_rounded = (most_mistaken(each.confusion) for each in (exact, rounded))
    yield Table(
        "Figure 5: the label that each digit's adversarial examples are most often taken for",
        (
            "digit",
            REPORT,
            f"here, {EXACT}, ε = {exact.attacked_at:.3f}",
            f"here, {ROUNDED}, ε = {rounded.attacked_at:.3f}",
        ),
        tuple(
            (
                str(said.digit),
                "not misclassified" if said.label is None else f"taken for {said.label}",
                on_mistakes(ours[said.digit]),
                on_mistakes(ours_rounded[said.digit]),
            )
            for said in facts.MISTAKEN
            if said.digit in known
        ),
    )
    if told := len(findings.turned):
        same, same_rounded = (
            [each.digit for each in findings.turned if each.label in of[each.digit].labels]
            for of in (ours, ours_rounded)
        )
        yield (
            f"The label is the same as the report's for {counted(same, told)} with the exact "
            f"gradient, and for {counted(same_rounded, told)} with {ROUNDED}. A random guess would "
            f"be right for one digit in {len(known) - 1}."
        )
    if 4 in known:
        yield _on_fours(findings)


def _on_fours(findings: Findings) -> str:
    """Check the report's claim that no 4 is misclassified."""
    exact, rounded = findings.evasion["exact"], findings.evasion["float32_autograd"]
    fours = int(findings.clean[4].sum())
    clean, with_exact, with_rounded = (
        fours - int(matrix[4, 4]) for matrix in (findings.clean, exact.confusion, rounded.confusion)
    )
    said = (
        f"The report says that no 4 is misclassified, although {percent(facts.EVASION_RATE)} of "
        f"all adversarial examples are. Here the network misclassifies {clean:,} of the "
        f"{fours:,} fours without an attack, {with_exact:,} under FGSM with the exact gradient, "
        f"and {with_rounded:,} with {ROUNDED}."
    )
    if with_rounded == 0 or with_exact == 0:
        return f"{said} So the claim is possible."
    if rounded.vanished.any():
        lost, lost_of_all = rounded.vanished[4] / fours, rounded.vanished.sum() / rounded.images
        said += (
            f" With {ROUNDED}, the largest term vanishes for {percent(lost)} of the fours and for "
            f"{percent(lost_of_all)} of all images."
        )
        if lost < lost_of_all + 0.1:
            said += " So on this network, vanished terms do not explain the claim."
    return f"{said} The report does not say how many fours it attacked."
