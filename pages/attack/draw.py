"""Draw: a digit, an attack, and a live ε under which the prediction flips."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import streamlit as st

from core.attacks import BY_TITLE, FOLLOWED, LINF, METHODS, Method
from core.data import prototypes
from core.evaluation.path import AttackPath
from core.losses import softmax
from core.measures import logits, predict
from core.networks import LIBRARY, NetworkFileError, shown_name
from core.presentation import words
from core.presentation.charts import probabilities_along
from core.presentation.code import Shown
from core.serving.networks import ServedNetwork
from core.serving.questions import can_be_followed
from pages.attack.scenes import ANY_OTHER, show_scenes, show_why
from pages.parts import digit_choice
from pages.parts.address import (
    nearest_of,
    one_of,
    put_in_address,
    runs_in_part,
    write_address_of_part,
)
from pages.parts.epsilon_explorer import (
    AXES,
    EACH_ON_ITS_OWN,
    SAME_NOISE,
    Attacked,
    bring_code,
    epsilon_explorer,
)
from pages.parts.epsilon_explorer.choices import (
    NOT_YET,
    choices_for_address,
    choices_on,
    flip_is_hidden,
    second_network,
    show_flip,
    start_choices,
)
from pages.parts.epsilon_explorer.proofs import answer_proofs, keys_to_prove
from pages.parts.escaped import escaped
from pages.parts.failures import failures_explained
from pages.parts.inside.code import show_code
from pages.parts.inside.plane import show_plane
from pages.parts.inside.units import show_units
from pages.parts.inside.walk import show_walk
from pages.parts.networks import chosen_network, found_network, show_network_choice
from pages.parts.server import server
from pages.parts.state import ATTACK, CODE, EPSILON, MAP, MODEL, SOURCE, TARGET, UNITS, WALK
from pages.parts.subject import (
    DRAW,
    Subject,
    choose_source,
    chosen_subject,
    correct_label,
    example,
    example_digit,
    keep_in_address,
    label_of,
    show_choice,
    show_source,
    show_tools,
    show_what_the_network_gets,
)

STYLE = (Path(__file__).parent / "draw.css").read_text("utf-8")
OTHER_READER = "any-hand"  # learned to read digits that are not written as MNIST's are
CHART = "chart"  # the key of the chart of the whole path
VIEWS = (WALK, MAP, UNITS, CODE)  # the other views that depend on the digit and the attack
TARGETS = [ANY_OTHER, *map(str, range(10))]
EXPLANATION = """
**ε** is how far each pixel may move, on a scale from 0 (black) to 1 (white): ε = 0.1 is 26 of 255
grey levels. For an attack in the **L2 norm**, ε limits the square root of the sum of all pixels'
squared changes, so one pixel may change a lot if others stay the same. Some attacks have no ε. They
look for a small change that flips the prediction. The slider then shows which share of the
**change** that they have found is made, in percent, and goes a little beyond it.

A screen shows 256 grey levels. Every image here is rounded to them before the network judges it, so
a picture that you download gets the same verdict when you upload it again and switch off *Fit and
centre*.

{}

