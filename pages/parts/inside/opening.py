"""How a view inside the network opens: below the instrument, on request, or by a link."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts.address import on_or_off, put_in_address
from pages.parts.epsilon_explorer.choices import NOT_YET, flip_is_hidden
from pages.parts.state import Setting


def opened(
    setting: Setting[bool], title: str, *, tells_flip: bool = False
) -> DeltaGenerator | None:
    """Show a view's title; return the place of the view once it is to be computed and shown.

    Args:
        setting: whether the view is open; it is in the address.
        title: says what can be seen.
        tells_flip: whether the view tells where the prediction flips, or to what. While that is
            hidden, it says so instead.
    """
    setting.start(parse=on_or_off, default=False)
    place = st.expander(title, key=setting.key, on_change="rerun")
    put_in_address({setting: "on" if place.open else None})
    if not place.open:
        return None
    if tells_flip and flip_is_hidden():
        place.caption(NOT_YET)
        return None
    return place
