"""The digit under attack: drawn, one of MNIST's, or from a picture file."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.classifier import FloatArray
from core.data import drawing, mnist, pictures
from core.presentation.words import with_article
from pages.parts import canvas
from pages.parts.address import put_in_address, start_from_address
from pages.parts.digit_images import show_images

DRAW, TEST_DIGIT, PICTURE = "Draw", "Test digit", "Picture"


@dataclass(frozen=True, eq=False)
class Subject:
    """The digit under attack.

    Attributes:
        id: differs from one digit to the next, but not from stroke to stroke.
        x: `(1, 784)`, what the network sees.
        stages: how a drawing or a picture became that; None for a digit of MNIST's own.
        label: the digit it is, where that is known.
    """

    id: str
    x: FloatArray
    stages: drawing.Stages | None = None
    label: int | None = None


@st.cache_resource(show_spinner="Reading MNIST's test digits …")
def test_digits() -> mnist.Digits:
    """MNIST's test set, once for all sessions."""
    return mnist.load("test")


def choose_source() -> None:
    """Where the digit comes from."""
    st.session_state.setdefault("source", TEST_DIGIT if "digit" in st.query_params else DRAW)
    st.segmented_control(
        "A digit to attack",
        [DRAW, TEST_DIGIT, PICTURE],
        required=True,
        key="source",
        persist_state="session",
        label_visibility="collapsed",
    )


def chosen_subject() -> Subject | None:
    """The digit to attack, before its source is shown; None, perhaps with a reason, without one."""
    source = st.session_state["source"]
    try:
        if source == TEST_DIGIT:
            return _test_digit()
        rgba, name = _picture() if source == PICTURE else canvas.drawing()
        if rgba is None:
            return None
        stages = drawing.to_mnist(rgba, centre=st.session_state.get("centre", True))
        return Subject(id=f"{source} {name}", x=stages.x, stages=stages)
    except (mnist.DataFileError, pictures.PictureError) as error:
        st.error(str(error))
    except drawing.EmptyDrawingError:
        pass  # the page says what to do where the digit would be attacked
    return None


def show_source(subject: Subject | None) -> None:
    """The widgets by which one comes to a digit."""
    source = st.session_state["source"]
    if source == DRAW:
        canvas.show_canvas()
    elif source == PICTURE:
        _show_picture()
    elif subject is not None:
        _show_test_digit(subject)
    if source != TEST_DIGIT:
        put_in_address({"digit": None})


def show_tools() -> None:
    """What else one can do with the source of the digit."""
    if st.session_state["source"] == DRAW:
        canvas.show_tools()


def label_of(subject: Subject, prediction: int) -> int:
    """The digit it is meant to be: known, else the prediction until somebody says otherwise."""
    corrected_id, corrected = st.session_state.get("correction", (None, 0))
    if corrected_id == subject.id:
        return int(corrected)
    return prediction if subject.label is None else subject.label


def correct_label(subject: Subject, label: int) -> None:
    """Somebody says which digit it is meant to be."""
    st.session_state["correction"] = (subject.id, label)


def show_what_the_network_sees(subject: Subject) -> None:
    """The stages from the drawing to 28 × 28 pixels, and the switch of the centring."""
    if subject.stages is None:
        st.write("MNIST's own digits are centred already; the network sees them as they are.")
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
            "Off, the whole drawing is merely shrunk to 28 × 28. Draw small or in a corner, and "
            "see what becomes of the prediction: the network has only ever seen centred digits."
        )


def _test_digit() -> Subject:
    """The one of MNIST's 10,000 test digits whose index is chosen."""
    test = test_digits()

    def index_in(text: str) -> int:
        if not 0 <= int(text) < len(test):
            raise ValueError(text)
        return int(text)

    start_from_address("digit", parse=index_in, default=0)
    index = st.session_state["digit"]
    put_in_address({"digit": str(index)})
    x = test.x[index : index + 1]
    return Subject(id=f"{TEST_DIGIT} {index}", x=x, label=int(test.y[index]))


def _show_test_digit(subject: Subject) -> None:
    """The choice of a test digit, by its index or at random, and the digit."""
    last = len(test_digits()) - 1

    def another() -> None:
        st.session_state["digit"] = int(np.random.default_rng().integers(last + 1))

    with st.container(horizontal=True, vertical_alignment="bottom", width=canvas.SIDE):
        index = st.number_input(
            "Test digit", 0, last, key="digit", persist_state="session", width=150
        )
        st.button("At random", on_click=another)
    caption = f"MNIST's test digit {index}, {with_article(subject.label or 0)}"
    with st.container(width=canvas.SIDE):
        show_images([(subject.x.reshape(28, 28), caption)])


def _picture() -> tuple[NDArray[np.uint8] | None, str]:
    """The picture file that was uploaded, kept for the session: its pixels, and a name for it."""
    file = st.session_state.get("picture")
    if file is not None and "picture_read" not in st.session_state:
        st.session_state["picture_read"] = (pictures.read(file.getvalue()), file.file_id)
    read: tuple[NDArray[np.uint8] | None, str] = st.session_state.get("picture_read", (None, ""))
    return read


def _show_picture() -> None:
    """The choice of a picture file, and the picture."""

    def forget() -> None:
        st.session_state.pop("picture_read", None)

    st.file_uploader(
        "A picture of one digit (PNG or JPEG, up to 20 MB)",
        type=["png", "jpg", "jpeg"],
        key="picture",
        on_change=forget,
    )
    rgba, _ = st.session_state.get("picture_read", (None, ""))
    if rgba is not None:
        with st.container(width=canvas.SIDE):
            show_images([(rgba[..., 0] / 255, "your picture, as white on black")])