A network is fooled by the direction of a change, not by its size. With *Aim for*, the attack aims
for one digit instead of any other. The network called *standard* is small: 784 pixels, two
layers of 128 and 64 units, ten digits, trained on MNIST. *Convolutional* looks for small shapes all
over the image first, in two layers of convolutions.
""".format("\n".join(f"- **{method.title}**: {method.summary}" for method in FOLLOWED.values()))


def main() -> None:
    """Show the page: its choices, and the digit under attack."""
    ATTACK.start(parse=one_of(list(FOLLOWED)), default="FGSM")
    if ATTACK.get() not in FOLLOWED:  # it was chosen on the Test set page
        ATTACK.set(METHODS["pgd"].title)
    if EPSILON.start(parse=nearest_of(method_chosen().scale.budgets), default=0.0):
        st.session_state["placed"] = st.session_state.get("placed", 0) + 1
    TARGET.start(parse=one_of(TARGETS), default=ANY_OTHER)
    start_choices()
    st.html(f"<style>{STYLE}</style>")
    bring_code()
    digit_choice.explain_wrong_index()
    stage = st.container(key="stage")
    with stage.container(horizontal=True, key="bar"):
        with st.container(key="begin"):
            st.markdown("# Draw a digit, turn up ε, watch it flip")
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                choose_source()
                show_scenes()
        with st.container(horizontal=True, key="settings"):
            show_attack_choice()
            show_network_choice()
    # A part copies the blocks around it for each of its runs, so there are few.
    with stage.container(key="desk"):
        show_digit_under_attack()
        show_more()
    answer()


@st.fragment
def answer() -> None:
    """Tell the browser what is proved of the digit, once it asks: after the answer to a stroke."""
    with failures_explained("Draw"):
        answer_proofs()


@st.fragment
def show_digit_under_attack() -> None:
    """Show the digit and the attack on it: everything that a new stroke changes.

    The browser shows first what is sent first: the prediction, then the attack, then the rest.
    """
    with failures_explained("Draw"):
        left, right = st.container(key="digit_column"), st.container(key="result")
        with right:
            chosen = chosen_network()
        with left:
            subject, problem = chosen_subject()
            show_source(subject, chosen)
            prediction = show_prediction(subject, problem, chosen)
            if subject is None:
                show_tools()
            else:
                show_why()
        with right.container(key="instrument"):
            if subject is None:
                show_how_to_begin(chosen)
            elif chosen is not None and prediction is not None:
                explore(subject, chosen, label_of(subject, prediction))
        if subject is not None:
            with left:
                show_tools()
                if chosen is not None and prediction is not None:
                    show_choice(subject)
                    show_remarks(subject, chosen, prediction)
            if subject.label is None:  # a test digit is shown as the network gets it
                gets = right.container(key="gets")
                with gets.expander("What the network gets", expanded=True):
                    show_what_the_network_gets(subject)
        keep_in_address(subject)
        put_in_address(
            {
                MODEL: chosen.name if chosen else None,
                ATTACK: ATTACK.get(),
                TARGET: None if target_wanted() is None else str(target_wanted()),
                EPSILON: f"{EPSILON.get():.3f}",
                **choices_for_address(),
            }
        )
        write_address_of_part()
        if runs_in_part() and is_any_view_open():
            st.rerun()  # the views below are a part of their own
        server().warm_up()


@st.fragment
def show_more() -> None:
    """Show the views of the digit and the attack, each computed once it is opened.

    Most of the time they are closed, and a new digit does not send them again.
    """
    with failures_explained("Draw"), st.container(key="more"):
        with st.container(key="views"):
            show_views()
        show_explanation()
        write_address_of_part()


def show_prediction(
    subject: Subject | None, problem: str, chosen: ServedNetwork | None
) -> int | None:
    """Show what the network sees in the digit, or why there is none; return its prediction.

    While one draws this is always one line, so that what is below keeps its place.
    """
    if subject is None:
        if problem:
            st.error(problem)
        elif SOURCE.get() == DRAW:
            st.text("Draw a large digit, 0 to 9.")
        return None
    if chosen is None:
        return None
    probabilities = softmax(logits(chosen.network, subject.x))[0]
    st.text(words.on_prediction(probabilities))
    return int(probabilities.argmax())


def show_remarks(subject: Subject, chosen: ServedNetwork, prediction: int) -> None:
    """Say if a drawing or picture is no digit, and if another network reads it differently."""
    if subject.label is not None:
        return
    distance = prototypes.distance(subject.x)
    if distance > prototypes.FARTHEST:
        st.info(words.on_no_digit(distance))
    other = "report" if chosen.name == OTHER_READER else OTHER_READER
    if other in LIBRARY.names():
        with suppress(NetworkFileError):  # the choice of networks says what is wrong with the file
            reads = int(predict(server().network(other).network, subject.x)[0])
            if reads != prediction:
                st.markdown(f"The network *{shown_name(other)}* reads {words.with_article(reads)}.")


def show_how_to_begin(chosen: ServedNetwork | None) -> None:
    """Say what to do while there is no digit; on a first visit show an example."""
    digit = example()
    if digit is None or digit.label is None or chosen is None:
        st.info("Draw a digit, take one of MNIST's test digits, or upload a picture of one.")
        return
    with st.container():  # the first digit's explorer takes its place at once
        st.markdown("**This is an example.** Draw a digit of your own on the black canvas.")
        explore(digit, chosen, label_of(digit, digit.label), is_example=True)


def explore(
    subject: Subject, chosen: ServedNetwork, label: int, *, is_example: bool = False
) -> None:
    """Show the live ε along a digit's path under the chosen attack.

    If a second network is chosen, the same attack on it is shown beside. An example's slider moves
    once by itself and stands at the flip; where it is moved is not in the address.
    """
    method, target = method_chosen(), target_for(label)
    if not can_be_followed(chosen, method):
        st.info(too_slow(method, chosen))
        return
    if target != target_wanted():
        st.write(
            f"The image is meant to be {words.with_article(label)} already, "
            "so the attack aims for any other digit."
        )

    def attacked(network: ServedNetwork) -> Attacked:
        path = server().evaluations.path(network, method, subject.x, label, target)
        noise = method.name == "noise"
        said = words.on_path(path, label=label, target=target, noise=noise)
        return Attacked(shown_name(network.name), path, said, proofs.get(network.name, ""))

    second = second_network(chosen)
    if second and not can_be_followed(second, method):
        st.info(too_slow(method, second))
        second = None
    both = [each for each in (chosen, second) if each]
    networks = [(each.name, each.version) for each in both]
    question = (networks, method.name, subject.pixels.tobytes(), label, target)
    choices = choices_on(None if is_example else question, chosen)
    # The proof is about changes in L∞. The first visit is not made longer by it.
    proofs = keys_to_prove(both if method.scale is LINF and not is_example else [], subject.x)
    first = attacked(chosen)
    epsilon_explorer(
        first,
        attacked(second) if second else None,
        method=method,
        label=label,
        on_label=lambda digit: correct_label(subject, digit),
        on_epsilon=leave_address if is_example else EPSILON.set,
        on_shown=show_flip,
        note=SAME_NOISE if method.name == "noise" else EACH_ON_ITS_OWN,
        choices=choices,
        play=is_example,
        start=first_flip(first.path) if is_example else EPSILON.get(),
        placed=st.session_state["placed"],
        key="example" if is_example else "explorer",
    )


def too_slow(method: Method, network: ServedNetwork) -> str:
    """Say that a digit can't be followed under an attack, in Markdown."""
    return (
        f"{method.title} takes too long here on *{escaped(shown_name(network.name))}*, which is a "
        "large network. Choose FGSM, or attack it on the page Test set."
    )


