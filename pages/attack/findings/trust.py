"""Can these numbers be trusted? The checks of what evaluations of attacks get wrong."""

import streamlit as st

from core.presentation.sanity import verdicts
from core.serving.jobs import DONE, FAILED, Computation
from pages.parts.evaluations import PATIENCE, TRUSTED, checks_of
from pages.parts.networks import ChosenNetwork


def show_trust(chosen: ChosenNetwork, epsilon: float, *, stopped: bool) -> dict[str, Computation]:
    """The checks of what evaluations of attacks get wrong; returns what is still computed."""
    st.markdown("##### Can these numbers be trusted?")
    st.write(
        "What should hold of any evaluation, checked on this network with the attacks that only "
        "measure: noise, FGSM and PGD. It says how far the rates above can be relied upon, "
        "whichever attack they are of."
    )
    if not epsilon:
        st.write("At ε = 0 nothing is attacked, and there is nothing to check.")
        return {}
    computation = checks_of(chosen, epsilon)
    progress = computation.look(wait=PATIENCE[stopped])
    if progress.state == FAILED:
        st.error(progress.error)
        return {}
    if progress.state != DONE:
        st.write("The checks are being computed …")
        return {"the checks": computation}
    for check in verdicts(progress.result):
        said = (
            ":material/check_circle: Holds" if check.passed else ":material/warning: Does not hold"
        )
        st.markdown(f"{said}: **{check.title}.** {check.finding}")
        st.caption(check.meaning)
    st.caption(f"At ε = {epsilon:g} a pixel, on a sample of {TRUSTED:,} test images.")
    return {}
