"""Lesson: eight steps of one screen each; one answers a question, then sees."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.data import mnist
from core.evaluation.shipped import MeasuredFileError
from core.networks import NetworkFileError
from core.presentation.lesson import on_guess
from core.serving.networks import ServedNetwork
from pages.course.lesson_case import Case
from pages.course.lesson_steps import STANDARD, STEPS, case_for, has_seen, place_slider
from pages.parts import digit_choice
from pages.parts.address import put_in_address
from pages.parts.digit_images import show_images
from pages.parts.epsilon_explorer import bring_code
from pages.parts.escaped import with_code
from pages.parts.focus import keep_focus
from pages.parts.server import server
from pages.parts.state import AIM, ANSWERS, EPSILON, SEEN, STEP
from pages.parts.subject import (
    Subject,
    choose_source,
    chosen_subject,
    correct_label,
    keep_in_address,
    label_of,
    show_source,
    show_tools,
    start_source,
)

STYLE = (Path(__file__).parent / "lesson.css").read_text("utf-8")
OPEN, NO_GUESS = "-", "x"  # what stands for no answer, and for one without a guess
UNKNOWN = -1  # the label of a drawing of which nobody has said what it is


def main() -> None:
    """Show the page."""
    count = len(STEPS)
    STEP.start(parse=lambda text: int(matching(rf"[1-{count}]")(text)), default=1)
    linked = ANSWERS.start(parse=matching(rf"[{OPEN}{NO_GUESS}\d]{{0,{count}}}"), default="")
    SEEN.start(parse=matching(rf"[1-{count}]{{0,{count}}}"), default="")
    put_in_address({AIM: None, EPSILON: None})  # unless the step has them
    st.html(f"<style>{STYLE}</style>")
    bring_code()
    with st.container(key="lesson"):
        show_steps()
        try:
            show_step(server().network(STANDARD), linked=linked)
        except (NetworkFileError, MeasuredFileError, mnist.DataFileError) as error:
            st.error(with_code(str(error)))
    answers, seen = ANSWERS.get(), SEEN.get()
    put_in_address({STEP: str(STEP.get()), ANSWERS: answers or None, SEEN: seen or None})


def show_steps() -> None:
    """Show the choice of a step; those that are done have a bar at their foot."""
    st.segmented_control(
        "Step",
        range(1, len(STEPS) + 1),
        required=True,
        key=STEP.key,
        persist_state="session",
        label_visibility="collapsed",
    )
    if done := [number for number in range(1, len(STEPS) + 1) if is_seen(number)]:
        buttons = ", ".join(f".st-key-{STEP.key} button:nth-of-type({number})" for number in done)
        st.html(f"<style>{buttons} {{ box-shadow: inset 0 -4px currentColor; }}</style>")


def show_step(standard: ServedNetwork, *, linked: bool) -> None:
    """Show the chosen step: what it says and asks, beside the digit or the instrument.

    Args:
        standard: the network under attack.
        linked: whether the answers have been read from the address in this run.
    """
    start_source()
    subject, problem = chosen_subject()
    begin_anew_with(subject, linked=linked)
    number = STEP.get()
    own = None
    if subject is not None and (number == 1 or label_of(subject, UNKNOWN) != UNKNOWN):
        own = Case(subject, label_of(subject, UNKNOWN), standard)
        if own.label == UNKNOWN and answer(1) != OPEN:  # a link that says it was answered, not how
            take_back(1)
    case = replace(case_for(number, own, standard), plays=answer(number) == NO_GUESS)
    with st.container(key="lesson_step"):
        left, right = st.container(key="lesson_ask"), st.container(key="lesson_see")
        if number == 1:
            with right:
                if problem:
                    st.error(problem)
                show_digit_choice(subject, standard)
        with left:
            show_question(case, can_answer=number > 1 or own is not None)
        said = ""
        if answer(number) != OPEN:
            said = show_what_one_sees(left, right, case)
        elif number > 1:
            with right, st.container(key="lesson_digit"):
                show_images([(case.subject.x[0], "the digit, before any attack")])
        with left:
            show_next()
    go_on_at(number, said)
    keep_in_address(subject)


def go_on_at(number: int, said: str) -> None:
    """Bring a lost focus to the step's title, its slider, or what one saw; say that, too."""
    asked = answer(number) == OPEN
    if asked:
        target = ".st-key-lesson_ask h1"
    else:
        target = ".st-key-lesson_seen" if is_seen(number) else "#epsilon"
    keep_focus(f"{number} {asked}", target, said.replace("*", ""))


def show_digit_choice(subject: Subject | None, standard: ServedNetwork) -> None:
    """Show the canvas, or where else the digit comes from."""
    digit_choice.explain_wrong_index()
    with st.container(key="lesson_choice"):
        choose_source()
        show_source(subject, standard)
        show_tools()


