"""A list of a page's sections at its top."""

import re
from collections.abc import Iterable

import streamlit as st


def show_contents(titles: Iterable[str]) -> None:
    """Show a link to each section. Streamlit gives a title the anchor of its words."""
    anchors = {title: re.sub("[^a-z0-9]+", "-", title.lower()).strip("-") for title in titles}
    links = " · ".join(f"[{title}](#{anchor})" for title, anchor in anchors.items())
    st.markdown(f"On this page: {links}")