def leave_address(epsilon: float) -> None:
    """Take no notice of where an example's slider is."""


def first_flip(path: AttackPath) -> float:
    """Return the slider's first budget with another prediction; 0 if there is none."""
    changed = path.predictions != path.predictions[0]
    return float(path.scale.budgets[changed.argmax()])


def method_chosen() -> Method:
    """Return the chosen attack."""
    return BY_TITLE[ATTACK.get()]


def target_wanted() -> int | None:
    """Return the digit to aim for; None for any other, and for attacks that can't aim."""
    target = TARGET.get()
    return int(target) if target != ANY_OTHER and method_chosen().targeted else None


def target_for(label: int) -> int | None:
    """Return the digit to aim for, if it is another one than the image's own."""
    target = target_wanted()
    return None if target == label else target


def show_attack_choice() -> None:
    """Show the widgets for the attack and its target."""
    method = method_chosen()
    st.selectbox(
        "Attack",
        list(FOLLOWED),
        key=ATTACK.key,
        persist_state="session",
        help=method.summary,
        width=220,
    )
    st.selectbox(
        "Aim for",
        TARGETS,
        key=TARGET.key,
        persist_state="session",
        help="The digit that the attack aims for."
        + ("" if method.targeted else f" {method.title} can't aim."),
        disabled=not method.targeted,
        width=165,
    )


def show_views() -> None:
    """Show the chart and the views inside the network and the attack, each once it is opened."""
    subject, _ = chosen_subject()
    chosen, _ = found_network()
    method = method_chosen()
    if chosen is None or not can_be_followed(chosen, method):
        return
    if subject is None:  # the page's style hides them; a first stroke need not send them
        subject = replace(example_digit(), label=None)
    label = label_of(subject, int(predict(chosen.network, subject.x)[0]))
    path = server().evaluations.path(chosen, method, subject.x, label, target_for(label))
    show_chart(path)
    shown = Shown(path, method, label, target_for(label), EPSILON.get())
    show_walk(shown, chosen, subject.x)
    show_plane(shown, chosen, subject.x)
    show_units(shown, chosen)
    show_code(shown, chosen, subject)


def is_any_view_open() -> bool:
    """Return whether something is open that depends on the digit and the attack."""
    return any(st.session_state.get(key) for key in (CHART, *(view.key for view in VIEWS)))


def show_chart(path: AttackPath) -> None:
    """Show a chart of the probabilities over ε, computed once it is opened."""
    chart = st.expander("The whole path as a chart", key=CHART, on_change="rerun")
    if chart.open and flip_is_hidden():
        chart.caption(NOT_YET)
    elif chart.open:
        axis = AXES[method_chosen().scale.name]["name"]
        figure = probabilities_along(path, epsilon=EPSILON.get(), axis=axis)
        chart.plotly_chart(figure, config={"displayModeBar": False})


def show_explanation() -> None:
    """Show the explanation of ε and the attacks, sent once it is opened."""
    explanation = st.expander("What is happening here?", key="explanation", on_change="rerun")
    if explanation.open:
        explanation.markdown(EXPLANATION)


main()
