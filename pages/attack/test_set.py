"""Test set: what an attack does to MNIST's 10,000 test images, in the report's figures and more."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from core import course_report, digits, figures, sentences
from core.attacks import METHODS
from core.classifier import FloatArray
from core.evaluation import Evaluation
from core.explanations import explain, rank
from core.jobs import DONE, FAILED, Progress
from core.mistakes import Mistakes, confusion, most_mistaken
from core.scales import WAY, scale_of
from pages.parts import downloads
from pages.parts.address import one_of, put_in_address, start_from_address
from pages.parts.digit_images import Pair, pairs_png, show_images, show_pairs, signed
from pages.parts.evaluations import (
    ALL,
    BUDGETS,
    TRUSTED,
    Question,
    evaluation_to_show,
    indices,
    likeness,
    look,
    look_at_checks,
    look_at_curve,
    shipped_curve,
)
from pages.parts.failures import failures_explained
from pages.parts.networks import ChosenNetwork, chosen_network, show_network_choice
from pages.parts.subject import TEST_DIGIT, test_digits

ATTACK_NAMES = {method.title: name for name, method in METHODS.items()}
SIZES = {"all 10,000": ALL, "a sample of 1,000": 1000}
START = {"linf": 0.1, "l2": 2.0}
COMPARED = {"linf": ("fgsm", "pgd", "noise"), "l2": ("pgd_l2", "noise")}
# Seconds to wait for what is small, while the rest is awaited and once it has been stopped.
PATIENCE = {False: 0.3, True: 6.0}
SHOWN_IMAGES = 20  # of a cell of the matrix
BAR = {"modeBarButtons": [["toImage"]], "displaylogo": False, "displayModeBar": True}


def main() -> None:
    """The page."""
    st.markdown("#### Attack the whole test set")
    question, budget = choose()
    if question is None:
        return
    try:
        test_digits()
    except digits.DataFileError as error:
        st.error(str(error))
        return
    waiting_place = st.container()
    waited_for: dict[str, Callable[[], Progress]] = {}
    stopped = st.session_state.get("stopped") == (*question.key, budget)
    shown, whole = evaluation_to_show(question, budget, stopped=stopped)
    if whole is not None:
        name = f"{question.method.title} on {question.images:,} images"
        waited_for[name] = lambda: look(question, budget)
    if shown.state == DONE:
        evaluation: Evaluation = shown.result
        taken = question if whole is None and not stopped else question.sample
        show_rates(evaluation, question, budget)
        waited_for |= show_curves(question, budget, stopped=stopped)
        show_ten(evaluation, taken, budget)
        show_mistakes(evaluation, taken)
        show_norms(evaluation, question, budget)
        show_why(evaluation, question)
        epsilon = budget if question.norm == "linf" else START["linf"]
        waited_for |= show_trust(question.chosen, epsilon, stopped=stopped)
        show_downloads(evaluation, question, budget)
    elif shown.state == FAILED:
        st.error(shown.error)
    else:
        waited_for["a sample"] = lambda: look(question.sample, budget)
    with waiting_place:
        if stopped:
            show_stopped()
        elif waited_for:
            show_waiting(waited_for, (*question.key, budget))


def choose() -> tuple[Question | None, float]:
    """The widgets that decide what is attacked, and how."""
    start_from_address("attack", parse=one_of(list(ATTACK_NAMES)), default="FGSM")
    start_from_address("images", parse=one_of(list(SIZES)), default="all 10,000")
    method = METHODS[ATTACK_NAMES[st.session_state["attack"]]]
    norm = "linf" if method.norm == "linf" else "l2"
    start_from_address(norm, parse=lambda text: nearest(norm, text), default=START[norm])
    with st.container(horizontal=True):
        st.selectbox("Attack", list(ATTACK_NAMES), key="attack", persist_state="session", width=220)
        show_network_choice()
        st.selectbox("Test images", list(SIZES), key="images", persist_state="session", width=180)
        with st.container(width=420):
            st.select_slider(
                "ε, how far each pixel may move"
                if norm == "linf"
                else "ε, the L2 norm that a perturbation may have",
                BUDGETS[norm].tolist(),
                key=norm,
                persist_state="session",
            )
    budget = float(st.session_state[norm])
    chosen = chosen_network()
    put_in_address(
        {
            "model": chosen.name if chosen else None,
            "attack": method.title,
            "images": st.session_state["images"],
            "linf": f"{budget:g}" if norm == "linf" else None,
            "l2": f"{budget:g}" if norm == "l2" else None,
        }
    )
    if chosen is None:
        return None, budget
    return Question(chosen, method, SIZES[st.session_state["images"]]), budget


def nearest(norm: str, text: str) -> float:
    """The nearest of the budgets of a norm."""
    budget = float(text)
    if not np.isfinite(budget):
        raise ValueError(text)
    return float(BUDGETS[norm][np.abs(BUDGETS[norm] - budget).argmin()])


# Waiting


@st.fragment(run_every=1.0)
def show_waiting(
    waited_for: Mapping[str, Callable[[], Progress]], settings: tuple[object, ...]
) -> None:
    """How far what is being computed is; the page runs again when some of it is there."""
    with failures_explained("Test set"):
        standing = {name: look() for name, look in waited_for.items()}
        if any(progress.state in (DONE, FAILED) for progress in standing.values()):
            st.rerun()
        share = sum(progress.share for progress in standing.values()) / len(standing)
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(width=420):
                st.progress(min(share, 1.0), f"Being computed: {', '.join(standing)} …")
            if st.button("Stop", key="stop_waiting"):
                st.session_state["stopped"] = settings
                st.rerun()


def show_stopped() -> None:
    """What is there is a sample's; the rest can still be had."""

    def go_on() -> None:
        del st.session_state["stopped"]

    with st.container(horizontal=True, vertical_alignment="center"):
        st.write("Stopped; the figures below are a sample's.")
        st.button("Go on", on_click=go_on, key="go_on")


