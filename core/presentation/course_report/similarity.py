"""The course report's section on why digits are taken for others: how similar they are."""

from collections.abc import Iterable

import numpy as np

from core.classifier import FloatArray
from core.evaluation.confusion import most_mistaken
from core.evaluation.replication import Similarities, Turned
from core.evaluation.similarity import rank
from core.presentation.course_report.content import (
    Block,
    Gallery,
    Picture,
    Table,
    arrow,
    counted,
)
from core.presentation.course_report.facts import MISTAKEN, Mistaken
from core.presentation.course_report.findings import Findings
from core.presentation.words import on_similarities, percent, with_article


def on_explanations(findings: Findings) -> Iterable[Block]:
    """Check the report's explanations of its labels against measurements."""
    told, similarity = findings.turned, findings.similarity
    if not told:
        yield "This network knows none of the pairs that the report explains."
        return
    yield (
        "The report explains each label by strokes that both digits share. Here the similarity of "
        "two digits is that of their mean test images: 1 for images that differ only in "
        "brightness, 0 for images without a common pixel. Of the nine other digits, the most "
        "similar one has rank 1."
    )
    yield Table(
        "The report's labels and explanations",
        (
            *("digit and label", "the report's explanation", "similarity", "rank", "upper halves"),
            *("lower halves", "taken for it under FGSM", "decided in the upper half"),
        ),
        tuple(_explanation_row(each, similarity) for each in told),
    )
    if len(findings.card.digits) == 10:  # a network that knows fewer has fewer ranks
        theirs = [rank(similarity.whole, each.digit, each.label) for each in told]
        ours = [
            rank(similarity.whole, each.digit, each.labels[0])
            for each in most_mistaken(findings.evasion["exact"].confusion)
            if each.labels
        ]
        yield f"In the report, {on_similarities(theirs)}"
        if ours:
            yield f"On this network, {on_similarities(ours)}"
    halves = [said for each in told if (said := MISTAKEN[each.digit]).similar_half]
    if halves:
        holds = [said.digit for said in halves if _holds(said, similarity)]
        yield (
            "For some digits, the report says that one half looks like the same half of the label. "
            f"That half is the more similar one for {counted(holds, len(halves))}."
        )
    columns = tuple(
        _pictures(each, each.contributions, findings.means)
        for each in told
        if each.contributions is not None
    )
    if columns:
        yield Gallery(
            "The mean images of each digit and its label, and the pixels that moved the decision "
            "from one to the other. Brighter pixels moved it more, by a linear model of the pixels",
            columns,
        )


def _explanation_row(turned: Turned, similarity: Similarities) -> tuple[str, ...]:
    """Return the table's row for one of the report's pairs."""
    pair = (turned.digit, turned.label)
    upper = ""
    if (moved := turned.contributions) is not None:
        upper = percent(moved[:392].sum() / moved.sum(), 0)
    return (
        arrow(*pair),
        MISTAKEN[turned.digit].explanation,
        f"{similarity.whole[pair]:.2f}",
        str(rank(similarity.whole, *pair)),
        f"{similarity.upper[pair]:.2f}",
        f"{similarity.lower[pair]:.2f}",
        f"{turned.turned:,} of {turned.images:,}",
        upper,
    )


def _holds(said: Mistaken, similarity: Similarities) -> bool:
    """Return whether the half that the report names is the more similar one."""
    upper, lower = (half[said.digit, said.label] for half in (similarity.upper, similarity.lower))
    return bool(upper > lower if said.similar_half == "upper" else lower > upper)


def _pictures(
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
    what = f"the pixels that made {with_article(digit)} {with_article(label)}"
    return (*pictures, Picture(moved / (moved.max() or 1), what)), arrow(digit, label)
