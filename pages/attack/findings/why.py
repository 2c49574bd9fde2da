"""Why a digit turns into a label: a test of the course report's explanations."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.classifier import FloatArray
from core.evaluation.attribution import explain
from core.evaluation.confusion import Mistakes, confusion, most_mistaken
from core.evaluation.rates import Evaluation
from core.evaluation.similarity import rank
from core.presentation import words
from core.presentation.course_report import facts
from core.serving.questions import Question
from pages.parts import downloads
from pages.parts.digit_images import columns_png, show_images, signed
from pages.parts.server import server
from pages.parts.state import INTO, WHY
from pages.parts.tables import show_table


def show_why(evaluation: Evaluation, question: Question) -> None:
    """Show whether the report's explanations hold."""
    st.markdown("## Why that label?")
    turned = confusion(
        evaluation.y[evaluation.correct_before], evaluation.after[evaluation.correct_before]
    )
    similarity = server().evaluations.similarity(question.images)
    mistakes = most_mistaken(turned)
    known = question.chosen.card.digits
    show_similarity(mistakes, similarity, all_digits=len(known) == 10)
    digit = int(
        st.segmented_control(
            "A digit", list(range(10)), required=True, key=WHY.key, persist_state="session"
        )
        or 0
    )
    labels = [int(label) for label in np.argsort(-turned[digit], kind="stable")]
    labels = [label for label in labels if label != digit and turned[digit, label]]
    if not labels:
        st.write(f"Every {digit} that was classified correctly before still is.")
        return
    left, right = st.columns([1, 2], gap="large")
    into, key = INTO.of(digit), f"why_label_{digit}"
    st.session_state[key] = into.get() if into.get() in labels else labels[0]
    label = left.selectbox(
        "and what it turns into",
        labels,
        key=key,
        on_change=lambda: into.set(st.session_state[key]),
    )
    found = explain(question.chosen.network, evaluation, digit, label)
    with left:
        st.write(words.on_explanation(found))
        st.write(words.on_similarity(digit, label, rank(similarity, digit, label)))
    with right:
        maps = [(found.digit_mean, f"The mean {digit}")]
        if found.label_mean is not None:
            maps.append((found.label_mean, f"The mean {label}"))
        maps.append((signed(found.perturbation), "The mean perturbation"))
        maps.append((signed(-found.contributions), f"What moved the decision to {label}"))
        show_images(maps)
        st.caption(
            "Perturbation: orange pixels get lighter, blue pixels get darker. Decision: orange "
            f"pixels moved it from {digit} to {label}, blue pixels moved it back."
        )
        columns = [([(image, said)], said) for image, said in maps]
        downloads.png(
            lambda: columns_png(columns), f"why-{digit}-turns-into-{label}.png", key="why_png"
        )


def show_similarity(
    mistakes: Sequence[Mistakes], similarity: FloatArray, *, all_digits: bool
) -> None:
    """Show whether digits turn into those that look most similar, as the report says."""

    def place(digit: int, label: int | None) -> str:
        return "" if label is None else f"{rank(similarity, digit, label)} of 9"

    pairs = [(each.digit, each.labels[0] if each.labels else None) for each in mistakes]
    head = (
        "digit",
        "turns into",
        "similarity",
        "by the report",
        "their similarity",
        "the report's explanation",
    )
    rows = [
        (
            digit,
            "none" if label is None else str(label),
            place(digit, label),
            "none" if claim.label is None else str(claim.label),
            place(digit, claim.label),
            claim.explanation,
        )
        for (digit, label), claim in zip(pairs, facts.MISTAKEN, strict=True)
    ]
    show_table(head, rows)
    downloads.csv(head, rows, "similarity.csv", key="similarity_csv")
    if all_digits:
        places = [rank(similarity, digit, label) for digit, label in pairs if label is not None]
        st.write(words.on_similarities(places))
    st.caption(
        "Similarity: the label's rank among the nine other digits by the cosine similarity of the "
        "mean images; 1 of 9 is the most similar. Only images that were classified correctly "
        "before the attack count."
    )