# What was found


def show_rates(evaluation: Evaluation, question: Question, budget: float) -> None:
    """The evasion rate, by both denominators."""
    images, right = evaluation.images, int(evaluation.correct_before.sum())
    wrong = int(evaluation.misclassified.sum())
    of_right = int((evaluation.misclassified & evaluation.correct_before).sum())
    rate = evaluation.evasion_rate_of_correct
    with st.container(horizontal=True):
        st.metric(
            "Evasion rate, of all images",
            f"{evaluation.evasion_rate:.2%}",
            f"{wrong:,} of {images:,} misclassified",
            delta_color="off",
            delta_arrow="off",
        )
        st.metric(
            "Evasion rate, of those right before",
            "–" if rate is None else f"{rate:.2%}",
            f"{of_right:,} of {right:,} misclassified",
            delta_color="off",
            delta_arrow="off",
        )
        st.metric(
            "Accuracy without an attack",
            f"{right / images:.2%}",
            f"{right:,} of {images:,} right",
            delta_color="off",
            delta_arrow="off",
        )
    some = "" if images == ALL else f" These are {images:,} of them, drawn at random once for all."
    st.caption(
        "The first is the course report's evasion rate, misclassified adversarial examples / all "
        f"examples; it has {course_report.EVASION_RATE:.2%}, and names neither attack nor ε.{some} "
        f"{question.method.summary}"
    )


