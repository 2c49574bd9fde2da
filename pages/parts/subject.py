"""The digit under attack: drawn, one of MNIST's, or from a picture file."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import cast

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.classifier import FloatArray
from core.data import drawing, link, mnist
from core.serving.networks import ServedNetwork
from pages.parts import canvas, digit_choice, picture
from pages.parts.address import on_or_off, one_of, put_in_address, whole_number
from pages.parts.digit_images import show_images
from pages.parts.server import server
from pages.parts.state import CENTRE, DIGIT, LABEL, PIXELS, SOURCE

DRAW, TEST_DIGIT, PICTURE = "Draw", "Test digit", "Picture"
EXAMPLE = 4  # a test image that the page shows before anything is drawn: a 4
# It is written here as in a link, because reading MNIST takes as long as all else on a new server.
_EXAMPLE_PIXELS = (
    "aA_C7w23tRpx3uT2Ya-OtYdo8RhBVsyezQZtibI6NxDehjqW3Eik5-elf9fOwT_fjILzRu1UXpWPL9bIY1z6J5jU4_"
    "ssJvHCcCb57bnuJihUXtcQlJDiuooRXPMJQD47cwq-clBqC9At40RrBRlEBgGUqqyTWcDRsnqk3qYH-"
)
_ORDINALS = ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th")  # of several digits


@dataclass(frozen=True, eq=False)
class Subject:
    """The digit under attack.

    Attributes:
        id: differs between digits, and stays the same from stroke to stroke.
        pixels: `(784,)` bytes, what the network sees and what the address holds.
        stages: the steps from the drawing or picture to the pixels; None if they are not known.
        label: the true digit, if it is known.
    """

    id: str
    pixels: NDArray[np.uint8]
    stages: drawing.Stages | None = None
    label: int | None = None

    @cached_property
    def x(self) -> FloatArray:
        """The pixels in [0, 1] as a batch of one, `(1, 784)`."""
        return self.pixels.reshape(1, -1).astype(np.float32) / 255


def start_source() -> None:
    """Read from the address where the digit comes from; call it in every run of the page."""
    default = TEST_DIGIT if DIGIT.name in st.query_params else DRAW
    SOURCE.start(parse=one_of([DRAW, TEST_DIGIT, PICTURE]), default=default)
    if SOURCE.get() is None:  # a client has sent what is no source
        SOURCE.set(default)


def choose_source() -> None:
    """Show the choice of where the digit comes from."""
    start_source()
    st.segmented_control(
        "A digit to attack",
        [DRAW, TEST_DIGIT, PICTURE],
        required=True,
        key=SOURCE.key,
        persist_state="session",
        label_visibility="collapsed",
    )


def chosen_subject() -> tuple[Subject | None, str]:
    """Return the digit to attack, or None and a sentence that says why it can't be used.

    The sentence is empty if there is nothing yet. Call this before the widgets of the digit's
    source are shown.
    """
    source, problem = SOURCE.get(), ""
    CENTRE.start(parse=on_or_off, default=True)
    try:
        if PIXELS.start(parse=link.decode, default=None):
            _open(source)
        found = {DRAW: _drawn, PICTURE: _picture, TEST_DIGIT: _test_digit}[source]()
    except (mnist.DataFileError, drawing.EmptyDrawingError) as error:
        found, problem = None, str(error)
    if found is not None or problem:
        st.session_state["begun"] = True
    if LABEL.start(parse=whole_number(9), default=None):
        st.session_state["correction"] = (found and found.id, LABEL.get())
    return found, problem


def example() -> Subject | None:
    """Return a test digit for those who have had no digit yet; None for others."""
    if SOURCE.get() != DRAW or "begun" in st.session_state:
        return None
    return example_digit()


def example_digit() -> Subject:
    """Return the test digit that the page shows before anything is drawn."""
    return Subject(f"{TEST_DIGIT} {EXAMPLE}", link.decode(_EXAMPLE_PIXELS), label=4)


def keep_in_address(subject: Subject | None) -> None:
    """Put into the address what the digit under attack is; last, because it takes milliseconds."""
    source, label = SOURCE.get(), _corrected(subject)
    put_in_address(
        {
            SOURCE: PICTURE if source == PICTURE else None,  # the others follow from what is there
            DIGIT: str(DIGIT.get()) if subject and source == TEST_DIGIT else None,
            PIXELS: _text(subject.pixels.tobytes()) if subject and source != TEST_DIGIT else None,
            LABEL: None if label is None else str(label),
            CENTRE: None if CENTRE.get() or source == TEST_DIGIT else "off",
        }
    )


def show_source(subject: Subject | None, chosen: ServedNetwork | None) -> None:
    """Show the widgets of the source: the canvas, the file, or the choice of a test digit."""
    source = SOURCE.get()
    if source == DRAW:
        canvas.show_canvas()
    elif source == PICTURE:
        picture.show()
    elif source == TEST_DIGIT and subject is not None:
        digit_choice.show(subject.x[0], subject.label or 0, chosen)


def show_tools() -> None:
    """Show the canvas's tools if the canvas is shown."""
    if SOURCE.get() == DRAW:
        canvas.show_tools()


