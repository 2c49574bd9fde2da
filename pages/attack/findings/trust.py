"""Can these numbers be trusted? Checks for what often goes wrong in evaluations of attacks."""

import streamlit as st

from core.presentation.sanity import verdicts
from core.serving.evaluations import CHECKED
from core.serving.jobs import DONE, FAILED, Computation
from core.serving.networks import ServedNetwork
from pages.parts.escaped import escaped
from pages.parts.server import server, who

MARKS = {
    "holds": ":material/check_circle: Holds",
    "fails": ":material/warning: Does not hold",
    "lower bound": ":material/info: Lower bound",
}


def show_trust(chosen: ServedNetwork, epsilon: float, *, stopped: bool) -> dict[str, Computation]:
    """Show the checks; return what is still being computed."""
    st.markdown("## Can these numbers be trusted?")
    st.write(
        "These checks should hold for every evaluation of an attack. They attack this network with "
        "noise, FGSM and PGD, whichever attack you chose."
    )
    if not epsilon:
        st.write("At ε = 0 there is no attack and nothing to check.")
        return {}
    progress, computation = server().evaluations.checks_to_show(
        chosen, epsilon, who=who(), stopped=stopped
    )
    if progress.state == FAILED:
        st.error(escaped(progress.error))
        return {}
    if progress.state != DONE:
        st.write("Running the checks …")
        return {"the checks": computation}
    for check in verdicts(progress.result):
        st.markdown(f"{MARKS[check.kind]}: **{check.title}.** {check.finding}")
        st.caption(check.meaning)
    st.caption(f"At ε = {epsilon:g} a pixel, on a sample of {CHECKED:,} test images.")
    return {}