def show_curves(
    question: Question, budget: float, *, stopped: bool
) -> dict[str, Callable[[], Progress]]:
    """The evasion rates of several attacks over ε; returns what is still being computed."""
    st.markdown("##### The more an attack may change, the more it evades")
    norm = question.norm
    others = [
        method
        for method in METHODS.values()
        if (method.norm == "linf") == (norm == "linf") and method.name != "noise"
    ]
    default = [m.title for m in others if m.name in (*COMPARED[norm], question.method.name)]
    beside = st.multiselect(
        "Attacks on the chart, besides random noise",
        [method.title for method in others],
        default=default,
        key=f"beside_{norm}_{question.method.name}",
    )
    lines: dict[str, tuple[FloatArray, FloatArray]] = {}
    waited_for: dict[str, Callable[[], Progress]] = {}
    sampled = []
    for title in [*beside, METHODS["noise"].title]:
        asked = Question(question.chosen, METHODS[ATTACK_NAMES[title]], question.images)
        if norm == "linf" and (shipped := shipped_curve(asked)) is not None:
            lines[title] = shipped
            continue
        curve = None if stopped else look_at_curve(asked.for_curve, norm)
        if curve is not None and curve.state == FAILED:
            st.error(curve.error)
            continue
        of = asked.for_curve
        if curve is None or curve.state != DONE:
            if curve is not None:
                waited_for[f"{title}'s curve"] = curve_of(of, norm)
            of = asked.for_first_curve
            curve = look_at_curve(of, norm, wait=PATIENCE[stopped])
        if curve.state == DONE:
            lines[title] = (BUDGETS[norm], curve.result)
            if of.images < question.images:
                sampled.append(f"{title} of {of.images:,}")
    if not lines:
        st.write("The first curves are being computed …")
        return waited_for
    figure = figures.evasion_curves(
        lines, epsilon=budget, x_title="ε" if norm == "linf" else "ε, in the L2 norm"
    )
    st.plotly_chart(figure, config=BAR, key="curves")
    note = f" Of a sample: {', '.join(sampled)} images." if sampled else ""
    st.caption(
        f"Evasion rate: misclassified / all {question.images:,} images.{note} Random noise is as "
        "large as an attack may be, and the control: what it evades, size alone explains."
    )
    return waited_for


def curve_of(question: Question, norm: str) -> Callable[[], Progress]:
    """A look at a curve, to be taken again and again."""
    return lambda: look_at_curve(question, norm)


def show_ten(evaluation: Evaluation, question: Question, budget: float) -> None:
    """Ten digits with their adversarial twins: the report's Figure 4."""
    st.markdown("##### Ten digits and their adversarial twins")
    draw = np.random.default_rng(st.session_state.setdefault("ten", 0))
    rows = []
    for digit in range(10):
        of_digit = np.flatnonzero((evaluation.y == digit) & evaluation.correct_before)
        if of_digit.size:
            rows.append(int(draw.choice(of_digit)))
    pairs = [
        pair_of(evaluation, row, f"{evaluation.y[row]} → {evaluation.after[row]}") for row in rows
    ]
    show_pairs(pairs)
    st.caption(
        "First row: test images that are classified correctly. Second row: what the attack makes "
        "of them, and what they are taken for. Last row: the L2 norm of the difference."
    )

    def another() -> None:
        st.session_state["ten"] += 1

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Another ten", on_click=another, key="another_ten")
        downloads.png(lambda: pairs_png(pairs), "ten-digits.png", key="ten_png")
    with st.container(horizontal=True, vertical_alignment="center"):
        show_openers([int(indices(question.images)[row]) for row in rows], evaluation, rows, budget)


def pair_of(evaluation: Evaluation, row: int, caption: str) -> Pair:
    """One of the images and its adversarial twin."""
    return Pair(evaluation.x[row], evaluation.x_adv[row], caption, float(evaluation.l2_norm[row]))


def show_openers(places: list[int], evaluation: Evaluation, rows: list[int], budget: float) -> None:
    """A button for each image that opens it on the Draw page."""
    st.write("Open on the Draw page:")
    for place, row in zip(places, rows, strict=True):
        label = str(evaluation.y[row])
        if st.button(label, key=f"open_{place}", help=f"Test digit {place}"):
            open_on_draw(place, budget)


def open_on_draw(place: int, budget: float) -> None:
    """Go to the Draw page with a test digit, under the same attack on the same network."""
    method = METHODS[ATTACK_NAMES[st.session_state["attack"]]]
    scale = scale_of(method)
    st.session_state["source"] = TEST_DIGIT
    st.session_state["digit"] = place
    st.session_state["epsilon"] = 1.0 if scale is WAY else scale.nearest(budget)
    st.switch_page("pages/attack/draw.py")