def show_choice(subject: Subject) -> None:
    """Show the digits of a drawing or picture if there are several; a click chooses one."""
    stages = subject.stages
    if stages is None or len(stages.boxes) < 2 or not CENTRE.get():
        return
    count = len(stages.boxes)
    shown = stages.boxes[: len(_ORDINALS)]
    st.write(
        f"There are {count} digits here, and the network reads one. The largest is taken until you "
        "choose another."
    )
    with st.container(horizontal=True):
        for place, box in enumerate(shown, 1):
            with st.container(width=72):
                show_images([(_cut_out(stages.ink, box), "")])
                st.button(
                    _ORDINALS[place - 1],
                    help=f"Take the {_ORDINALS[place - 1]} digit from the left",
                    type="primary" if box == stages.box else "secondary",
                    on_click=_choose,
                    args=(subject.id, box),
                    key=f"choose_{place}",
                    width="stretch",
                )


def label_of(subject: Subject, prediction: int) -> int:
    """Return the digit that it is meant to be: corrected, else known, else the prediction."""
    corrected = _corrected(subject)
    if corrected is not None:
        return corrected
    return prediction if subject.label is None else subject.label


def _corrected(subject: Subject | None) -> int | None:
    """Return the digit that somebody said it is."""
    corrected_id, label = st.session_state.get("correction", (None, None))
    return None if subject is None or corrected_id != subject.id else label


def correct_label(subject: Subject, label: int) -> None:
    """Remember which digit the image is meant to be."""
    st.session_state["correction"] = (subject.id, label)


def show_what_the_network_gets(subject: Subject) -> None:
    """Show the stages from the drawing to 28 × 28 pixels, and a switch for the centring."""
    stages = subject.stages
    if stages is None:
        st.write("A digit from a link is already 28 × 28 pixels. The network gets it as it is.")
        return
    *before, ink, scaled, seen = stages.steps
    if not CENTRE.get():
        show_images([ink, (stages.image, "What the network gets, 28 × 28")])
    elif SOURCE.get() == DRAW:
        show_images([ink, scaled, seen], box=stages.box)
    else:
        show_images(before)
        show_images([ink, scaled, seen], box=stages.box)
    CENTRE.set(CENTRE.get())  # otherwise a toggle that was away for a run would be shown as off
    centred = st.toggle(
        "Fit and centre the digit, as MNIST's makers did",
        key=CENTRE.key,
        persist_state="session",
    )
    if not centred:
        st.caption(
            "Now all that is there is only shrunk to 28 × 28. Draw a small digit, or one in a "
            "corner, and watch the prediction: the network was trained on centred digits alone."
        )


def _test_digit() -> Subject:
    """Return the chosen one of MNIST's 10,000 test images."""
    test = server().digits("test")
    DIGIT.start(parse=whole_number(len(test) - 1), default=0)
    return of_test_set(DIGIT.get())


def of_test_set(index: int) -> Subject:
    """Return one of MNIST's 10,000 test images."""
    test = server().digits("test")
    return Subject(f"{TEST_DIGIT} {index}", _levels(test.x[index]), label=int(test.y[index]))


def _drawn() -> Subject | None:
    """Return the digit on the canvas."""
    drawn = canvas.current()
    name = f"{DRAW} {drawn.number}"
    if drawn.png is None:
        subject = None if drawn.base is None else Subject(name, drawn.base)
    else:
        subject = _prepared(name, drawn, drawn.rgba)
    if subject is not None:
        canvas.sketch().remember(_name(subject.pixels))
    return subject


