"""The digit under attack: drawn, one of MNIST's, or from a picture file."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.classifier import FloatArray
from core.data import drawing, mnist, pictures
from core.presentation.words import with_article
from pages.parts import canvas
from pages.parts.address import put_in_address
from pages.parts.digit_images import show_images
from pages.parts.server import server
from pages.parts.state import DIGIT, SOURCE

DRAW, TEST_DIGIT, PICTURE = "Draw", "Test digit", "Picture"


@dataclass(frozen=True, eq=False)
class Subject:
    """The digit under attack.

    Attributes:
        id: differs between digits, and stays the same from stroke to stroke.
        x: `(1, 784)` pixels in [0, 1], what the network sees.
        stages: the steps from the drawing or picture to `x`; None for one of MNIST's digits.
        label: the true digit, if it is known.
    """

    id: str
    x: FloatArray
    stages: drawing.Stages | None = None
    label: int | None = None


def choose_source() -> None:
    """Show the choice of where the digit comes from."""
    st.session_state.setdefault(SOURCE.key, TEST_DIGIT if DIGIT.key in st.query_params else DRAW)
    st.segmented_control(
        "A digit to attack",
        [DRAW, TEST_DIGIT, PICTURE],
        required=True,
        key=SOURCE.key,
        persist_state="session",
        label_visibility="collapsed",
    )


def chosen_subject() -> Subject | None:
    """Return the digit to attack; None if there is none yet, or it can't be used.

    It is called before the widgets of its source are shown.
    """
    source = SOURCE.get()
    try:
        if source == TEST_DIGIT:
            return _test_digit()
        rgba, name = {DRAW: canvas.drawing, PICTURE: _picture}[source]()
        if rgba is None:
            return None
        stages = drawing.to_mnist(rgba, centre=st.session_state.get("centre", True))
        return Subject(id=f"{source} {name}", x=stages.x, stages=stages)
    except (mnist.DataFileError, pictures.PictureError) as error:
        st.error(str(error))
    except drawing.EmptyDrawingError:
        pass  # the page says what to do
    return None


def show_source(subject: Subject | None) -> None:
    """Show the widgets of the source: the canvas, the file, or the index."""
    source = SOURCE.get()
    if source == DRAW:
        canvas.show_canvas()
    elif source == PICTURE:
        _show_picture()
    elif source == TEST_DIGIT and subject is not None:
        _show_test_digit(subject)
    if source != TEST_DIGIT:
        put_in_address({DIGIT: None})


def show_tools() -> None:
    """Show the canvas's tools if the canvas is shown."""
    if SOURCE.get() == DRAW:
        canvas.show_tools()


def label_of(subject: Subject, prediction: int) -> int:
    """Return the digit that it is meant to be: corrected, else known, else the prediction."""
    corrected_id, corrected = st.session_state.get("correction", (None, 0))
    if corrected_id == subject.id:
        return int(corrected)
    return prediction if subject.label is None else subject.label


def correct_label(subject: Subject, label: int) -> None:
    """Remember which digit the image is meant to be."""
    st.session_state["correction"] = (subject.id, label)


def show_what_the_network_sees(subject: Subject) -> None:
    """Show the stages from the drawing to 28 × 28 pixels, and a switch for the centring."""
    if subject.stages is None:
        st.write("MNIST's digits are already centred. The network sees them as they are.")
        return
    stages = subject.stages
    seen = (stages.image, "What the network sees, 28 × 28")
    if st.session_state.get("centre", True):
        fitted = [(stages.ink, "The ink's box"), (stages.scaled, "Fitted to 20 × 20"), seen]
        show_images(fitted, box=stages.box)
    else:
        show_images([(stages.ink, "The whole drawing"), seen])
    centred = st.toggle(
        "Fit and centre the digit, as MNIST's makers did",
        value=True,
        key="centre",
        persist_state="session",
    )
    if not centred:
        st.caption(
            "Now the whole drawing is only shrunk to 28 × 28. Draw a small digit, or one in a "
            "corner, and watch the prediction: the network was trained on centred digits alone."
        )


def _test_digit() -> Subject:
    """Return the chosen one of MNIST's 10,000 test images."""
    test = server().digits("test")

    def index_in(text: str) -> int:
        if not 0 <= int(text) < len(test):
            raise ValueError(text)
        return int(text)

    DIGIT.start(parse=index_in, default=0)
    index = DIGIT.get()
    put_in_address({DIGIT: str(index)})
    x = test.x[index : index + 1]
    return Subject(id=f"{TEST_DIGIT} {index}", x=x, label=int(test.y[index]))


def _show_test_digit(subject: Subject) -> None:
    """Show the choice of a test digit, by its index or at random, and the digit."""
    last = len(server().digits("test")) - 1

    def another() -> None:
        DIGIT.set(int(np.random.default_rng().integers(last + 1)))

    with st.container(horizontal=True, vertical_alignment="bottom", width=canvas.SIDE):
        index = st.number_input(
            "Test digit", 0, last, key=DIGIT.key, persist_state="session", width=150
        )
        st.button("At random", on_click=another)
    caption = f"MNIST's test image no. {index}: {with_article(subject.label or 0)}"
    with st.container(width=canvas.SIDE):
        show_images([(subject.x[0], caption)])


def _picture() -> tuple[NDArray[np.uint8] | None, str]:
    """Return the uploaded picture, which the session keeps: its pixels, and a name for it."""
    file = st.session_state.get("picture")
    if file is not None and "picture_read" not in st.session_state:
        st.session_state["picture_read"] = (pictures.decode(file.getvalue()), file.file_id)
    read: tuple[NDArray[np.uint8] | None, str] = st.session_state.get("picture_read", (None, ""))
    return read


def _show_picture() -> None:
    """Show the choice of a picture file, and the picture."""

    def forget() -> None:
        st.session_state.pop("picture_read", None)

    st.file_uploader(
        f"A picture of one digit ({' or '.join(pictures.FORMATS)}, up to 20 MB)",
        type=[name.lower() for name in pictures.FORMATS],  # Streamlit adds jpg to jpeg
        key="picture",
        on_change=forget,
    )
    rgba, _ = st.session_state.get("picture_read", (None, ""))
    if rgba is not None:
        with st.container(width=canvas.SIDE):
            show_images([(rgba[..., :3] / 255, "Your picture")])