def show_mistakes(evaluation: Evaluation, question: Question) -> None:
    """What each digit is most often mistaken for: the report's Figure 5, and the whole matrix."""
    st.markdown("##### What each digit is mistaken for")
    matrix = confusion(evaluation.y, evaluation.after)
    mistakes = most_mistaken(matrix)
    table: dict[str, list[Any]] = {
        "digit": [each.digit for each in mistakes],
        "most often": [sentences.on_mistakes(each) for each in mistakes],
        "misclassified": [each.misclassified for each in mistakes],
        "images": [each.images for each in mistakes],
    }
    left, right = st.columns(2, gap="large")
    with left:
        st.dataframe(
            table,
            hide_index=True,
            height="content",
            column_config={
                "digit": st.column_config.NumberColumn("Digit", width=50),
                "most often": st.column_config.TextColumn("Most often", width=240),
                "misclassified": st.column_config.NumberColumn("Misclassified", width=100),
                "images": st.column_config.NumberColumn("Out of", width=70),
            },
        )
        downloads.csv(table, "mistakes.csv", key="mistakes_csv")
    with right:
        st.plotly_chart(figures.mistakes_bars(mistakes), config=BAR, key="mistakes_bars")
    picked = st.plotly_chart(
        figures.confusion_matrix(matrix),
        config=BAR,
        key="matrix",
        on_select="rerun",
        selection_mode="points",
    )
    st.caption("A row for each digit, a column for what it is taken for. Click a cell to see it.")
    show_cell(cell_of(picked), evaluation, question)


def cell_of(picked: Mapping[str, object]) -> tuple[int, int] | None:
    """The digit and the label of the cell that was clicked."""
    points = picked["selection"]["points"]  # type: ignore[index]
    return (int(points[0]["y"]), int(points[0]["x"])) if points else None


def show_cell(cell: tuple[int, int] | None, evaluation: Evaluation, question: Question) -> None:
    """The images of a cell of the matrix."""
    if cell is None:
        return
    digit, label = cell
    rows = np.flatnonzero((evaluation.y == digit) & (evaluation.after == label))
    count = "no image is" if not rows.size else f"{rows.size:,} of them are"
    st.write(f"Of the digit {digit}, {count} taken for {sentences.with_article(label)}.")
    shown = rows[:SHOWN_IMAGES]
    for start in range(0, len(shown), 10):
        show_pairs(
            [
                pair_of(evaluation, row, f"No. {indices(question.images)[row]}")
                for row in shown[start : start + 10]
            ]
        )


def show_norms(evaluation: Evaluation, question: Question, budget: float) -> None:
    """How large the perturbations are."""
    st.markdown("##### How large the perturbations are")
    bound = budget * np.sqrt(784) if question.norm == "linf" else budget
    flipped = evaluation.misclassified
    st.plotly_chart(
        figures.norm_distribution(evaluation.y, evaluation.l2_norm, flipped, bound=bound),
        config=BAR,
        key="norms",
    )
    why = (
        f"ε√784 = {bound:.2f}: each of 784 pixels may move by ε. Clipping to black and white keeps "
        "most images below it"
        if question.norm == "linf"
        else f"ε = {bound:g}, the budget itself"
    )
    st.caption(
        f"L2 norms of the differences, misclassified and not misclassified apart. Bound: {why}."
    )