def show_question(case: Case, *, can_answer: bool) -> None:
    """Show what one has to know, the question, and its answers while there is none."""
    number = STEP.get()
    step = STEPS[number - 1]
    st.title(step.title, anchor=False)
    with st.container(key="lesson_text"):
        st.markdown(step.text(case))
        if number > 1 and case.instead:
            st.markdown(f"*{case.instead}*")
    st.markdown(f"**{step.question(case)}**")
    if answer(number) != OPEN:
        return
    with st.container(horizontal=True, gap="small", key="lesson_answers"):
        for place, text in enumerate(step.answers):
            st.button(
                text,
                key=f"answer_{number}_{place}",
                on_click=give,
                args=[number, str(place), case],
                disabled=not can_answer,
            )
        if number > 1:
            st.button(
                "Show me",
                key=f"answer_{number}_{NO_GUESS}",
                on_click=give,
                args=[number, NO_GUESS, case],
                type="tertiary",
            )


def show_what_one_sees(left: DeltaGenerator, right: DeltaGenerator, case: Case) -> str:
    """Show the instrument; beside it the guess and, once one has seen it, what one saw.

    Returns:
        What one saw, in Markdown; empty if that is still to come.
    """
    number = STEP.get()
    step, given = STEPS[number - 1], answer(number)
    with right:
        outcome = step.show(case)
    guess = None if given == NO_GUESS else min(int(given), len(step.answers) - 1)
    seen = ""
    with left:
        if outcome is None:
            st.info("These networks have not been measured. The page Remedies measures them.")
        elif is_seen(number):
            compared = on_guess(step.answers, guess, outcome.right) if number > 1 else ""
            seen = f"{compared}\n\n{outcome.seen}".strip()
            with st.container(key="lesson_seen"):
                st.markdown(seen)
        else:
            st.markdown(f"Your guess: **{step.answers[guess or 0]}**.")
            st.markdown(step.task)
    return seen


def show_next() -> None:
    """Show links that lead on, and the buttons to the next step and back to the question."""
    number = STEP.get()
    if is_seen(number):
        STEPS[number - 1].lead_on()
    with st.container(horizontal=True, gap="small"):
        if number < len(STEPS):
            st.button(
                f"Next: {STEPS[number].title}",
                key="next",
                icon=":material/arrow_forward:",
                icon_position="right",
                type="primary" if is_seen(number) else "tertiary",
                on_click=STEP.set,
                args=[number + 1],
            )
        elif is_seen(number):
            st.button("Start again", key="start_again", on_click=start_again)
        if answer(number) != OPEN:
            st.button(
                "Change",
                key="change",
                help="Answer the question again",
                type="tertiary",
                on_click=take_back,
                args=[number],
            )


def matching(pattern: str) -> Callable[[str], str]:
    """Return a parser of texts that match a regular expression as a whole."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(text)
        return text

    return parse


def answer(number: int) -> str:
    """Return the answer to a step's question: its place, `OPEN` or `NO_GUESS`."""
    return ANSWERS.get().ljust(len(STEPS), OPEN)[number - 1]


def is_seen(number: int) -> bool:
    """Return whether one has seen what a step shows."""
    return answer(number) != OPEN and has_seen(number)


def give(number: int, given: str, case: Case) -> None:
    """Answer a step's question."""
    answers = list(ANSWERS.get().ljust(len(STEPS), OPEN))
    answers[number - 1] = given
    ANSWERS.set("".join(answers).rstrip(OPEN))
    SEEN.set(SEEN.get().replace(str(number), "") + (str(number) if given == NO_GUESS else ""))
    if number == 1 and case.subject.label is None:
        correct_label(case.subject, int(given))


def take_back(number: int) -> None:
    """Ask a step's question again."""
    answers = ANSWERS.get()
    ANSWERS.set((answers[: number - 1] + OPEN + answers[number:]).rstrip(OPEN))
    SEEN.set(SEEN.get().replace(str(number), ""))
    EPSILON.of(number).set(0.0)
    place_slider()


def begin_anew_with(subject: Subject | None, *, linked: bool) -> None:
    """Forget the answers if they were given on another digit."""
    state, now = st.session_state, subject and subject.id
    if state.setdefault("lesson_digit", now) != now and not linked:
        forget_answers()
    state["lesson_digit"] = now


def forget_answers() -> None:
    """Ask all questions again."""
    ANSWERS.set("")
    SEEN.set("")
    for number in range(1, len(STEPS) + 1):
        EPSILON.of(number).set(0.0)
    place_slider()


def start_again() -> None:
    """Go back to the first step and ask all questions again."""
    forget_answers()
    STEP.set(1)


main()
