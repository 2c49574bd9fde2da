"""What each digit is mistaken for: the course report's Figure 5, and the confusion matrix."""

import numpy as np
import streamlit as st

from core.evaluation.confusion import confusion, most_mistaken
from core.evaluation.rates import Evaluation
from core.presentation import charts, words
from core.serving.evaluations import indices
from core.serving.questions import Question
from pages.attack.findings.twins import column_of
from pages.parts import downloads
from pages.parts.digit_images import columns_png, show_columns
from pages.parts.state import CELL_DIGIT, CELL_LABEL
from pages.parts.tables import show_table

SHOWN_IMAGES = 20  # of a cell of the matrix


def show_mistakes(evaluation: Evaluation, question: Question) -> None:
    """Show what each digit is most often mistaken for, and the confusion matrix."""
    st.markdown("## What each digit is mistaken for")
    matrix = confusion(evaluation.y, evaluation.after)
    mistakes = most_mistaken(matrix)
    head = ("digit", "most often", "misclassified", "images")
    rows = [
        (each.digit, words.on_mistakes(each), each.misclassified, each.images) for each in mistakes
    ]
    left, right = st.columns(2, gap="large")
    with left:
        show_table(head, rows)
        downloads.csv(head, rows, "mistakes.csv", key="mistakes_csv")
    with right:
        st.plotly_chart(
            charts.mistakes_bars(mistakes), config=downloads.chart("mistakes"), key="mistakes_bars"
        )
    st.plotly_chart(
        charts.confusion_matrix(matrix, chosen=(CELL_DIGIT.get(), CELL_LABEL.get())),
        config=downloads.chart("matrix"),
        key="matrix",
        on_select=choose_clicked,
        selection_mode="points",
    )
    st.caption(
        "Each row is a digit, each column what the network takes it for. A cell counts images. "
        "Click a cell to see its images (on a touch screen, tap it twice), or choose it here:"
    )
    with st.container(horizontal=True):
        for title, setting in (("Digit", CELL_DIGIT), ("Taken for", CELL_LABEL)):
            st.selectbox(
                title,
                list(range(10)),
                index=None,
                placeholder="any",
                key=setting.key,
                persist_state="session",
                width=150,
            )
    digit, label = CELL_DIGIT.get(), CELL_LABEL.get()
    if digit is not None and label is not None:
        show_cell(digit, label, evaluation, question)


def choose_clicked() -> None:
    """Choose the cell that was clicked."""
    for point in st.session_state["matrix"]["selection"]["points"][:1]:
        CELL_DIGIT.set(int(point["y"]))
        CELL_LABEL.set(int(point["x"]))


def show_cell(digit: int, label: int, evaluation: Evaluation, question: Question) -> None:
    """Show the images of a cell of the matrix."""
    rows = np.flatnonzero((evaluation.y == digit) & (evaluation.after == label))
    images = "image of the digit {} is" if rows.size == 1 else "images of the digit {} are"
    shown = f" The first {SHOWN_IMAGES}:" if rows.size > SHOWN_IMAGES else ""
    st.write(f"{rows.size:,} {images.format(digit)} taken for {words.with_article(label)}.{shown}")
    places = indices(question.images)
    columns = [column_of(evaluation, row, f"No. {places[row]}") for row in rows[:SHOWN_IMAGES]]
    for start in range(0, len(columns), 10):
        show_columns(columns[start : start + 10])
    if columns:
        name = f"{digit}-taken-for-{label}.png"
        downloads.png(lambda: columns_png(columns), name, key="cell_png")
