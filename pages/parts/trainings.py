"""What pages show of a training run and of its result."""

from contextlib import suppress

import streamlit as st

from core.networks import Card
from core.presentation.charts import training_curves
from core.presentation.course_report import facts
from core.presentation.words import on_training_numbers, points, signed
from core.serving.jobs import RUNNING, WAITING
from core.serving.rights import NotYoursError
from core.serving.trainings import PLACE_SECONDS, Status
from core.training.outcome import log_lines
from core.validate import CLASSES
from pages.parts.server import server, who

# Of 60,000 training images and 10,000 test images, on which the course report also validated.
REPORT_ACCURACIES = {
    "Training": facts.TRAIN_ACCURACY,  # counted during the epoch
    "Validation": facts.VALIDATION_ACCURACY,
    "Test": facts.TEST_ACCURACY,
}

_LOGGED = 200  # epochs at most in the log that is shown


def show_progress(run_id: str, status: Status) -> None:
    """Show how far a run is, with a button to stop it."""
    if status.state == WAITING:
        trainings = "training" if status.ahead == 1 else "trainings"
        before = f"{status.ahead} {trainings} before this one. " if status.ahead else ""
        st.info(
            f"{before}This training begins by itself. Keep this page open: after "
            f"{PLACE_SECONDS:.0f} seconds without it, the place is lost."
        )
    elif status.state == RUNNING:
        st.progress(min(status.share, 1.0), text=_progress_text(status))
    if status.ended:
        return
    if server().trainings.may_stop(run_id, who=who()):
        st.button(
            _stop_label(status),
            key="stop",
            on_click=_stop,
            args=[run_id],
        )
    else:
        st.caption("Somebody else has begun this training.")


def show_epochs(status: Status) -> None:
    """Show the curves of the epochs so far, and their log as the report prints it."""
    if not status.log:
        return
    st.plotly_chart(
        training_curves(status.log), config={"displayModeBar": False}, key="training_curves"
    )
    if counted := on_training_numbers(status.recipe):
        st.caption(counted)
    with st.expander("The log, as the report prints it", expanded=True), st.container(height=260):
        shown = status.log[: -_LOGGED - 1 : -1]  # the latest first
        lines = [log_lines(status.recipe, logged) for logged in shown]
        st.code("\n".join(lines), language=None)


def show_accuracies(card: Card) -> None:
    """Show a network's accuracies, beside the report's if it has learned all ten digits."""
    learned, ours = card.digits, card.recipe
    shares = (card.train_accuracy, card.validation_accuracy, card.test_accuracy)
    same = ours is None or not ours.held_out  # the validation images are the test images
    with st.container(horizontal=True):
        for (name, report), share in zip(REPORT_ACCURACIES.items(), shares, strict=True):
            if same and name == "Validation":
                continue
            st.metric(
                f"{name} accuracy, at the end" if ours else f"{name} accuracy",
                f"{share:.2%}",
                f"{signed(points(share, report, 2), 2)} points; the report: {report:.2%}"
                if len(learned) == CLASSES
                else f"of the digits {', '.join(map(str, learned))} alone",
                delta_color="off",
                delta_arrow="off",
            )
    measured = (
        "Measured after the training. The training accuracy of a log or of its chart is counted "
        "during the epoch, on each image before the network learns from it."
    )
    validated = " Validated on the test images, as the report did." if same else ""
    if ours is None:
        measured = "Measured by this program. Which images the network learned from is not known."
        validated = ""
    most = card.measured_on
    images = f"at most the first {most:,} images" if most else "all images"
    st.caption(f"Accuracy: classified correctly / {images} of that kind.{validated} {measured}")


def _stop_label(status: Status) -> str:
    """Say what is kept if a run is stopped now (see `core.training.outcome`)."""
    if not status.log:
        return "Stop"
    best = status.recipe.adversary != "interval"
    return "Stop and keep the best so far" if best else "Stop and keep the last epoch"


def _stop(run_id: str) -> None:
    with suppress(NotYoursError):  # one was the lecturer when the button was shown
        server().trainings.stop(run_id, who=who())


def _progress_text(status: Status) -> str:
    """Describe how far a running training is."""
    if not status.images:
        return "Reading the images and compiling …"
    recipe, epochs = status.recipe, len(status.log)
    if epochs == recipe.epochs * recipe.members:
        return "Measuring the accuracies …"
    text = f"Epoch {min(epochs % recipe.epochs + 1, recipe.epochs)} of {recipe.epochs}"
    if recipe.members > 1:
        member = status.log[-1].member if status.log else 1
        text = f"Network {member} of {recipe.members}, {text.lower()}"
    left = status.seconds_left
    return text if left is None else f"{text}, at most {left:.0f} s left"
