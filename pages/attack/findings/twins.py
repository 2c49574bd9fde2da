"""Ten digits and their adversarial twins, as in the course report's Figure 4."""

import numpy as np
import streamlit as st

from core.attacks import FOLLOWED, METHODS, WAY
from core.evaluation.rates import Evaluation
from core.measures import SCREEN
from core.serving.evaluations import ORDER, indices
from core.serving.questions import Question
from pages.parts import downloads
from pages.parts.digit_images import Column, columns_png, show_columns
from pages.parts.state import ATTACK, DIGIT, EPSILON, MODEL, TEN

# A screen reader reads the whole name of a button, out of its row.
_NUMBERS_ALONE = """<style>
.st-key-open_ten button p { font-size: 0; }
.st-key-open_ten button p strong { font-size: 1rem; font-weight: inherit; }
</style>"""


def show_ten(evaluation: Evaluation, question: Question, budget: float) -> None:
    """Show ten digits with their adversarial twins: the report's Figure 4."""
    st.markdown("## Ten digits and their adversarial twins")
    places = indices(question.images)
    turn = np.argsort(ORDER)[places]  # a larger sample shows the same ten
    rows = []
    for digit in range(10):
        of_digit = np.flatnonzero((evaluation.y == digit) & evaluation.correct_before)
        if of_digit.size:
            in_turn = of_digit[np.argsort(turn[of_digit])]
            rows.append(int(in_turn[TEN.get() % len(in_turn)]))
    columns = [
        column_of(evaluation, row, f"{evaluation.y[row]} → {evaluation.after[row]}") for row in rows
    ]
    show_columns(columns)
    st.caption(
        "First row: test images that are classified correctly. Second row: the same images after "
        "the attack, and what the network takes them for. Last row: the L2 norm of the difference."
        + (
            ""
            if question.levels
            else " They are judged as the attack computes them; a screen "
            f"shows them rounded to {SCREEN} grey levels."
        )
    )

    def another() -> None:
        TEN.set(TEN.get() + 1)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Another ten", on_click=another, key="another_ten")
        downloads.png(lambda: columns_png(columns), "ten-digits.png", key="ten_png")
    st.html(_NUMBERS_ALONE)
    with st.container(horizontal=True, vertical_alignment="center", key="open_ten"):
        st.write("Open on the Draw page:")
        for row in rows:
            place = int(places[row])
            st.button(
                f"Open this **{evaluation.y[row]}** on the Draw page",
                key=f"open_{place}",
                help=f"Test image no. {place}",
                on_click=choose_for_draw,
                args=(place, question, budget),
            )


def column_of(evaluation: Evaluation, row: int, caption: str) -> Column:
    """Return an image above its adversarial twin, with the L2 norm of the difference."""
    original, twin = evaluation.x[row], evaluation.x_adv[row]
    images = [(original, f"Original, {caption}"), (twin, f"Adversarial, {caption}")]
    return images, f"{caption}\n{evaluation.l2_norm[row]:.2f}"


def choose_for_draw(place: int, question: Question, budget: float) -> None:
    """Have `open_chosen` open a test digit under the question's attack on its network.

    It is a callback: it is called even if the page's next run doesn't show the button any more.
    """
    scale = question.method.scale
    epsilon = float(scale.budgets[-1]) if scale is WAY else scale.nearest(budget)
    title = question.method.title
    st.session_state["to_draw"] = {
        MODEL.key: question.chosen.name,
        ATTACK.key: title if title in FOLLOWED else METHODS["pgd"].title,
        DIGIT.key: str(place),
        EPSILON.key: f"{epsilon:.3f}",
    }


def open_chosen() -> None:
    """Go to the Draw page if a test digit was chosen for it, with the whole address at once.

    Each change of the address is a step for the browser's Back.
    """
    if address := st.session_state.pop("to_draw", None):
        st.switch_page("pages/attack/draw.py", query_params=address)