def _open(source: str) -> None:
    """Show what the address holds: a drawing on the canvas, or a picture."""
    pixels = PIXELS.get()
    if source == DRAW:
        canvas.sketch().open(None if pixels is None else _name(pixels), pixels)
        drawn = canvas.sketch().last
        if pixels is not None and drawn.png is not None:
            _choose_again(f"{DRAW} {drawn.number}", drawn.rgba, pixels)
    elif source == PICTURE:
        shown = picture.current()
        if shown is None or shown.rgba is None or pixels is None:
            picture.open_linked(pixels)
            return
        if not _choose_again(f"{PICTURE} {shown.id}", shown.rgba, pixels):
            picture.open_linked(pixels)


def _choose_again(name: str, rgba: NDArray[np.uint8], pixels: NDArray[np.uint8]) -> bool:
    """Choose the digit of a drawing or picture that becomes these pixels, if there is one."""
    for index, box in enumerate(drawing.to_mnist(rgba, centre=CENTRE.get()).boxes):
        stages = drawing.to_mnist(rgba, centre=CENTRE.get(), chosen=index)
        if np.array_equal(_levels(stages.x), pixels):
            _choose(name, box)
            return True
    return False


def _name(pixels: NDArray[np.uint8]) -> tuple[bytes, bool]:
    """Return what a drawing is remembered by: what it became, and how."""
    return pixels.tobytes(), CENTRE.get()


def _picture() -> Subject | None:
    """Return the digit of the picture."""
    shown = picture.current()
    if shown is None:
        return None
    name = f"{PICTURE} {shown.id}"
    if shown.rgba is not None:
        return _prepared(name, shown.id, shown.rgba)
    return None if shown.pixels is None else Subject(name, shown.pixels)


def _prepared(name: str, source: Hashable, rgba: NDArray[np.uint8]) -> Subject:
    """Return the chosen digit in a drawing or picture.

    Args:
        name: of the drawing or picture, the same from stroke to stroke.
        source: differs where `rgba` does.
        rgba: `(height, width, 4)` bytes.

    Raises:
        EmptyDrawingError: there is none.
    """
    # Most runs of the page show the same drawing again.
    asked = (source, CENTRE.get(), st.session_state.get("chosen"))
    known, subject = st.session_state.get("prepared", (None, None))
    if known != asked or subject is None or subject.id != name:
        stages = drawing.to_mnist(rgba, centre=CENTRE.get())
        chosen = _chosen_of(name, stages.boxes)
        if chosen is not None and stages.boxes[chosen] != stages.box:
            stages = drawing.to_mnist(rgba, centre=CENTRE.get(), chosen=chosen)
        subject = Subject(name, _levels(stages.x), stages)
        st.session_state["prepared"] = (asked, subject)
    return cast(Subject, subject)


def _choose(name: str, box: drawing.Box) -> None:
    """Remember which digit of a drawing or picture is chosen: the one at the middle of the box."""
    left, top, right, bottom = box
    st.session_state["chosen"] = (name, (left + right) / 2, (top + bottom) / 2)


def _chosen_of(name: str, boxes: Sequence[drawing.Box]) -> int | None:
    """Return the place of the chosen digit; None if none was chosen, or it is gone."""
    of, x, y = st.session_state.get("chosen", (None, 0, 0))
    if of == name:
        for index, (left, top, right, bottom) in enumerate(boxes):
            if left <= x <= right and top <= y <= bottom:
                return index
    return None


def _cut_out(ink: FloatArray, box: drawing.Box) -> FloatArray:
    """Return the square around a box."""
    left, top, right, bottom = box
    height, width = bottom - top, right - left
    side = max(height, width) * 8 // 7
    out = np.zeros((side, side), ink.dtype)
    row, column = (side - height) // 2, (side - width) // 2
    out[row : row + height, column : column + width] = ink[top:bottom, left:right]
    return out


def _levels(x: FloatArray) -> NDArray[np.uint8]:
    """Return pixels in [0, 1] as bytes."""
    return np.round(x.ravel() * 255).astype(np.uint8)


@lru_cache(maxsize=256)
def _text(pixels: bytes) -> str:
    """Return a digit as text; writing it takes a few milliseconds."""
    return link.encode(np.frombuffer(pixels, np.uint8))
