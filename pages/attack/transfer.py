"""Transfer: which attack fools which network."""

import streamlit as st

from core.attacks import MinimalMethod
from core.data import mnist
from core.presentation.words import percent
from core.serving.jobs import DONE, FAILED, Progress
from core.serving.questions import ALL
from core.serving.transfers import Answer, TransferQuestion
from pages.attack.transfer_cell import show_cell_choice, show_ten
from pages.attack.transfer_choice import choose
from pages.attack.transfer_rates import show_heat_map, show_words
from pages.parts.escaped import escaped, with_code
from pages.parts.server import server
from pages.parts.waiting import show_waiting

INTRODUCTION = """
An attacker rarely has your network. But anyone can train another one, attack that, and try the
images on yours. Often they fool yours too: the attack **transfers** (Szegedy and others, 2014). It
works because networks that have learned the same task rely on similar features of an image, so a
direction that misleads one often misleads the other.
"""
HOW_TO_READ = """
Each row is the network on which the images were made, each column the network on which the same
images were tried. On the **diagonal** (orange, bold) both are the same: a *white box*, the attacker
has the weights. Everywhere else the attacker has a stand-in only. The last row is the control:
random noise of the same size, which knows no network.
"""


def main() -> None:
    """Show the page."""
    st.markdown("# Which attack fools which network")
    st.markdown(INTRODUCTION)
    question = choose()
    if question is None:
        return
    try:
        server().digits("test")
    except mnist.DataFileError as error:
        st.error(with_code(str(error)))
        return
    waiting_place = st.container()
    settings = question.key
    leave_former(question)
    stopped = st.session_state.get("transfer_stopped") == settings
    shown, to_come = server().transfers.to_show(question, stopped=stopped)
    show(shown, question)
    waited_for = {
        f"{question.method.title} on {images:,} images": each for images, each in to_come.items()
    }

    def stop() -> None:
        for computation in waited_for.values():
            computation.leave()
        st.session_state["transfer_stopped"] = settings

    with waiting_place:
        if stopped:
            show_stopped()
        if waited_for:
            show_waiting("Transfer", "Computing", waited_for, stop=None if stopped else stop)
        elif not stopped:
            st.progress(1.0, "All is computed.")


def show(shown: Progress, question: TransferQuestion) -> None:
    """Show what is known so far."""
    if shown.state == DONE:
        show_answer(shown.result, question)
    elif shown.state == FAILED:
        st.error(escaped(shown.error))
    else:
        st.info("The first figures for your settings are being computed. They appear here.")


def show_answer(answer: Answer, question: TransferQuestion) -> None:
    """Show the heat map, what it says, and the images of a cell."""
    show_heat_map(answer, question)
    st.caption(f"{on_rates(answer, question)} {' '.join(HOW_TO_READ.split())}")
    show_cell_choice(question)
    show_ten(answer, question)
    show_words(answer, question)


def on_rates(answer: Answer, question: TransferQuestion) -> str:
    """Say what the numbers are shares of."""
    found = answer.found
    what = "misclassified" if found.target is None else f"taken for {found.target}"
    some = ""
    if answer.of < question.of:
        some = f"**From a sample of {answer.of:,} images so far.** "
    elif answer.of < ALL:
        some = f"From {answer.of:,} random test images, always the same ones. "
    left_out = ""
    if found.target is not None:
        left_out = f" Images of the digit {found.target} are left out."
    minimal = ""
    if isinstance(question.method, MinimalMethod):
        minimal = (
            f" {question.method.title} stops just across the border of the network on which it "
            "works, so its images transfer little, and rounding undoes some of them. An image that "
            f"needs an L2 norm above ε = {question.budget:g} counts as unchanged."
        )
    read = [each / found.images for each in found.right.tolist()]
    return (
        f"{some}In per cent: {what} / the images that **both** networks classify correctly without "
        f"an attack (each reads {percent(min(read))} to {percent(max(read))} of the "
        f"{found.images:,} images right).{left_out} The images are rounded to the 256 grey levels "
        f"of a picture file before they are tried.{minimal}"
    )


def leave_former(question: TransferQuestion) -> None:
    """Stop waiting for what only the page's former settings needed: it would delay the rest."""
    state, transfers = st.session_state, server().transfers
    now = [transfers.transfer(each) for each in (question, question.sample)]
    for former in state.get("transfers", []):
        if all(former.key != each.key for each in now):
            former.leave()
    state["transfers"] = now


def show_stopped() -> None:
    """Say that only a sample is computed, with a button to go on."""

    def go_on() -> None:
        del st.session_state["transfer_stopped"]

    with st.container(horizontal=True, vertical_alignment="center"):
        st.write("Stopped. The figures below are from a sample.")
        st.button("Go on", on_click=go_on, key="go_on")


main()
