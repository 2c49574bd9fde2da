"""A picture of a digit: from a file, the camera, or the address."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data import drawing, pictures
from pages.parts.digit_images import SHOWN, show_images
from pages.parts.escaped import escaped
from pages.parts.remark import show_below

FILE, CAMERA = "File", "Camera"
# Endings of `pictures.FORMATS`; Streamlit adds those that mean the same, like jpeg for jpg.
_ENDINGS = ("png", "jpg", "webp", "gif", "bmp", "tif", "tiff", "heic", "heif")


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture, as the session keeps it; one of `rgba` and `pixels` is None.

    Attributes:
        id: differs between pictures.
        rgba: `(height, width, 4)` bytes, upright, of a file or the camera.
        pixels: `(784,)` bytes, what the network sees, of a digit that came with the address.
    """

    id: str
    rgba: NDArray[np.uint8] | None = None
    pixels: NDArray[np.uint8] | None = None


def current() -> Picture | None:
    """Return the session's picture; None if there is none."""
    picture: Picture | None = st.session_state.get("picture")
    return picture


def open_linked(pixels: NDArray[np.uint8] | None) -> None:
    """Show the digit of an address, or no picture, in place of the one that is shown."""
    number = _number() + 1
    linked = None if pixels is None else Picture(f"link {number}", pixels=pixels)
    # The widgets of another number are new ones: they hold no file.
    st.session_state.update(picture=linked, picture_number=number, picture_error="")


def show() -> None:
    """Show where the picture comes from, and the picture."""
    source = FILE
    if _page_may_have_camera():
        source = st.segmented_control(
            "Where the picture comes from",
            [FILE, CAMERA],
            default=FILE,
            required=True,
            key="picture_from",
            label_visibility="collapsed",
        )
    if source == CAMERA:
        # The browser asks for the camera as soon as this is shown.
        key = f"camera_{_number()}"
        st.camera_input("Hold a digit on paper to the camera", key=key, on_change=_take, args=[key])
    else:
        _show_uploader()
    if error := st.session_state.get("picture_error"):
        st.error(escaped(error))
    picture = current()
    if picture is not None and picture.pixels is not None:
        said = "The picture of the link, as the network gets it"
        show_images([(picture.pixels / 255, said)], name=SHOWN)
    elif source == FILE and picture is not None and picture.rgba is not None:
        show_images([(picture.rgba[..., :3] / 255, "Your picture")], name=SHOWN)


def _show_uploader() -> None:
    key = f"picture_{_number()}"
    kinds = f"{', '.join(pictures.FORMATS[:-1])} or {pictures.FORMATS[-1]}"
    limits = f"{kinds}, up to {pictures.MAX_BYTES // 1_000_000} MB"
    st.file_uploader(
        f"A picture of a digit ({limits})",
        type=_ENDINGS,
        key=key,
        on_change=_take,
        args=[key],
        max_upload_size=pictures.MAX_BYTES // 1_000_000,
    )
    # The browser itself refuses other files, lists them all, and says why in a tooltip alone.
    files = "[data-testid=stFileChips] > div > div"
    st.html(f"<style>.st-key-{key} {files}:not(:last-child) {{ display: none; }}</style>")
    show_below(
        f".st-key-{key}:has({files}:last-child [data-testid=stFileChipIconError])",
        f"This file was not taken. It must be {limits}.",
    )
    if not _page_may_have_camera():
        st.caption(
            "A browser gives a page the camera only over https. On a phone, the button above opens "
            "the phone's own camera."
        )


def _take(key: str) -> None:
    """Take the picture of a widget. One that can't be used leaves the former one in place."""
    state = st.session_state
    state["picture_error"] = ""
    file: Any = state.get(key)
    if file is None:  # taken away, or about to be replaced
        state["picture_former"], state["picture"] = current(), None
        return
    try:
        rgba = pictures.decode(file.getvalue())
        drawing.to_mnist(rgba)
    except (pictures.PictureError, drawing.EmptyDrawingError) as error:
        state["picture_error"] = str(error)
        state["picture"] = current() or state.get("picture_former")
    else:
        state["picture"] = Picture(file.file_id, rgba=rgba)


def _number() -> int:
    """Return the number of the widgets that take a picture."""
    number: int = st.session_state.setdefault("picture_number", 0)
    return number


def _page_may_have_camera() -> bool:
    """Return whether browsers give a page with this address the camera: over https, or locally."""
    address = urlsplit(st.context.url or "http://localhost")
    return address.scheme == "https" or address.hostname in ("localhost", "127.0.0.1", "::1")
