"""As code: what Draw shows, as a few lines of Python and as a formula."""

import streamlit as st

from core.data import link
from core.presentation.code import Shown, formula, lines
from core.serving.networks import ServedNetwork
from pages.parts.inside.opening import opened
from pages.parts.state import CODE, DIGIT
from pages.parts.subject import Subject


def show_code(shown: Shown, chosen: ServedNetwork, subject: Subject) -> None:
    """Show the lines that compute what is shown, and the formula, once they are asked for."""
    view = opened(CODE, "As code")
    if view is None:
        return
    digit = link.encode(subject.pixels) if subject.label is None else DIGIT.get()
    with view:
        st.write(
            "These lines compute what is on the screen. Run them in the project's folder, and look "
            "how little an attack needs: the network, the image and its label."
        )
        st.code(lines(shown, network=chosen.name, digit=digit), language="python", wrap_lines=True)
        st.write("The same as a formula, with the numbers of this place of the slider:")
        written = formula(shown)
        with st.container(gap="xxsmall"):
            for line in written:
                st.latex(line)
        st.caption(_symbols(" ".join(written)))


def _symbols(written: str) -> str:
    """Say what the symbols of a formula mean."""
    loss = ", $L$ the cross-entropy" if " L(" in written else ""
    said = f"$x$ is the image, $x'$ the adversarial image{loss} and $Z_j$ the logit of digit $j$."
    if r"\Pi" in written:
        said += " $Π$ brings an image back into its bounds after each step."
    return said