def show_why(evaluation: Evaluation, question: Question) -> None:
    """The report's explanations, tested."""
    st.markdown("##### Why that label?")
    turned = confusion(
        evaluation.y[evaluation.correct_before], evaluation.after[evaluation.correct_before]
    )
    alike = likeness(question.images)
    mistakes = most_mistaken(turned)
    show_likeness(mistakes, alike)
    digit = int(
        st.segmented_control("A digit", list(range(10)), default=0, required=True, key="why_digit")
        or 0
    )
    labels = [int(label) for label in np.argsort(-turned[digit], kind="stable")]
    labels = [label for label in labels if label != digit and turned[digit, label]]
    if not labels:
        st.write(f"No {digit} that was classified correctly is misclassified now.")
        return
    left, right = st.columns([1, 2], gap="large")
    label = left.selectbox(
        "and what it turns into",
        labels,
        key=f"why_label_{digit}",
    )
    found = explain(question.chosen.network, evaluation, digit, label)
    with left:
        st.write(sentences.on_explanation(found))
        st.write(sentences.on_likeness(digit, label, rank(alike, digit, label)))
    with right:
        maps = [(found.digit_mean.reshape(28, 28), f"The mean {digit}")]
        if found.label_mean is not None:
            maps.append((found.label_mean.reshape(28, 28), f"The mean {label}"))
        maps.append((signed(found.perturbation), "The mean perturbation"))
        maps.append((signed(-found.contributions), f"What moved the decision to {label}"))
        show_images(maps)
        st.caption(
            "Perturbation: orange pixels get lighter, blue ones darker. Decision: orange pixels "
            f"moved it from {digit} to {label}, blue ones the other way."
        )


def show_likeness(mistakes: Sequence[Mistakes], alike: FloatArray) -> None:
    """Whether digits turn into what they are most alike to, as the report has it."""
    table: dict[str, list[Any]] = {
        "digit": [],
        "turns into": [],
        "place": [],
        "report": [],
        "report place": [],
        "said": [],
    }
    for each, claim in zip(mistakes, course_report.MISTAKEN, strict=True):
        label = each.labels[0] if each.labels else None
        table["digit"].append(each.digit)
        table["turns into"].append(label)
        table["place"].append(None if label is None else rank(alike, each.digit, label))
        table["report"].append(claim.label)
        table["report place"].append(
            None if claim.label is None else rank(alike, each.digit, claim.label)
        )
        table["said"].append(claim.explanation)
    number = st.column_config.NumberColumn
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        placeholder="none",
        column_config={
            "digit": number("Digit", width=50),
            "turns into": number("Turns into", width=80),
            "place": number("Likeness of the two", width=130, format="%d of 9"),
            "report": number("The report: into", width=110),
            "report place": number("Likeness of those", width=130, format="%d of 9"),
            "said": st.column_config.TextColumn("The report's explanation", width=480),
        },
    )
    downloads.csv(table, "likeness.csv", key="likeness_csv")
    places = [place for place in table["place"] if isinstance(place, int)]
    st.write(sentences.on_likenesses(places))
    st.caption(
        "Likeness: where the label stands among the nine others, ordered by the cosine similarity "
        "of their mean images to the digit's; 1 of 9 is the most alike. Counted are images that "
        "were classified correctly before the attack."
    )


def show_trust(
    chosen: ChosenNetwork, epsilon: float, *, stopped: bool
) -> dict[str, Callable[[], Progress]]:
    """The checks of what evaluations of attacks get wrong; returns what is still computed."""
    st.markdown("##### Can these numbers be trusted?")
    if not epsilon:
        st.write("At ε = 0 nothing is attacked, and there is nothing to check.")
        return {}
    progress = look_at_checks(chosen, epsilon, wait=PATIENCE[stopped])
    if progress.state == FAILED:
        st.error(progress.error)
    if progress.state != DONE:
        return {"the checks": lambda: look_at_checks(chosen, epsilon)}
    for check in progress.result:
        mark = ":material/check_circle:" if check.passed else ":material/warning:"
        st.markdown(f"{mark} **{check.title}** · {check.finding}")
        st.caption(check.meaning)
    st.caption(f"At ε = {epsilon:g} a pixel, on a sample of {TRUSTED:,} test images.")
    return {}


def show_downloads(evaluation: Evaluation, question: Question, budget: float) -> None:
    """The adversarial images."""
    name = f"{question.chosen.name}-{question.method.name}-{budget:g}.npz"
    downloads.npz(
        {
            "x": evaluation.x,
            "y": evaluation.y,
            "x_adv": evaluation.x_adv,
            "before": evaluation.before,
            "after": evaluation.after,
            "l2_norm": evaluation.l2_norm,
        },
        name,
        label=f"The {evaluation.images:,} adversarial images as .npz",
        key="npz",
    )


main()
