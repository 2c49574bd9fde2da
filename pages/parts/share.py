"""A link to the page as it is now, for the class: as a QR code, and to copy."""

from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import streamlit as st

from core.presentation import qr_code
from core.serving.reach import LONGEST, for_code, own_address, reachable
from pages.parts import copy_link
from pages.parts.state import PIXELS

_BUTTON = """
.copy-link button { font: inherit; font-size: 0.9rem; color: inherit; background: none;
  padding: 0.4rem 0.8rem; border: 1px solid var(--st-border-color); border-radius: 0.5rem; }
.copy-link button:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
"""
_copy_link = st.components.v2.component(
    "copy_link",
    html='<div class="copy-link"></div>',
    css=copy_link.CSS + _BUTTON,
    js=copy_link.JS + (Path(__file__).parent / "copy_link" / "component.js").read_text("utf-8"),
    isolate_styles=False,  # in a dialog the Tab key does not reach into a shadow root
)


@st.fragment
def show_share() -> None:
    """Show a button that opens the link; the rest of the page does not run again."""
    if st.button("Link", key="link", icon=":material/qr_code:", type="tertiary"):
        show_link()


@st.dialog("Link to this page", width="large")
def show_link() -> None:
    """Show the QR code of the page's address, and a button that copies it."""
    page = urlsplit(st.context.url or "")
    query = urlencode(st.query_params.to_dict(), quote_via=quote)
    here = urlunsplit(page._replace(path=page.path or "/", query=query))
    link = reachable(here, listens_on=st.get_option("server.address") or "", own=own_address())
    if link is None:
        st.info(
            "Other devices can't open this page: the server listens on this machine alone, or has "
            "no network. For a class on the same network, start it as follows; then the QR code is "
            "here."
        )
        st.code("streamlit run app.py --server.address 0.0.0.0", language=None, wrap_lines=True)
    else:
        show_code(link)
    _copy_link(data={"link": link or here}, key="copy_link")


def show_code(link: str) -> None:
    """Show a link's QR code as large as the screen allows."""
    short = for_code(link, picture=PIXELS.name)
    try:
        image = qr_code.data_uri(short)
    except ValueError:
        st.warning("This link is too long for a QR code. It can be copied.")
        return
    st.html(
        f'<img src="{image}" alt="QR code of the link" style="display: block; margin: auto; '
        'width: min(100%, 64vh)">'
    )
    st.code(short, language=None, wrap_lines=True)
    if short != link:
        st.caption(
            f"With the drawing in it, the link has {len(link):,} characters. A code of more than "
            f"{LONGEST} can't be read across a room, so this one leaves the drawing out. The link "
            "below has it."
        )
