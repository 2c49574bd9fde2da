"""The report's section on why digits are taken for others: whether they are alike."""

from collections.abc import Iterable

import numpy as np

from core.classifier import FloatArray
from core.evaluation.confusion import most_mistaken
from core.evaluation.replication import Alike, Turned
from core.evaluation.similarity import rank
from core.presentation.course_report.content import (
    Block,
    Gallery,
    Picture,
    Table,
    Text,
    arrow,
    counted,
)
from core.presentation.course_report.facts import MISTAKEN, Mistaken
from core.presentation.course_report.findings import Findings
from core.presentation.words import on_similarities


def on_explanations(findings: Findings) -> Iterable[Block]:
    """The report's explanations of its ten labels, against what can be measured of them."""
    told = findings.turned
    if not told:
        yield Text("Of the pairs that it explains, this network knows none.")
        return
    alike = findings.alike
    yield Text(
        "The report explains each label by strokes that both digits share. Here two digits are as "
        "alike as their mean test images: 1 would be the same image, 0 two without a pixel in "
        "common. Of the nine other digits, the most alike has place 1."
    )
    yield Table(
        "The report's labels and explanations",
        (
            *("digit and label", "the report's explanation", "alike", "place", "upper halves"),
            *("lower halves", "taken for it under FGSM", "decided in the upper half"),
        ),
        tuple(_explanation_row(each, alike) for each in told),
    )
    theirs = [_place(alike, each.digit, each.label) for each in told]
    ours = [
        _place(alike, mistakes.digit, mistakes.labels[0])
        for mistakes in most_mistaken(findings.evasion["exact"].confusion)
        if mistakes.labels
    ]
    all_digits = len(findings.card.recipe.digits) == 10  # among fewer, there are fewer places
    if all_digits:
        yield Text(f"By the report, {on_similarities(theirs)}")
    if all_digits and ours:
        yield Text(f"On this network, {on_similarities(ours)}")
    halves = [said for each in told if (said := MISTAKEN[each.digit]).alike_half]
    if halves:
        holds = [said.digit for said in halves if _holds(said, alike)]
        yield Text(
            f"Where the report finds the likeness in one half of the digit, that half is the more "
            f"alike one for {counted(holds, len(halves))}."
        )
    if columns := tuple(
        _moved(each, each.contributions, findings.means)
        for each in told
        if each.contributions is not None
    ):
        yield Gallery(
            "Of each digit and its label the mean image, then the pixels that moved the decision "
            "from one to the other: the brighter, the more, to first order",
            columns,
        )


def _explanation_row(turned: Turned, alike: Alike) -> tuple[str, ...]:
    pair = (turned.digit, turned.label)
    upper = ""
    if (moved := turned.contributions) is not None:
        upper = f"{100 * moved[:392].sum() / moved.sum():.0f}\N{NO-BREAK SPACE}%"
    return (
        arrow(*pair),
        MISTAKEN[turned.digit].explanation,
        f"{alike.whole[pair]:.2f}",
        str(_place(alike, *pair)),
        f"{alike.upper[pair]:.2f}",
        f"{alike.lower[pair]:.2f}",
        f"{turned.turned:,} of {turned.images:,}",
        upper,
    )


def _place(alike: Alike, digit: int, label: int) -> int:
    return rank(alike.whole, digit, label)


def _holds(said: Mistaken, alike: Alike) -> bool:
    """Whether the half that is said to be alike is the more alike one."""
    upper, lower = (half[said.digit, said.label] for half in (alike.upper, alike.lower))
    return bool(upper > lower if said.alike_half == "upper" else lower > upper)


def _moved(
    turned: Turned, contributions: FloatArray, means: FloatArray
) -> tuple[tuple[Picture, ...], str]:
    """A digit, its label, and the pixels that moved the decision."""
    digit, label = turned.digit, turned.label
    moved = np.maximum(-contributions, 0)
    pictures = [
        Picture(means[each], f"the mean {each}")
        for each in (digit, label)
        if np.isfinite(means[each]).all()
    ]
    brightness = moved / (moved.max() or 1)
    pictures.append(Picture(brightness, f"the pixels that made the {digit} a {label}"))
    return tuple(pictures), arrow(digit, label)
