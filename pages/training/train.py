"""Train: train a network by a recipe in front of the class, then keep it and attack it."""

import streamlit as st

from core.networks import LIBRARY, MAX_NAME, shown_name
from core.presentation.recipe_words import on_recipe
from core.presentation.words import on_nothing_learned
from core.recipe import PRESETS
from core.serving.jobs import FAILED, STOPPED
from core.serving.trainings import Status
from pages.parts.address import put_in_address
from pages.parts.escaped import escaped
from pages.parts.failures import failures_explained
from pages.parts.lecturer import closed
from pages.parts.network_library import show_library
from pages.parts.recipe_form import recipe_in_form, show_recipe_form
from pages.parts.server import server, who
from pages.parts.state import MODEL, RECIPE, RUN
from pages.parts.trainings import show_accuracies, show_epochs, show_progress

DRAW_PAGE = "pages/attack/draw.py"
SECONDS_BETWEEN_LOOKS = 0.7
# On a phone the run comes before the settings, which would push it out of sight.
AREAS = ("form", "run", "settings")
STYLE = """<style>
@media (min-width: 40.01rem) {
  .st-key-training { display: grid; gap: 1rem 3rem; grid-template: "form run" auto
    "settings run" 1fr / minmax(0, 1fr) minmax(0, 2fr); }
  .st-key-training > :has(> .st-key-training_form) { grid-area: form; }
  .st-key-training > :has(> .st-key-training_run) { grid-area: run; }
  .st-key-training > :has(> .st-key-training_settings) { grid-area: settings; }
}
</style>"""
EXPLANATION = """
Training shows the network one image at a time, or a batch of them, and moves every weight a little
against the gradient of the **loss**. The loss is large when the network gives the right digit a
small probability. An **epoch** is one pass over all images. The training loss usually keeps
falling. What counts is the **validation** loss, on images that the network does not learn from.
When that rises while the training loss still falls, the network begins to memorise its images.

As in the course report, the validation images are the test images, unless some training images are
held out. Choosing an epoch by the test images means learning from them a little.

*standard* is the recipe of the course report: 784-128-64-10, one image at a time, learning rate
0.01, 20 epochs. Most other recipes make one change that the report recommends for more robustness.
*Remedies* shows what each of them really buys.
"""


def main() -> None:
    """Show the page."""
    st.markdown("# Train a network")
    RUN.start(parse=str, default="")
    st.html(STYLE)
    with st.container(key="training"):
        form, run, settings = (st.container(key=f"training_{area}") for area in AREAS)
    busy = "Wait until the training shown here has ended, or stop it." if is_busy() else ""
    show_recipe_form(form, settings, train=begin, not_now=closed() or busy)
    with run:
        if problem := st.session_state.pop("train_problem", ""):
            st.error(escaped(problem))
        show_run()
        st.expander("What is happening here?").markdown(EXPLANATION)
    st.divider()
    show_library()
    put_in_address({RECIPE: RECIPE.get(), RUN: RUN.get() or None})


def begin() -> None:
    """Put a training into the queue and watch it from now on.

    The recipe is read here, because a setting may have changed just before the click.
    """
    if is_busy():  # a second click before the page has answered the first
        return
    try:
        recipe, preset = recipe_in_form(), RECIPE.get()
        RUN.set(server().trainings.submit(recipe, who=who()))
        name = shown_name(preset) if recipe == PRESETS[preset] else "network"
        st.session_state["run_name"] = f"My {name}"
    except ValueError as error:
        st.session_state["train_problem"] = str(error)


def is_busy() -> bool:
    """Return whether the run shown here is one's own and goes on; a second one would hide it."""
    if not server().trainings.is_own(RUN.get(), who=who()):
        return False
    status = server().trainings.status(RUN.get())
    return status is not None and not status.ended


def show_run() -> None:
    """Show the session's run, or the one that the address names."""
    run_id = RUN.get()
    if not run_id:
        st.info("Choose a recipe and press Train. The standard recipe takes less than a minute.")
        return
    status = server().trainings.status(run_id)
    if status is None:
        RUN.set("")
        st.warning(
            f"{server().trainings.why_unknown(run_id)} "
            "If its network was kept, it is in the list of networks below."
        )
        return
    st.caption(escaped(on_recipe(status.recipe)))
    if status.ended:
        show_end(run_id, status)
        show_epochs(status)
        return
    follow = st.fragment(show_while_it_runs, run_every=SECONDS_BETWEEN_LOOKS)
    follow(run_id)


def show_while_it_runs(run_id: str) -> None:
    """Show a run's progress; rerun the page when it has ended."""
    with failures_explained("Train"):
        status = server().trainings.status(run_id)
        if status is None or status.ended:
            st.rerun()
        show_progress(run_id, status)
        show_epochs(status)


def show_end(run_id: str, status: Status) -> None:
    """Show the result of a run, and a name to keep it under."""
    if status.error:
        (st.error if status.state == FAILED else st.warning)(escaped(status.error))
    if status.result is None:
        return
    card = status.result[1]
    ended = "Stopped after" if status.state == STOPPED else "Trained in"
    took = f"{status.seconds:.0f} s" if status.seconds >= 1 else "less than 1 s"
    st.markdown(f"**{ended} {took}**, keeping epoch {card.epochs_trained}.")
    if status.learned_nothing:
        st.warning(on_nothing_learned(status.recipe))
    show_accuracies(card)
    kept = st.session_state.get("kept", {})
    if run_id in kept:
        name = kept[run_id]
        if name not in LIBRARY.names():
            st.info(f"It was kept as {escaped(name)} and has been deleted since.")
            return
        st.success(f"Kept as “{escaped(name)}”. Everybody who uses this server can choose it.")
        if st.button("Attack it on the Draw page", key="attack_it"):
            MODEL.set(name)
            st.switch_page(DRAW_PAGE)
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        offer_name(run_id)
        st.text_input("Name", max_chars=MAX_NAME, key="keep_name")
        st.button("Keep it", key="keep", on_click=keep, args=[run_id, status])


def offer_name(run_id: str) -> None:
    """Fill in the text box, once for each run."""
    state = st.session_state
    if state.get("name_offered") != run_id or "keep_name" not in state:
        state["name_offered"], state["keep_name"] = run_id, state.get("run_name", "My network")


def keep(run_id: str, status: Status) -> None:
    """Keep a run's network under the name in the text box."""
    if status.result is None:
        return
    try:
        name = server().keep(st.session_state["keep_name"], *status.result, who=who())
    except (ValueError, OSError) as error:
        reason = (
            f"The file can't be written: {error.strerror}." if isinstance(error, OSError) else error
        )
        st.session_state["train_problem"] = str(reason)
        return
    st.session_state["kept"] = {**st.session_state.get("kept", {}), run_id: name}


main()
