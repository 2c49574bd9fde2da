"""The course report's section on why digits are taken for others: whether they look alike."""

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
from core.presentation.words import on_similarities, percent


def on_explanations(findings: Findings) -> Iterable[Block]:
    """Check the report's explanations of its labels against measurements."""
    told = findings.turned
    if not told:
        yield Text("This network knows none of the pairs that the report explains.")
        return
    alike = findings.alike
    yield Text(
        "The report explains each label by strokes that both digits share. Here the similarity of "
        "two digits is that of their mean test images: 1 for equal images, 0 for images without a "
        "common pixel. Of the nine other digits, the most similar one has rank 1."
    )
    yield Table(
        "The report's labels and explanations",
        (
            *("digit and label", "the report's explanation", "similarity", "rank", "upper halves"),
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
            "Sometimes the report sees the similarity in one half of the digits. That half is the "
            f"more similar one for {counted(holds, len(halves))}."
        )
    if columns := tuple(
        _moved(each, each.contributions, findings.means)
        for each in told
        if each.contributions is not None
    ):
        yield Gallery(
            "The mean images of each digit and its label, and the pixels that moved the decision "
            "from one to the other. Brighter pixels moved it more, to first order",
            columns,
        )


def _explanation_row(turned: Turned, alike: Alike) -> tuple[str, ...]:
    """Return the table's row for one of the report's pairs."""
    pair = (turned.digit, turned.label)
    upper = ""
    if (moved := turned.contributions) is not None:
        upper = percent(moved[:392].sum() / moved.sum(), 0)
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
    """Return whether the half that the report names is the more similar one."""
    upper, lower = (half[said.digit, said.label] for half in (alike.upper, alike.lower))
    return bool(upper > lower if said.alike_half == "upper" else lower > upper)


def _moved(
    turned: Turned, contributions: FloatArray, means: FloatArray
) -> tuple[tuple[Picture, ...], str]:
    """Return a column: a digit, its label, and the pixels that moved the decision."""
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
